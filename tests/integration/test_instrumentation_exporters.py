"""Contract 12 against the real packages: a scrape, spans and metrics, rendered log lines.

Needs prometheus-client, opentelemetry-sdk and structlog.
"""

import asyncio
import gc
import io
import json
import logging
import threading
import weakref

import pytest

from retrying_elegant import RetryBudget, instrumentation, retry, retrying, testing

prometheus_client = pytest.importorskip("prometheus_client")
pytest.importorskip("opentelemetry.sdk")
structlog = pytest.importorskip("structlog")

from opentelemetry import metrics, trace  # noqa: E402 - after it is known to be there
from opentelemetry.sdk.metrics import MeterProvider  # noqa: E402
from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: E402
    InMemorySpanExporter,
)
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics  # noqa: E402
from prometheus_client.openmetrics.parser import text_string_to_metric_families  # noqa: E402

SECRET = "s3cret"


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


@pytest.fixture(autouse=True)
def instant():
    """No test waits, and none leaves an observer behind."""
    with testing.instant():
        yield
    assert instrumentation._open.value == ()


def flaky(*script):
    """A function that raises or returns one thing of the script after the other."""
    outcomes = iter(script)

    def play(*args, **kwargs):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return play


def some_calls():
    """Two recoveries and each reason to give up, with arguments and results to keep secret."""
    retry(name="fetch")(flaky(Lost("a"), Lost("b"), SECRET))(SECRET, password=SECRET)
    retry(name="poll", until=lambda value: value == "ready")(flaky(SECRET, "ready"))()
    budget = RetryBudget(1)
    budget._take()
    for options in ({"attempts": 1}, {"wait": 3, "timeout": 2}, {"budget": budget}, {"on": Wrong}):
        for attempt in retrying(name="load", raises=False, **options):
            try:
                with attempt:
                    raise Lost("c")
            except Lost:
                assert options == {"on": Wrong}


COUNTED = {
    ("retrying_elegant_retries_total", ("error", "Lost"), ("name", "fetch")): 2,
    ("retrying_elegant_retries_total", ("error", "result"), ("name", "poll")): 1,
    ("retrying_elegant_give_ups_total", ("name", "load"), ("reason", "attempts")): 1,
    ("retrying_elegant_give_ups_total", ("name", "load"), ("reason", "timeout")): 1,
    ("retrying_elegant_give_ups_total", ("name", "load"), ("reason", "budget")): 1,
    ("retrying_elegant_give_ups_total", ("name", "load"), ("reason", "not retryable")): 1,
    ("retrying_elegant_recoveries_total", ("name", "fetch")): 1,
    ("retrying_elegant_recoveries_total", ("name", "poll")): 1,
}


@pytest.fixture
def registry():
    return prometheus_client.CollectorRegistry()


def scraped(registry):
    """The lines of a scrape that are of ours, without the times of creation."""
    text = prometheus_client.generate_latest(registry).decode()
    return [
        line
        for line in text.splitlines()
        if line.startswith("retrying_elegant") and "_created" not in line
    ]


