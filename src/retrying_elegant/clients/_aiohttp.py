"""Aiohttp: a client middleware that sends each request as often as its policy allows.

Owns how a request of aiohttp is sent, and how its responses are read and closed.  Leaves what
clients have in common to ``shared``.  Some of what is needed is not public in aiohttp.  Everything
private is at the end of this module, in functions that tests compare with the real package, and
without which requests are still sent and retried.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context
from functools import lru_cache
from threading import Lock

try:
    from aiohttp import (
        BytesPayload,
        ClientConnectorError,
        ClientOSError,
        ClientPayloadError,
        ClientResponse,
        ClientResponseError,
        IOBasePayload,
        MultipartWriter,
        ServerDisconnectedError,
        StreamReader,
        client_middlewares,  # noqa: F401 - missing in an older aiohttp
    )
    from aiohttp.base_protocol import BaseProtocol
except ImportError as missing:
    raise ImportError(
        "clients.aiohttp needs aiohttp 3.12 or newer: install it with `pip install aiohttp`",
        name="aiohttp",
    ) from missing

from retrying_elegant import _async, _clock
from retrying_elegant._tracebacks import context_kept

from ._shared import (
    IDEMPOTENT,
    MOST_BYTES,
    MOST_SECONDS,
    NOT_READ,
    AsyncAttempt,
    Body,
    Exchange,
    Rules,
    sign_late,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from aiohttp import ClientHandlerType, ClientRequest

    from retrying_elegant._policy import Policy


class Middleware:
    """A client middleware that retries."""

    def __init__(self, policy: Any, idempotent: Any) -> None:
        self._rules = Rules("clients.aiohttp", policy, idempotent, is_async=True)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send *request* as often as the policy allows, and return the last response."""
        call = _Call.of(request)
        if call.final is not None:
            call.raise_again(request)
        policy = self._rules.choose(request)
        if policy is None:
            return await handler(request)
        task = asyncio.current_task()
        if call.task is task:  # set by another one, around this one
            raise ValueError("clients.aiohttp: expected one middleware, or attempts would multiply")
        exchange = _Exchange(self._rules, policy, request, handler, call)
        call.is_over, call.task = False, task
        try:
            try:
                await _async.run(exchange.first_attempt(request.url.host), exchange.attempt)
            except Exception as error:
                if not exchange.conclude(error):
                    call.note_final(request, error)
                    raise
            response: ClientResponse = exchange.hand_over()
            call.is_over = response.status not in _REDIRECTS
            return response
        except BaseException:
            call.is_over = call.final is None
            raise
        finally:
            call.task = None
            if exchange.response is not None:
                exchange.response.close()
            exchange.release()


_REDIRECTS = (301, 302, 303, 307, 308)  # aiohttp may follow these in the same call


