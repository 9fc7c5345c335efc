"""Section 9 of the contract, over the wire: openai and anthropic, sync and async.

Both SDKs retry by themselves; here, as the guide says, that is turned off.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from time import time

import anthropic
import httpx2
import openai
import pytest
from answering import answering
from fault_server import FaultServer, untrusted_tls

from retrying_elegant import Policy, TryAgain, clients, given_up, testing, web

HELLO = [{"role": "user", "content": "hello"}]
# What both take for a message.
ANSWER = (
    '{"id": "1", "object": "chat.completion", "created": 1, "model": "m", "type": "message",'
    '"role": "assistant", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",'
    '"usage": {"input_tokens": 1, "output_tokens": 1}, "choices": [{"index": 0, "finish_reason":'
    '"stop", "message": {"role": "assistant", "content": "hi"}}]}'
)
STATUSES = (408, 425, 429, 500, 502, 503, 504)


def openai_asks(client):
    return client.chat.completions.create(model="m", messages=HELLO)


def anthropic_asks(client):
    return client.messages.create(model="m", max_tokens=9, messages=HELLO)


SDKS = {
    "openai": (openai.OpenAI, openai_asks),
    "openai async": (openai.AsyncOpenAI, openai_asks),
    "anthropic": (anthropic.Anthropic, anthropic_asks),
    "anthropic async": (anthropic.AsyncAnthropic, anthropic_asks),
}
every_sdk = pytest.mark.parametrize("sdk", SDKS)


ONCE = {"max_retries": 0}


def ask(sdk, url, own=ONCE):
    """Send one message to the API at *url*, with the SDK's *own* retries."""
    make, asks = SDKS[sdk]
    options = {"api_key": "none", "base_url": url, "timeout": 0.3, **own}
    if "async" not in sdk:
        with make(**options) as client:
            return asks(client)

    async def call():
        async with make(**options) as client:
            return await asks(client)

    return asyncio.run(call())


def failure(sdk, url, own=ONCE):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is the SDK's
        ask(sdk, url, own)
    return caught.value


@pytest.fixture(scope="module")
def faults():
    with FaultServer(untrusted_tls()) as faults:
        yield faults


@pytest.fixture
def server():
    with answering() as server:
        yield server


@every_sdk
class TestConnections:
    """`APIConnectionError` and `APITimeoutError`, by what the HTTP client beneath says."""

    @pytest.mark.parametrize(
        ("fault", "transient", "unsent"),
        [
            ("refuse", True, True),
            ("reset", True, False),
            ("close", True, False),
            ("short", True, False),
            ("hang", True, False),
            ("stall", True, False),
            ("garbage", False, False),
            ("tls-untrusted", False, True),
            ("tls-closed", True, True),
        ],
    )
    def test_fault(self, faults, sdk, fault, transient, unsent):
        """A POST, as all that these APIs take."""
        error = failure(sdk, faults.url(fault))
        assert web.transient(error) is transient, repr(error.__cause__)
        assert web.unsent(error) is unsent, repr(error.__cause__)
        assert not web.Transient(methods=["GET"])(error)

    def test_unknown_host(self, sdk):
        """Permanent, and unsent."""
        error = failure(sdk, "http://no-such-host.invalid")
        assert web.transient(error) is False
        assert web.unsent(error) is True

    def test_bad_url(self, sdk):
        """The SDKs call it a connection error, too."""
        error = failure(sdk, "gopher://127.0.0.1")
        assert web.transient(error) is False, repr(error.__cause__)
        assert web.unsent(error) is False


@every_sdk
class TestStatuses:
    """`APIStatusError` by status, unless the server says otherwise."""

    @pytest.mark.parametrize("status", [*STATUSES, 400, 401, 403, 404, 409, 422, 529])
    def test_status(self, server, sdk, status):
        """Each has a class of its own, or that of its family."""
        server.give(status, body='{"error": {"message": "why"}}')
        error = failure(sdk, server.url)
        assert web.transient(error) is (status in STATUSES)
        assert web.unsent(error) is False
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("headers", "after"),
        [
            ({"retry-after": "7"}, 7.0),
            ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
            ({"retry-after": "121"}, None),
        ],
    )
    def test_hint(self, server, sdk, headers, after):
        """In seconds or milliseconds, up to `max_retry_after`."""
        server.give(429, headers)
        verdict = web.transient(failure(sdk, server.url))
        if after is None:
            assert verdict is False
        else:
            assert isinstance(verdict, TryAgain)
            assert verdict.after == after

    def test_a_server_whose_clock_is_wrong(self, server, sdk):
        """By its own `Date`, it asks for 10 seconds."""
        there = time() + 3600
        dates = {"Date": formatdate(there, usegmt=True)}
        dates["Retry-After"] = formatdate(there + 10, usegmt=True)
        server.give(503, dates)
        assert web.transient(failure(sdk, server.url)).after == 10.0

    @pytest.mark.parametrize(("status", "told"), [(409, "true"), (529, "true"), (503, "false")])
    def test_x_should_retry(self, server, sdk, status, told):
        """The server's word goes before its status."""
        server.give(status, {"x-should-retry": told})
        assert web.transient(failure(sdk, server.url)) is (told == "true")


@every_sdk
class TestWholeClient:
    """An SDK takes a client that is under a policy: the error that it raises is of the last."""

    def own(self, sdk, policy, **options):
        make = httpx2.AsyncClient if "async" in sdk else httpx2.Client
        client = clients.httpx(make(), policy, idempotent=True, **options)
        return {**ONCE, "http_client": client}

    def test_that_succeeds_in_the_end(self, server, sdk):
        """The SDK sees the last response alone."""
        server.give(429, {"retry-after-ms": "7000"})
        server.then(503, {"retry-after": "8"})
        server.then(200, body=ANSWER)
        with testing.instant() as instant:
            assert ask(sdk, server.url, self.own(sdk, Policy(4, on=web.transient, wait=0)))
        assert instant.waits == [7.0, 8.0]
        assert len(server.requests) == 3

    def test_that_gives_up(self, server, sdk):
        """Its error is the SDK's own, and the response in it carries the record."""
        server.give(503)
        with testing.instant():
            error = failure(sdk, server.url, self.own(sdk, Policy(4, on=web.transient, wait=1)))
        assert error.status_code == 503
        assert web.transient(error) is True
        assert given_up(error.response).attempts == 4
        assert len(server.requests) == 4

    def test_told_not_to(self, server, sdk):
        """The server's word is heard here, too."""
        server.give(503, {"x-should-retry": "false"})
        with testing.instant():
            failure(sdk, server.url, self.own(sdk, Policy(4, on=web.transient, wait=1)))
        assert len(server.requests) == 1


@every_sdk
class TestOwnRetries:
    """The guide says how many there are, and how they are turned off."""

    @pytest.mark.parametrize(("own", "requests"), [({}, 3), (ONCE, 1)])
    def test_requests(self, server, sdk, own, requests):
        """By default, three requests."""
        server.give(503, {"retry-after-ms": "1"})
        failure(sdk, server.url, own)
        assert len(server.requests) == requests
