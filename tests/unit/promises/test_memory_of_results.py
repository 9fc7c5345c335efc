"""Contract 15, memory: a rejected result is gone before the next attempt."""

from __future__ import annotations

import weakref

import pytest

from retrying_elegant import RetryError


class Page:
    """A result that may be of ten megabytes."""


class TestRejectedResults:
    """They are not kept while the next attempt runs."""

    def test_one_at_a_time(self, way, no_collector):
        """When an attempt begins, those before it have let their results go."""
        pages = []

        def risky():
            alive = [page for page in pages if page() is not None]
            assert alive == []
            page = Page()
            pages.append(weakref.ref(page))
            return page

        accepted = way.run(risky, 4, wait=0, until=lambda page: len(pages) == 3)
        assert accepted is pages[2]()

    def test_the_last_one_is_kept(self, way):
        """By the RetryError."""
        with pytest.raises(RetryError) as caught:
            way.run(Page, 2, wait=0, until=lambda page: False)
        assert type(caught.value.result) is Page
