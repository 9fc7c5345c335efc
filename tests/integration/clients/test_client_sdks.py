"""Section 16 of the contract over the wire: an SDK whose client is under a policy."""

from __future__ import annotations

import asyncio
import json

import anthropic
import httpx
import httpx2
import openai
import pytest
from client_server import RESET, reply

from retrying_elegant import Policy, clients, given_up, web

HELLO = [{"role": "user", "content": "hello"}]
QUICK = Policy(4, on=web.transient, wait=0)
COMPLETION = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hi"},
        }
    ],
}
MESSAGE = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


def openai_asks(client):
    return client.chat.completions.create(model="m", messages=HELLO)


def anthropic_asks(client):
    return client.messages.create(model="m", max_tokens=9, messages=HELLO)


SDKS = {
    "openai": (openai.OpenAI, openai_asks, COMPLETION),
    "openai async": (openai.AsyncOpenAI, openai_asks, COMPLETION),
    "anthropic": (anthropic.Anthropic, anthropic_asks, MESSAGE),
    "anthropic async": (anthropic.AsyncAnthropic, anthropic_asks, MESSAGE),
}


def library_of(sdk):
    """Whose client the SDK wants: that of the release it came with."""
    module = anthropic if "anthropic" in sdk else openai
    roots = {kind.__module__.partition(".")[0] for kind in module.DefaultHttpxClient.__mro__}
    return httpx2 if "httpx2" in roots else httpx


def ask(sdk, server, *steps, own=0, **options):
    """Send one message through *sdk* to a server that plays *steps*."""
    make, asks, _ = SDKS[sdk]
    path = "/v1/chat/completions" if "openai" in sdk else "/v1/messages"
    server.play(*steps, path=path)
    base = server.base + ("/v1" if "openai" in sdk else "")
    settings = {"api_key": "none", "base_url": base, "timeout": 2, "max_retries": own}
    if "async" not in sdk:
        wrapped = clients.httpx(library_of(sdk).Client(), QUICK, **options)
        with make(http_client=wrapped, **settings) as client:
            return asks(client)

    async def call():
        wrapped = clients.httpx(library_of(sdk).AsyncClient(), QUICK, **options)
        async with make(http_client=wrapped, **settings) as client:
            return await asks(client)

    return asyncio.run(call())


def answer(sdk):
    return reply(200, json.dumps(SDKS[sdk][2]).encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize("sdk", SDKS)
class TestSdks:
    """`http_client=clients.httpx(...)`, and `max_retries=0`."""

    def test_retried(self, sdk, server):
        """With `idempotent=True`, because these APIs use POST for everything."""
        found = ask(sdk, server, reply(503), RESET, answer(sdk), idempotent=True)
        assert "hi" in str(found)
        assert len(server.requests) == 3
        assert len(set(server.bodies)) == 1

    def test_without_it(self, sdk, server):
        """Only what was not processed is sent again."""
        ask(sdk, server, reply(429), answer(sdk))
        assert len(server.requests) == 2
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
            ask(sdk, server, reply(503), answer(sdk))
        assert len(server.requests) == 1

    def test_the_error_of_the_sdk(self, sdk, server):
        """It is the SDK's own, with the record of the response."""
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
            ask(sdk, server, reply(503), idempotent=True)
        assert len(server.requests) == 4
        assert given_up(caught.value.response).attempts == 4

    def test_its_own_retries_multiply(self, sdk, server):
        """Unless they are turned off."""
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)):
            ask(sdk, server, reply(503, retry_after=0), own=1, idempotent=True)
        assert len(server.requests) == 8
