"""Every example that a user can read runs: in the pages, and in the docstrings."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from importlib.util import find_spec

import documents
import pytest

import retrying_elegant

# Subclass what they wrap, so they cannot be imported without it.
NEEDED = {
    "retrying_elegant.clients._aiohttp": "aiohttp",
    "retrying_elegant.clients._requests": "requests",
}
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(retrying_elegant.__path__, "retrying_elegant.")
    if module.name != "retrying_elegant.__main__"
    and find_spec(NEEDED.get(module.name, "retrying_elegant"))
]


class TestPages:
    """Every code block in a page runs."""

    @pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
    def test_its_blocks_run_from_top_to_bottom(self, page):
        """In one namespace, as a reader would type them; waits are skipped."""
        documents.run(page, have=False)

    def test_blocks_are_found(self):
        """All of them: a pattern that finds nothing would pass everything."""
        readme = documents.ROOT / "README.md"
        assert len(documents.blocks(readme)) == readme.read_text(encoding="utf-8").count(
            "```python"
        )
        assert any(block.runs_anywhere for block in documents.blocks(readme))
        tutorial = documents.blocks(documents.ROOT / "docs" / "tutorial.md")
        assert sum(block.runs_anywhere for block in tutorial) >= 5


class TestDocstrings:
    """Every example in a docstring runs, and gives what it says."""

    @pytest.mark.parametrize("module", [retrying_elegant, *MODULES], ids=lambda m: m.__name__)
    def test_its_examples_run(self, module):
        """Waits are skipped."""
        found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
        assert found.failed == 0

    def test_those_of_methods_run_too(self):
        """Also of classes that name the package as their module: testmod skips these."""
        runner, ran = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS), set()
        for module in MODULES:
            for name, value in vars(module).items():
                moved = isinstance(value, type) and value.__module__ == retrying_elegant.__name__
                if moved and f"\nclass {name}" in inspect.getsource(module):
                    finder = doctest.DocTestFinder(exclude_empty=True)
                    for test in finder.find(value, name, module=False, globs=vars(module).copy()):
                        runner.run(test)
                        ran |= {test.name} if test.examples else set()
        assert runner.failures == 0
        assert {"Policy.replace", "Policy.preview"} <= ran

    def test_public_names_have_examples(self):
        """Each public class and function shows how it is used."""
        finder = doctest.DocTestFinder(recurse=True, exclude_empty=True)
        without = [
            name
            for name in retrying_elegant.__all__
            if callable(public := getattr(retrying_elegant, name))
            and not any(test.examples for test in finder.find(public, name))
        ]
        assert without == []
