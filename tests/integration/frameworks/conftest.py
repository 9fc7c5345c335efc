"""The helper modules of the other tests, where only this folder is collected too."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in ("integration", "unit"):
    sys.path.append(str(Path(__file__).parents[2] / folder))
