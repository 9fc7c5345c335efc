"""Shared: what all clients have in common.

Owns the default policy and the checks of what users pass; which responses are failed attempts;
which requests may be sent twice, and which bodies are repeatable; the contents of log lines and
notes; and the state of one request, an ``Exchange``.  Leaves deciding, waiting and reporting to
the core, and sending requests, and reading and closing responses, to one module for each client.

How they work together: ``Exchange.attempt`` makes one attempt, and returns a response or raises.
A response that is a failed attempt is raised as the error that the client itself makes of it, so
the core treats all failures alike; if the call gives up on that error, the user gets the response.
The user's filters are evaluated here, by a policy derived for this one request, because they
apply to responses in a different way, and because only the request shows what may be sent again.

Sizes are bytes, times float seconds.
"""

from __future__ import annotations

import os
import sys

from retrying_elegant import _checks, _clock, _deadline, web
from retrying_elegant._attempt import Attempt
from retrying_elegant._budget import RetryBudget
from retrying_elegant._decision import mark_hung, matches
from retrying_elegant._giveup import given_up, sign, text_of
from retrying_elegant._policy import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Self

# RFC 9110, 9.2.2: the safe methods, and those that have the same effect when executed twice.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

# Statuses that say that the server has not processed the request: too early, too many requests.
_NOT_PROCESSED = (425, 429)

_KEY = "idempotency-key"

# The bounds within which a failed response is read before the wait, so that its connection can be
# used again, and the response can still be returned.
MOST_BYTES = 1 << 20
MOST_SECONDS = 2.0
NOT_READ = "the rest of the response was not read: its connection was closed before the wait"

# The errors of reading it, besides those of each client: the response is cut off, and reading it
# again will raise.  An exception of a signal handler is not one of them: it ends the call, as in a
# wait.  RuntimeError is for a `TimeLimit` that cannot start a thread.
CUT_OFF = (OSError, ValueError, RuntimeError)

_LEAST_TIMEOUT = 0.001  # a socket with a timeout of 0 does not block at all


class Rules:
    """
    How one client retries: the checked arguments of a function of ``clients``.

    Args:
        form: The name of that function, for messages.
        policy: A policy, a function from a request to a policy or None, or None.
        idempotent: Methods, a predicate on the request, a bool, or None.
        is_async: Whether the client is async.
    """

    def __init__(self, form: str, policy: Any, idempotent: Any, *, is_async: bool) -> None:
        self.form = form
        self.is_async = is_async
        self.idempotent = _checked_idempotent(idempotent)
        if policy is None:
            policy = Policy(4, on=web.transient, timeout=30, budget=RetryBudget())
        elif not isinstance(policy, Policy):
            rule = "a Policy, a function from the request to a Policy or None, or None"
            if isinstance(policy, type) or not callable(policy):
                _checks.reject(TypeError, "policy", policy, rule)
            if _checks.is_coroutine_function(policy):
                _checks.reject(TypeError, "policy", policy, f"{rule}; it is a coroutine function")
        if isinstance(policy, Policy):
            self._check(policy)
        self.policy = policy
        self._template: tuple[Policy, tuple[str, ...], Policy] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_template": None}

    def choose(self, request: Any) -> Policy | None:
        """
        Return the policy for *request*; None: it is not retried.

        Raises:
            TypeError: the user's function returned something else, or a policy that this client
                cannot follow.
        """
        if isinstance(self.policy, Policy):
            return self.policy
        policy: Any = self.policy(request)
        if policy is not None:
            if not isinstance(policy, Policy):
                close = getattr(policy, "close", None)
                if _checks.is_awaitable(policy) and close is not None:
                    close()  # no second warning about a coroutine that was never awaited
                _checks.reject(TypeError, "policy(request)", policy, "a Policy, or None")
            self._check(policy)
        chosen: Policy | None = policy
        return chosen

    def derive(self, policy: Policy, **changes: Any) -> Policy:
        """
        Return *policy* with *changes*, which need no checks.

        This is ``replace`` without its checks, which would cost as much as the rest of a call,
        because every request has its own policy.  In the template, as in the result, the filters
        are predicates, so the values that a policy derives from its fields are the same.
        """
        kind = tuple(changes)
        template = self._template
        if template is None or template[0] is not policy or template[1] != kind:
            fields: dict[str, Any] = {**changes, "on": _anything, "unless": _anything}
            made = policy.replace(**fields)
            self._template = template = (policy, kind, made)
        derived = object.__new__(type(policy))
        derived.__dict__.update(template[2].__dict__)
        derived.__dict__.update(changes)
        return derived

    def may_repeat(self, request: Any, method: str, has_key: bool) -> bool:
        """Return whether executing *request* twice has the same effect as once."""
        rule = self.idempotent
        if rule is None:
            return method.upper() in IDEMPOTENT or has_key
        if isinstance(rule, frozenset):
            return method.upper() in rule
        if isinstance(rule, bool):
            return rule
        return bool(_checks.answer("idempotent", rule(request)))

    def _check(self, policy: Policy) -> None:
        if policy.until is not None:
            rule = f"None for {self.form}, whose results are responses; `on` says which to retry"
            _checks.reject(TypeError, "until", policy.until, rule)
        if self.is_async:
            policy._check_async(self.form)
        else:
            policy._check_sync(self.form, attempt_timeout=False)


