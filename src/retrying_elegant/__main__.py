"""Main: ``python -m retrying_elegant`` is the command ``retrying-elegant``."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
