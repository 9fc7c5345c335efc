"""Requests: an adapter whose ``send`` makes as many attempts as its policy allows.

Owns how a request of requests is sent, and how its responses are read, closed and restored.
Leaves what clients have in common to ``shared``.  Uses only public parts of requests and urllib3,
except for ``_original_response``, from which a session reads cookies, and for the attributes by
which the timeout of an open stream is set; without these, it stays cut.
"""

from __future__ import annotations

from http.client import HTTPException, IncompleteRead
from types import GeneratorType
from urllib.parse import urlsplit
from weakref import WeakSet

try:
    from requests.adapters import HTTPAdapter
    from requests.exceptions import HTTPError, UnrewindableBodyError
    from urllib3 import HTTPResponse, Timeout
    from urllib3.exceptions import HTTPError as TransportError
except ImportError as missing:
    raise ImportError(
        "clients.requests needs requests: install it with `pip install requests`", name="requests"
    ) from missing

from retrying_elegant import _checks, _sync

from ._shared import (
    CUT_OFF,
    MOST_BYTES,
    Body,
    Exchange,
    Remains,
    Rules,
    TimeLimit,
    set_timeout,
    sign_late,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from requests import PreparedRequest, Response

    from retrying_elegant._policy import Policy

_CHUNK = 1 << 16

# Statuses that an authentication of the user answers in a hook.
_CHALLENGES = (401, 407)


class Adapter(HTTPAdapter):
    """An ``HTTPAdapter`` that retries."""

    __attrs__ = [*HTTPAdapter.__attrs__, "_rules"]  # noqa: RUF012 - a list, as in the base class

    def __init__(self, policy: Any, idempotent: Any, **adapter: Any) -> None:
        retries = adapter.get("max_retries", 0)
        total = getattr(retries, "total", retries)  # of a Retry, or the number itself
        if total or total is None:  # None: urllib3's default, or no limit
            _checks.reject(ValueError, "max_retries", retries, "0, because the policy retries")
        self._rules = Rules("clients.requests", policy, idempotent, is_async=False)
        self._sent: WeakSet[Any] = WeakSet()
        super().__init__(**adapter)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._sent = WeakSet()

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send *request* as often as the policy allows, and return the last response."""
        policy = self._rules.choose(request)
        self._claim(request)
        send = super().send
        if policy is None:
            return send(request, stream, timeout, verify, cert, proxies)
        options = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        exchange = _Exchange(self._rules, policy, request, send, stream, options)
        try:
            try:
                _sync.run(exchange.first_attempt(_host(request)), exchange.attempt_in_time)
            except Exception as error:
                if not exchange.conclude(error):
                    raise
            if not stream:  # a response is read already, unless it failed and is the last one
                exchange.read()
            elif exchange.was_cut:
                set_timeout(getattr(exchange.response.raw, "_fp", None), _read_timeout(timeout))
            response: Response = exchange.hand_over()
            return response
        finally:
            if exchange.response is not None:
                exchange.response.close()
            exchange.release()

    def _claim(self, request: PreparedRequest) -> None:
        """
        Reject a body that was sent before, as after a redirect, and would now be empty.

        Raises:
            UnrewindableBodyError: what requests raises where it cannot rewind a file.
        """
        body: Any = request.body
        if Body(body).is_repeatable:
            return
        if not (isinstance(body, GeneratorType) or hasattr(body, "read")):
            # Many iterators cannot be recognized; and what is only iterable may be another's
            # iterator, or give a new one to the user's next call.
            request.body = body = (piece for piece in body)
        try:
            was_sent = body in self._sent
            self._sent.add(body)
        except TypeError:
            return  # a reader of which there can be no weak references
        if was_sent:
            raise UnrewindableBodyError("the body was sent before, and can be read only once")


def _host(request: PreparedRequest) -> str | None:
    return urlsplit(str(request.url)).hostname


class _Exchange(Exchange):
    __slots__ = ("_options", "_send", "_stream", "was_cut")

    def __init__(
        self,
        rules: Rules,
        policy: Policy,
        request: PreparedRequest,
        send: Callable[..., Response],
        stream: bool,
        options: dict[str, Any],
    ) -> None:
        method = str(request.method)
        super().__init__(rules, policy, request, method, request.headers, Body(request.body))
        self._send = send
        self._stream = stream
        self._options = options
        self.was_cut = False  # whether the timeouts of the last attempt were cut

    def attempt(self, request: PreparedRequest) -> Response:
        self.begin()
        options, limit = self._options, self.limit()
        self.was_cut = limit is not None
        if limit is not None:
            options = {**options, "timeout": _cut(options["timeout"], limit)}
        self.response = response = self._send(request, stream=self._stream, **options)
        if self.may_have_failed(response, response.status_code, _error_of):
            raise self.failure
        if not self._stream:
            self.read()
        if self.failure is not None:
            raise self.failure
        return response

    def read(self) -> None:
        """Read the whole response, as requests does once the adapter has returned it."""
        response: Response = self.response
        if response.is_redirect and response.headers["location"]:
            return  # the session follows it, whatever becomes of the body
        if response.status_code in _CHALLENGES and self.request.hooks.get("response"):
            return  # the hook may need the open connection first, as NTLM does for its certificate
        response.raw.enforce_content_length = True  # as urllib3 2 does by itself
        try:
            response.content  # noqa: B018 - it reads
        except BaseException as error:
            response.close()
            self.response = None
            sign_late(error, response)
            raise

    def set_aside(self) -> None:
        response = self.response
        if response is None or response.raw.isclosed():
            if response is not None:
                response.raw.release_conn()
            return
        raw, chunks, size, is_whole = response.raw, [], 0, False
        try:
            with TimeLimit(raw) as limit:
                for chunk in raw.stream(_CHUNK, decode_content=False):
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > MOST_BYTES:
                        break
                else:
                    is_whole = not limit.has_passed
        except (*CUT_OFF, HTTPException, TransportError):
            pass
        finally:
            if not is_whole:
                raw.close()
            raw.release_conn()
        self.remains = (b"".join(chunks), is_whole)

    def restore_response(self, data: bytes, is_whole: bool) -> None:
        raw = self.response.raw
        self.response.raw = HTTPResponse(
            body=Remains(data, None if is_whole else IncompleteRead(b"")),
            headers=raw.headers,
            status=raw.status,
            version=raw.version,
            reason=raw.reason,
            preload_content=False,
            decode_content=raw.decode_content,
            original_response=getattr(raw, "_original_response", None),
            request_method=self.method,
        )

    def status_of(self, error: BaseException) -> int | None:
        if isinstance(error, HTTPError) and error.response is not None:
            return error.response.status_code
        return None


def _error_of(response: Response) -> HTTPError:
    try:
        response.raise_for_status()
    except HTTPError as error:
        return error.with_traceback(None)  # it would keep this frame, and so the error, alive
    # requests does not raise for statuses beyond 599.
    return HTTPError(f"{response.status_code} Error", response=response)


def _cut(timeout: Any, limit: float) -> Any:
    """Return *timeout*, in any form that requests takes, with all parts at most *limit*."""
    if isinstance(timeout, Timeout):
        cut = timeout.clone()
        total = cut.total if isinstance(cut.total, (int, float)) else limit
        cut.total = min(total, limit)
        return cut
    if not isinstance(timeout, tuple):
        timeout = (timeout, timeout)
    try:
        connect, read = (limit if part is None else min(part, limit) for part in timeout)
    except (TypeError, ValueError):
        return timeout  # requests will reject it
    return Timeout(total=limit, connect=connect, read=read)


def _read_timeout(timeout: Any) -> float | None:
    """Return the seconds that *timeout*, in any form that requests takes, allows for a read."""
    parts: tuple[Any, ...] = (timeout,)
    if isinstance(timeout, Timeout):
        # Not read_timeout, which is only known after a connection has been made.
        parts = (timeout.total, getattr(timeout, "_read", None))
    elif isinstance(timeout, tuple):
        parts = timeout[1:]
    return min((part for part in parts if isinstance(part, (int, float))), default=None)
