"""Contract 7: which lines are logged, on which logger and level, with which fields."""

from __future__ import annotations

import asyncio
import logging

import pytest
from ways import Flaky, run_async

from retrying_elegant import Policy, RetryError, TryAgain, deadline, retry, retrying
from retrying_elegant._text import one_line

RETRY, GIVE_UP = "retrying_elegant.retry", "retrying_elegant.give_up"


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture
def lines(caplog):
    """Logger and level of each record."""
    caplog.set_level(1, "retrying_elegant")

    def lines():
        return [(record.name, record.levelno) for record in caplog.records]

    return lines


def fail(way, *args, outcomes=(Lost,), **fields):
    """A call that ends by Lost."""
    with pytest.raises(Lost):
        way.run(Flaky(outcomes), *args, wait=0, **fields)


class TestLoggers:
    """Two loggers, children of `retrying_elegant`."""

    def test_names_and_levels(self, way, lines):
        """WARNING by default."""
        fail(way, 3)
        assert lines() == [(RETRY, logging.WARNING)] * 2 + [(GIVE_UP, logging.WARNING)]

    def test_the_level_of_the_parent(self, way, caplog):
        """Applies to both."""
        caplog.set_level(logging.ERROR, "retrying_elegant")
        fail(way, 3)
        assert caplog.records == []

    def test_one_disabled(self, way, lines):
        """The other still logs."""
        logger = logging.getLogger(RETRY)
        logger.disabled = True
        try:
            fail(way, 3)
        finally:
            logger.disabled = False
        assert lines() == [(GIVE_UP, logging.WARNING)]

    def test_errors_in_hooks(self, way, lines):
        """Stay on the parent, whatever `log_level` is."""

        def broken(attempt):
            raise ValueError("broken hook")

        assert way.run(Flaky([Lost, "v"]), 3, wait=0, on_retry=broken, log_level=None) == "v"
        assert lines() == [("retrying_elegant", logging.ERROR)]


class TestOrdinaryErrors:
    """A non-retryable error on the first attempt is an ordinary error: no line."""

    def test_on_the_first_attempt(self, way, lines):
        """No line; the hook is notified."""
        ends = []
        fail(way, on=OSError, on_give_up=ends.append)
        assert lines() == []
        assert len(ends) == 1

    def test_on_a_later_attempt(self, way, lines):
        """The retry is worth a line, and so is its end."""
        fail(way, 5, outcomes=[OSError(), Lost()], on=OSError)
        assert lines() == [(RETRY, logging.WARNING), (GIVE_UP, logging.WARNING)]


class TestLogLevel:
    """`log_level`: the level of the policy's lines; None disables them."""

    @pytest.mark.parametrize("level", [1, logging.DEBUG, logging.INFO, 25, logging.CRITICAL])
    def test_a_level(self, way, lines, level):
        """Of all lines of a failure."""
        fail(way, 3, log_level=level)
        assert lines() == [(RETRY, level)] * 2 + [(GIVE_UP, level)]

    def test_none(self, way, lines):
        """Not a line."""
        fail(way, 3, log_level=None)
        assert lines() == []

    def test_default(self):
        """WARNING."""
        assert Policy().log_level == logging.WARNING

    @pytest.mark.parametrize("level", ["DEBUG", 10.0, True, object], ids=str)
    def test_wrong_types(self, level):
        """An int, as `logging` has them."""
        with pytest.raises(TypeError, match=r"^log_level="):
            Policy(log_level=level)

    def test_repr(self):
        """Shows it where it differs."""
        assert repr(Policy(log_level=None)) == "Policy(log_level=None)"
        assert repr(Policy(log_level=10)) == "Policy(log_level=10)"
        assert repr(Policy(log_level=logging.WARNING)) == "Policy()"


class TestRejectedResults:
    """A retry because of a rejected result is logged at DEBUG, or lower if `log_level` is."""

    @pytest.mark.parametrize(
        ("level", "expected"),
        [(logging.WARNING, logging.DEBUG), (logging.INFO, logging.DEBUG), (5, 5)],
    )
    def test_level(self, way, lines, level, expected):
        """Polling is not worth a warning."""
        flaky = Flaky(["pending", "pending", "done"])
        way.run(flaky, 5, wait=0, until=lambda result: result == "done", log_level=level)
        assert lines() == [(RETRY, expected)] * 2

    def test_text(self, way, caplog):
        """There is no error to describe."""
        caplog.set_level(logging.DEBUG, "retrying_elegant")
        way.run(Flaky([0, 1]), 3, wait=2, until=bool, name="poll")
        assert caplog.messages == ["retrying poll in 2.00 s after attempt 1: result not accepted"]

    def test_none(self, way, lines):
        """Nor at any level where `log_level` is None."""
        assert way.run(Flaky([0, 1]), 3, wait=0, until=bool, log_level=None) == 1
        assert lines() == []

    def test_the_end(self, way, lines):
        """A give-up is one."""
        with pytest.raises(RetryError):
            way.run(Flaky(["pending"]), 2, wait=0, until=lambda result: False)
        assert lines() == [(RETRY, logging.DEBUG), (GIVE_UP, logging.WARNING)]

    def test_by_an_error(self, way, lines):
        """TryAgain raised in the attempt is an error like others."""
        way.run(Flaky([TryAgain, "value"]), 3, wait=0)
        assert lines() == [(RETRY, logging.WARNING)]


