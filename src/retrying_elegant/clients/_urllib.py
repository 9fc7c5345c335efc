"""Urllib: a handler that opens each request as often as its policy allows.

Owns how a request of ``urllib.request`` is opened, and how its responses are read and closed.
Leaves what clients have in common to ``shared``, and opening to the handlers after this one, so
that the user's own ``HTTPSHandler(context=...)`` still applies.
"""

from __future__ import annotations

import copy
import socket
import urllib.request
from http.client import HTTPException, IncompleteRead
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.response import addinfourl

from retrying_elegant import _sync
from retrying_elegant._giveup import given_up, sign

from ._shared import (
    CUT_OFF,
    MOST_BYTES,
    Body,
    Exchange,
    Remains,
    Rules,
    TimeLimit,
    set_timeout,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from retrying_elegant._policy import Policy

_CHUNK = 1 << 16

# The attribute of a request that holds the body, readable only once, that it was sent with.
_SENT = "__retrying_elegant_sent__"


class Handler(urllib.request.BaseHandler):
    """A handler that retries."""

    # After ProxyHandler, which only changes the request, and before the handlers that open it.
    handler_order = 400

    def __init__(self, policy: Any, idempotent: Any) -> None:
        self._rules = Rules("clients.urllib", policy, idempotent, is_async=False)

    def add_parent(self, parent: urllib.request.OpenerDirector) -> None:
        """
        Join an opener; if it is a second one, let a copy take this handler's place in it.

        Raises:
            ValueError: it has such a handler already, and attempts would multiply.
        """
        opener: Any = parent  # its attributes are not in the type stubs
        if sum(isinstance(handler, Handler) for handler in opener.handlers) > 1:
            raise ValueError("clients.urllib: expected one handler, or attempts would multiply")
        this = self
        if getattr(self, "parent", None) is not None:
            # Requests of the first opener would be opened by the handlers of the second.
            this = copy.copy(self)
            tables = (*opener.handle_open.values(), *opener.handle_error["http"].values())
            for handlers in (opener.handlers, *tables):
                handlers[:] = [this if handler is self else handler for handler in handlers]
        this.parent = parent

    def http_open(self, request: urllib.request.Request) -> Any:
        """Open *request* as often as the policy allows, and return the last response."""
        policy = self._rules.choose(request)
        if policy is None:
            return None  # the next handler opens it
        exchange = _Exchange(self._rules, policy, request, self._open)
        if not exchange.body.is_repeatable:
            if getattr(request, _SENT, None) is request.data:
                raise ValueError("the request was not sent again: its body cannot be read again")
            setattr(request, _SENT, request.data)
        try:
            try:
                _sync.run(exchange.first_attempt(_host(request)), exchange.attempt_in_time)
            except Exception as error:
                if not exchange.conclude(error):
                    raise
            response = exchange.hand_over()
            if getattr(response, "code", 0) >= 300:
                exchange.body.rewind()  # a handler may send it again, to authenticate or elsewhere
            return response
        finally:
            if exchange.response is not None:
                exchange.response.close()
            exchange.release()

    https_open = http_open

    def http_error_default(self, *args: Any) -> Any:
        """Attach the record of the last response to the error that the opener makes of it."""
        record = given_up(args[1])
        if record is None:
            return None
        try:
            return self._pass_on("error", "http", "default", "http_error_default", *args)
        except HTTPError as error:
            sign(error, record)
            raise

    def _open(self, request: urllib.request.Request) -> Any:
        kind = request.type
        return self._pass_on("open", kind, None, f"{kind}_open", request)

    def _pass_on(self, table: str, kind: str, key: Any, method: str, *args: Any) -> Any:
        """Call the handlers after this one, until one of them returns a result."""
        handlers: Any = getattr(self.parent, f"handle_{table}")[kind]
        if key is not None:
            handlers = handlers[key]
        for handler in handlers[handlers.index(self) + 1 :]:
            result = getattr(handler, method)(*args)
            if result is not None:
                return result
        return None


def _host(request: urllib.request.Request) -> str | None:
    # Not request.host, which may be that of a proxy.
    return urlsplit(request.full_url).hostname


class _Exchange(Exchange):
    __slots__ = ("_open",)

    def __init__(
        self,
        rules: Rules,
        policy: Policy,
        request: urllib.request.Request,
        send: Callable[[urllib.request.Request], Any],
    ) -> None:
        headers = {name.lower(): value for name, value in request.header_items()}
        method = request.get_method()
        super().__init__(rules, policy, request, method, headers, Body(request.data))
        self._open = send

    def attempt(self, request: urllib.request.Request) -> Any:
        self.begin()
        limit, timeout = self.limit(), request.timeout
        response: Any = None
        try:
            if limit is not None:
                request.timeout = _cut(timeout, limit)
            self.response = response = self._open(request)
        except HTTPError as error:
            # A handler after this one has raised for the status: its error holds the response.
            self.failure, response = error, error.fp
            raise
        finally:
            request.timeout = timeout
            if limit is not None:
                # Reading from now on is not part of the attempt.
                set_timeout(response, _seconds(timeout))
        self.may_have_failed(response, getattr(response, "code", 0), self.error_of)
        if self.failure is not None:
            raise self.failure
        return response

    def error_of(self, response: Any) -> HTTPError:
        # Without the response, which an HTTPError closes when it is collected.
        url = self.request.full_url
        error = HTTPError(url, response.code, response.msg, response.info(), None)
        error.close()  # Python 3.14 warns about one that is collected unclosed
        return error

    def set_aside(self) -> None:
        response = owner = self.response
        if response is None:  # where another handler raised for the status, its error owns it
            owner, response = self.failure, getattr(self.failure, "fp", None)
        if response is None:
            return
        chunks, size, is_whole = [], 0, False
        try:
            with TimeLimit(response) as limit:
                while chunk := response.read(_CHUNK):
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > MOST_BYTES:
                        break
                else:
                    is_whole = not limit.has_passed and not getattr(response, "length", 0)
        except (*CUT_OFF, HTTPException):
            pass
        finally:
            owner.close()
        self.remains = (b"".join(chunks), is_whole)

    def conclude(self, error: Exception) -> bool:
        if self.response is None and error is self.failure and self.remains is not None:
            _restore(error, *self.remains)
        return super().conclude(error)

    def restore_response(self, data: bytes, is_whole: bool) -> None:
        closed, body = self.response, _body_of(data, is_whole)
        self.response = rest = addinfourl(body, closed.info(), closed.geturl(), closed.code)
        for name in ("msg", "reason", "version", "getheader", "getheaders"):
            if hasattr(closed, name):  # another handler may have made a simpler response
                setattr(rest, name, getattr(closed, name))

    def status_of(self, error: BaseException) -> int | None:
        return error.code if isinstance(error, HTTPError) else None


def _body_of(data: bytes, is_whole: bool) -> Any:
    return Remains(data, None if is_whole else IncompleteRead(b""))


def _restore(error: Any, data: bytes, is_whole: bool) -> None:
    """Make *error*, an ``HTTPError`` that was closed, readable again."""
    for name in ("read", "read1", "readline", "readlines"):
        vars(error).pop(name, None)  # it keeps those of the closed response that were used
    addinfourl.__init__(error, _body_of(data, is_whole), error.headers, error.url, error.code)


def _seconds(timeout: Any) -> float | None:
    if timeout is socket._GLOBAL_DEFAULT_TIMEOUT:  # type: ignore[attr-defined]  # urllib's word for none given
        return socket.getdefaulttimeout()
    seconds: float | None = timeout
    return seconds


def _cut(timeout: Any, limit: float) -> float:
    seconds = _seconds(timeout)
    return limit if seconds is None else min(seconds, limit)
