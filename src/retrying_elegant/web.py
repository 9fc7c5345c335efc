"""Web: which network failures are transient, whatever the client.

Owns classifying the errors of HTTP clients, SDKs and the standard library: may another attempt
succeed, and when does the server want it?  Leaves counting attempts and waiting to the policy
that calls it, the tables of classes to ``_web_names``, headers to ``_retry_after``, and whether a
request was sent at all to ``_unsent``.  No client is imported.  Hints are float seconds from now.

Rules: an error that is not in the tables is not transient.  If an error wraps another, the inner
one is classified first.  Whatever an error or a response does when it is read, no exception
propagates from here.
"""

from __future__ import annotations

from ._checks import reject, seconds
from ._errors import TryAgain
from ._reading import known_as, result_for
from ._retry_after import retry_after, told_to_retry
from ._tracebacks import leaves
from ._unsent import unsent
from ._value import Value, frozen
from ._web_names import (
    CODES,
    DETAILS,
    KNOWN,
    SETTLED,
    WRAPPERS,
    inside,
    method_of,
    status_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from typing import Any

    from ._reading import Judge

__all__ = ["Transient", "retry_after", "transient", "unsent"]

_STATUSES = (408, 425, 429, 500, 502, 503, 504)


@frozen
class Transient(Value):
    """
    A filter for ``on``: retry what another attempt may fix.

    Called with an error, it returns True, ``TryAgain(after=seconds)`` if the server said when to
    retry, or False.  Transient are: connections refused, reset, aborted or closed early;
    networks and hosts that cannot be reached; timeouts; responses cut short; a resolver that did
    not answer; the *statuses*; and the codes of gRPC and AWS that mean "try later".  Not transient
    are certificate failures, bad URLs, names that do not exist, other statuses, responses that are
    not HTTP, and all unknown errors.  An exception group is transient if every member is; the
    longest hint counts.

    ``x-should-retry: true`` or ``false`` on a response decides before its status does.

    Errors of urllib, http.client, socket, ssl, requests, niquests, urllib3, httpx, httpx2,
    aiohttp, openai, anthropic, botocore, google.api_core and grpc are recognized; none of them is
    imported.

    Args:
        statuses: HTTP statuses to retry, each from 100 to 599.
        methods: Request methods that may be sent twice, in any case; None for all.  An error
            that is known to come from another method is not transient, because its request may
            have been executed.  Not every error knows its method; see the guide.
        max_retry_after: Seconds, at least 0.  If the server asks for more, the error is not
            transient: retrying sooner would only add to its load.

    Raises:
        TypeError: *statuses* or *methods* is not a collection, or holds something other than
            ints or strings; *max_retry_after* is not a number of seconds.
        ValueError: a status or a method cannot exist, or *max_retry_after* is negative or not
            finite.

    Source:
        RFC 9110, sections 9.2.2 (which methods are idempotent), 10.2.3 (Retry-After)
        and 15 (statuses); RFC 6585, section 4 (429); RFC 8470, section 5.2 (425); gRPC's
        proposal A6 (pushback).

    >>> safe = Transient(methods=("GET", "HEAD"), max_retry_after=30)
    >>> safe
    Transient(methods=('GET', 'HEAD'), max_retry_after=30.0)
    >>> safe(ConnectionResetError()), safe(FileNotFoundError())
    (True, False)
    """

    statuses: tuple[int, ...] = _STATUSES
    methods: tuple[str, ...] | None = None
    max_retry_after: float = 120.0

    def __init__(
        self,
        statuses: Iterable[int] = _STATUSES,
        methods: Iterable[str] | None = None,
        max_retry_after: float | timedelta = 120,
    ) -> None:
        self.__dict__.update(
            statuses=_checked_statuses(statuses),
            methods=None if methods is None else _checked_methods(methods),
            max_retry_after=seconds("max_retry_after", max_retry_after),
        )

    def __repr__(self) -> str:
        fields = self.__dict__.items()
        changed = [
            f"{name}={value!r}" for name, value in fields if value != getattr(Transient, name)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __call__(self, error: BaseException, /) -> bool | TryAgain:
        """Return whether *error* is transient: True, ``TryAgain`` with a hint, or False."""
        result = self._classify(error)
        return False if _hint(result) > self.max_retry_after else result

    def _refused_hint(self, error: BaseException, /) -> float | None:
        """Return the hint in seconds that alone makes *error* not transient, if one does."""
        hint = _hint(self._classify(error))
        return hint if hint > self.max_retry_after else None

    def _classify(self, error: BaseException) -> bool | TryAgain:
        """Return the result for *error*, with the server's hint however long it is."""
        return result_for(error, self._judge) or False

    def _judge(self, error: BaseException, judge: Judge) -> bool | TryAgain | None:
        """Return the result for *error*, None if unknown; *judge* does the same inside it."""
        if isinstance(error, BaseExceptionGroup):
            return _together([judge(leaf) for leaf in leaves(error)])
        if self.methods is not None and method_of(error) not in (None, *self.methods):
            return False
        name = known_as(error, KNOWN)
        status = status_of(name, error)
        if status is not None or name in CODES:
            known = status in self.statuses or (name in CODES and CODES[name](error))
            return _as_told(known, error)
        result = DETAILS[name](error) if name in DETAILS else SETTLED.get(name)
        if result is not None or name not in WRAPPERS:
            return result
        inner: bool | TryAgain | None = judge(inside(name, error))
        return WRAPPERS[name] if inner is None else inner


def _as_told(transient: bool, error: BaseException) -> bool | TryAgain:
    """Return the result for the error of a response, which may say whether and when to retry."""
    told = told_to_retry(error)
    if not (transient if told is None else told):
        return False
    after = retry_after(error)
    return True if after is None else TryAgain(after=after)


def _hint(result: bool | TryAgain) -> float:
    return (result.after or 0.0) if isinstance(result, TryAgain) else 0.0


def _together(results: list[bool | TryAgain | None]) -> bool | TryAgain:
    """Return the result for a group: it is transient only if every member is."""
    if not all(results):
        return False
    hints = [_hint(result) for result in results if isinstance(result, TryAgain)]
    return TryAgain(after=max(hints)) if hints else True


def _checked_statuses(value: Any) -> tuple[int, ...]:
    rule = "HTTP statuses, ints from 100 to 599"
    statuses = _checked_collection("statuses", value, rule)
    for status in statuses:
        if isinstance(status, bool) or not isinstance(status, int):
            reject(TypeError, "statuses", status, rule)
        if not 100 <= status <= 599:
            reject(ValueError, "statuses", status, rule)
    return tuple(sorted({int(status) for status in statuses}))


def _checked_methods(value: Any) -> tuple[str, ...]:
    rule = "names of HTTP methods, such as ('GET', 'PUT'), or None for all"
    methods = _checked_collection("methods", value, rule)
    for method in methods:
        if not isinstance(method, str):
            reject(TypeError, "methods", method, rule)
        if method.split() != [method]:
            reject(ValueError, "methods", method, rule)
    return tuple(sorted({method.upper() for method in methods}))


def _checked_collection(name: str, value: Any, rule: str) -> tuple[Any, ...]:
    # A string is a collection of its letters, which is surely not what was meant.
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        reject(TypeError, name, value, rule)
    return tuple(value)


transient = Transient()
"""The ``Transient`` with the defaults: ``on=web.transient``."""
