"""
Play the same faults to whole clients under urllib3's Retry, aiohttp-retry, httpx-retries and ours.

Prints a table in Markdown: what each sends, and what its user gets::

    python tests/integration/clients/compare.py

All have four attempts, no wait, the statuses 429, 500, 502, 503 and 504, and a pool of one
connection; aiohttp-retry is told to retry connection errors and timeouts, which it does not do by
itself.  Apart from that, each has its defaults.  A cell begins with how often the request arrived.
Needs the extra ``integration``.
"""

from __future__ import annotations

import asyncio
import datetime
import io
import logging
import threading
from importlib.metadata import version

import aiohttp
import aiohttp_retry
import httpx
import httpx_retries
import requests
import urllib3
from client_server import CLOSE, HANG, RESET, ScriptedServer, reply

from retrying_elegant import Policy, clients, web

STATUSES = (429, 500, 502, 503, 504)
PATIENCE = 0.5  # seconds until a client times out
ASLEEP = 2.5  # seconds after which a call counts as asleep
POLICY = Policy(4, on=web.Transient(STATUSES), wait=0)
DATA = b"0123456789"


# Each contestant: make a request, read the response, and say what came of it.


def with_requests(adapter, method, url, body, stream):
    with requests.Session() as session:
        session.mount("http://", adapter)
        response = session.request(method, url, data=body, timeout=PATIENCE, stream=stream)
        content = response.content
        return (
            response.status_code,
            content,
            session.request("GET", url + "-next", timeout=PATIENCE),
        )


def urllib3_retry(*request):
    retry = urllib3.Retry(3, status_forcelist=STATUSES, backoff_factor=0)
    options = {"max_retries": retry, "pool_maxsize": 1, "pool_block": True}
    return with_requests(requests.adapters.HTTPAdapter(**options), *request)


def ours_requests(*request):
    return with_requests(clients.requests(POLICY, pool_maxsize=1, pool_block=True), *request)


def with_httpx(client, method, url, body, stream):
    with client:
        if stream:
            with client.stream(method, url, content=body) as response:
                content = response.read()
        else:
            response = client.request(method, url, content=body, follow_redirects=True)
            content = response.content
        return response.status_code, content, client.get(url + "-next")


def httpx_retry(*request):
    limits = httpx.Limits(max_connections=1)
    retry = httpx_retries.Retry(3, status_forcelist=STATUSES, backoff_factor=0)
    transport = httpx_retries.RetryTransport(httpx.HTTPTransport(limits=limits), retry=retry)
    return with_httpx(httpx.Client(transport=transport, timeout=PATIENCE), *request)


def ours_httpx(*request):
    limits = httpx.Limits(max_connections=1)
    client = httpx.Client(timeout=PATIENCE, limits=limits, trust_env=False)
    return with_httpx(clients.httpx(client, POLICY), *request)


async def with_aiohttp(make, method, url, body, stream):
    timeout = aiohttp.ClientTimeout(sock_connect=PATIENCE, sock_read=PATIENCE, connect=1)
    connector = aiohttp.TCPConnector(limit=1)
    async with make(connector=connector, timeout=timeout) as session:
        async with session.request(method, url, data=body) as response:
            content = await response.read()
        async with session.request("GET", url + "-next") as following:
            return response.status, content, following


def aiohttp_retry_client(*request):
    def make(**options):
        errors = (aiohttp.ClientError, TimeoutError)
        retry = aiohttp_retry.ListRetry([0.001] * 4, statuses=STATUSES, exceptions=errors)
        return aiohttp_retry.RetryClient(retry_options=retry, **options)

    return asyncio.run(with_aiohttp(make, *request))


def ours_aiohttp(*request):
    def make(**options):
        return aiohttp.ClientSession(middlewares=[clients.aiohttp(POLICY)], **options)

    return asyncio.run(with_aiohttp(make, *request))


CONTESTANTS = {
    f"urllib3 {version('urllib3')}, `Retry`": urllib3_retry,
    "ours, requests": ours_requests,
    f"httpx-retries {version('httpx-retries')}": httpx_retry,
    "ours, httpx": ours_httpx,
    f"aiohttp-retry {version('aiohttp-retry')}": aiohttp_retry_client,
    "ours, aiohttp": ours_aiohttp,
}


def is_async(contestant):
    return "aiohttp" in contestant.__name__


