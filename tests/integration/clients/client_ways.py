"""Every client that `clients` covers, behind one interface.

A rule is written once and sent through all of them::

    with way.session(policy) as session:
        answer = session.fetch("PUT", url, body=b"body")
        answer.status, answer.body, answer.response

Async clients run in an event loop of their own between two calls, so that a test reads alike for
all.  A status is never raised: of urllib's HTTPError, the answer is made.
"""

from __future__ import annotations

import asyncio
import contextvars
import http.client
import io
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import httpx2
import requests

from retrying_elegant import clients, given_up

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

PATIENCE = 5.0  # seconds that a client waits, where a test does not say


@dataclass
class Trust:
    """The authority whose certificates a client accepts: clients want it in one form or another."""

    context: ssl.SSLContext | None = None
    path: str | None = None


@dataclass
class Answer:
    """What the user of a client got."""

    status: int
    body: bytes
    response: Any

    @property
    def record(self) -> Any:
        return given_up(self.response)


def requests_session(policy: Any, options: dict[str, Any], pool: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"https": options.pop("proxy", "")}
    session.verify = options.pop("trust", Trust()).path or True
    if options.pop("bare", False):
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=pool, pool_block=True)
    else:
        adapter = clients.requests(policy, pool_maxsize=pool, pool_block=True, **options)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class Requests:
    name = "requests"
    reads_bodies = True
    error = requests.HTTPError

    def __init__(self, policy: Any, pool: int, timeout: float, options: dict[str, Any]) -> None:
        self.timeout = timeout
        self.client = requests_session(policy, options, pool)

    def fetch(self, method: str, url: str, body: Any = None, **options: Any) -> Answer:
        response = self.send(method, url, body, **options)
        data = b"" if options.get("stream") else response.content
        return Answer(response.status_code, data, response)

    def send(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Any = None,
        stream: bool = False,
        follow: bool = True,
        timeout: float | None = None,
    ) -> Any:
        return self.client.request(
            method,
            url,
            data=body,
            headers=headers,
            stream=stream,
            allow_redirects=follow,
            timeout=timeout or self.timeout,
        )

    def read(self, answer: Answer) -> bytes:
        return answer.response.content

    def discard(self, answer: Answer) -> None:
        answer.response.close()

    def raise_for_status(self, answer: Answer) -> None:
        answer.response.raise_for_status()

    def close(self) -> None:
        self.client.close()

    def once(self, *pieces: bytes) -> Any:
        """A body that can be read only once."""
        return (piece for piece in pieces)


class Httpx:
    name = "httpx"
    reads_bodies = True
    library: Any = httpx
    error: Any = httpx.HTTPStatusError

    def __init__(self, policy: Any, pool: int, timeout: float, options: dict[str, Any]) -> None:
        bare = options.pop("bare", False)
        own = ("event_hooks", "auth", "proxy", "http1", "http2")
        made = {name: options.pop(name) for name in own if name in options}
        made["verify"] = options.pop("trust", Trust()).context or True
        limits = self.library.Limits(max_connections=pool)
        self.client = self.make(limits=limits, timeout=timeout, trust_env=False, **made)
        if not bare:
            assert clients.httpx(self.client, policy, **options) is self.client

    def make(self, **options: Any) -> Any:
        return self.library.Client(**options)

    def build(self, method: str, url: str, body: Any, headers: Any, timeout: Any) -> Any:
        more = {} if timeout is None else {"timeout": timeout}
        return self.client.build_request(method, url, content=body, headers=headers, **more)

    def fetch(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Any = None,
        stream: bool = False,
        follow: bool = True,
        timeout: float | None = None,
    ) -> Answer:
        request = self.build(method, url, body, headers, timeout)
        response = self.client.send(request, stream=stream, follow_redirects=follow)
        return Answer(response.status_code, b"" if stream else response.content, response)

    def read(self, answer: Answer) -> bytes:
        return answer.response.read()

    def discard(self, answer: Answer) -> None:
        answer.response.close()

    def raise_for_status(self, answer: Answer) -> None:
        answer.response.raise_for_status()

    def close(self) -> None:
        self.client.close()

    def once(self, *pieces: bytes) -> Any:
        return (piece for piece in pieces)


class Httpx2(Httpx):
    name = "httpx2"
    library = httpx2
    error = httpx2.HTTPStatusError


class HttpxAsync(Httpx):
    name = "httpx async"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.runner = asyncio.Runner()

    def make(self, **options: Any) -> Any:
        return self.library.AsyncClient(**options)

    def fetch(self, *args: Any, **options: Any) -> Answer:
        # In the context of the test: a runner has one of its own.
        context = contextvars.copy_context()
        return self.runner.run(self.fetch_async(*args, **options), context=context)

    async def fetch_async(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Any = None,
        stream: bool = False,
        follow: bool = True,
        timeout: float | None = None,
    ) -> Answer:
        request = self.build(method, url, body, headers, timeout)
        response = await self.client.send(request, stream=stream, follow_redirects=follow)
        return Answer(response.status_code, b"" if stream else response.content, response)

    def read(self, answer: Answer) -> bytes:
        return self.runner.run(answer.response.aread())

    def discard(self, answer: Answer) -> None:
        self.runner.run(answer.response.aclose())

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()

    def once(self, *pieces: bytes) -> Any:
        async def generator() -> Any:
            for piece in pieces:
                yield piece

        return generator()


