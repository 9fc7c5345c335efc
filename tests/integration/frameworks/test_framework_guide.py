"""The examples of docs/frameworks.md, as they stand on the page, served and asked as on the page.

The page is run once, against a server whose every path fails twice.
"""

from __future__ import annotations

import documents
import given  # which finds documents
import httpx
import pytest
from framework_servers import serving

from retrying_elegant import testing

PAGE = documents.ROOT / "docs" / "frameworks.md"


@pytest.fixture(autouse=True)
def instant():
    with testing.instant() as instant:
        yield instant


@pytest.fixture(scope="module")
def server():
    with given.server() as server:
        yield server


@pytest.fixture(scope="module")
def page(server):
    """The names of the page after it has run."""
    with testing.instant():
        names = {"url": server.url}
        documents.run(PAGE, have=True, namespace=names)
        yield names


@pytest.fixture(scope="module")
def site(page):
    with serving(page["app"]) as url:
        yield url


class TestFastAPI:
    """The view is called once, what it calls is retried, and a give-up is answered with 503."""

    def test_success(self, site, server):
        """At the third attempt."""
        found = httpx.get(f"{site}/items/tea")
        assert found.status_code == 200
        assert found.json()["stock"]["path"] == "/stock/tea"
        assert server.requests["/stock/tea"] == 3

    def test_not_found(self, site, server):
        """404 at once; the service is not called."""
        assert httpx.get(f"{site}/items/cocoa").status_code == 404
        assert server.requests["/stock/cocoa"] == 0

    def test_exhausted(self, site, server, page):
        """With one attempt, the first failure is final: it was not retried, but given up on."""
        with testing.limit(1):
            found = httpx.get(f"{site}/items/coffee")
        assert found.status_code == 503
        assert found.headers["Retry-After"] == "10"
        assert page["STOCK"].budget.tokens > 0

    def test_rejected(self, site, page, monkeypatch):
        """What is not transient has no record: 502."""
        monkeypatch.setitem(page, "url", page["url"] + "missing/")
        assert httpx.get(f"{site}/items/tea").status_code == 502

    def test_a_dependency_with_yield(self, site, page):
        """Refused once, then connected."""
        page["refusals"].append(ConnectionRefusedError("starting up"))
        assert httpx.get(f"{site}/health").json() == {"connected": "connection"}
        assert page["refusals"] == []


class TestFlask:
    """The same answers from Flask."""

    def test_exhausted(self, page):
        """503."""
        page["ITEMS"].add("sugar")
        with testing.limit(1):
            assert page["shop"].test_client().get("/prices/sugar").status_code == 503

    def test_rejected(self, page, monkeypatch):
        """502."""
        monkeypatch.setitem(page, "url", page["url"] + "missing/")
        assert page["shop"].test_client().get("/prices/tea").status_code == 502
