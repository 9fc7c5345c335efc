"""Contract 12: observers of a whole process, and what the exporters make of them.

The exporters meet their real libraries in `tests/integration`; here they meet stand-ins,
so that every line of them runs where no library is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import weakref
from collections import Counter
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from ways import Flaky, run_async

import retrying_elegant
from retrying_elegant import RetryError, backoff, instrumentation, retry, retrying

EVENTS = ("on_retry", "on_give_up", "on_recovery")


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


class Broken(Exception):
    """Raised by an observer."""


@pytest.fixture(autouse=True)
def nobody_is_left():
    """Every test closes what it opens."""
    yield
    left = instrumentation._open.value
    for handle in left:
        handle.close()
    assert left == ()


def recorded(events, note=lambda attempt: attempt.number):
    """An observer of each kind that writes down its kind and what it notes of the attempt."""
    return {
        event: lambda attempt, event=event: events.append((event, note(attempt)))
        for event in EVENTS
    }


class TestEvents:
    """`on_retry`, `on_give_up`, `on_recovery` (success after at least one retry)."""

    def test_a_success_at_once(self, way):
        """Nobody is told."""
        events = []
        with instrumentation.observe(**recorded(events)):
            assert way.run(Flaky(["value"])) == "value"
        assert events == []

    def test_a_watched_success_at_once(self, way):
        """Nor where hooks look at it."""
        events, seen = [], []
        with instrumentation.observe(**recorded(events)):
            way.run(Flaky(["value"]), on_success=seen.append)
        assert events == []
        assert len(seen) == 1

    def test_a_success_after_retries(self, way):
        """Each retry by the attempt that failed, the recovery by the one that did not."""
        events = []
        with instrumentation.observe(**recorded(events)):
            assert way.run(Flaky([Lost, Lost, "value"])) == "value"
        assert events == [("on_retry", 1), ("on_retry", 2), ("on_recovery", 3)]

    def test_a_success_in_a_later_series(self, way, clock):
        """A recovery too: what was retried before counts."""

        def risky():
            calls.append("call")
            if len(calls) < 4:
                clock.tick(60 if len(calls) == 3 else 0)
                raise Lost
            return "value"

        events, calls = [], []
        with instrumentation.observe(**recorded(events)):
            assert way.run(risky, 3, reset_after=60) == "value"
        assert events[-1] == ("on_recovery", 2)

    def test_giving_up(self, way):
        """Once, by the last attempt."""
        events = []
        with instrumentation.observe(**recorded(events)), pytest.raises(Lost):
            way.run(Flaky([Lost]), 2)
        assert events == [("on_retry", 1), ("on_give_up", 2)]

    def test_a_first_error_that_is_not_retryable(self, way):
        """Such a call has ended without success too."""
        events = []
        with instrumentation.observe(**recorded(events)), pytest.raises(Wrong):
            way.run(Flaky([Wrong]), on=Lost)
        assert events == [("on_give_up", 1)]

    def test_results_that_are_not_accepted(self, way):
        """Polling: retried, given up on, recovered like errors."""
        events = []
        with instrumentation.observe(**recorded(events)):
            way.run(Flaky([0, 1]), until=bool)
            with pytest.raises(RetryError):
                way.run(Flaky([0]), 2, until=bool)
        assert events == [
            ("on_retry", 1),
            ("on_recovery", 2),
            ("on_retry", 1),
            ("on_give_up", 2),
        ]

    def test_control_flow(self, way):
        """No event for what no policy decides about."""
        events = []
        with instrumentation.observe(**recorded(events)), pytest.raises(KeyboardInterrupt):
            way.run(Flaky([KeyboardInterrupt]))
        assert events == []

    def test_a_swallowed_failure(self, loop_way):
        """With `raises=False` it is given up on all the same."""
        events = []
        with instrumentation.observe(**recorded(events)):
            loop_way.run(Flaky([Lost]), 1, raises=False)
        assert events == [("on_give_up", 1)]

    def test_a_fallback(self):
        """It stands in for a call that gave up."""
        events = []
        with instrumentation.observe(**recorded(events)):
            assert retry(2, fallback=lambda attempt: "instead")(Flaky([Lost]))() == "instead"
        assert events == [("on_retry", 1), ("on_give_up", 2)]

    def test_a_call_that_begins_after_the_deadline_of_its_block(self, clock):
        """It gives up with no attempt made."""
        events = []
        with (
            instrumentation.observe(**recorded(events)),
            pytest.raises(TimeoutError),
            retrying(on=Lost, wait=3, timeout=5) as call,
        ):
            call(Flaky([Lost, "value"]))
            clock.tick(3)
            call(Flaky(["value"]))
        assert events == [("on_retry", 1), ("on_recovery", 2), ("on_give_up", 0)]

    def test_generators(self):
        """Until their first item."""
        flaky = Flaky([Lost, "value"])

        @retry
        def items():
            yield flaky()

        @retry
        async def items_async():
            yield flaky()

        async def collect():
            return [item async for item in items_async()]

        events = []
        with instrumentation.observe(**recorded(events)):
            assert list(items()) == ["value"]
            flaky.calls = 0
            assert run_async(collect()) == ["value"]
        assert events == [("on_retry", 1), ("on_recovery", 2)] * 2


class TestWhatTheyAreGiven:
    """Given the `Attempt`."""

    def test_on_retry(self, way):
        """Its error, with its traceback, and the wait that follows."""
        seen = []

        def note(attempt):
            error = attempt.error
            return type(error), error.__traceback__ is not None, attempt.next_wait, attempt.name

        with instrumentation.observe(on_retry=lambda attempt: seen.append(note(attempt))):
            way.run(Flaky([Lost, Lost, "value"]), wait=[3, 4], name="fetch")
        assert seen == [(Lost, True, 3.0, "fetch"), (Lost, True, 4.0, "fetch")]

    def test_the_wait_of_a_backoff(self, way):
        """It has been decided when the observer is notified, as one from a list has."""
        seen = []
        with instrumentation.observe(on_retry=lambda attempt: seen.append(attempt.next_wait)):
            way.run(Flaky([Lost, "value"]), wait=backoff.constant(3))
        assert seen == [3]

    def test_each_attempt_is_an_object_of_its_own(self, way):
        """One that is kept stays as it was."""
        seen = []
        with instrumentation.observe(on_retry=seen.append):
            way.run(Flaky([Lost, Lost, "value"]), wait=[3, 4])
        assert [(attempt.number, attempt.next_wait) for attempt in seen] == [(1, 3), (2, 4)]

    def test_on_give_up(self, way):
        """Its error, signed already, and nothing that follows."""
        error, seen = Lost(), []

        def note(attempt):
            record = retrying_elegant.given_up(attempt.error)
            seen.append((attempt.error, record.reason, attempt.next_wait, attempt.succeeded))

        with instrumentation.observe(on_give_up=note), pytest.raises(Lost):
            way.run(Flaky([error]), 2)
        assert seen == [(error, "attempts", None, False)]

    def test_on_recovery(self, way):
        """Its result, and no error."""
        seen = []

        def note(attempt):
            seen.append((attempt.result, attempt.error, attempt.succeeded))

        with instrumentation.observe(on_recovery=note):
            way.run(Flaky([Lost, "value"]))
        assert seen == [("value", None, True)]

    def test_it_is_let_go_of(self, sync_way):
        """A failed attempt's error dies without the cyclic collector."""
        errors = []

        def note(attempt):
            errors.append(weakref.ref(attempt.error))

        gc.disable()
        try:
            with instrumentation.observe(note, note), contextlib.suppress(Lost):
                sync_way.run(Flaky([Lost]), 2)
            assert [error() for error in errors] == [None, None]
        finally:
            gc.enable()


