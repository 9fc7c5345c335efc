"""Contract 6: an Exception that something else raises into a wait ends the call."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from ways import GENERATORS, WAYS, Flaky, holders, run_async

from retrying_elegant import RetryBudget, given_up, instrumentation, retry


class Lost(Exception):
    """Retried in these tests."""


class Limit(Exception):
    """What a signal handler raises, as Celery's soft time limit."""


EVERY = [*WAYS, *GENERATORS]


@pytest.fixture(params=EVERY, ids=repr)
def way(request):
    return request.param


@pytest.fixture
def interrupt(own_waits):
    """Have the next wait end by an exception, sync or async."""

    def interrupt(intruder):
        def sleep(seconds, *args):
            raise intruder

        async def sleep_async(seconds, *args):
            if seconds:
                raise intruder

        own_waits.setattr(time, "sleep", sleep)
        own_waits.setattr(asyncio, "sleep", sleep_async)
        return intruder

    return interrupt


def run(way, error, **fields):
    """Send an attempt that raises *error* through *way*, whose waits are of a minute."""
    flaky = Flaky([error])
    try:
        return way.run(flaky, 5, wait=60, **fields)
    finally:
        assert flaky.calls == 1


class TestAnExceptionInAWait:
    """It propagates, reason "interrupted"."""

    def test_it_is_what_is_raised(self, way, interrupt):
        """The attempt's error is its context."""
        limit, error = interrupt(Limit("soft")), Lost("down")
        with pytest.raises(Limit) as caught:
            run(way, error)
        assert caught.value is limit
        assert limit.__context__ is error

    def test_no_frame_of_its_traceback_holds_it(self, way, interrupt):
        """That would be a cycle."""
        limit = interrupt(Limit("soft"))
        with pytest.raises(Limit):
            run(way, Lost("down"))
        assert holders(limit) == []

    def test_one_with_a_context_of_its_own(self, way, interrupt):
        """The attempt's error takes its place; what it was is left alone."""
        limit, own, error = interrupt(Limit("soft")), KeyError("own"), Lost("down")
        limit.__context__ = own
        with pytest.raises(Limit):
            run(way, error)
        assert limit.__context__ is error
        assert own.__context__ is error.__context__ is None

    def test_one_whose_context_is_that_already(self, way, interrupt):
        """It stays so."""
        limit, error = interrupt(Limit("soft")), Lost("down")
        limit.__context__ = error
        with pytest.raises(Limit):
            run(way, error)
        assert limit.__context__ is error
        assert error.__context__ is None

    def test_one_that_is_in_the_chain_of_the_error(self, way, interrupt):
        """No circle is made."""
        limit, error = interrupt(Limit("soft")), Lost("down")
        error.__context__ = limit
        with pytest.raises(Limit):
            run(way, error)
        assert limit.__context__ is None

    def test_record_and_note(self, way, interrupt):
        """On the exception that propagates."""
        limit = interrupt(Limit("soft"))
        with pytest.raises(Limit):
            run(way, Lost("down"), name="fetch")
        record = given_up(limit)
        assert (record.name, record.attempts, record.reason) == ("fetch", 1, "interrupted")
        assert "Lost: down" in record.history[0]
        assert limit.__notes__ == [str(record)]
        assert "interrupted" in str(record)

    def test_the_ending_hook(self, way, interrupt):
        """Runs once; the attempt has its own error, and the reason."""
        error, ends = Lost("down"), []
        interrupt(Limit("soft"))

        def end(attempt):
            ends.append((attempt.number, attempt.error, attempt.reason, attempt.next_wait))

        with pytest.raises(Limit):
            run(way, error, on_give_up=end)
        assert ends == [(1, error, "interrupted", None)]

    def test_observers_and_log(self, way, interrupt, caplog):
        """Are notified as of every give-up."""
        interrupt(Limit("soft"))
        seen = []
        with (
            instrumentation.observe(on_give_up=lambda attempt: seen.append(attempt.reason)),
            caplog.at_level(logging.WARNING),
            pytest.raises(Limit),
        ):
            run(way, Lost("down"), name="fetch")
        assert seen == ["interrupted"]
        assert [record.name for record in caplog.records] == [
            "retrying_elegant.retry",
            "retrying_elegant.give_up",
        ]
        assert "gave up on fetch after 1 attempt" in caplog.records[1].getMessage()

    def test_the_token_is_returned(self, way, interrupt):
        """The retry was not made."""
        budget = RetryBudget(5)
        interrupt(Limit("soft"))
        with pytest.raises(Limit):
            run(way, Lost(), budget=budget)
        assert budget.tokens == 5

    def test_raises_false(self, interrupt):
        """Does not swallow it."""
        limit = interrupt(Limit("soft"))
        for way in WAYS:
            if way.form != "decorator":
                with pytest.raises(Limit) as caught:
                    run(way, Lost(), raises=False)
                assert caught.value is limit

    @pytest.mark.parametrize("color", ["sync", "async"])
    def test_fallback(self, interrupt, color):
        """Is not called."""
        interrupt(Limit("soft"))
        (way,) = (way for way in WAYS if (way.form, way.colour) == ("decorator", color))
        with pytest.raises(Limit):
            run(way, Lost(), fallback=lambda attempt: pytest.fail("it was called"))

    def test_a_retryable_class(self, way, interrupt):
        """Is not retried: it is no error of an attempt."""
        interrupt(Lost("into the wait"))
        with pytest.raises(Lost, match="into the wait"):
            run(way, Lost("down"), on=Lost)

    def test_the_same_object_as_the_attempts(self, way, interrupt):
        """Raised into its own wait, it gets no context that is itself."""
        error = interrupt(Lost("down"))
        with pytest.raises(Lost) as caught:
            run(way, error)
        assert caught.value is error
        assert error.__context__ is not error

    def test_after_a_rejected_result(self, interrupt):
        """There is no error then: the context is what it was."""
        limit = interrupt(Limit("soft"))
        for way in WAYS:
            with pytest.raises(Limit):
                run_until(way)
        assert given_up(limit).reason == "interrupted"


