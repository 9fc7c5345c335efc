"""The recipes of docs/recipes.md, as they stand on the page, against what they were written for.

The page is run once, against a server whose every path fails twice.  The tests look at what came
of it, and call the page's functions again where there is more to know.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))

import documents
import given

from retrying_elegant import RetryError, given_up, testing, web

celery = pytest.importorskip("celery", reason="the package celery is not installed")
httpx = pytest.importorskip("httpx", reason="the package httpx is not installed")
requests = pytest.importorskip("requests", reason="the package requests is not installed")
pytest.importorskip("aiohttp", reason="the package aiohttp is not installed")

RECIPES = documents.ROOT / "docs" / "recipes.md"


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
    with given.upload() as upload, testing.instant():
        names = {"url": server.url, "upload": upload}
        documents.run(RECIPES, have=True, namespace=names)
        yield names


class TestClients:
    """Two failures, an answer; what another attempt cannot cure is asked for once."""

    @pytest.mark.parametrize(
        ("name", "path"),
        [("user", "/users/7"), ("page", "/pages/1"), ("image", "/images/1")],
        ids=["requests", "httpx", "aiohttp"],
    )
    def test_the_third_attempt_succeeds(self, page, server, name, path):
        """After 503 and after a reset."""
        assert page[name]["path"] == path
        assert server.requests[path] == 3

    def test_urllib(self, page, server):
        """The same; what it raises is closed and still has its headers."""
        assert json.loads(page["robots"])["path"] == "/robots.txt"
        assert server.requests["/robots.txt"] == 3
        with testing.off(), pytest.raises(urllib.error.HTTPError) as caught:
            page["read"]("closed.txt")
        assert caught.value.closed
        assert web.retry_after(caught.value) == 1

    def test_retry_after_is_heeded(self, page, instant):
        """One second, and the wait of the backoff, which may be none."""
        page["get_user"](70)
        assert 1 <= instant.waits[0] < 1.5
        assert instant.waits[1] < 1

    def test_a_missing_page_is_asked_for_once(self, page, server):
        """404 leaves as it came."""

        async def main():
            async with httpx.AsyncClient(base_url=server.url) as client:
                await page["get_page"](client, "missing/1")

        with pytest.raises(httpx.HTTPStatusError) as caught:
            asyncio.run(main())
        assert given_up(caught.value) is None
        assert server.requests["/missing/1"] == 1

    def test_a_post_keeps_its_key(self, page, server):
        """Three requests, one payment; the next payment has another key."""
        assert page["receipt"]["body"] == "12"
        assert server.requests["/payments"] == 3
        assert len(server.keys) == 3
        page["pay"](13)
        assert len(set(server.keys)) == 2

    def test_a_token_is_fetched_for_the_second_attempt(self, page, server):
        """One 401, one sign-in, one answer."""
        assert page["secret"] == 42
        assert (server.requests["/private"], server.requests["/session"]) == (2, 1)

    def test_a_token_that_cannot_be_had(self, page, server):
        """The hook fails and is logged; the 401 leaves."""

        def refuse(request):
            return httpx.Response(500 if request.url.path == "/session" else 401)

        async def main():
            mock = httpx.MockTransport(refuse)
            async with httpx.AsyncClient(base_url=server.url, transport=mock) as client:
                await page["get_secret"](client)

        with pytest.raises(httpx.HTTPStatusError, match="401") as caught:
            asyncio.run(main())
        assert given_up(caught.value).attempts == 2

    def test_budgets_are_kept_apart(self, page, server):
        """One for each host, and the same one at the next call."""
        assert json.loads(page["content"])["path"] == "/logo.png"
        host = server.url.split("/")[2]
        ours, others = page["policy_for"](host).budget, page["policy_for"]("127.0.0.2").budget
        assert ours is page["policy_for"](host).budget
        assert 98 <= ours.tokens < 100
        assert others.tokens == 100


class TestStreams:
    """Before the first item errors are retried, after it they pass through."""

    def test_the_words_come_once(self, page, server):
        """After 503 and a reset."""
        assert page["words"] == ["Once", "upon", "a", "time"]
        assert server.requests["/chat"] == 3


class TestJobsAndProcesses:
    """Polling, a subprocess, task queues."""

    def test_the_job_is_done(self, page, server):
        """Two failures, two times "running"."""
        assert page["job"] == {"state": "done"}
        assert server.requests["/jobs/3"] == 5

    def test_a_job_that_runs_too_long(self, page, instant, monkeypatch):
        """After ten minutes of waits: RetryError, with the last state."""
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"state": "running"}'
        monkeypatch.setattr(page["session"], "get", lambda *_, **__: answer)
        with pytest.raises(RetryError) as caught:
            page["finished_job"](4)
        assert caught.value.result == {"state": "running"}
        assert given_up(caught.value).reason == "timeout"
        assert sum(instant.waits) == pytest.approx(600, abs=10)

    def test_the_command_is_run_three_times(self, page):
        """It exits with 75 twice."""
        assert page["done"].stdout == "sent\n"
        assert page["attempt"].number == 3

    def test_another_exit_status(self, page):
        """Not retried."""
        assert not page["is_transient"](subprocess.CalledProcessError(1, "upload"))
        assert page["is_transient"](subprocess.TimeoutExpired("upload", 60))

    def test_celery(self, page, server):
        """The policy of the function is enough."""
        assert page["imported"]["path"] == "/users/8"
        assert server.requests["/users/8"] == 3

    def test_celery_when_the_policy_has_given_up(self, page, server):
        """With single attempts, it is the queue that retries."""
        with testing.off():
            assert page["import_user"].delay(9).get()["path"] == "/users/9"
        assert server.requests["/users/9"] == 3

    def test_celery_when_it_was_no_outage(self, page, monkeypatch):
        """Neither retries; the client's error is the task's."""

        def refuse(number):
            raise requests.HTTPError(f"no user {number}")

        monkeypatch.setitem(page, "get_user", refuse)
        with pytest.raises(requests.HTTPError, match="no user 10"):
            page["import_user"].delay(10).get()


class TestAnotherPolicy:
    """One call, some fields changed."""

    def test_the_answer_is_the_same(self, page):
        """And the policy is what it was."""
        assert page["answer"] == "six by nine: 42"
        assert page["solve_patiently"].policy == page["NET"]
        assert page["solve_patiently"].__wrapped__ is page["solve"]

    def test_a_method_takes_its_object(self, page):
        """As the page says of `__wrapped__`."""

        class Shop:
            ask = page["retry"](page["NET"])(lambda self, question: (self, question))

        shop = Shop()
        with page["retrying"](shop.ask.policy, attempts=2) as call:
            assert call(shop.ask.__wrapped__, shop, "open?") == (shop, "open?")