class TestOrder:
    """Beside each policy's own hooks: after the log line, before the hooks, before the wait."""

    def test_of_a_retry_and_a_recovery(self, way, waits, caplog):
        """Each event is complete before the next."""
        events = []

        def note(kind):
            return lambda attempt: events.append((kind, len(caplog.messages), len(waits)))

        hooks = {"on_retry": note("retry hook"), "on_success": note("success hook")}
        with instrumentation.observe(on_retry=note("retry"), on_recovery=note("recovery")):
            way.run(Flaky([Lost, "value"]), wait=3, **hooks)
        assert events == [
            ("retry", 1, 0),
            ("retry hook", 1, 0),
            ("recovery", 1, 1),
            ("success hook", 1, 1),
        ]

    def test_of_a_give_up(self, way, caplog):
        """Likewise."""
        events = []

        def note(kind):
            return lambda attempt: events.append((kind, len(caplog.messages)))

        with instrumentation.observe(on_give_up=note("give-up")), pytest.raises(Lost):
            way.run(Flaky([Lost]), 1, on_give_up=note("hook"))
        assert events == [("give-up", 1), ("hook", 1)]

    def test_of_several_observers(self, way):
        """The one that was opened first is told first."""
        told = []
        with (
            instrumentation.observe(lambda attempt: told.append("first")),
            instrumentation.observe(lambda attempt: told.append("second")),
        ):
            way.run(Flaky([Lost, "value"]))
        assert told == ["first", "second"]