class TestPrometheus:
    """Counters in a scrape of the registry."""

    def test_the_scrape(self, registry):
        """Every line of it."""
        with instrumentation.prometheus(registry):
            some_calls()
        assert sorted(scraped(registry)) == [
            'retrying_elegant_give_ups_total{name="load",reason="attempts"} 1.0',
            'retrying_elegant_give_ups_total{name="load",reason="budget"} 1.0',
            'retrying_elegant_give_ups_total{name="load",reason="not retryable"} 1.0',
            'retrying_elegant_give_ups_total{name="load",reason="timeout"} 1.0',
            'retrying_elegant_recoveries_total{name="fetch"} 1.0',
            'retrying_elegant_recoveries_total{name="poll"} 1.0',
            'retrying_elegant_retries_total{error="Lost",name="fetch"} 2.0',
            'retrying_elegant_retries_total{error="result",name="poll"} 1.0',
        ]

    def test_the_openmetrics_format(self, registry):
        """Its strict parser reads the same, and counters by type."""
        with instrumentation.prometheus(registry):
            some_calls()
        families = list(text_string_to_metric_families(openmetrics(registry).decode()))
        assert {family.type for family in families} == {"counter"}
        assert {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
            if not sample.name.endswith("_created")
        } == COUNTED

    def test_before_the_first_event(self, registry):
        """The counters are described, and have no lines yet."""
        with instrumentation.prometheus(registry):
            assert scraped(registry) == []
            text = prometheus_client.generate_latest(registry).decode()
        assert "# TYPE retrying_elegant_retries_total counter" in text

    def test_the_default_registry(self):
        """As `prometheus_client.start_http_server` shows it."""
        with instrumentation.prometheus():
            retry(name="default")(flaky(Lost(), "value"))()
        lines = scraped(prometheus_client.REGISTRY)
        assert 'retrying_elegant_recoveries_total{name="default"} 1.0' in lines

    def test_twice_on_one_registry(self, registry):
        """Counted once, until both handles are closed."""
        first, second = instrumentation.prometheus(registry), instrumentation.prometheus(registry)
        retry(name="fetch")(flaky(Lost(), "value"))()
        first.close()
        retry(name="fetch")(flaky(Lost(), "value"))()
        second.close()
        retry(name="fetch")(flaky(Lost(), "value"))()
        assert 'retrying_elegant_recoveries_total{name="fetch"} 2.0' in scraped(registry)

    def test_again_after_closing(self, registry):
        """The counters stay, and go on."""
        for _ in range(3):
            with instrumentation.prometheus(registry):
                retry(name="fetch")(flaky(Lost(), "value"))()
        assert 'retrying_elegant_recoveries_total{name="fetch"} 3.0' in scraped(registry)

    def test_names_of_others(self, registry):
        """The library says which are taken."""
        theirs = prometheus_client.Counter(
            "retrying_elegant_give_ups", "Not ours.", registry=registry
        )
        for _ in range(2):
            with pytest.raises(ValueError, match="retrying_elegant_give_ups"):
                instrumentation.prometheus(registry)
        registry.unregister(theirs)
        with instrumentation.prometheus(registry):  # nothing was left of ours
            some_calls()
        assert len(scraped(registry)) == len(COUNTED)

    def test_a_scrape_of_some(self, registry):
        """By the name of one counter, as `?name[]=` asks for."""
        with instrumentation.prometheus(registry):
            some_calls()
        chosen = registry.restricted_registry(["retrying_elegant_recoveries_total"])
        assert scraped(chosen) == [
            'retrying_elegant_recoveries_total{name="fetch"} 1.0',
            'retrying_elegant_recoveries_total{name="poll"} 1.0',
        ]

    def test_a_registry_that_nobody_needs_any_more(self):
        """It is not kept."""
        registry = prometheus_client.CollectorRegistry()
        instrumentation.prometheus(registry).close()
        kept = weakref.ref(registry)
        del registry
        gc.collect()
        assert kept() is None

    def test_names_that_need_escaping(self, registry):
        """The name of a call may be anything."""
        with instrumentation.prometheus(registry):
            retry(name='a "b"\\ {c}')(flaky(Lost(), "value"))()
        (sample,) = (
            sample
            for family in text_string_to_metric_families(openmetrics(registry).decode())
            for sample in family.samples
            if sample.name == "retrying_elegant_recoveries_total"
        )
        assert sample.labels == {"name": 'a "b"\\ {c}'}

    def test_threads(self, registry):
        """No count is lost."""

        def work():
            for _ in range(50):
                retry(name="fetch")(flaky(Lost(), Lost(), "value"))()

        with instrumentation.prometheus(registry):
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        assert set(scraped(registry)) == {
            'retrying_elegant_recoveries_total{name="fetch"} 400.0',
            'retrying_elegant_retries_total{error="Lost",name="fetch"} 800.0',
        }


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("tests")
    provider.shutdown()


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def meter_provider(reader):
    provider = MeterProvider([reader])
    yield provider
    provider.shutdown()


