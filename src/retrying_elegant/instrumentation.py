"""Instrumentation: what a whole process retries, for its metrics, traces and logs.

Owns the observers of the process, and ready-made ones for Prometheus, OpenTelemetry and structlog,
each of which imports its library when it is called.  Leaves notifying the observers to
``reporting``.  Durations are float seconds.

Handles may be opened and closed anywhere, including signal handlers and finalizers: nothing here
takes a lock (see ``_atomic``).  Whether the libraries' own counters do is up to them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from weakref import WeakKeyDictionary

from . import _checks, _reporting
from ._atomic import Cell
from ._giveup import class_name
from ._text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any, Protocol, Self

    from ._attempt import Attempt
    from ._reporting import Observer

    class Registry(Protocol):
        """The part of ``prometheus_client.CollectorRegistry`` that is used here."""

        def register(self, collector: Any) -> None: ...

    class MeterProvider(Protocol):
        """The part of ``opentelemetry.metrics.MeterProvider`` that is used here."""

        def get_meter(self, name: str) -> Any: ...

    class Logger(Protocol):
        """The part of a structlog logger that is used here."""

        def warning(self, event: str, **values: Any) -> object: ...


__all__ = ["Handle", "observe", "opentelemetry", "prometheus", "structlog"]

_NAME = "retrying_elegant"  # of the logger, and of the meter

# The methods of structlog's loggers, with the lowest level of each.
_METHODS = ((50, "critical"), (40, "error"), (30, "warning"), (20, "info"))

# The counters, in Prometheus and OpenTelemetry alike: name, description, labels.
_COUNTERS = (
    ("retrying_elegant_retries_total", "Retries that were decided.", ("name", "error")),
    ("retrying_elegant_give_ups_total", "Calls that gave up.", ("name", "reason")),
    ("retrying_elegant_recoveries_total", "Calls that succeeded after a retry.", ("name",)),
)

_open = Cell(())  # handles, oldest first: a tuple
_collectors: WeakKeyDictionary[Registry, _Collector] = WeakKeyDictionary()


class Handle:
    """
    Observers that are notified until the handle is closed; also a context manager.

    The functions of this module return it open.
    """

    __slots__ = ("_observers", "_target")

    def __init__(
        self,
        on_retry: Observer | None,
        on_give_up: Observer | None,
        on_recovery: Observer | None,
        target: object = None,
    ) -> None:
        self._observers = (on_retry, on_give_up, on_recovery)
        # A target is notified once, however many handles on it are open; by default, each handle
        # is a target of its own.
        self._target = id(self) if target is None else target
        while True:
            link = _open.newest()
            if _open.replace(link, (*link[0], self)):
                break
        _apply()

    def close(self) -> None:
        """
        Stop notifying these observers; calling it again does nothing.

        Observers may still be notified of an event that is already being reported, in this
        thread or another.
        """
        while True:
            link = _open.newest()
            if _open.replace(link, tuple(each for each in link[0] if each is not self)):
                break
        _apply()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _apply() -> None:
    """Make the library notify the observers of all open handles."""
    while True:
        link = _open.newest()
        notified = {handle._target: handle._observers for handle in link[0]}.values()
        retry = tuple(each for each, _, _ in notified if each is not None)
        give_up = tuple(each for _, each, _ in notified if each is not None)
        recovery = tuple(each for _, _, each in notified if each is not None)
        # If a handle was opened or closed in the meantime, that call has come this far as well.
        # Between these lines, only another thread of a free-threaded build can: hence the second
        # comparison.
        if _open.newest() is link:
            _reporting.retry_observers = retry
            _reporting.give_up_observers = give_up
            _reporting.recovery_observers = recovery
            if _open.newest() is link:
                return


def observe(
    on_retry: Observer | None = None,
    on_give_up: Observer | None = None,
    on_recovery: Observer | None = None,
) -> Handle:
    """
    Notify observers of every call in the process, in all threads and tasks.

    Each is called with the :class:`Attempt`, after the log line of the event and before
    the hooks of the policy.  Observers cost nothing if the first attempt succeeds.

    Args:
        on_retry: Called before the wait when another attempt will follow a failed one.
        on_give_up: Called when a call has ended without success, also if its first error was
            not retryable.
        on_recovery: Called when a call has succeeded after at least one retry.

    Returns:
        A handle.  To stop the notifications, call its ``close()``, or use it in a ``with``.

    Raises:
        TypeError: an observer is not a synchronous function; a coroutine function would never
            be awaited.

    If an observer raises, the error is logged, and the next one is called.  Retries inside an
    observer are not reported to observers.

    >>> from retrying_elegant import instrumentation, retrying
    >>> with instrumentation.observe(on_retry=print):
    ...     for attempt in retrying(2, wait=0, raises=False, name="fetch"):
    ...         with attempt:
    ...             risky
    <attempt 1 of fetch: NameError: name 'risky' is not defined, next in 0.00 s>
    """
    rule = "a synchronous function that takes the Attempt, or None"
    given = {"on_retry": on_retry, "on_give_up": on_give_up, "on_recovery": on_recovery}
    for name, observer in given.items():
        if observer is not None:
            _checks.predicate(name, observer, rule)
    return Handle(on_retry, on_give_up, on_recovery)


def prometheus(registry: Registry | None = None) -> Handle:
    """
    Count retries, give-ups and recoveries for Prometheus, with ``prometheus-client``.

    ``retrying_elegant_retries_total{name,error}``, where *error* is the type of the
    error, or ``result`` if ``until`` rejected a result;
    ``retrying_elegant_give_ups_total{name,reason}``, with the reasons of a
    :class:`GiveUp`; and ``retrying_elegant_recoveries_total{name}``.

    Args:
        registry: The ``CollectorRegistry`` to register the counters in; None: the
            default one, ``prometheus_client.REGISTRY``.

    Returns:
        A handle.  Closing it stops the counting; the counters keep their values, and continue
        when the registry is used again.  Open handles on one registry count each event once.

    Raises:
        ImportError: ``prometheus-client`` is not installed.
        TypeError: *registry* is not a registry.
        ValueError: the registry has other metrics with these names.
    """
    library = _library("prometheus_client", "prometheus-client")
    used: Any = library.REGISTRY if registry is None else registry
    if not isinstance(used, library.CollectorRegistry):
        _checks.reject(TypeError, "registry", registry, "a CollectorRegistry, or None")
    mine = _Collector([library.Counter(*each, registry=None) for each in _COUNTERS])
    collector = _collectors.setdefault(used, mine)
    if collector is mine:
        try:
            used.register(mine)
        except BaseException:
            _collectors.pop(used, None)
            raise
    retries, give_ups, recoveries = collector.counters
    return Handle(
        lambda attempt: retries.labels(_name(attempt), _error(attempt)).inc(),
        lambda attempt: give_ups.labels(_name(attempt), _reason(attempt)).inc(),
        lambda attempt: recoveries.labels(_name(attempt)).inc(),
        target=("prometheus", id(used)),
    )


class _Collector:
    """The counters as one: a registry accepts all of them or, if a name is taken, none."""

    def __init__(self, counters: list[Any]) -> None:
        self.counters = counters

    def describe(self) -> Iterator[Any]:
        for counter in self.counters:
            yield from counter.describe()

    def collect(self) -> Iterator[Any]:
        for counter in self.counters:
            yield from counter.collect()


def opentelemetry(*, meter_provider: MeterProvider | None = None) -> Handle:
    """
    Add retries and give-ups to the current span, and count them, with OpenTelemetry.

    The span that is current when the call is made receives an event
    ``retrying_elegant.retry`` for each retry (attributes *name*, *attempt*, *wait*,
    *error*, *text*) and ``retrying_elegant.give_up`` if the call gives up (*name*,
    *attempts*, *elapsed*, *reason*, *error*, *text*).  The counters have the names of
    those of :func:`prometheus`, and their labels as attributes.

    Args:
        meter_provider: The provider of the counters; None: the global one.

    Returns:
        A handle.  Open handles on one meter provider report each event once.

    Raises:
        ImportError: ``opentelemetry-api`` is not installed.
        TypeError: *meter_provider* is not a meter provider.
    """
    trace = _library("opentelemetry.trace", "opentelemetry-api")
    metrics = _library("opentelemetry.metrics", "opentelemetry-api")
    used = metrics.get_meter_provider() if meter_provider is None else meter_provider
    if not isinstance(used, metrics.MeterProvider):
        _checks.reject(TypeError, "meter_provider", meter_provider, "a MeterProvider, or None")
    meter = used.get_meter(_NAME)
    retries, give_ups, recoveries = (
        meter.create_counter(name, description=description) for name, description, _ in _COUNTERS
    )

    def on_retry(attempt: Attempt) -> None:
        name = _name(attempt)
        retries.add(1, {"name": name, "error": _error(attempt)})
        values = {"name": name, **_retry_values(attempt)}
        trace.get_current_span().add_event("retrying_elegant.retry", values)

    def on_give_up(attempt: Attempt) -> None:
        name = _name(attempt)
        give_ups.add(1, {"name": name, "reason": _reason(attempt)})
        values = {"name": name, **_give_up_values(attempt)}
        trace.get_current_span().add_event("retrying_elegant.give_up", values)

    def on_recovery(attempt: Attempt) -> None:
        recoveries.add(1, {"name": _name(attempt)})

    return Handle(on_retry, on_give_up, on_recovery, target=("opentelemetry", id(used)))


def structlog(logger: Logger | None = None) -> Handle:
    """
    Log retries and give-ups as key-value events with structlog.

    ``retrying`` has the keys *call*, *attempt*, *wait*, *error* and *text*; ``gave up``
    has *call*, *attempts*, *elapsed*, *reason*, *error* and *text*.  Arguments and results are
    never logged.  There is an event for each log line of the library, at the same level: the
    policy's ``log_level``, and at most debug for a rejected result.  A level that structlog has
    no method for is rounded down.

    Args:
        logger: The structlog logger to use; None: ``structlog.get_logger()`` for the
            name ``retrying_elegant``.

    Returns:
        A handle.  Open handles on one logger log each event once.

    Raises:
        ImportError: ``structlog`` is not installed.
        TypeError: *logger* has no synchronous method ``warning``.
    """
    library = _library("structlog", "structlog")
    log: Any = library.get_logger(_NAME) if logger is None else logger
    rule = "a structlog logger whose methods are not coroutine functions, or None"
    if not hasattr(log, "warning") or _checks.is_coroutine_function(log.warning):
        _checks.reject(TypeError, "logger", logger, rule)

    def say(level: int | None, event: str, attempt: Attempt, values: dict[str, Any]) -> None:
        if level is not None:
            method = next((name for least, name in _METHODS if level >= least), "debug")
            # The key is "call", because records of `logging`, where events may go, have a "name".
            getattr(log, method)(event, call=_name(attempt), **values)

    def on_retry(attempt: Attempt) -> None:
        level = _reporting.level_of_retry(attempt)
        say(level, "retrying", attempt, _retry_values(attempt))

    def on_give_up(attempt: Attempt) -> None:
        if _reporting.is_reported(attempt):
            level = attempt._policy.log_level
            say(level, "gave up", attempt, _give_up_values(attempt))

    return Handle(on_retry, on_give_up, None, target=("structlog", id(logger)))


def _library(module: str, package: str) -> Any:
    """Import *module*; if it is missing, raise an error that names the *package*."""
    try:
        return import_module(module)
    except ImportError as error:
        message = f"{module} cannot be imported: install it with `pip install {package}`"
        raise ImportError(message, name=module) from error


def _retry_values(attempt: Attempt) -> dict[str, Any]:
    """Return what is reported of a retry, except the name of the call."""
    return {
        "attempt": attempt.number,
        "wait": attempt.next_wait,
        "error": _error(attempt),
        "text": _text(attempt),
    }


def _give_up_values(attempt: Attempt) -> dict[str, Any]:
    """Return what is reported of a call that gave up, except its name."""
    return {
        "attempts": attempt.number,
        "elapsed": attempt.elapsed,
        "reason": _reason(attempt),
        "error": _error(attempt),
        "text": _text(attempt),
    }


def _name(attempt: Attempt) -> str:
    return one_line(attempt.name)


def _failure(attempt: Attempt) -> BaseException | None:
    """Return what the log names: the error, or what ended the wait; None: a rejected result."""
    # Observers are notified of an interruption while it is being handled.
    return sys.exception() if attempt.reason == "interrupted" else attempt.error


def _error(attempt: Attempt) -> str:
    """Return the name of the type of the error; ``result`` for a rejected result."""
    error = _failure(attempt)
    return "result" if error is None else class_name(type(error))


def _text(attempt: Attempt) -> str:
    """Return what the log says of the failure after its type."""
    error = _failure(attempt)
    return "not accepted" if error is None else one_line(attempt._text_of(error))


def _reason(attempt: Attempt) -> str:
    # Not that of `given_up`: an error that was not retryable may carry the record of another call.
    return str(attempt.reason)