class TestHandle:
    """Returns a handle with `.close()`, also a context manager."""

    def test_close(self, way):
        """Nothing is told after it."""
        told = []
        handle = instrumentation.observe(told.append)
        way.run(Flaky([Lost, "value"]))
        handle.close()
        way.run(Flaky([Lost, "value"]))
        assert len(told) == 1

    def test_close_twice(self):
        """The second time does nothing, also to another handle with the same observers."""
        told = []
        first, second = instrumentation.observe(told.append), instrumentation.observe(told.append)
        first.close()
        first.close()
        retry(Flaky([Lost, "value"]))()
        second.close()
        assert len(told) == 1

    def test_the_same_observer_twice(self):
        """Each handle stands for itself."""
        told = []
        with instrumentation.observe(told.append), instrumentation.observe(told.append):
            retry(Flaky([Lost, "value"]))()
        assert len(told) == 2

    def test_as_a_context_manager(self):
        """Open from the call on; closed on any exit."""
        told = []
        handle = instrumentation.observe(told.append)
        with pytest.raises(LookupError), handle as entered:
            retry(Flaky([Lost, "value"]))()
            raise LookupError
        assert entered is handle
        retry(Flaky([Lost, "value"]))()
        assert len(told) == 1

    def test_nested(self, way):
        """Inside both, then inside the outer alone, then outside."""
        outer, inner = [], []
        with instrumentation.observe(outer.append):
            with instrumentation.observe(inner.append):
                way.run(Flaky([Lost, "value"]))
            way.run(Flaky([Lost, "value"]))
        way.run(Flaky([Lost, "value"]))
        assert (len(outer), len(inner)) == (2, 1)

    def test_closed_in_another_order(self):
        """No handle depends on another."""
        told = []
        first = instrumentation.observe(lambda attempt: told.append("first"))
        second = instrumentation.observe(lambda attempt: told.append("second"))
        first.close()
        retry(Flaky([Lost, "value"]))()
        second.close()
        assert told == ["second"]

    def test_closed_by_its_own_observer(self, way):
        """At the first event."""
        told = []

        def once(attempt):
            told.append(attempt.number)
            handle.close()

        handle = instrumentation.observe(once)
        way.run(Flaky([Lost, Lost, "value"]))
        assert told == [1]

    def test_closed_while_an_event_is_told(self, way):
        """That event is told to its end, the next one no more."""
        told = []
        with instrumentation.observe(lambda attempt: later.close()):
            later = instrumentation.observe(lambda attempt: told.append(attempt.number))
            way.run(Flaky([Lost, Lost, "value"]))
        assert told == [1]

    def test_opened_while_an_event_is_told(self, way):
        """From the next event on."""
        told, handles = [], []

        def open_one(attempt):
            if not handles:
                handles.append(instrumentation.observe(lambda attempt: told.append(attempt.number)))

        with instrumentation.observe(open_one):
            way.run(Flaky([Lost, Lost, "value"]))
        handles[0].close()
        assert told == [2]

    def test_in_the_middle_of_a_call(self, way):
        """A call that is running already is observed from there on."""
        told, handles = [], []
        flaky = Flaky([Lost, Lost, "value"])

        def risky():
            if flaky.calls == 1:
                handles.append(instrumentation.observe(on_recovery=told.append))
            return flaky()

        way.run(risky)
        handles[0].close()
        assert [attempt.number for attempt in told] == [3]

    def test_without_observers(self, way):
        """It may be empty, as where a program is told to observe nothing."""
        with instrumentation.observe():
            assert way.run(Flaky([Lost, "value"])) == "value"


class TestObserversThatRaise:
    """An observer that raises is logged like a hook and changes nothing."""

    def broken(self, attempt):
        raise Broken("in an observer")

    @pytest.mark.parametrize("event", EVENTS)
    def test_the_outcome(self, way, event, caplog):
        """The same; the next observer and the hooks are told; the traceback is in the log."""
        told, hooked = [], []
        script = [Lost, Lost] if event == "on_give_up" else [Lost, "value"]
        hook = {"on_recovery": "on_success"}.get(event, event)
        with (
            instrumentation.observe(**{event: self.broken}),
            instrumentation.observe(**{event: told.append}),
        ):
            try:
                outcome = way.run(Flaky(script), 2, **{hook: hooked.append})
            except Lost:
                outcome = "given up"
        assert outcome == ("given up" if event == "on_give_up" else "value")
        assert len(told) == len(hooked) == 1
        (logged,) = [record for record in caplog.records if record.exc_info]
        assert logged.name == "retrying_elegant"
        assert "broken" in logged.getMessage()
        assert isinstance(logged.exc_info[1], Broken)

    def test_control_flow(self, way):
        """Ctrl-C in an observer is no failure of the observer."""

        def interrupted(attempt):
            raise KeyboardInterrupt

        told = []
        with instrumentation.observe(interrupted), pytest.raises(KeyboardInterrupt):
            way.run(Flaky([Lost, "value"]))
        with instrumentation.observe(told.append):
            way.run(Flaky([Lost, "value"]))
        assert len(told) == 1