def _anything(error: Exception) -> bool:
    """Take the place of the filters, which belong to one request, in a template."""
    raise AssertionError("a template is never used as a policy")


def _checked_idempotent(value: Any) -> Any:
    rule = "HTTP methods, a predicate on the request, True, False or None"
    if value is None or isinstance(value, bool):
        return value
    if callable(value):
        if isinstance(value, type):
            _checks.reject(TypeError, "idempotent", value, rule)
        return _checks.predicate("idempotent", value, rule)
    # A string is a collection of its letters, which is hardly what was meant.
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        _checks.reject(TypeError, "idempotent", value, rule)
    methods = tuple(value)
    for method in methods:
        if not isinstance(method, str):
            _checks.reject(TypeError, "idempotent", method, rule)
        if method.split() != [method]:
            _checks.reject(ValueError, "idempotent", method, rule)
    return frozenset(method.upper() for method in methods)


class Body:
    """
    The body of a request: whether it can be sent again, whole.

    Bytes and text can, and so can anything seekable, from its position.  Everything else is assumed
    to be readable only once: iterating a second time, over an iterator or an object that wraps one,
    would send nothing, and the server would not notice.
    """

    __slots__ = ("_file", "_start", "is_repeatable")

    def __init__(self, source: Any) -> None:
        self._file: Any = None
        self._start: Any = None
        self.is_repeatable = True
        if source is None or isinstance(source, (bytes, str, bytearray, list, tuple)):
            return
        if hasattr(source, "seek") and hasattr(source, "tell"):
            self._file = source
            try:
                if _checks.is_coroutine_function(source.tell):
                    raise TypeError("an async file")
                self._start = source.tell()
                seekable = getattr(source, "seekable", None)
                self.is_repeatable = seekable is None or bool(seekable())
            except Exception:  # noqa: BLE001 - a pipe, a closed or an async file
                self.is_repeatable = False
        else:
            self.is_repeatable = _is_buffer(source)

    def rewind(self) -> bool:
        """Go back to the beginning of the body; return False if that is impossible."""
        if self.is_repeatable and self._file is not None:
            try:
                self._file.seek(self._start)
            except Exception:  # noqa: BLE001 - it may have been closed
                self.is_repeatable = False
        return self.is_repeatable


def _is_buffer(source: Any) -> bool:
    try:
        memoryview(source)
    except TypeError:
        return False
    return True


class ExchangeAttempt(Attempt):
    """One attempt at a request: an attempt of the core that knows its exchange."""

    __slots__ = ("_exchange",)

    _exchange: Exchange

    def _following(self, wait: float) -> Self:
        following = super()._following(wait)
        following._exchange = self._exchange
        self._exchange.current = following
        return following

    def _text_of(self, error: BaseException) -> str:
        return describe(error, self._exchange.status_of(error), self.name)

    def _is_remarkable(self) -> bool:
        # An error that is not retried is not logged, unless its Retry-After was too long.
        return self._exchange.refused_hint(self._error) is not None


class SyncAttempt(ExchangeAttempt):
    """An attempt of a synchronous client."""

    __slots__ = ()

    def _set_aside(self) -> None:
        self._exchange.set_aside()

    _before_wait: Any = _set_aside


class AsyncAttempt(ExchangeAttempt):
    """An attempt of an async client."""

    __slots__ = ()

    async def _set_aside(self) -> None:
        await self._exchange.set_aside()

    _before_wait: Any = _set_aside