class _Exchange(Exchange):
    __slots__ = ("_handler", "_knows_total")

    kind = AsyncAttempt

    def __init__(
        self,
        rules: Rules,
        policy: Policy,
        request: ClientRequest,
        handler: ClientHandlerType,
        call: _Call,
    ) -> None:
        body = _PayloadBody(request.body)
        if body.is_repeatable:
            _serialize(request.body)
        super().__init__(rules, policy, request, request.method, request.headers, body)
        # A middleware around this one sends the same request again, as authentication does.
        self.was_sent = getattr(request.body, "consumed", False)
        self._handler = handler
        total = _total_of(handler)
        self._knows_total = total is not None
        if total is not None:
            # The call began slightly before the request arrived here, so slightly less is left.
            left = max(total - (_clock.time.monotonic() - call.began) - 0.005, 0.001)
            if policy.timeout is None or policy.timeout > left:
                self.most_seconds = left

    async def attempt(self, request: ClientRequest) -> ClientResponse:
        if self.was_sent:
            if request.session.closed:  # in the wait
                raise RuntimeError("Session is closed")  # what aiohttp says of a new request
            await _settle(request)
        self.begin()
        self.response = response = await self._handler(request)
        self.may_have_failed(response, response.status, _error_of)
        if self.failure is not None:
            raise self.failure
        return response

    async def set_aside(self) -> None:
        response = self.response
        # If the body arrived with the headers, it has been read and the connection is free.
        if response is None or response.closed:
            return
        chunks, size, is_whole = [], 0, False
        try:
            async with asyncio.timeout(MOST_SECONDS):
                while size <= MOST_BYTES:
                    chunk = await response.content.readany()
                    if not chunk:
                        is_whole = response.content.at_eof()
                        break
                    chunks.append(chunk)
                    size += len(chunk)
        except Exception:  # noqa: BLE001, S110 - cut off, or too slow: reading it again will raise
            pass
        finally:
            if not is_whole:
                response.close()
        if _has_expired(self.request):
            # The reader took the cancellation by `total` for an error of its own: cancel again.
            asyncio.current_task().cancel()  # type: ignore[union-attr]  # this runs in one
            await asyncio.sleep(0)
        self.remains = (b"".join(chunks), is_whole)

    def restore_response(self, data: bytes, is_whole: bool) -> None:
        loop = asyncio.get_running_loop()
        content = StreamReader(BaseProtocol(loop), limit=len(data), loop=loop)
        content.feed_data(data)
        if is_whole:
            content.feed_eof()
        else:
            content.set_exception(ClientPayloadError(NOT_READ))
        self.response.content = content

    def conclude(self, error: Exception) -> bool:
        if not super().conclude(error):
            return False
        kind: Any = type(self.response)
        if ClientResponse in kind.__mro__:  # not what a middleware made instead
            self.response.__class__ = _signing(kind)
        return True

    def status_of(self, error: BaseException) -> int | None:
        return error.status if isinstance(error, ClientResponseError) else None

    def _may_send_again(self, error: Exception) -> bool:
        # The policy's timeout covers `total` if that is known, and if no failure starts it over.
        is_covered = self._knows_total and self.policy.reset_after is None
        if not is_covered and _has_expired(self.request):
            return False
        return super()._may_send_again(error)


def _error_of(response: ClientResponse) -> ClientResponseError:
    # The same as that of raise_for_status(), which would release the response and lose its body.
    # Reading `history` caches it, and aiohttp sets it only after the middlewares.
    return ClientResponseError(
        response.request_info,
        (),
        status=response.status,
        message=response.reason or "",
        headers=response.headers,
    )


@lru_cache(maxsize=16)
def _signing(kind: type[ClientResponse]) -> type[ClientResponse]:
    """
    Return *kind* as a class whose errors for a status carry the record of the response.

    A method of one response alone would be in a cycle with it, or would not keep it alive in
    ``(await session.get(url)).raise_for_status()``.
    """

    def raise_for_status(self: ClientResponse) -> None:
        try:
            kind.raise_for_status(self)
        except ClientResponseError as error:
            sign_late(error, self)
            raise

    contents = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(kind.__name__, (kind,), {**contents, "raise_for_status": raise_for_status})


class _PayloadBody(Body):
    """
    The body of a request of aiohttp, which rewinds bodies itself.

    Only bodies that aiohttp is known to send whole are sent again: of others, it may have read a
    part without noticing.
    """

    __slots__ = ("_payload",)

    def __init__(self, payload: Any) -> None:
        super().__init__(None)
        self._payload = payload
        self.is_repeatable = _is_repeatable(payload)

    def rewind(self) -> bool:
        return _is_repeatable(self._payload)


def _is_repeatable(payload: Any) -> bool:
    if isinstance(payload, (bytes, BytesPayload)):
        return True
    if getattr(payload, "consumed", True):
        return False
    if isinstance(payload, MultipartWriter):
        return all(_is_repeatable(part) for part, *_ in payload)
    return isinstance(payload, IOBasePayload) and Body(_file_of(payload)).is_repeatable


