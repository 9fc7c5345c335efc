"""The helper modules of the integration tests, where only this folder is collected too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