class Exchange:
    """
    One request of a client, with all its attempts.

    A subclass for each client defines how to send the request (``attempt``), what has failed
    (``status_of``, ``is_redirected``), and how to read and close a response (``set_aside``).

    Attributes:
        response: The response of the current attempt, while this object has to close it.
        failure: The client's error for ``response`` if that is a failed attempt.
        remains: What was read of ``response`` before it was closed, and whether it is complete.
    """

    __slots__ = (
        "_judged",
        "body",
        "current",
        "failure",
        "headers",
        "key",
        "method",
        "most_seconds",
        "policy",
        "remains",
        "request",
        "response",
        "rules",
        "was_sent",
    )

    kind: ClassVar[type[ExchangeAttempt]] = SyncAttempt

    def __init__(
        self, rules: Rules, policy: Policy, request: Any, method: str, headers: Any, body: Body
    ) -> None:
        self.rules = rules
        self.policy = policy
        self.request = request
        self.method = method
        self.headers = headers
        self.key = headers.get(_KEY)
        self.body = body
        self.was_sent = False
        self.most_seconds: float | None = None  # replaces the policy's timeout if it is less
        self.response: Any = None
        self.failure: Any = None  # Exception | None, but Any, because it is raised where it is set
        self.remains: tuple[bytes, bool] | None = None
        self.current: Any = None  # the attempt; Any, because it is never None when it is read
        self._judged: Any = None  # failure, results of `unless` and `on`, what a filter raised

    # Defined by the client's module.

    def attempt(self, request: Any) -> Any:
        """Send the request once: return the response, or raise."""
        raise NotImplementedError

    def set_aside(self) -> Any:
        """Read the failed response within bounds into ``remains``, and close it."""
        raise NotImplementedError

    def restore_response(self, data: bytes, is_whole: bool) -> None:
        """Make the closed response readable again, with *data* for its body."""
        raise NotImplementedError

    def status_of(self, error: BaseException) -> int | None:
        """Return the status of the response that *error* is about, or None."""
        raise NotImplementedError

    def is_redirected(self, error: BaseException) -> bool:
        """Return whether an earlier request of the same chain was answered with a redirect."""
        return False

    # The steps of a call.

    def attempt_in_time(self, request: Any) -> Any:
        """
        Make an attempt of a synchronous client, which only the client itself can end.

        An attempt that took all the time of ``attempt_timeout`` counts as ended by it, and so is
        never healthy.
        """
        if self.policy.reset_after is None or self.policy.attempt_timeout is None:
            return self.attempt(request)
        # No name for the attempt: this frame would hold it, and the error's traceback the frame.
        end = _clock.time.monotonic() + self.current.timeout
        try:
            return self.attempt(request)
        except Exception:
            if _clock.time.monotonic() >= end:
                mark_hung(self.current)
            raise

    def first_attempt(self, host: str | None) -> ExchangeAttempt:
        """Return the first attempt of the call."""
        changes: dict[str, Any] = {"on": _On(self), "unless": self._unless}
        if not self.body.is_repeatable:
            changes["attempts"] = 1  # not even a TryAgain changes that
        if self.most_seconds is not None:
            changes["timeout"] = self.most_seconds
        derived = self.rules.derive(self.policy, **changes)
        name = self.policy.name or f"{self.method} {host or ''}".rstrip()
        first = self.kind(derived, name, _clock.time.monotonic(), (self.request,))
        first._exchange = self
        self.current = first
        return first

    def begin(self) -> None:
        """Begin an attempt: forget the last response, and rewind the body."""
        self.response = self.failure = self.remains = self._judged = None
        # A hook may have read or closed the body in the meantime.
        if self.was_sent and not self.body.rewind():
            raise ValueError("the request was not sent again: its body cannot be read again")
        self.was_sent = True

    def limit(self) -> float | None:
        """Return the seconds to which the timeouts of the client are cut; None: no limit."""
        if self.policy.attempt_timeout is not None:
            limit = self.current.timeout
        else:
            around = _deadline.deadline.current()
            limit = None if around is None else around.remaining
        return None if limit is None else max(limit, _LEAST_TIMEOUT)

    def may_have_failed(
        self, response: Any, status: int, error_of: Callable[[Any], Exception]
    ) -> bool:
        """
        Examine *response*; if it is not a success, set ``failure`` to the client's error for it.

        Args:
            error_of: Returns the client's error for a response.

        Returns:
            Whether another attempt may follow. If not, the user gets this response.
        """
        self.current._result = response
        if status < 400:
            return False
        error = error_of(response)
        try:
            answers = (_matches_unless(self.policy, error), self._matches_on(error))
        except Exception as trouble:  # noqa: BLE001 - raised again when the core evaluates the filters
            self._judged = (error, None, None, trouble)
            self.failure = error
            return True
        self._judged = (error, *answers, None)
        if answers[1] and not answers[0]:
            self.failure = error
            return True
        if status >= 500 or status == 429:
            self.failure = error
        return False

    def hand_over(self) -> Any:
        """Return the response, which belongs to the user from now on."""
        response, self.response = self.response, None
        return response

    def conclude(self, error: Exception) -> bool:
        """Return whether the user gets the response instead of *error*, which ended the call."""
        if self.response is None or error is not self.failure:
            return False
        if self.remains is not None:
            self.restore_response(*self.remains)
        record = given_up(error)
        if record is not None:
            sign(self.response, record)
        return True

    def release(self) -> None:
        """Release the references that would keep errors and responses alive."""
        self.response = self.failure = self.remains = self._judged = self.current = None

    # The filters.

    def _unless(self, error: Exception) -> Any:
        if self._judged is not None and self._judged[0] is error:
            _, matched, _, trouble = self._judged
            if trouble is not None:
                raise trouble
        else:
            matched = _matches_unless(self.policy, error)
        return matched or not self._may_send_again(error)

    def _may_send_again(self, error: Exception) -> bool:
        """Return whether a second request would do no harm, and its body would be whole."""
        if not self.body.rewind():
            return False
        # A key that the attempt itself has set may be another one in each attempt.
        has_key = self.key is not None and self.headers.get(_KEY) == self.key
        if self.rules.may_repeat(self.request, self.method, has_key):
            return True
        if self.is_redirected(error):
            return False
        status = self.status_of(error)
        return web.unsent(error) if status is None else status in _NOT_PROCESSED

    def _matches_on(self, error: Exception) -> Any:
        status = self.status_of(error)
        rules = self.policy.on if isinstance(self.policy.on, tuple) else (self.policy.on,)
        rules = tuple(rule for rule in rules if not self._forbids(rule))
        if status is None:
            return matches("on", rules, error)
        for rule in rules:
            answer: Any = False
            if not isinstance(rule, type):
                answer = _checks.answer("on", rule(error))
            elif isinstance(error, rule):
                answer = web.transient(error)
            if answer:
                return answer
        return False

    def _forbids(self, rule: Any) -> bool:
        """Return whether *rule* excludes this method, which not every error knows."""
        if not isinstance(rule, web.Transient) or rule.methods is None:
            return False
        return self.method.upper() not in rule.methods

    def refused_hint(self, error: Exception) -> float | None:
        """Return the hint of the server in seconds, if a filter found it too long."""
        rules = self.policy.on if isinstance(self.policy.on, tuple) else (self.policy.on,)
        status = self.status_of(error)
        for rule in rules:
            if isinstance(rule, type):
                if status is None or not isinstance(error, rule):
                    continue
                rule = web.transient
            find = getattr(type(rule), "_refused_hint", None)  # a mock itself has every attribute
            asked: float | None = None if find is None else find(rule, error)
            if asked is not None:
                return asked
        return None


