"""What may be between a client and its server: nothing, TLS, a tunnel, HTTP/2, or several of them.

A rule is written once and holds over each::

    url = carrier.play("503", "reset", "200")
    with carrier.session(way, policy) as session:
        session.fetch("PUT", url, b"body")
    [request.body for request in carrier.requests]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import http2_server as h2
from client_server import CLOSE, HANG, RESET, reply, tunnel
from h2.errors import ErrorCodes

if TYPE_CHECKING:
    from client_server import ScriptedServer
    from client_ways import Trust

LONG = b"x" * 100_000


class Plain:
    """HTTP/1.1, on a connection of its own."""

    steps: ClassVar[dict[str, Any]] = {
        "reset": RESET,
        "close": CLOSE,
        "hang": HANG,
        **{f"{s}": reply(s, b"said") for s in (200, 204, 404, 408, 425, 429, 500, 501, 502, 503)},
        "503 long": reply(503, LONG),
        "503 chunked": reply(503, b"x" * 5000, chunked=True),
        "503 closing": reply(503, b"said", close=True),
        "503 at once": reply(503, retry_after=0),
        "503 much later": reply(503, retry_after=3000),
        "200 cut off": reply(200, b"x" * 1000, half="close"),
        "200 reset": reply(200, b"x" * 1000, half="reset"),
        "200 cut chunk": reply(200, b"x" * 5000, chunked=True, half="close"),
        "503 cut off": reply(503, b"x" * 1000, half="close"),
    }

    def __init__(self, server: Any) -> None:
        self.server = server

    @property
    def requests(self) -> list[Any]:
        return [*self.server.requests]

    def requests_of(self, url: str) -> list[Any]:
        """Those without a late one of a call before, which was canceled."""
        return [request for request in self.requests if url.endswith(request.target)]

    def fail(self) -> None:
        """There is nothing between client and server that could."""

    def play(self, *names: str) -> str:
        return self.server.play(*(self.steps[name] for name in names))

    def session(self, way: Any, policy: Any, *, pool: int = 1, **options: Any) -> Any:
        return way.session(policy, pool=pool, **options)

    def settles(self, count: int) -> bool:
        return self.server.settles(count)


class Tls(Plain):
    """Encrypted."""

    def __init__(self, server: Any, trust: Trust) -> None:
        super().__init__(server)
        self.trust = trust

    def session(self, way: Any, policy: Any, **options: Any) -> Any:
        return super().session(way, policy, trust=self.trust, **options)


class Tunnel(Tls):
    """Encrypted, through a proxy, which may have faults of its own."""

    faults: ClassVar[dict[str, Any]] = {
        "502": reply(502),
        "503": reply(503),
        "reset": RESET,
        "close": CLOSE,
        "before the handshake": reply(200, b"", close=True),
        "in the handshake": tunnel(100),
    }

    def __init__(self, server: Any, trust: Trust, proxy: ScriptedServer) -> None:
        super().__init__(server, trust)
        self.proxy = proxy
        self.fail()

    def fail(self, *names: str) -> None:
        """Have so many tunnels fail, and then one hold."""
        steps = (self.faults[name] for name in names)
        self.proxy.play(*steps, tunnel(), path=self.server.address)

    def session(self, way: Any, policy: Any, **options: Any) -> Any:
        return super().session(way, policy, proxy=self.proxy.base, **options)

    def settles(self, count: int) -> bool:
        return super().settles(count) and self.proxy.settles(count)


class _Http2:
    steps: ClassVar[dict[str, Any]] = {
        "reset": h2.RESET,
        "close": h2.LEAVE,
        "hang": h2.SILENCE,
        **{f"{s}": h2.answer(s, b"said") for s in (200, 404, 408, 425, 429, 500, 501, 502, 503)},
        "503 long": h2.answer(503, LONG),
        "503 early": h2.early(h2.answer(503, b"said")),
        "refused stream": h2.reset(ErrorCodes.REFUSED_STREAM),
        "internal error": h2.reset(ErrorCodes.INTERNAL_ERROR),
        # What was not processed, httpx would send again by itself.
        "go away": h2.go_away(lambda stream: stream),
        "go away, in error": h2.go_away(lambda stream: stream, ErrorCodes.INTERNAL_ERROR),
        "200 cut off": h2.answer(200, b"x" * 1000, half=True),
        "503 cut off": h2.answer(503, b"x" * 1000, half=True),
    }

    def session(self, way: Any, policy: Any, *, pool: int = 1, **options: Any) -> Any:
        if "httpx2" in way.name:
            pool = 50  # it alone loses a place of its pool with each connection that breaks
        session: Any = super().session  # type: ignore[misc]  # of the carrier below
        return session(way, policy, pool=pool, http1=False, http2=True, **options)


class Http2(_Http2, Plain):
    """HTTP/2, as both know beforehand."""


class Http2Tunnel(_Http2, Tunnel):
    """HTTP/2, as both agree in a handshake, through a proxy."""
