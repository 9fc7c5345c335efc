"""Contract 7: what the logger `retrying_elegant` says, and what it never says."""

from __future__ import annotations

import logging
import re
import sys

import pytest
from ways import Flaky

from retrying_elegant import RetryError, _reporting, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture
def lines(caplog):
    """The messages of the library's loggers so far: warnings, or of rejected results."""

    def lines():
        records = [r for r in caplog.records if r.name.startswith("retrying_elegant.")]
        levels = {logging.WARNING: {"retry", "give_up"}, logging.DEBUG: {"retry"}}
        assert all(record.name.split(".")[1] in levels[record.levelno] for record in records)
        return [record.getMessage() for record in records]

    caplog.set_level(logging.DEBUG)
    return lines


class TestLogger:
    """Two loggers: a WARNING per retry, one when it gives up, each on one line."""

    def test_a_first_success_says_nothing(self, way, lines):
        """Not even at DEBUG."""
        way.run(Flaky(["value"]))
        assert lines() == []

    def test_one_for_each_retry(self, way, lines):
        """And none for the success."""
        way.run(Flaky([Lost("first text"), Lost("second text"), "value"]), name="fetch")
        first, second = lines()
        for line, number, text in [(first, "1", "first text"), (second, "2", "second text")]:
            assert "fetch" in line
            assert re.search(rf"\b{number}\b", line)
            assert "Lost" in line
            assert text in line

    def test_one_when_it_gives_up(self, way, lines):
        """After those of the retries."""
        with pytest.raises(Lost):
            way.run(Flaky([Lost("some text")]), 3, name="fetch")
        *retries, last = lines()
        assert len(retries) == 2
        assert re.search(r"\b3\b", last)
        assert "fetch" in last
        assert "some text" in last

    def test_their_names(self, monkeypatch, caplog):
        """Looked up at the first failure of the process."""
        monkeypatch.setattr(_reporting, "_loggers", None)
        with pytest.raises(Lost):
            retry(2, wait=0)(Flaky([Lost]))()
        names = [record.name for record in caplog.records]
        assert names == ["retrying_elegant.retry", "retrying_elegant.give_up"]

    def test_the_name_of_the_one_for_hooks(self, monkeypatch, caplog):
        """The package's own."""
        monkeypatch.setattr(_reporting, "_loggers", None)
        hook = Flaky([Lost])
        assert retry(on_success=lambda attempt: hook())(Flaky(["value"]))() == "value"
        assert [record.name for record in caplog.records] == ["retrying_elegant"]

    def test_to_the_letter(self, way, lines, clock):
        """As the pages show them."""
        with pytest.raises(Lost):
            way.run(Flaky([Lost("text")]), 2, wait=2, name="fetch")
        retried, ended = lines()
        assert retried == "retrying fetch in 2.00 s after attempt 1: Lost: text"
        assert ended == "gave up on fetch after 2 attempts in 2.00 s (no attempts left): Lost: text"

    def test_a_hook_that_raises(self, way, caplog):
        """To the letter too, with its traceback."""

        def broken(attempt):
            raise ZeroDivisionError

        way.run(Flaky([Lost, "value"]), name="fetch", on_retry=broken)
        *_, record = caplog.records
        assert record.getMessage() == f"hook {broken.__qualname__} of fetch raised"
        assert record.exc_info[0] is ZeroDivisionError

    def test_a_hook_that_raises_in_the_end(self, way, caplog):
        """Only its own error is shown: that of the call may contain what must not be logged."""

        class Equal(KeyError):
            def __eq__(self, other):
                return True

            __hash__ = KeyError.__hash__

        inner = Equal("inner")

        def broken(attempt):
            raise ZeroDivisionError

        def chained(attempt):
            raise ZeroDivisionError from inner

        def nested(attempt):
            try:
                raise inner
            except KeyError:
                raise ZeroDivisionError  # noqa: B904

        lost = Lost("secret")
        with pytest.raises(Lost) as caught:
            way.run(Flaky([lost]), 1, name="fetch", on_give_up=[broken, chained, nested])
        assert caught.value is lost
        errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
        assert errors[0].__context__ is errors[1].__context__ is None
        assert errors[2].__context__ is inner
        assert errors[1].__cause__ is inner
        assert inner.__context__ is None

    def test_one_for_each_refused_result(self, way, lines):
        """Polling retries too."""
        way.run(Flaky(["pending", "ready"]), until=lambda value: value == "ready", name="poll")
        (line,) = lines()
        assert "poll" in line

    def test_a_long_text_is_cut(self, some_way, lines):
        """At 200 characters, also one of 10 MB."""
        with pytest.raises(Lost):
            some_way.run(Flaky([Lost("x" * 10_000_000)]), 2)
        assert len(lines()) == 2
        for line in lines():
            longest = max(map(len, re.findall("x+", line)))
            assert 150 <= longest <= 200

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\n\n  \n"])
    def test_newlines_are_collapsed(self, way, lines, newline):
        """Each record is one line, and its words stay apart."""
        with pytest.raises(Lost):
            way.run(Flaky([Lost(f"one{newline}two")]), 2)
        assert len(lines()) == 2
        for line in lines():
            assert len(line.splitlines()) == 1
            assert "one two" in line

    def test_a_text_with_percent_signs_is_no_format(self, way, lines):
        """It arrives as it is."""
        way.run(Flaky([Lost("100 %s of %d"), "value"]), name="50 %d")
        (line,) = lines()
        assert "100 %s of %d" in line
        assert "50 %d" in line

    def test_no_handler_is_installed(self, way):
        """And nothing is kept from the handlers of the user."""
        way.run(Flaky([Lost, "value"]))
        logger = logging.getLogger("retrying_elegant")
        assert logger.handlers == []
        assert logger.propagate
        assert logger.level == logging.NOTSET

    def test_a_silenced_logger_stays_silent(self, way, lines, caplog):
        """By its level, as any logger."""
        caplog.set_level(logging.ERROR, logger="retrying_elegant")
        way.run(Flaky([Lost, "value"]))
        assert lines() == []


