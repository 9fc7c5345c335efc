"""Main: ``python -m retrying_elegant`` is the command ``retrying-elegant``."""

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main())