class _On:
    """The filter of one request: what to retry."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, error: Exception) -> Any:
        judged = self._exchange._judged
        if judged is not None and judged[0] is error:
            return judged[2]
        return self._exchange._matches_on(error)

    def _refused_hint(self, error: Exception) -> float | None:
        return self._exchange.refused_hint(error)


def sign_late(error: BaseException, response: Any) -> None:
    """Attach the record of the last *response* to *error*, raised by reading it."""
    record = given_up(response)
    if record is not None:
        sign(error, record)


def _matches_unless(policy: Policy, error: Exception) -> Any:
    return False if policy.unless is None else matches("unless", policy.unless, error)


# How log lines, notes and records describe an error. The texts of clients contain URLs with
# tokens, and those of hooks may contain anything, so only what is known to be harmless is shown.

_INSIDE = ("reason", "_reason", "original_error", "os_error", "__cause__")
_DEEPEST = 8
_LIMITS = ("attempt_timeout", "timeout", "deadline")


def describe(error: BaseException, status: int | None, name: str) -> str:
    """
    Describe *error*, showing nothing of the request, and of the response only the status.

    Args:
        name: The name of the call, which is in the errors that the core itself creates.
    """
    if status is not None:
        return _phrase(status)
    if type(error) is TimeoutError and _is_ours(error, name):
        return text_of(error)
    innermost, depth = error, 0
    while depth < _DEEPEST:
        words = _system_words(innermost)
        if words:
            return words
        inside = _inside(innermost)
        if inside is None:
            break
        innermost, depth = inside, depth + 1
    name = type(innermost).__name__
    return "" if name == type(error).__name__ else name  # it may wrap an error of its own class


def _phrase(status: int) -> str:
    from http import HTTPStatus  # every client has imported it

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _is_ours(error: TimeoutError, name: str) -> bool:
    """Return whether ``async.expired`` created *error*, so that its text is harmless."""
    text = text_of(error)
    opening = f"{name} took longer than the "
    words = text[len(opening) :].split(" ") if text.startswith(opening) else []
    if [*words[1:3], *words[4:]] != ["s", "that", "allowed"]:
        return False
    return not words[0].strip("0123456789.e+-") and words[3] in _LIMITS


def _system_words(error: BaseException) -> str | None:
    """Return the message of the operating system or the TLS library for *error*, if any."""
    if not isinstance(error, OSError):
        return None
    tls: Any = sys.modules.get("ssl")
    if tls is not None and isinstance(error, tls.SSLError):
        words = (getattr(error, "reason", None), getattr(error, "verify_message", None))
        return ": ".join(word for word in words if isinstance(word, str))
    number = error.errno
    if not isinstance(number, int):
        return None
    resolver: Any = sys.modules.get("socket")
    if resolver is not None and isinstance(error, resolver.gaierror):
        return f"[Errno {number}] {error.strerror}"
    return f"[Errno {number}] {os.strerror(number)}"


def _inside(error: BaseException) -> BaseException | None:
    """Return the error that *error* wraps, if any."""
    for name in _INSIDE:
        try:
            found = getattr(error, name, None)
        except Exception:  # noqa: BLE001, S112 - httpx raises if the request is unknown
            continue
        if isinstance(found, BaseException):
            return found
    for found in error.args:
        if isinstance(found, BaseException):
            return found
    return None


# Reading the rest of a failed response in synchronous clients.


class TimeLimit:
    """
    A context manager that stops reading from a socket after ``MOST_SECONDS``.

    The timeout of a socket cannot do that, because it starts again with every byte.  So another
    thread shuts the connection down, and the reader sees its end.

    Args:
        source: What is read; without ``fileno()``, it is not a socket and cannot block.
    """

    def __init__(self, source: Any) -> None:
        self.has_passed = False
        self._source: Any = source
        self._timer: Any = None
        self._socket: Any = None

    def __enter__(self) -> Self:
        import socket  # already imported, because there is a connection
        import threading

        try:
            number = self._source.fileno()
        except (AttributeError, OSError, ValueError):
            return self
        # A descriptor of its own, because the client's may be closed and reused.
        self._socket = socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._timer = threading.Timer(MOST_SECONDS, self._stop)
            self._timer.daemon = True
            self._timer.start()
        except BaseException:  # at interpreter shutdown, no thread can be started
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._socket.close()
        # The timer refers to this object, and the source to a pool that may have to be closed.
        self._timer = self._source = None

    def _stop(self) -> None:
        self.has_passed = True
        try:
            self._socket.shutdown(0)  # SHUT_RD
        except OSError:
            pass  # it is closed already


def set_timeout(response: Any, seconds: float | None) -> None:
    """
    Set the timeout of the socket of *response*, a response of ``http.client``.

    The socket of a response whose connection is closed after it is not public.  If the private
    attributes are missing as well, the timeout stays as it is.
    """
    try:
        response.fp.raw._sock.settimeout(seconds)
    except (AttributeError, OSError):
        pass


class Remains:
    """
    The part of a response that was read, as a file; reading past it fails if there was more.

    Args:
        data: The part that was read.
        error: The error that reading past it raises; None: *data* is complete.
    """

    def __init__(self, data: bytes, error: Exception | None) -> None:
        from io import BytesIO

        self._data = BytesIO(data)
        self._error = error
        self.closed = False

    def read(self, size: int | None = -1) -> bytes:
        """Read as a file does; raise if the rest of the response is missing."""
        data = self._data.read(size)
        if self._error is not None and (size is None or size < 0 or (size and not data)):
            raise self._error
        return data

    read1 = read

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line."""
        data = self._data.readline(size)
        if self._error is not None and size != 0 and not data:
            raise self._error
        return data

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Read all lines."""
        return list(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def close(self) -> None:
        """Close the file."""
        self.closed = True
        self._data.close()