def counted(reader):
    """What the reader has, by name and attributes."""
    data = reader.get_metrics_data()
    return {
        (metric.name, *sorted(point.attributes.items())): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        if scope.scope.name == "retrying_elegant"
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def events(span):
    return [(event.name, dict(event.attributes)) for event in span.events]


class TestOpenTelemetry:
    """An event on the current span for each retry and give-up, and the counters as metrics."""

    def test_metrics(self, reader, meter_provider):
        """The same counters, monotonic sums."""
        with instrumentation.opentelemetry(meter_provider=meter_provider):
            some_calls()
        assert counted(reader) == COUNTED

    def test_events(self, tracer, spans, meter_provider):
        """Their attributes are kept by the SDK as they are."""
        with (
            instrumentation.opentelemetry(meter_provider=meter_provider),
            tracer.start_as_current_span("request"),
            pytest.raises(Lost),
        ):
            retry(2, wait=3, name="fetch")(flaky(Lost("first"), Lost("second")))()
        (span,) = spans.get_finished_spans()
        retried, gave_up = events(span)
        assert retried == (
            "retrying_elegant.retry",
            {"name": "fetch", "attempt": 1, "wait": 3.0, "error": "Lost", "text": "first"},
        )
        name, attributes = gave_up
        assert name == "retrying_elegant.give_up"
        assert 3 <= attributes.pop("elapsed") < 60
        assert attributes == {
            "name": "fetch",
            "attempts": 2,
            "reason": "attempts",
            "error": "Lost",
            "text": "second",
        }

    def test_a_span_for_each_attempt(self, tracer, spans, meter_provider):
        """The events are on the span around the whole call, not on those of its attempts."""

        @retry(name="fetch")
        @tracer.start_as_current_span("attempt")
        def fetch(play):
            return play()

        with (
            instrumentation.opentelemetry(meter_provider=meter_provider),
            tracer.start_as_current_span("request"),
        ):
            fetch(flaky(Lost(), "value"))
        names = {
            (span.name, event.name)
            for span in spans.get_finished_spans()
            for event in span.events
            if event.name != "exception"
        }
        assert names == {("request", "retrying_elegant.retry")}

    def test_tasks(self, tracer, spans, meter_provider):
        """Each has its own current span."""

        async def task(number):
            with tracer.start_as_current_span(str(number)):
                async for attempt in retrying(name=str(number), wait=0):
                    async with attempt:
                        await asyncio.sleep(0)
                        if attempt.number <= number:
                            raise Lost

        async def main():
            await asyncio.gather(*map(task, range(4)))

        with instrumentation.opentelemetry(meter_provider=meter_provider):
            asyncio.run(main())
        for span in spans.get_finished_spans():
            assert len(span.events) == int(span.name)
            assert {event.attributes["name"] for event in span.events} <= {span.name}

    def test_without_a_span(self, reader, meter_provider):
        """Counted all the same."""
        with instrumentation.opentelemetry(meter_provider=meter_provider):
            retry(name="fetch")(flaky(Lost(), "value"))()
        assert len(counted(reader)) == 2

    def test_never_arguments_or_results(self, tracer, spans, meter_provider):
        """Neither in names nor in attributes."""
        with (
            instrumentation.opentelemetry(meter_provider=meter_provider),
            tracer.start_as_current_span("request"),
        ):
            some_calls()
        (span,) = spans.get_finished_spans()
        assert len(span.events) == 7
        assert SECRET not in span.to_json()

    def test_again_after_closing(self, reader, meter_provider, caplog):
        """The same counters go on, and the SDK has nothing to remark."""
        for _ in range(3):
            with instrumentation.opentelemetry(meter_provider=meter_provider):
                retry(name="fetch")(flaky(Lost(), "value"))()
        assert counted(reader)["retrying_elegant_recoveries_total", ("name", "fetch")] == 3
        assert {record.name for record in caplog.records} == {"retrying_elegant.retry"}

    def test_twice_on_one_provider(self, reader, tracer, spans, meter_provider):
        """Counted once, and one event on the span."""
        with (
            instrumentation.opentelemetry(meter_provider=meter_provider),
            instrumentation.opentelemetry(meter_provider=meter_provider),
            tracer.start_as_current_span("request"),
        ):
            retry(name="fetch")(flaky(Lost(), "value"))()
        (span,) = spans.get_finished_spans()
        assert len(span.events) == 1
        assert set(counted(reader).values()) == {1}

    def test_the_global_provider_set_later(self, reader, meter_provider):
        """As in programs whose start-up order nobody knows."""
        with instrumentation.opentelemetry():
            metrics.set_meter_provider(meter_provider)
            retry(name="fetch")(flaky(Lost(), "value"))()
        assert len(counted(reader)) == 2

    def test_what_is_no_provider(self):
        """A tracer provider, say."""
        with pytest.raises(TypeError, match="expected a MeterProvider, or None"):
            instrumentation.opentelemetry(meter_provider=trace.get_tracer_provider())


@pytest.fixture
def configured():
    """structlog as it comes, before and after."""
    structlog.reset_defaults()
    yield structlog.configure
    structlog.reset_defaults()


@pytest.fixture
def rendered():
    """What `json_logger` has written, line by line."""
    file = io.StringIO()

    def lines():
        return [json.loads(line) for line in file.getvalue().splitlines()]

    lines.logger = structlog.wrap_logger(
        structlog.PrintLogger(file),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.JSONRenderer(),
        ],
    )
    return lines