def run_until(way):
    """A result that `until` rejects, and a wait of a minute."""
    return way.run(Flaky(["not yet"]), 5, wait=60, until=lambda result: False)


class TestControlFlow:
    """A BaseException into a wait stays unannounced."""

    @pytest.mark.parametrize("intruder", [KeyboardInterrupt, SystemExit])
    def test_unannounced(self, way, interrupt, intruder):
        """No hook, observer, note or record, and one log line: that of the retry."""
        if way.colour == "async" and intruder is KeyboardInterrupt:
            pytest.skip("asyncio's runner treats it by itself")
        interrupt(intruder())
        seen = []
        with instrumentation.observe(on_give_up=seen.append), pytest.raises(intruder) as caught:
            run(way, Lost("down"), on_give_up=seen.append)
        assert seen == []
        assert given_up(caught.value) is None
        assert not hasattr(caught.value, "__notes__")


class TestHooksAndHandlers:
    """What is raised while a hook or a log handler runs belongs to that hook or handler."""

    def test_a_hook(self, way):
        """The retry is made."""

        def interrupted(attempt):
            raise Limit("soft")

        assert way.run(Flaky([Lost, "value"]), 3, wait=0, on_retry=interrupted) == "value"

    def test_a_handler(self, way):
        """Likewise."""

        class Interrupted(logging.Handler):
            def handle(self, record):
                raise Limit("soft")

        handler = Interrupted()
        logger = logging.getLogger("retrying_elegant")
        logger.addHandler(handler)
        try:
            assert way.run(Flaky([Lost, "value"]), 3, wait=0) == "value"
        finally:
            logger.removeHandler(handler)

    def test_the_wait_before_a_late_attempt(self, own_waits):
        """A sleep that returns early or late is no interruption."""
        own_waits.setattr(time, "sleep", lambda seconds: None)
        assert retry(3, wait=60)(Flaky([Lost, "value"]))() == "value"
        assert run_async(retry(3, wait=60)(_coroutine(Flaky([Lost, "value"])))()) == "value"


def _coroutine(flaky):
    async def attempt():
        return flaky()

    return attempt