class TestNeverArgumentsOrResults:
    """Never arguments or results."""

    def test_arguments_of_a_decorated_call(self, lines):
        """Positional and by keyword."""

        @retry(2)
        def login(user, *, password):
            raise Lost("refused")

        with pytest.raises(Lost):
            login("s3cret", password="s3cret")
        assert len(lines()) == 2
        assert "s3cret" not in "".join(lines())

    def test_arguments_of_a_call_in_a_block(self, lines):
        """Positional and by keyword."""

        def login(user, *, password):
            raise Lost("refused")

        with retrying(2, raises=False) as call:
            call(login, "s3cret", password="s3cret")
        assert len(lines()) == 2
        assert "s3cret" not in "".join(lines())

    def test_results(self, way, lines):
        """Refused ones."""
        with pytest.raises(RetryError):
            way.run(Flaky(["s3cret"]), 2, until=lambda value: False)
        assert len(lines()) == 2
        assert "s3cret" not in "".join(lines())


class TestBrokenLogging:
    """A handler or filter that raises hides neither the error of the call nor its success."""

    @pytest.fixture(params=["handler", "filter"])
    def broken(self, request):
        """A part of the program's logging that does not work."""

        def fail(record):
            raise ZeroDivisionError("broken logging")

        logger = logging.getLogger("retrying_elegant")
        handler = logging.NullHandler()
        handler.handle = fail
        if request.param == "handler":
            logger.addHandler(handler)
        else:
            logger.addFilter(fail)
        yield
        logger.removeHandler(handler)
        logger.removeFilter(fail)

    def test_the_error_leaves(self, way, broken):
        """After all its attempts."""
        error = Lost()
        flaky = Flaky([error])
        with pytest.raises(Lost) as caught:
            way.run(flaky, 3)
        assert caught.value is error
        assert flaky.calls == 3

    def test_a_retry_succeeds(self, way, broken):
        """As if nobody listened."""
        assert way.run(Flaky([Lost, "value"])) == "value"

    def test_a_hook_that_raises_changes_nothing(self, way, broken):
        """Though nobody will hear of it."""
        assert way.run(Flaky([Lost, "value"]), on_retry=lambda attempt: 1 / 0) == "value"

    @pytest.fixture
    def absent(self, monkeypatch):
        """An interpreter that is shutting down: logging cannot be imported any more."""
        monkeypatch.setattr(_reporting, "_loggers", None)
        monkeypatch.setitem(sys.modules, "logging", None)

    def test_without_logging(self, way, absent):
        """Retries succeed, and hooks that raise change nothing."""
        assert way.run(Flaky([Lost, "value"]), on_retry=lambda attempt: 1 / 0) == "value"

    def test_without_logging_after_the_first_line(self, some_way, caplog, monkeypatch):
        """Loggers that have been found are kept, and still log."""

        def fail():
            with pytest.raises(Lost):
                some_way.run(Flaky([Lost]), 2, on_retry=lambda attempt: 1 / 0)
            names = [record.name for record in caplog.records]
            caplog.clear()
            return names

        names = fail()
        assert len(names) == 3
        monkeypatch.setitem(sys.modules, "logging", None)
        assert fail() == names