@pytest.mark.usefixtures("configured")
class TestStructlog:
    """The log lines as key-value events."""

    def test_rendered_as_json(self, rendered):
        """A line for each retry and for the end, at warning level."""
        with instrumentation.structlog(rendered.logger):
            with pytest.raises(Lost):
                retry(2, wait=3, name="fetch")(flaky(Lost("one\ntwo"), Lost()))()
            retry(name="poll", wait=3, until=bool)(flaky(0, 1))()
        retried, gave_up, polled = rendered()
        assert retried == {
            "event": "retrying",
            "level": "warning",
            "call": "fetch",
            "attempt": 1,
            "wait": 3.0,
            "error": "Lost",
            "text": "one two",
        }
        assert 3 <= gave_up.pop("elapsed") < 60
        assert gave_up == {
            "event": "gave up",
            "level": "warning",
            "call": "fetch",
            "attempts": 2,
            "reason": "attempts",
            "error": "Lost",
            "text": "",
        }
        assert (polled["error"], polled["text"]) == ("result", "not accepted")

    def test_as_many_lines_as_the_log_has(self, rendered, caplog):
        """Of the same calls, and at the same levels."""
        with (
            instrumentation.structlog(rendered.logger),
            caplog.at_level(logging.DEBUG, "retrying_elegant"),
        ):
            some_calls()
        assert len(rendered()) == len(caplog.records) == 6
        for line, record in zip(rendered(), caplog.records, strict=True):
            assert line["call"] in record.getMessage()
            assert line["level"] == record.levelname.lower()

    def test_never_arguments_or_results(self, rendered):
        """Neither in keys nor in values."""
        with instrumentation.structlog(rendered.logger):
            some_calls()
        assert SECRET not in json.dumps(rendered())

    def test_bound_context(self, rendered):
        """What the program has bound is on our lines too."""
        with (
            instrumentation.structlog(rendered.logger.bind(service="shop")),
            structlog.contextvars.bound_contextvars(request=7),
        ):
            retry(flaky(Lost(), "value"))()
        (line,) = rendered()
        assert (line["service"], line["request"]) == ("shop", 7)

    def test_as_it_comes(self, capsys):
        """Unconfigured, it prints for a terminal."""
        with instrumentation.structlog():
            retry(name="fetch")(flaky(Lost("refused"), "value"))()
        (line,) = capsys.readouterr().out.splitlines()
        for part in ("warning", "retrying", "call", "fetch", "Lost", "refused"):
            assert part in line

    def test_configured_later(self, configured, capsys):
        """The default logger is bound at each event."""
        with instrumentation.structlog():
            configured(processors=[structlog.processors.KeyValueRenderer(key_order=["event"])])
            retry(name="fetch", wait=3)(flaky(Lost("refused"), "value"))()
        assert capsys.readouterr().out == (
            "event='retrying' call='fetch' attempt=1 wait=3.0 error='Lost' text='refused'\n"
        )

    def test_captured_in_tests(self):
        """`structlog.testing.capture_logs` sees it."""
        with instrumentation.structlog(), structlog.testing.capture_logs() as lines:
            retry(flaky(Lost(), "value"))()
        assert [(line["event"], line["log_level"]) for line in lines] == [("retrying", "warning")]

    def test_filtered_by_level(self, configured, capsys):
        """As any warning."""
        configured(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        with instrumentation.structlog():
            retry(flaky(Lost(), "value"))()
        assert capsys.readouterr().out == ""

    def test_through_the_standard_library(self, configured, caplog):
        """As attributes of its records, none of which is taken, by the logger of our name."""
        configured(
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.render_to_log_kwargs,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        with instrumentation.structlog(), pytest.raises(Lost):
            retry(2, wait=3, name="fetch")(flaky(Lost("refused"), Lost("refused")))()
        found = [record for record in caplog.records if hasattr(record, "call")]
        assert [(record.getMessage(), record.call) for record in found] == [
            ("retrying", "fetch"),
            ("gave up", "fetch"),
        ]
        assert {(record.name, record.levelname) for record in found} == {
            ("retrying_elegant", "WARNING")
        }
        assert not any(record.exc_info for record in caplog.records)

    def test_a_logger_that_would_have_to_be_awaited(self):
        """Refused, rather than never heard of."""

        async def main():
            logger = structlog.wrap_logger(None, wrapper_class=structlog.stdlib.AsyncBoundLogger)
            instrumentation.structlog(logger)

        with pytest.raises(TypeError, match=r"^logger=.*expected a structlog logger"):
            asyncio.run(main())