class Httpx2Async(HttpxAsync):
    name = "httpx2 async"
    library = httpx2
    error = httpx2.HTTPStatusError


class Aiohttp:
    name = "aiohttp"
    reads_bodies = False
    error = aiohttp.ClientResponseError

    def __init__(self, policy: Any, pool: int, timeout: float, options: dict[str, Any]) -> None:
        self.runner = asyncio.Runner()
        try:
            self.client = self.runner.run(self.make(policy, pool, timeout, options))
        except BaseException:
            self.runner.close()
            raise

    async def make(self, policy: Any, pool: int, timeout: float, options: Any) -> Any:
        bare = options.pop("bare", False)
        limits = aiohttp.ClientTimeout(
            total=options.pop("total", None), sock_connect=timeout, sock_read=timeout
        )
        own = ("raise_for_status", "proxy")
        made = {name: options.pop(name) for name in own if name in options}
        context = options.pop("trust", Trust()).context or True
        middlewares = [] if bare else [clients.aiohttp(policy, **options)]
        connector = aiohttp.TCPConnector(limit=pool, ssl=context)
        return aiohttp.ClientSession(
            connector=connector, timeout=limits, middlewares=middlewares, **made
        )

    def fetch(self, *args: Any, **options: Any) -> Answer:
        # In the context of the test: a runner has one of its own.
        context = contextvars.copy_context()
        return self.runner.run(self.fetch_async(*args, **options), context=context)

    async def fetch_async(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Any = None,
        stream: bool = False,
        follow: bool = True,
        timeout: float | None = None,
    ) -> Answer:
        more: dict[str, Any] = {}
        if timeout is not None:
            more["timeout"] = aiohttp.ClientTimeout(sock_connect=timeout, sock_read=timeout)
        response = await self.client.request(
            method, url, data=body, headers=headers, allow_redirects=follow, **more
        )
        return Answer(response.status, b"" if stream else await response.read(), response)

    def read(self, answer: Answer) -> bytes:
        return self.runner.run(answer.response.read())

    def discard(self, answer: Answer) -> None:
        answer.response.close()

    def raise_for_status(self, answer: Answer) -> None:
        answer.response.raise_for_status()

    def close(self) -> None:
        self.runner.run(self.client.close())
        self.runner.close()

    def once(self, *pieces: bytes) -> Any:
        async def generator() -> Any:
            for piece in pieces:
                yield piece

        return generator()


class Urllib:
    name = "urllib"
    reads_bodies = False
    error = urllib.error.HTTPError

    def __init__(self, policy: Any, pool: int, timeout: float, options: dict[str, Any]) -> None:
        self.timeout = timeout
        proxies = {"https": options.pop("proxy")} if "proxy" in options else {}
        context = options.pop("trust", Trust()).context
        handlers: list[Any] = [
            urllib.request.ProxyHandler(proxies),
            urllib.request.HTTPSHandler(context=context),
        ]
        if not options.pop("bare", False):
            handlers.append(clients.urllib(policy, **options))
        self.client = urllib.request.build_opener(*handlers)

    def fetch(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Any = None,
        stream: bool = False,
        follow: bool = True,
        timeout: float | None = None,
    ) -> Answer:
        # Without a type, urllib would say that any body is a form.
        headers = {"Content-Type": "application/octet-stream", **(headers or {})}
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            response = self.client.open(request, timeout=timeout or self.timeout)
        except urllib.error.HTTPError as error:
            response = error
        answer = Answer(response.status, b"", response)
        if not stream:
            answer.body = self.read(answer)
        return answer

    def read(self, answer: Answer) -> bytes:
        with answer.response:
            return answer.response.read()

    def discard(self, answer: Answer) -> None:
        answer.response.close()

    def raise_for_status(self, answer: Answer) -> None:
        if isinstance(answer.response, urllib.error.HTTPError):
            raise answer.response

    def close(self) -> None:
        pass

    def once(self, *pieces: bytes) -> Any:
        return (piece for piece in pieces)


class Way:
    """One kind of client."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.name = kind.name
        self.is_async = "async" in kind.name or kind is Aiohttp
        self.is_httpx = "httpx" in kind.name
        self.reads_bodies = kind.reads_bodies  # or leaves that to the user
        self.error = kind.error  # what it makes of a status

    def __repr__(self) -> str:
        return self.name

    @contextmanager
    def session(
        self, policy: Any = None, *, pool: int = 10, timeout: float = PATIENCE, **options: Any
    ) -> Iterator[Any]:
        session = self.kind(policy, pool, timeout, options)
        try:
            yield session
        finally:
            session.close()

    def file(self, data: bytes, position: int = 0) -> Any:
        """A body that is seekable, and at *position*."""
        file = io.BytesIO(data)
        file.seek(position)
        return file


WAYS = [Way(kind) for kind in (Requests, Httpx, Httpx2, HttpxAsync, Httpx2Async, Aiohttp, Urllib)]
HTTP_ERRORS = (
    OSError,
    http.client.HTTPException,
    httpx.HTTPError,
    httpx2.HTTPError,
    aiohttp.ClientError,
    requests.RequestException,
)
