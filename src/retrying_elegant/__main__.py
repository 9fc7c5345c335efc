"""Main: ``python -m retrying_elegant`` is the command ``retrying-elegant``."""

from .cli.main import script

if __name__ == "__main__":
    script()