class TestExtraFields:
    """Records carry fields for structured logs."""

    def test_of_a_retry(self, way, caplog):
        """Name, attempt, wait, elapsed, error."""
        way.run(Flaky([Lost, "value"]), 3, wait=2, name="fetch")
        [record] = caplog.records
        assert record.retry_name == "fetch"
        assert record.retry_attempt == 1
        assert record.retry_wait == 2
        assert record.retry_elapsed >= 0
        assert record.retry_error == "Lost"
        assert record.retry_reason is None

    def test_of_a_give_up(self, way, caplog):
        """And the reason."""
        fail(way, 2, name="fetch")
        record = caplog.records[-1]
        assert (record.retry_name, record.retry_attempt) == ("fetch", 2)
        assert (record.retry_reason, record.retry_error) == ("attempts", "Lost")
        assert record.retry_wait is None

    def test_of_a_rejected_result(self, way, caplog):
        """No error."""
        caplog.set_level(logging.DEBUG, "retrying_elegant")
        way.run(Flaky(["pending", "done"]), 3, wait=0, until=lambda r: r == "done")
        assert caplog.records[0].retry_error is None


class TestOwnHandlers:
    """What is retried while a line of ours is handled logs nothing: no handler feeds itself."""

    def test_a_handler_that_retries(self, way):
        """Its own retries are silent; later ones are not."""
        seen = []

        class Sender(logging.Handler):
            def emit(self, record):
                seen.append(record.getMessage())
                assert retry(3, wait=0, name="send")(Flaky([Lost, "sent"]))() == "sent"

        handler = Sender()
        logger = logging.getLogger("retrying_elegant")
        logger.addHandler(handler)
        try:
            way.run(Flaky([Lost, Lost, "value"]), 3, wait=0, name="fetch")
        finally:
            logger.removeHandler(handler)
        assert len(seen) == 2
        assert all("fetch" in line for line in seen)


class TestTexts:
    """Names and texts from outside are folded to one line, cut and escaped."""

    @pytest.mark.parametrize("name", ["two\nlines", "a\x1b[31mred", "bell\x07", "x" * 5000])
    def test_names(self, way, caplog, name):
        """Of a policy."""
        fail(way, 2, name=name)
        for record in caplog.records:
            text = record.getMessage()
            assert text.isprintable()
            assert len(text) < 1000

    def test_error_texts(self, way, caplog):
        """Terminal escapes do not reach the terminal."""
        fail(way, 2, outcomes=[Lost("a\x1b[31mred\nline")])
        text = caplog.records[0].getMessage()
        assert r"\x1b" in text
        assert text.isprintable()

    def test_what_is_printable(self):
        """It stays as it is, beside what is escaped."""
        assert one_line("naïve\x1b c:\\new") == r"naïve\x1b c:\new"

    @pytest.mark.parametrize(("most", "read"), [(200, 900), (100, 500)])
    def test_how_much_of_a_text_is_read(self, most, read):
        """Four times as much as is shown, and 100 characters: no more white space is folded."""
        assert one_line(" " * (read - 1) + "xy", most) == "x"
        assert one_line(" " * read + "xy", most) == ""

    def test_notes(self, way):
        """Likewise."""
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost("a\x1b[31mred\rline")]), 2, wait=0, name="n\x07")
        [note] = caught.value.__notes__
        assert all(line.isprintable() for line in note.split("\n"))


async def hang():
    await asyncio.sleep(10_000)


class TestAttemptTimeouts:
    """A TimeoutError of `attempt_timeout` says which limit, and how many seconds."""

    def test_its_text(self, async_way):
        """In the error, and so in log and note."""
        with pytest.raises(TimeoutError, match=r" 2\.5 s that attempt_timeout allowed"):
            async_way.run(hang, 2, wait=0, attempt_timeout=2.5)

    def test_the_other_limits(self, async_way, clock):
        """The smaller one, in whole seconds where they are many."""
        with pytest.raises(TimeoutError, match=r" 1234 s that timeout allowed"):
            async_way.run(hang, 1, attempt_timeout=5000, timeout=1234)
        with pytest.raises(TimeoutError, match=r" 0\.125 s that deadline allowed"), deadline(0.125):
            async_way.run(hang, 1, attempt_timeout=5000, timeout=0.25)

    def test_the_timeout_of_a_block(self, clock):
        """Also in a new series, which it outlasts."""

        async def break_and_hang(broken):
            if not broken:
                broken.append(True)
                clock.tick(70)
                raise Lost
            await hang()

        async def main():
            options = {"timeout": 100, "attempt_timeout": 200, "reset_after": 60, "wait": 0}
            async with retrying(2, **options) as call:
                await call(break_and_hang, [])

        with pytest.raises(TimeoutError, match=r" 30 s that timeout allowed"):
            run_async(main())

    @pytest.mark.parametrize("timeout", [0.25, 0.3])
    def test_the_timeout_of_a_block_that_is_rounded(self, clock, timeout):
        """Its deadline is not exactly the start and the timeout."""
        clock.now = 1000.1

        async def main():
            async with retrying(1, timeout=timeout, attempt_timeout=60) as call:
                await call(hang)

        with pytest.raises(TimeoutError, match=rf" {timeout} s that timeout allowed"):
            run_async(main())

    def test_a_deadline_that_is_left_meanwhile(self, clock):
        """The attempt was cut to it when it began."""

        async def main():
            with deadline(3):
                task = asyncio.create_task(retry(1, attempt_timeout=60)(hang)())
                await asyncio.sleep(0)
            await task

        with pytest.raises(TimeoutError, match=r" 3 s that deadline allowed"):
            run_async(main())


class TestLoops:
    """The level is the policy's in every form."""

    def test_a_policy_changed_in_place(self, lines):
        """`retrying(policy, log_level=...)`."""
        for attempt in retrying(Policy(3, wait=0), log_level=logging.INFO):
            with attempt:
                if attempt.number < 3:
                    raise Lost
        assert lines() == [(RETRY, logging.INFO)] * 2
