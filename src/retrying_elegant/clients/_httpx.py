"""Httpx: a client whose ``send`` makes as many attempts as its policy allows.

Owns how requests of httpx and httpx2 are sent, sync and async, and how their responses are read,
closed and restored.  Leaves what clients have in common to ``shared``.  Neither library is
imported: a client can only exist if it has been.  The public ``send`` is wrapped, because every
request of a client goes through it, those of SDKs included, and because proxies from the
environment still apply, unlike with a transport.  The only private part that is read is the file
in the stream of a request, in ``_body_of``.
"""

from __future__ import annotations

import inspect
import sys
import time
from contextlib import aclosing
from functools import wraps
from weakref import ref

from retrying_elegant import _async, _async_backend, _checks, _sync

from ._shared import (
    CUT_OFF,
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
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import ModuleType
    from typing import Any, ClassVar

_LIBRARIES = ("httpx", "httpx2")
_WRAPPED = "__retrying_elegant__"


def wrap(client: Any, policy: Any, idempotent: Any) -> None:
    """Replace the ``send`` of *client* with one that retries."""
    library, base = _kind_of(client)
    is_async = base.__name__ == "AsyncClient"
    send = client.send
    if hasattr(send, _WRAPPED):
        raise ValueError("client: expected a client that has not been wrapped before")
    rules = Rules("clients.httpx", policy, idempotent, is_async=is_async)
    # A bound method of the client would create a reference cycle of client and wrapper.
    bind = getattr(type(client).send, "__get__", None)  # a mock has none
    if "send" in vars(client) or bind is None:
        bare: Callable[[Any], Any] = lambda _: send  # noqa: E731
    else:
        bare = bind
    is_own = inspect.getattr_static(client, "send") is not inspect.getattr_static(base, "send")
    wrapper = (_async_send if is_async else _sync_send)(
        rules, library, ref(client), bare, send, is_own
    )
    wrapper.__signature__ = _signature_of(send)
    del wrapper.__wrapped__  # a bound method too, so it would be part of a cycle
    setattr(wrapper, _WRAPPED, True)
    client.send = wrapper


def _signature_of(send: Any) -> inspect.Signature:
    if sys.version_info >= (3, 14):  # pragma: no cover - coverage is measured on 3.11
        # An annotation may have a name that only type checkers know.
        from annotationlib import Format

        return inspect.signature(send, annotation_format=Format.FORWARDREF)
    return inspect.signature(send)


def _kind_of(client: Any) -> tuple[ModuleType, type]:
    """Return the library of *client*, and which of its clients it is."""
    for kind in type(client).__mro__:
        library = str(kind.__module__).partition(".")[0]
        if library in _LIBRARIES and kind.__name__ in ("Client", "AsyncClient"):
            break
    else:
        _checks.reject(TypeError, "client", client, "a Client or AsyncClient of httpx or httpx2")
    return sys.modules[library], kind


def _sync_send(rules: Rules, library: Any, client: Any, bare: Any, model: Any, is_own: bool) -> Any:
    @wraps(model)
    def send(request: Any, **options: Any) -> Any:
        this = _alive(client)
        policy = rules.choose(request)
        if policy is None:
            return bare(this)(request, **options)
        exchange = _SyncExchange(rules, policy, request, library, this, bare(this), options, is_own)
        try:
            try:
                _sync.run(exchange.first_attempt(request.url.host), exchange.attempt_in_time)
            except Exception as error:
                if not exchange.conclude(error):
                    raise
            # A response has been read already, unless it failed and is the last one.
            if not exchange.is_streamed:
                exchange.read()
            return exchange.hand_over()
        finally:
            exchange.restore()
            if exchange.response is not None:
                exchange.response.close()
            exchange.release()

    return send


def _async_send(
    rules: Rules, library: Any, client: Any, bare: Any, model: Any, is_own: bool
) -> Any:
    @wraps(model)
    async def send(request: Any, **options: Any) -> Any:
        this = _alive(client)
        policy = rules.choose(request)
        if policy is None:
            return await bare(this)(request, **options)
        exchange = _AsyncExchange(
            rules, policy, request, library, this, bare(this), options, is_own
        )
        try:
            try:
                await _async.run(exchange.first_attempt(request.url.host), exchange.attempt)
            except Exception as error:
                if not exchange.conclude(error):
                    raise
            # As in the sync client.
            if not exchange.is_streamed:
                await exchange.read_in_time()
            return exchange.hand_over()
        finally:
            exchange.restore()
            if exchange.response is not None:
                await exchange.response.aclose()
            exchange.release()

    return send


def _alive(client: Any) -> Any:
    found = client()
    if found is None:
        raise ReferenceError(
            "the client is gone: keep a reference to it, not only to its method `send`"
        )
    return found


class _Exchange(Exchange):
    """
    A request of either client.

    Attributes:
        streams: The class of the streams that the client sends.
        is_streamed: Whether the user reads the response.
    """

    streams: ClassVar[str]

    __slots__ = (
        "_client",
        "_extensions",
        "_library",
        "_options",
        "_send",
        "_sent_to",
        "_timeouts",
        "_url",
        "_wrapped",
        "is_streamed",
    )

    def __init__(
        self,
        rules: Rules,
        policy: Any,
        request: Any,
        library: Any,
        client: Any,
        send: Callable[..., Any],
        options: dict[str, Any],
        is_own: bool,
    ) -> None:
        body = _body_of(request.stream, library)
        super().__init__(rules, policy, request, request.method, request.headers, body)
        self._url = self._sent_to = request.url
        self._library = library
        self._client = client
        self._send = send
        self.is_streamed = bool(options.get("stream"))
        # A `send` of the user's own is called as ever, because it may read the response.
        self._options = options if is_own else {**options, "stream": True}
        timeouts = request.extensions.get("timeout")
        if timeouts is None:
            timeouts = client.timeout.as_dict()
        self._extensions = {**request.extensions, "timeout": timeouts}
        self._timeouts = _Timeouts(timeouts, None)
        # None if a client around this one has wrapped the stream already.
        self._wrapped: Any = None
        is_known = isinstance(request.stream, (library.ByteStream, _streams(library).Repeated))
        # A stream of the wrong kind is rejected by the client itself.
        if not is_known and isinstance(request.stream, getattr(library, self.streams)):
            # Redirects and authentication send the body again: whole too, or not at all.
            self._wrapped = request.stream = _streams(library).Repeated(request.stream, body)

    def begin(self) -> None:
        """Begin an attempt, with the URL that event hooks and authentication found before."""
        request = self.request
        if self.was_sent and request.url is self._sent_to:  # not changed by a hook of the policy
            request.url = self._url
        self._url = request.url
        super().begin()

    def _unless(self, error: Exception) -> Any:
        self._sent_to = self.request.url
        return super()._unless(error)

    def restore(self) -> None:
        """Restore the request."""
        # What is streamed is not part of the attempt, and is read with this same mapping.
        self._timeouts.restore()
        extensions = self.request.extensions  # event hooks may have added to them
        if extensions.get("timeout") is self._timeouts:
            extensions["timeout"] = self._extensions["timeout"]
        if self._wrapped is not None and self.request.stream is self._wrapped:
            self.request.stream = self._wrapped.original

    def cut_timeouts(self) -> None:
        """Set the timeouts of this attempt, cut to its limit."""
        self._timeouts.restore()  # a hook may have kept a redirected request of the last attempt
        self._timeouts = timeouts = _Timeouts(self._extensions["timeout"], self.limit)
        if self.limit() is not None:  # for what reads them in another way than httpx does
            for name in ("connect", "read", "write", "pool"):
                timeouts[name] = timeouts.get(name)
        self.request.extensions = {**self._extensions, "timeout": timeouts}

    def cut_read_timeout(self) -> None:
        """Limit the time for reading the rest of the response, in the same way."""
        seconds = self._timeouts.get("read")
        self._timeouts["read"] = MOST_SECONDS if seconds is None else min(seconds, MOST_SECONDS)

    def error_of(self, response: Any) -> Exception:
        kind: Any = self._library.HTTPStatusError
        try:
            response.raise_for_status()
        except kind as error:
            found: Exception = error.with_traceback(None)  # it would keep this frame alive
            return found
        # The method has been replaced by one that does not raise.
        text = f"status {response.status_code}"
        made: Exception = kind(text, request=response.request, response=response)
        return made

    def lacks_body(self) -> bool:
        """Return whether a filter failed because the response has not been read yet."""
        return not self.is_streamed and isinstance(self._judged[3], self._library.ResponseNotRead)

    def restore_response(self, data: bytes, is_whole: bool) -> None:
        response = self.response
        error = None if is_whole else self._library.ReadError(NOT_READ, request=self.request)
        try:
            elapsed = response.elapsed
        except RuntimeError:
            elapsed = None
        response.stream = _streams(self._library).Kept(data, error)
        response.is_stream_consumed = response.is_closed = False
        if elapsed is not None:
            response.elapsed = elapsed

    def status_of(self, error: BaseException) -> int | None:
        if isinstance(error, self._library.HTTPStatusError):
            found: Any = error
            status: int = found.response.status_code
            return status
        return None

    def is_redirected(self, error: BaseException) -> bool:
        try:
            last = error.request  # type: ignore[attr-defined]  # most have it
        except (AttributeError, RuntimeError):
            # An error of a hook or of another transport does not say which request failed.
            follows = self._options.get("follow_redirects")
            return follows if isinstance(follows, bool) else bool(self._client.follow_redirects)
        return last is not self.request


class _Timeouts(dict[str, "float | None"]):
    """
    The timeouts of an attempt, each cut to what remains when the transport reads it.

    That is once for each step, such as connecting, and for each request of a chain of redirects,
    which share this mapping.

    Args:
        own: The timeouts of the request, in seconds; None: no timeout.
        limit: Returns what remains; None: they are not cut.
    """

    def __init__(self, own: dict[str, float | None], limit: Any) -> None:
        super().__init__(own)
        self._own = own
        self._limit = limit

    def get(self, name: str, default: Any = None) -> Any:
        """Return the seconds for the step *name*; None: no timeout."""
        seconds = super().get(name, default)
        limit = None if self._limit is None else self._limit()
        if limit is None:
            return seconds
        return limit if seconds is None else min(seconds, limit)

    def restore(self) -> None:
        """Become the request's own timeouts again."""
        self._limit = None
        self.clear()
        self.update(self._own)


class _SyncExchange(_Exchange):
    """A request of a ``Client``."""

    __slots__ = ()

    streams = "SyncByteStream"

    def attempt(self, request: Any) -> Any:
        self.begin()
        self.cut_timeouts()
        self.response = response = self._send(request, **self._options)
        failed = self.may_have_failed(response, response.status_code, self.error_of)
        if failed and self.lacks_body():
            self.read()
            failed = self.may_have_failed(response, response.status_code, self.error_of)
        if failed:
            raise self.failure
        if not self.is_streamed:
            self.read()
        if self.failure is not None:
            raise self.failure
        return response

    def read(self) -> None:
        """Read the whole response, as the bare client does."""
        response = self.response
        try:
            response.read()
        except BaseException as error:
            sign_late(error, response)
            raise

    def set_aside(self) -> None:
        response = self.response
        if response is None or response.is_closed:
            return
        self.cut_read_timeout()
        chunks, size, is_whole, began = [], 0, False, time.monotonic()
        try:
            for chunk in response.iter_raw():
                chunks.append(chunk)
                size += len(chunk)
                if size > MOST_BYTES or time.monotonic() - began > MOST_SECONDS:
                    break
            else:
                is_whole = True
        except (*CUT_OFF, self._library.HTTPError):
            pass
        finally:
            _close_quietly(response)
        self.remains = (b"".join(chunks), is_whole)


class _AsyncExchange(_Exchange):
    """A request of an ``AsyncClient``."""

    __slots__ = ()

    kind = AsyncAttempt
    streams = "AsyncByteStream"

    async def attempt(self, request: Any) -> Any:
        self.begin()
        self.cut_timeouts()
        self.response = response = await self._send(request, **self._options)
        failed = self.may_have_failed(response, response.status_code, self.error_of)
        if failed and self.lacks_body():
            await self.read()
            failed = self.may_have_failed(response, response.status_code, self.error_of)
        if failed:
            raise self.failure
        if not self.is_streamed:
            await self.read()
        if self.failure is not None:
            raise self.failure
        return response

    async def read(self) -> None:
        """Read the whole response, as the bare client does."""
        response = self.response
        try:
            await response.aread()
        except BaseException as error:
            sign_late(error, response)
            raise

    async def read_in_time(self) -> None:
        """Read the last response, if it failed, for no longer than an attempt may take."""
        if self.failure is None or self.policy.attempt_timeout is None:
            await self.read()
            return
        allowed = self.current.timeout
        response, scope = self.response, _async_backend.timeout(allowed)
        try:
            async with scope:
                await self.read()
        except TimeoutError as error:
            _async.expired(scope, error, self.current, allowed)
            sign_late(error, response)
            raise
        finally:
            del scope  # it holds the task, which holds the error that ends it

    async def set_aside(self) -> None:
        response = self.response
        if response is None or response.is_closed:
            return
        chunks, size, is_whole = [], 0, False
        try:
            async with (
                _async_backend.timeout(MOST_SECONDS),
                aclosing(response.aiter_raw()) as stream,
            ):
                async for chunk in stream:
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > MOST_BYTES:
                        break
                else:
                    is_whole = True
        except Exception:  # noqa: BLE001, S110 - cut off, or too slow: reading it again will raise
            pass
        finally:
            try:
                await response.aclose()
            except Exception:  # noqa: BLE001, S110 - it is no longer needed
                pass
        self.remains = (b"".join(chunks), is_whole)


def _close_quietly(response: Any) -> None:
    try:
        response.close()
    except Exception:  # noqa: BLE001, S110 - it is no longer needed
        pass


def _body_of(stream: Any, library: Any) -> Body:
    """Return the body that *stream* sends; an unknown one is sent once."""
    if isinstance(stream, library.ByteStream):
        return Body(b"")
    if isinstance(stream, _streams(library).Repeated):  # sent by a client inside this one
        return stream.body  # type: ignore[no-any-return]  # a class made at run time
    if type(stream).__module__.partition(".")[0] != library.__name__:
        return Body(stream)  # the user's own, which may do anything with the file that it holds
    fields = getattr(stream, "fields", None)
    if fields is not None:  # multipart, which rewinds its files itself
        files = (getattr(field, "file", b"") for field in fields)
        return Body(b"" if all(Body(file).is_repeatable for file in files) else stream)
    return Body(getattr(stream, "_stream", stream))


_made: dict[str, Any] = {}


def _streams(library: Any) -> Any:
    """Return this module's stream classes for *library*, created at first use."""
    name = library.__name__
    if name not in _made:
        _made[name] = _make_streams(library)
    return _made[name]


def _make_streams(library: Any) -> Any:
    class Repeated(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]  # either library's
        """The body of a request: sent whole every time, or once."""

        def __init__(self, original: Any, body: Body) -> None:
            self.original = original
            self.body = body
            self._was_sent = False

        def __iter__(self) -> Iterator[bytes]:
            self._begin()
            return iter(self.original)

        def __aiter__(self) -> AsyncIterator[bytes]:
            self._begin()
            return self.original.__aiter__()  # type: ignore[no-any-return]  # as above

        def _begin(self) -> None:
            if self._was_sent and not self.body.rewind():
                raise library.StreamConsumed
            self._was_sent = True

        def close(self) -> None:
            self.original.close()

        async def aclose(self) -> None:
            await self.original.aclose()

    class Kept(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]  # as above
        """The part of a response that was read; reading past it fails if there was more."""

        def __init__(self, data: bytes, error: Exception | None) -> None:
            self._data = data
            self._error = error

        def __iter__(self) -> Iterator[bytes]:
            yield self._data
            if self._error is not None:
                raise self._error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self:
                yield chunk

    class Streams:
        """The two classes."""

    Streams.Repeated, Streams.Kept = Repeated, Kept  # type: ignore[attr-defined]  # a namespace
    return Streams