class TestObserversThatRetry:
    """What an observer itself retries is told to no observer."""

    def test_it_ends(self, way):
        """Its calls are retried as any, without telling it of itself."""
        events = []
        script = Flaky([Lost])
        push = retry(2, on=Lost, wait=0, fallback=lambda attempt: None)(script)

        def observer(attempt):
            events.append(attempt.name)
            push()

        with instrumentation.observe(observer, observer, observer):
            way.run(Flaky([Lost, "value"]), name="outer")
        assert events == ["outer", "outer"]
        assert script.calls == 4

    def test_other_threads_are_told_meanwhile(self):
        """It is a matter of the observer's own calls."""
        told = []

        def observer(attempt):
            told.append(attempt.name)
            if attempt.name == "outer":
                thread = threading.Thread(target=retry(name="other")(Flaky([Lost, "value"])))
                thread.start()
                thread.join(timeout=60)

        with instrumentation.observe(observer):
            retry(name="outer")(Flaky([Lost, "value"]))()
        assert told == ["outer", "other"]


class TestTheWholeProcess:
    """Process-wide: all threads and tasks, however they interleave."""

    def test_threads(self, sync_way):
        """Every event of every thread is told once."""
        counts, lock = Counter(), threading.Lock()

        def count(event):
            def observer(attempt):
                with lock:
                    counts[event] += 1

            return observer

        def work():
            for _ in range(10):
                sync_way.run(Flaky([Lost, Lost, "value"]))
                with pytest.raises(Lost):
                    sync_way.run(Flaky([Lost]), 2)

        with instrumentation.observe(*map(count, EVENTS)):
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        assert counts == {"on_retry": 240, "on_give_up": 80, "on_recovery": 80}

    def test_tasks(self, async_way):
        """Every event of every task is told once."""
        counts = Counter()

        def count(event):
            return lambda attempt: counts.update([event])

        async def main():
            calls = (async_way.start(Flaky([Lost, "value"])) for _ in range(50))
            await asyncio.gather(*calls)

        with instrumentation.observe(*map(count, EVENTS)):
            run_async(main())
        assert counts == {"on_retry": 50, "on_recovery": 50}

    def test_opening_and_closing_in_threads(self):
        """No handle is lost, and none is left."""
        calls = Counter()

        def work(number):
            def observer(attempt):
                if attempt.name == str(number):
                    calls[number] += 1

            for _ in range(50):
                with instrumentation.observe(observer):
                    retry(name=str(number))(Flaky([Lost, "value"]))()
                retry(name=str(number))(Flaky([Lost, "value"]))()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert calls == dict.fromkeys(range(8), 50)


class TestTheyCostNothing:
    """Observers cost nothing on a first-attempt success."""

    def test_the_same_functions_run(self):
        """With observers as without them."""

        @retry
        def fetch():
            return "value"

        def ran():
            calls = []
            sys.setprofile(lambda frame, event, _: calls.append((frame.f_code, event)))
            try:
                fetch()
            finally:
                sys.setprofile(None)
            return calls

        ran()  # the first call checks the type of its result
        without = ran()
        with instrumentation.observe(print, print, print):
            assert ran() == without


async def coroutine_function(attempt):
    raise AssertionError


class TestBadInput:
    """Refused where it is written, by name, with the value and the rule."""

    @pytest.mark.parametrize("event", EVENTS)
    @pytest.mark.parametrize(
        "observer",
        [3, "print", [print], coroutine_function, partial(coroutine_function)],
        ids=["number", "name", "list", "coroutine function", "partial of one"],
    )
    def test_an_observer_that_is_none(self, event, observer):
        """Nobody would await a coroutine function."""
        with pytest.raises(TypeError, match=rf"^{event}=.*expected a synchronous function"):
            instrumentation.observe(**{event: observer})

    def test_an_unknown_keyword(self):
        """As for every function."""
        with pytest.raises(TypeError, match="on_succes"):
            instrumentation.observe(on_succes=print)