class _Call:
    """
    One call of a session's ``request``, including all redirects and repetitions.

    aiohttp itself repeats an idempotent request once after a connection error, including its
    middlewares, so a policy of three attempts would make six.  The middleware cannot turn that
    off, but it recognizes the repetition, and raises its final error again.
    """

    __slots__ = ("_before", "_key", "_was_repeated", "began", "final", "is_over", "task")

    def __init__(self, key: Any, before: _Call | None) -> None:
        self._key = key
        self._before = before  # the call in which another middleware made this one
        self._was_repeated = False
        self.began = _clock.time.monotonic()
        # The request that failed in the end, and its error, if the call will be repeated.
        self.final: tuple[ClientRequest, Exception] | None = None
        self.is_over = True  # whether this call makes no further request
        self.task: asyncio.Task[Any] | None = None  # in which a middleware makes its attempts

    @classmethod
    def of(cls, request: ClientRequest) -> _Call:
        """Return the call that *request* belongs to."""
        key, this = _key_of(request), _calls.get()
        if key is None:
            return cls(None, None)
        open_calls: list[_Call] = []
        while this is not None and len(open_calls) < _NESTED:
            if this._key is key:
                return this
            if _has_ended(this._key):
                this.final = None  # no repetition came
            elif not this.is_over:
                open_calls.append(this)
            this = this._before
        before = None
        for this in reversed(open_calls):  # the others have ended
            this._before, before = before, this
        call = cls(key, before)
        kept = copy_context()  # noqa: F841 - keeps alive what `set` reads: see `_reporting`
        _calls.set(call)
        return call

    def note_final(self, request: ClientRequest, error: Exception) -> None:
        """Remember *error*, if aiohttp will repeat the request because of it."""
        if not self._was_repeated and self._key is not None and _repeats(request, error):
            self.final = (request, error)

    def raise_again(self, request: ClientRequest) -> None:
        """Raise the final error once more, unless a middleware sends the same request again."""
        (failed, error), self.final = self.final, None  # type: ignore[misc]  # there is one
        try:
            if request is not failed:
                self._was_repeated = True
                with context_kept(error):
                    raise error
        finally:
            del error, failed


_NESTED = 16  # nested calls that are tracked, such as those of a middleware that fetches a token
_calls: ContextVar[_Call | None] = ContextVar("retrying_elegant.clients.aiohttp", default=None)


# Everything private to aiohttp.


def _key_of(request: ClientRequest) -> Any:
    """Return an object that all requests of one call of the session share, or None."""
    return getattr(request, "_timer", None)


def _has_ended(key: Any) -> bool:
    """Return whether the call that *key* belongs to has certainly ended."""
    return getattr(key, "_tasks", None) == []


def _has_expired(request: ClientRequest) -> bool:
    """Return whether ``ClientTimeout.total`` has passed."""
    try:
        request._timer.assert_timeout()
    except TimeoutError:
        return True
    except AttributeError:
        pass
    return False


def _total_of(handler: Any) -> float | None:
    """Return the ``ClientTimeout.total`` of the request that *handler* sends, if it is known."""
    for _ in range(16):  # middlewares between this one and the connection
        names: Any = getattr(getattr(handler, "__code__", None), "co_freevars", ())
        closure: Any = getattr(handler, "__closure__", None) or ()
        cells = dict(zip(names, closure, strict=False))
        try:
            if "real_timeout" in cells:
                total = cells["real_timeout"].cell_contents.total
                return float(total) if total else None
            handler = (cells.get("next_h") or cells["handler"]).cell_contents
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
    return None


def _repeats(request: ClientRequest, error: Exception) -> bool:
    """Return whether aiohttp repeats *request*, and its middlewares, because of *error*."""
    if not getattr(request.session, "_retry_connection", False):
        return False
    if request.method not in IDEMPOTENT or isinstance(error, ClientConnectorError):
        return False
    return isinstance(error, (ClientOSError, ServerDisconnectedError))


def _file_of(payload: IOBasePayload) -> Any:
    """Return the file that *payload* sends; if it is unknown, something that is not seekable."""
    return getattr(payload, "_value", iter(()))


def _serialize(payload: Any) -> None:
    """
    Make sure that only one thread at a time reads the file that *payload* sends.

    aiohttp reads files in threads.  A thread that still reads for a failed attempt would move the
    position of the file during the next one, which would then send only a part.
    """
    if isinstance(payload, MultipartWriter):
        for part, *_ in payload:
            _serialize(part)
    elif isinstance(payload, IOBasePayload):
        inside: Any = payload
        if not isinstance(inside._value, _Serialized):
            inside._value = _Serialized(inside._value)


class _Serialized:
    """A file with a lock."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = Lock()

    def read(self, *args: Any) -> Any:
        """Read while no other thread does."""
        with self._lock:
            return self._file.read(*args)

    def seek(self, *args: Any) -> Any:
        """Seek while no other thread reads."""
        with self._lock:
            return self._file.seek(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


async def _settle(request: ClientRequest) -> None:
    """Wait until the last attempt has stopped writing, and reset ``Expect: 100-continue``."""
    close = getattr(request, "close", None)
    if close is not None:
        await close()
    expect = getattr(request, "update_expect_continue", None)
    if expect is not None:
        expect()
