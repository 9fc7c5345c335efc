"""The rows of docs/coming-from.md, one module for each library, and what plays them.

The rows are the one source of the tables: ``python -m coming_from.tables``, from the folder above,
writes them into the page, and test_coming_from.py plays each of them.
"""
