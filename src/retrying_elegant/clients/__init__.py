"""
Whole HTTP clients under one policy.

Configure a session once, and every request made with it is retried where that is safe.  The body
is sent whole each time, failed responses are closed before the wait, ``Retry-After`` is honored,
and in the end you get what the client alone would have given you.  There is one function for each
client, and no client is imported before its function is called.

=================  =========================================================
:func:`requests`   an ``HTTPAdapter``: ``session.mount("https://", clients.requests())``
:func:`httpx`      the client itself: ``clients.httpx(httpx.Client())``
:func:`aiohttp`    a middleware: ``ClientSession(middlewares=[clients.aiohttp()])``
:func:`urllib`     a handler: ``build_opener(clients.urllib())``
=================  =========================================================
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, Protocol, TypedDict, TypeVar, Unpack
    from urllib.request import BaseHandler, Request

    import urllib3
    from aiohttp import ClientMiddlewareType, ClientRequest
    from requests import PreparedRequest
    from requests.adapters import HTTPAdapter

    from retrying_elegant._policy import Policy

    class HttpxClient(Protocol):
        """What the clients of httpx and httpx2 have in common, sync and async."""

        @property
        def send(self) -> Callable[..., Any]: ...
        @property
        def build_request(self) -> Callable[..., Any]: ...
        @property
        def event_hooks(self) -> dict[str, list[Callable[..., Any]]]: ...

    Client = TypeVar("Client", bound=HttpxClient)

    class AdapterOptions(TypedDict, total=False):
        """The keywords of ``requests.adapters.HTTPAdapter``."""

        pool_connections: int
        pool_maxsize: int
        max_retries: int | urllib3.Retry
        pool_block: bool


__all__ = ["aiohttp", "httpx", "requests", "urllib"]


def requests(
    policy: Policy | Callable[[PreparedRequest], Policy | None] | None = None,
    *,
    idempotent: Collection[str] | Callable[[PreparedRequest], object] | bool | None = None,
    **adapter: Unpack[AdapterOptions],
) -> HTTPAdapter:
    """
    Return an ``HTTPAdapter`` that retries: mount it on a ``requests.Session``.

    Reading the response is part of an attempt, unless the request has ``stream=True``.  Each
    redirect is a request of its own.  The adapter pickles with its session if its policy does.

    Args:
        policy: A :class:`Policy`, or a function from the ``PreparedRequest`` to one, or to None
            for a request that is not retried. None: ``Policy(4, on=web.transient, timeout=30)``
            with a budget of its own.
        idempotent: What may be sent twice: methods, a predicate on the request, True for
            everything or False for nothing. None: the idempotent methods of RFC 9110, and any
            request with an ``Idempotency-Key``.
        **adapter: Keywords of ``HTTPAdapter``. ``max_retries`` must be 0: the policy retries.

    Raises:
        ImportError: requests is not installed.
        TypeError, ValueError: an argument is invalid; the policy has ``until``, or a field that
            synchronous code cannot support.

    Source:
        RFC 9110, section 9.2.2 (idempotent methods).
    """
    from ._requests import Adapter

    return Adapter(policy, idempotent, **adapter)


def httpx(
    client: Client,
    policy: Policy | Callable[[Any], Policy | None] | None = None,
    *,
    idempotent: Collection[str] | Callable[[Any], object] | bool | None = None,
) -> Client:
    """
    Make *client* retry every request, and return it.

    It may be a ``Client`` or an ``AsyncClient`` of httpx or httpx2, under asyncio or trio.  Reading
    the response is part of an attempt, unless the request is streamed.  A chain of redirects is one
    request.

    Args:
        client: The client. Pass it to an SDK as its ``http_client``, for example.
        policy: A :class:`Policy`, or a function from the ``Request`` to one, or to None for a
            request that is not retried. None: ``Policy(4, on=web.transient, timeout=30)`` with a
            budget of its own.
        idempotent: What may be sent twice: methods, a predicate on the request, True for
            everything or False for nothing. None: the idempotent methods of RFC 9110, and any
            request with an ``Idempotency-Key``.

    Raises:
        TypeError: *client* is not a client of httpx; an argument is invalid; the policy has
            ``until``, or a field that this client cannot support.
        ValueError: *client* has been wrapped before.

    Source:
        RFC 9110, section 9.2.2 (idempotent methods).
    """
    from ._httpx import wrap

    wrap(client, policy, idempotent)
    return client


def aiohttp(
    policy: Policy | Callable[[ClientRequest], Policy | None] | None = None,
    *,
    idempotent: Collection[str] | Callable[[ClientRequest], object] | bool | None = None,
) -> ClientMiddlewareType:
    """
    Return a client middleware that retries: ``ClientSession(middlewares=[clients.aiohttp()])``.

    An attempt ends when the headers have arrived; you read the body yourself.  Each redirect is a
    request of its own.  A second one around the same request raises ``ValueError``.

    Args:
        policy: A :class:`Policy`, or a function from the ``ClientRequest`` to one, or to None
            for a request that is not retried. None: ``Policy(4, on=web.transient, timeout=30)``
            with a budget of its own.
        idempotent: What may be sent twice: methods, a predicate on the request, True for
            everything or False for nothing. None: the idempotent methods of RFC 9110, and any
            request with an ``Idempotency-Key``.

    Raises:
        ImportError: aiohttp is not installed, or older than 3.12.
        TypeError, ValueError: an argument is invalid; the policy has ``until``, or a field that
            async code cannot support.

    Source:
        RFC 9110, section 9.2.2 (idempotent methods).
    """
    from ._aiohttp import Middleware

    return Middleware(policy, idempotent)


def urllib(
    policy: Policy | Callable[[Request], Policy | None] | None = None,
    *,
    idempotent: Collection[str] | Callable[[Request], object] | bool | None = None,
) -> BaseHandler:
    """
    Return a handler that retries: ``urllib.request.build_opener(clients.urllib())``.

    An attempt ends when the headers have arrived; you read the body yourself.  Each redirect is a
    request of its own.  A second one in an opener raises ``ValueError``.

    Args:
        policy: A :class:`Policy`, or a function from the ``Request`` to one, or to None for a
            request that is not retried. None: ``Policy(4, on=web.transient, timeout=30)`` with a
            budget of its own.
        idempotent: What may be sent twice: methods, a predicate on the request, True for
            everything or False for nothing. None: the idempotent methods of RFC 9110, and any
            request with an ``Idempotency-Key``.

    Raises:
        TypeError, ValueError: an argument is invalid; the policy has ``until``, or a field that
            synchronous code cannot support.

    Source:
        RFC 9110, section 9.2.2 (idempotent methods).
    """
    from ._urllib import Handler

    return Handler(policy, idempotent)