class TestImport:
    """Each importing its library only when called and naming the package when it is missing."""

    def test_the_module_comes_when_it_is_asked_for(self):
        """As an attribute of the package, and bringing no library."""
        source = Path(retrying_elegant.__file__).parent.parent
        program = f"""
import sys
sys.path.insert(0, {str(source)!r})
import retrying_elegant
assert "retrying_elegant.instrumentation" not in sys.modules
before = set(sys.modules)
retrying_elegant.instrumentation.observe
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
assert new - sys.stdlib_module_names == {{"retrying_elegant"}}, new
"""
        subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)

    @pytest.mark.parametrize(
        ("name", "modules", "package"),
        [
            ("prometheus", ["prometheus_client"], "prometheus-client"),
            ("opentelemetry", ["opentelemetry.trace"], "opentelemetry-api"),
            ("opentelemetry", ["opentelemetry.metrics"], "opentelemetry-api"),
            ("structlog", ["structlog"], "structlog"),
        ],
    )
    def test_a_missing_package(self, monkeypatch, name, modules, package):
        """An ImportError that says what to install, and nothing is observed."""
        if name == "opentelemetry":
            monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("trace"))
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf"`pip install {package}`$") as caught:
            getattr(instrumentation, name)()
        assert caught.value.name == modules[0]
        assert isinstance(caught.value.__cause__, ImportError)


class StandInCounts:
    """What the counters of a stand-in library have counted, by name and labels."""

    def __init__(self):
        self.counts = Counter()


def stand_in_prometheus():
    """A module like prometheus_client, as far as it is used."""
    library = ModuleType("prometheus_client")

    class CollectorRegistry(StandInCounts):
        def __init__(self):
            super().__init__()
            self.names = set()

        def register(self, collector):
            counters = list(collector.describe())
            names = {counter.name for counter in counters}
            if names & self.names:
                raise ValueError(f"Duplicated timeseries: {names & self.names}")
            self.names |= names
            self.collector = collector
            for counter in counters:
                counter.registry = self

        def collect(self):
            yield from self.collector.collect()

    class LabelledCounter:
        def __init__(self, name, documentation, labelnames, registry):
            assert registry is None, "registered by itself"
            self.name, self.labelnames = name, labelnames

        def describe(self):
            return [self]

        def collect(self):
            return [self.name]

        def labels(self, *values):
            labels = zip(self.labelnames, values, strict=True)
            self.key = (self.name, *labels)
            return self

        def inc(self):
            self.registry.counts[self.key] += 1

    library.CollectorRegistry = CollectorRegistry
    library.REGISTRY = CollectorRegistry()
    library.Counter = LabelledCounter
    return library


@pytest.fixture
def prometheus_client(monkeypatch):
    library = stand_in_prometheus()
    monkeypatch.setitem(sys.modules, "prometheus_client", library)
    return library


@pytest.fixture
def otel(monkeypatch):
    """Modules like those of opentelemetry-api, as far as they are used; the span's events."""
    trace, metrics = ModuleType("opentelemetry.trace"), ModuleType("opentelemetry.metrics")
    trace.events = []

    class Span:
        def add_event(self, name, attributes):
            trace.events.append((name, attributes))

    class MeterProvider(StandInCounts):
        def get_meter(self, name):
            assert name == "retrying_elegant"
            return self

        def create_counter(self, name, description):
            counter = ModuleType(name)
            counter.add = lambda amount, labels: self.counts.update(
                {(name, *labels.items()): amount}
            )
            return counter

    trace.get_current_span = Span
    metrics.MeterProvider = MeterProvider
    metrics.provider = MeterProvider()
    metrics.get_meter_provider = lambda: metrics.provider
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", metrics)
    return trace, metrics


class StandInLogger:
    def __init__(self):
        self.lines = []
        self.levels = []
        for level in ("debug", "info", "warning", "error", "critical"):
            setattr(self, level, partial(self.log, level))

    def log(self, level, event, **values):
        self.levels.append(level)
        self.lines.append((event, values))


@pytest.fixture
def log(monkeypatch):
    """The logger of a module like structlog."""
    library, logger = ModuleType("structlog"), StandInLogger()
    library.get_logger = {"retrying_elegant": logger}.__getitem__
    monkeypatch.setitem(sys.modules, "structlog", library)
    return logger