def generator(contestant):
    async def pieces_async():
        yield DATA[:5]
        yield DATA[5:]

    def pieces():
        yield DATA[:5]
        yield DATA[5:]

    return pieces_async() if is_async(contestant) else pieces()


class Iterator:
    """What is no generator, and can be read only once as well."""

    def __init__(self):
        self.left = [DATA[5:], DATA[:5]]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop()


def iterator(contestant):
    return Iterator()


# What is played: method, body, steps, whether it is streamed.
ROWS = {
    "GET, connection reset": ("GET", None, [RESET, reply(200)], False),
    "GET, connection closed": ("GET", None, [CLOSE, reply(200)], False),
    "GET, never anything but resets": ("GET", None, [RESET], False),
    "GET, no response in time": ("GET", None, [HANG, reply(200)], False),
    "GET, body cut off": ("GET", None, [reply(200, b"x" * 1000, half="close"), reply()], False),
    "the same, streamed": ("GET", None, [reply(200, b"x" * 1000, half="close"), reply()], True),
    "GET, 503": ("GET", None, [reply(503), reply(200)], False),
    "GET, never anything but 503": ("GET", None, [reply(503, b"why")], False),
    "GET, 503, `Retry-After: 1`": ("GET", None, [reply(503, retry_after=1), reply()], False),
    "GET, 503, `Retry-After: 3000`": ("GET", None, [reply(503, b"why", retry_after=3000)], False),
    "HEAD, 503": ("HEAD", None, [reply(503), reply(200)], False),
    "GET, 503 with 200 kB": ("GET", None, [reply(503, b"x" * 200_000), reply(200)], False),
    "GET, redirect to a 503": ("GET", None, "redirect", False),
    "PUT bytes, 503": ("PUT", lambda _: DATA, [reply(503), reply(200)], False),
    "PUT file, 503": ("PUT", lambda _: io.BytesIO(DATA), [reply(503), reply(200)], False),
    "PUT generator, 503": ("PUT", generator, [reply(503), reply(200)], False),
    "PUT generator, reset": ("PUT", generator, [RESET, reply(200)], False),
    "PUT iterator, 503": ("PUT", iterator, [reply(503), reply(200)], False),
    "POST, 503": ("POST", lambda _: DATA, [reply(503), reply(200)], False),
    "POST, connection reset": ("POST", lambda _: DATA, [RESET, reply(200)], False),
    "POST, 429": ("POST", lambda _: DATA, [reply(429), reply(200)], False),
}


def play(name, contestant):
    """One cell, with a server of its own: one that is asleep keeps its connections."""
    with ScriptedServer() as server:
        return play_to(server, *ROWS[name], contestant)


def play_to(server, method, body, steps, stream, contestant):
    if steps == "redirect":
        end = server.play(reply(503), reply(200), path="/end")
        steps = [reply(302, headers={"Location": end})]
    url = server.play(*steps)
    server.play(reply(200), path=url.removeprefix(server.base) + "-next")
    found = []

    def call():
        try:
            status, content, following = contestant(
                method, url, None if body is None else body(contestant), stream
            )
            found.append(f"{status}" if content != b"why" else f"{status} with its body")
            if getattr(following, "status_code", 200) != 200:
                found.append("next request fails")
        except Exception as error:
            found.append(f"`{type(error).__name__}`")

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(ASLEEP)
    if found:
        server.has_seen_all()  # also of a request that was broken off
    outcome = ", ".join(found) or "asleep"
    sent = [request for request in server.requests if not request.target.endswith("-next")]
    if len(server.requests) == len(sent) and found and not found[0].startswith("`"):
        outcome += ", but no connection for the next request"
    cell = f"{len(sent)} sent, {outcome}"
    if body is not None:
        wrong = [r for r in sent if r.body != DATA]
        states = {"**empty**" if not r.body else "**partial**" for r in wrong if r.is_whole}
        if states:
            cell += f"; a body was {' and '.join(sorted(states))}"
    return cell


def main():
    logging.disable()
    print("| Fault |", " | ".join(CONTESTANTS), "|")
    print("|" + "---|" * (len(CONTESTANTS) + 1))
    for name in ROWS:
        cells = [play(name, contestant) for contestant in CONTESTANTS.values()]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
    clients = ", ".join(f"{name} {version(name)}" for name in ("requests", "httpx", "aiohttp"))
    print(f"\nWith {clients}, on {datetime.date.today()}.")


if __name__ == "__main__":
    main()