def some_calls(way):
    """A recovery, polling that recovers, and four ways to give up."""
    way.run(Flaky([Lost, "value"]), name="fetch")
    way.run(Flaky([0, 1]), until=bool, name="poll")
    for script, options in [
        ([Lost], {"attempts": 2}),
        ([Lost], {"wait": 3, "timeout": 2}),
        ([Lost], {"budget": empty_budget()}),
        ([Wrong], {"on": Lost}),
    ]:
        with pytest.raises((Lost, Wrong)):
            way.run(Flaky(script), name="fetch", **options)


def empty_budget():
    budget = retrying_elegant.RetryBudget(1)
    assert budget._take()
    return budget


COUNTED = {
    ("retrying_elegant_retries_total", ("name", "fetch"), ("error", "Lost")): 2,
    ("retrying_elegant_retries_total", ("name", "poll"), ("error", "result")): 1,
    ("retrying_elegant_give_ups_total", ("name", "fetch"), ("reason", "attempts")): 1,
    ("retrying_elegant_give_ups_total", ("name", "fetch"), ("reason", "timeout")): 1,
    ("retrying_elegant_give_ups_total", ("name", "fetch"), ("reason", "budget")): 1,
    ("retrying_elegant_give_ups_total", ("name", "fetch"), ("reason", "not retryable")): 1,
    ("retrying_elegant_recoveries_total", ("name", "fetch")): 1,
    ("retrying_elegant_recoveries_total", ("name", "poll")): 1,
}


class TestPrometheus:
    """`prometheus(registry=None)`: counters."""

    def test_what_is_counted(self, way, prometheus_client):
        """In the default registry, while the handle is open."""
        with instrumentation.prometheus():
            some_calls(way)
        some_calls(way)
        assert prometheus_client.REGISTRY.counts == COUNTED

    def test_another_registry(self, prometheus_client):
        """And nothing in the default one."""
        registry = prometheus_client.CollectorRegistry()
        with instrumentation.prometheus(registry):
            retry(name="fetch")(Flaky([Lost, "value"]))()
        assert len(registry.counts) == 2
        assert not prometheus_client.REGISTRY.counts

    def test_two_handles_on_one_registry(self, prometheus_client):
        """Each event is counted once, until both are closed."""
        registry = prometheus_client.REGISTRY
        fetch = retry(name="fetch")(Flaky([Lost, "a", Lost, "b", Lost, "c", "d"]))
        first, second = instrumentation.prometheus(), instrumentation.prometheus(registry)
        fetch()
        first.close()
        fetch()
        second.close()
        fetch()
        assert set(registry.counts.values()) == {2}

    def test_two_registries(self, prometheus_client):
        """Both count."""
        registry = prometheus_client.CollectorRegistry()
        with instrumentation.prometheus(), instrumentation.prometheus(registry):
            retry(name="fetch")(Flaky([Lost, "value"]))()
        assert registry.counts == prometheus_client.REGISTRY.counts != {}

    def test_again_after_closing(self, prometheus_client):
        """The same counters go on."""
        for _ in range(2):
            with instrumentation.prometheus():
                retry(name="fetch")(Flaky([Lost, "value"]))()
        assert set(prometheus_client.REGISTRY.counts.values()) == {2}

    def test_what_is_collected(self, prometheus_client):
        """All three counters, before and after they have counted anything."""
        names = sorted({name for name, *_ in COUNTED})
        with instrumentation.prometheus():
            assert sorted(prometheus_client.REGISTRY.collect()) == names

    def test_a_name_that_is_taken(self, prometheus_client):
        """Nothing is registered or observed then, and once it is free all is as it should be."""
        registry = prometheus_client.REGISTRY
        registry.names.add("retrying_elegant_give_ups_total")
        for _ in range(2):
            with pytest.raises(ValueError, match=r"\{'retrying_elegant_give_ups_total'\}"):
                instrumentation.prometheus()
        assert instrumentation._open.value == ()
        registry.names.clear()
        with instrumentation.prometheus():
            retry(name="fetch")(Flaky([Lost, "value"]))()
        assert len(registry.counts) == 2

    @pytest.mark.usefixtures("prometheus_client")
    def test_what_is_no_registry(self):
        """TypeError, by name."""
        with pytest.raises(TypeError, match="registry='metrics': expected a CollectorRegistry"):
            instrumentation.prometheus("metrics")


class TestOpenTelemetry:
    """`opentelemetry(...)`: an event on the current span, and the same counters as metrics."""

    def test_what_is_counted(self, way, otel):
        """By the global meter provider, while the handle is open."""
        _, metrics = otel
        with instrumentation.opentelemetry():
            some_calls(way)
        some_calls(way)
        assert metrics.provider.counts == COUNTED

    def test_the_events(self, way, otel, clock):
        """One for each retry and one for the end, none for a recovery."""
        trace, _ = otel
        with instrumentation.opentelemetry():
            with pytest.raises(Lost):
                way.run(Flaky([Lost("gone\nagain")]), 2, wait=3, name="fetch")
            way.run(Flaky([0, 1]), until=bool, wait=3, name="poll")
        lost = {"name": "fetch", "error": "Lost", "text": "gone again"}
        polled = {"name": "poll", "error": "result", "text": "not accepted"}
        assert trace.events == [
            ("retrying_elegant.retry", {"attempt": 1, "wait": 3.0, **lost}),
            (
                "retrying_elegant.give_up",
                {"attempts": 2, "elapsed": 3.0, "reason": "attempts", **lost},
            ),
            ("retrying_elegant.retry", {"attempt": 1, "wait": 3.0, **polled}),
        ]

    def test_the_reason_is_that_of_this_call(self, otel):
        """Not that of a call inside it, whose record the error still carries."""
        _, metrics = otel
        inner = retry(2, name="inner")(Flaky([Lost]))
        outer = retry(unless=retrying_elegant.given_up, name="outer")(inner)
        with instrumentation.opentelemetry(), pytest.raises(Lost):
            outer()
        give_ups = {key[1:] for key in metrics.provider.counts if "give_ups" in key[0]}
        assert give_ups == {
            (("name", "inner"), ("reason", "attempts")),
            (("name", "outer"), ("reason", "not retryable")),
        }

    def test_another_meter_provider(self, otel):
        """And nothing in the global one."""
        _, metrics = otel
        provider = metrics.MeterProvider()
        with instrumentation.opentelemetry(meter_provider=provider):
            retry(name="fetch")(Flaky([Lost, "value"]))()
        assert len(provider.counts) == 2
        assert not metrics.provider.counts

    def test_two_handles(self, otel):
        """Each event is told once."""
        trace, metrics = otel
        with instrumentation.opentelemetry(), instrumentation.opentelemetry():
            retry(name="fetch")(Flaky([Lost, "value"]))()
        assert set(metrics.provider.counts.values()) == {1}
        assert len(trace.events) == 1

    def test_two_meter_providers(self, otel):
        """Both count."""
        _, metrics = otel
        other = metrics.MeterProvider()
        with (
            instrumentation.opentelemetry(),
            instrumentation.opentelemetry(meter_provider=other),
        ):
            retry(name="fetch")(Flaky([Lost, "value"]))()
        assert other.counts == metrics.provider.counts != {}

    @pytest.mark.usefixtures("otel")
    def test_what_is_no_meter_provider(self):
        """TypeError, by name."""
        with pytest.raises(TypeError, match="meter_provider='m': expected a MeterProvider"):
            instrumentation.opentelemetry(meter_provider="m")


class TestStructlog:
    """`structlog(logger=None)`: the log lines as key-value events."""

    def test_the_lines(self, way, log, clock):
        """One for each retry, one for the end; none for a recovery."""
        with instrumentation.structlog():
            with pytest.raises(Lost):
                way.run(Flaky([Lost("gone\nagain")]), 2, wait=3, name="fetch")
            way.run(Flaky([0, 1]), until=bool, wait=3, name="poll")
        way.run(Flaky([0, 1]), until=bool)
        lost = {"call": "fetch", "error": "Lost", "text": "gone again"}
        polled = {"call": "poll", "error": "result", "text": "not accepted"}
        assert log.lines == [
            ("retrying", {"attempt": 1, "wait": 3.0, **lost}),
            ("gave up", {"attempts": 2, "elapsed": 3.0, "reason": "attempts", **lost}),
            ("retrying", {"attempt": 1, "wait": 3.0, **polled}),
        ]
        assert log.levels == ["warning", "warning", "debug"]

    def test_a_first_error_that_is_not_retryable(self, way, log):
        """It is an ordinary error, and has no line."""
        with instrumentation.structlog(), pytest.raises(Wrong):
            way.run(Flaky([Wrong]), on=Lost)
        assert log.lines == []

    def test_a_later_error_that_is_not_retryable(self, way, log):
        """It has one, for it ends a call that was retried."""
        with instrumentation.structlog(), pytest.raises(Wrong):
            way.run(Flaky([Lost, Wrong]), on=Lost)
        assert [event for event, _ in log.lines] == ["retrying", "gave up"]

    @pytest.mark.parametrize("script", [Lost("gone"), 0], ids=["error", "result"])
    def test_an_interrupted_wait(self, way, log, own_waits, caplog, script):
        """The line names what ended the call, as that of the log does, not the attempt's error."""

        def interrupt(seconds):
            raise Wrong("too long")

        async def interrupt_async(seconds):
            if seconds:
                raise Wrong("too long")

        own_waits.setattr("time.sleep", interrupt)
        own_waits.setattr("asyncio.sleep", interrupt_async)
        with instrumentation.structlog(), pytest.raises(Wrong):
            way.run(Flaky([script]), wait=60, until=bool)
        _, (event, values) = log.lines
        assert (event, values["reason"]) == ("gave up", "interrupted")
        assert (values["error"], values["text"]) == ("Wrong", "too long")
        assert caplog.records[-1].getMessage().endswith(": Wrong: too long")

    def test_without_log_level(self, way, log):
        """`log_level=None` disables the lines."""
        with instrumentation.structlog(), pytest.raises(Lost):
            way.run(Flaky([Lost]), 2, log_level=None)
        assert log.lines == []

    def test_polling_without_log_level(self, way, log, caplog):
        """The same, and nothing of it fails."""
        with instrumentation.structlog():
            assert way.run(Flaky([0, 1]), 2, until=bool, log_level=None) == 1
        assert log.lines == []
        assert caplog.records == []

    @pytest.mark.parametrize(
        ("log_level", "level"),
        [
            (5, "debug"),
            (10, "debug"),
            (19, "debug"),
            (20, "info"),
            (25, "info"),
            (30, "warning"),
            (40, "error"),
            (50, "critical"),
            (60, "critical"),
        ],
    )
    def test_the_level_is_the_policys(self, way, log, log_level, level):
        """By the method for it, or for the next one below."""
        with instrumentation.structlog(), pytest.raises(Lost):
            way.run(Flaky([Lost]), 2, log_level=log_level)
        assert log.levels == [level, level]

    @pytest.mark.parametrize("log_level", [5, 10, 30, 50])
    def test_polling_is_not_worth_a_warning(self, way, log, log_level):
        """A retry because of a rejected result is at debug at most; giving up is not."""
        with instrumentation.structlog(), pytest.raises(RetryError):
            way.run(Flaky([0]), 2, until=bool, log_level=log_level)
        names = {5: "debug", 10: "debug", 30: "warning", 50: "critical"}
        assert log.levels == ["debug", names[log_level]]

    @pytest.mark.parametrize(
        ("text", "logged"),
        [("", ""), (": a", ": a"), ("x" * 300, "x" * 200), ("Lost: b", "Lost: b")],
        ids=["none", "a colon", "a long one", "one like its type"],
    )
    def test_texts(self, log, text, logged):
        """As they are, cut at 200 characters."""
        with instrumentation.structlog():
            retry(Flaky([Lost(text), "value"]))()
        assert log.lines[0][1]["text"] == logged

    def test_never_arguments_or_results(self, log):
        """Neither in keys nor in values."""

        @retry(2)
        def login(user, *, password):
            raise Lost("refused")

        with instrumentation.structlog():
            with pytest.raises(Lost):
                login("s3cret", password="s3cret")
            with pytest.raises(RetryError):
                retry(2, until=lambda value: False)(lambda: "s3cret")()
        assert len(log.lines) == 4
        assert "s3cret" not in repr(log.lines)

    def test_another_logger(self, log):
        """And nothing in the default one."""
        other = StandInLogger()
        with instrumentation.structlog(other):
            retry(Flaky([Lost, "value"]))()
        assert len(other.lines) == 1
        assert log.lines == []

    def test_two_handles_on_one_logger(self, log):
        """Each event is logged once."""
        with instrumentation.structlog(), instrumentation.structlog():
            retry(Flaky([Lost, "value"]))()
        assert len(log.lines) == 1

    def test_two_loggers(self, log):
        """Both log."""
        other = StandInLogger()
        with instrumentation.structlog(), instrumentation.structlog(other):
            retry(Flaky([Lost, "value"]))()
        assert other.lines == log.lines != []

    @pytest.mark.usefixtures("log")
    def test_what_is_no_logger(self):
        """TypeError, by name; a logger whose methods would have to be awaited is none."""

        class AsyncLogger:
            async def warning(self, event, **values):
                raise AssertionError

        for logger in ("log", AsyncLogger()):
            with pytest.raises(TypeError, match=r"^logger=.*expected a structlog logger"):
                instrumentation.structlog(logger)
