"""Contract 4 and 6: what leaves when a policy gives up."""

from __future__ import annotations

import pickle
import re
import traceback
import urllib.error
from email.message import Message
from pathlib import Path

import pytest
from ways import Flaky, holders

import retrying_elegant
from retrying_elegant import GiveUp, RetryBudget, _giveup, given_up, retry, web

PACKAGE = Path(retrying_elegant.__file__).parent


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


def failure(way, risky, *args, **options):
    """The error that leaves."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at it
        way.run(risky, *args, **options)
    return caught.value


def library_frames(error):
    return [
        frame.f_code.co_qualname
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE)
    ]


def note_lines(error):
    (note,) = error.__notes__
    return note.splitlines()


class TestTheOriginalErrorLeaves:
    """The original exception leaves: same object, traceback of the real failure."""

    def test_the_same_object(self, way):
        """The last one."""
        last = Lost()
        assert failure(way, Flaky([Lost, Lost, last]), 3) is last

    def test_the_traceback_ends_where_it_failed(self, way):
        """In the user's function."""
        error = failure(way, Flaky([Lost]), 3)
        *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
        assert innermost.f_code is Flaky.__call__.__code__

    def test_two_library_frames_at_the_most(self, way):
        """None at all in a loop, whose body is the user's own."""
        ours = library_frames(failure(way, Flaky([Lost]), 3))
        assert len(ours) <= (0 if way.form == "loop" else 2), ours

    @pytest.mark.parametrize("watched", [False, True])
    def test_two_where_a_decided_retry_was_not_made(self, way, clock, watched):
        """The error is raised a second time, and no frame appears twice."""
        fields = {"before_attempt": lambda _: None} if watched else {}
        slow = failure(
            way, Flaky([Lost]), timeout=5, wait=1, on_retry=lambda _: clock.tick(9), **fields
        )
        assert given_up(slow).reason == "timeout"
        assert len(library_frames(slow)) <= 2, library_frames(slow)
        *_, (innermost, _) = traceback.walk_tb(slow.__traceback__)
        assert innermost.f_code is Flaky.__call__.__code__

    @pytest.mark.parametrize("script", [[Lost], [Lost, Wrong]], ids=["retried", "not retryable"])
    def test_no_frame_of_the_library_holds_it(self, way, script):
        """That would be a cycle."""
        assert holders(failure(way, Flaky(script), 3, on=Lost)) == []

    def test_no_frame_of_the_library_holds_it_after_a_decided_retry(self, way, clock):
        """Which was not made, because a hook took too long."""
        late = {"timeout": 10, "on_retry": lambda attempt: clock.tick(60)}
        assert holders(failure(way, Flaky([Lost]), 3, wait=1, **late)) == []

    def test_no_frame_of_the_library_holds_the_error_of_a_result(self, way):
        """Likewise."""
        assert holders(failure(way, Flaky(["not yet"]), 3, until=lambda result: False)) == []

    def test_no_earlier_error_is_chained_in(self, way):
        """`__cause__` and `__context__` are empty if the attempt left them so."""
        error = failure(way, Flaky([Lost, Wrong, Lost]), 3)
        assert error.__cause__ is None
        assert error.__context__ is None
        assert error.__suppress_context__ is False

    def test_cause_and_context_stay_as_the_attempt_left_them(self, way):
        """`raise ... from ...` inside `except`."""
        cause, context = ZeroDivisionError(), KeyError()

        def risky():
            try:
                raise context
            except KeyError:
                raise Lost from cause

        error = failure(way, risky, 3)
        assert error.__cause__ is cause
        assert error.__context__ is context

    def test_an_error_that_the_caller_was_handling_stays_the_context(self, way):
        """As it would without the library."""
        handled = KeyError()
        try:
            raise handled
        except KeyError:
            error = failure(way, Flaky([Lost]), 3)
        assert error.__context__ is handled


class TestNotRetryable:
    """What was not retryable on the first attempt leaves as it came: no note, no record."""

    def test_on_the_first_attempt(self, way):
        """Nothing shows that a policy was there."""
        error = failure(way, Flaky([Wrong]), on=Lost)
        assert not hasattr(error, "__notes__")
        assert given_up(error) is None

    def test_on_a_later_attempt(self, way):
        """There is something to tell."""
        error = failure(way, Flaky([Lost, Wrong]), on=Lost, name="fetch")
        assert "gave up on fetch after 2 attempts" in note_lines(error)[0]
        assert given_up(error).reason == "not retryable"


class TestNote:
    """A note, followed by one line for each of the last ten failed attempts."""

    def test_the_first_line(self, way, clock):
        """To the letter."""
        error = failure(way, Flaky([Lost]), 4, wait=[1, 2, 4.31], name="fetch")
        assert note_lines(error)[0] == (
            "retrying_elegant: gave up on fetch after 4 attempts in 7.31 s (no attempts left)"
        )

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            ("attempts", "no attempts left"),
            ("timeout", "no time left"),
            ("budget", "no budget left"),
            ("wait", "wait allows no further attempt"),
            ("stopped", "stopped"),
            ("not retryable", "not retryable"),
            ("interrupted", "interrupted"),
        ],
    )
    def test_the_reason_in_words(self, reason, words):
        """Of each reason."""
        assert str(GiveUp("fetch", 2, 0.5, reason, ())) == (
            f"retrying_elegant: gave up on fetch after 2 attempts in 0.50 s ({words})"
        )

    @pytest.mark.parametrize(
        ("number", "words"), [(0, "0 attempts"), (1, "1 attempt"), (2, "2 attempts")]
    )
    def test_the_number_of_attempts(self, number, words):
        """In a block whose time is over, a call is not attempted at all."""
        record = GiveUp("fetch", number, 0.5, "timeout", ())
        assert f"gave up on fetch after {words} in" in str(record)

    def test_a_line_for_each_failed_attempt(self, way, clock):
        """Number, seconds since start, type and text of the error."""
        script = [Lost("first text"), Wrong("second text"), Lost("third text")]
        _, *lines = note_lines(failure(way, Flaky(script), 3, wait=20))
        assert len(lines) == 3
        for line, number, seconds, error in zip(
            lines, "123", ["0", "20", "40"], script, strict=True
        ):
            assert re.search(rf"\b{number}\b", line)
            assert re.search(rf"\b{seconds}(\.0+)? ?s", line)
            assert type(error).__name__ in line
            assert str(error) in line

    def test_the_last_ten(self, way):
        """Of fifteen attempts the first five are left out."""
        script = [Lost(f"text {number:02}") for number in range(1, 16)]
        _, *lines = note_lines(failure(way, Flaky(script), 15))
        assert [re.search(r"text (\d\d)", line)[1] for line in lines] == [
            f"{number:02}" for number in range(6, 16)
        ]

    def test_no_more_is_kept_for_it(self, way):
        """However many attempts follow."""
        kept = []

        def rule(attempt):
            kept.append(len(attempt._history))
            return 0

        with pytest.raises(Lost):
            way.run(Flaky([Lost]), 50, wait=rule)
        assert max(kept) == kept[-1] <= 3 * 11

    def test_a_long_text_is_cut(self, some_way):
        """At 200 characters, also a text of 10 MB."""
        line = note_lines(failure(some_way, Flaky([Lost("x" * 10_000_000)]), 2))[1]
        longest = max(map(len, re.findall("x+", line)))
        assert 150 <= longest <= 200

    def test_a_text_of_many_lines_stays_on_one(self, way):
        """One line for each attempt."""
        assert len(note_lines(failure(way, Flaky([Lost("one\ntwo\r\nthree")]), 3))) == 4

    def test_the_user_s_own_notes_stay(self, way):
        """Beside that of the library."""
        error = Lost()
        error.add_note("mine")
        assert failure(way, Flaky([error]), 2).__notes__[0] == "mine"
        assert len(error.__notes__) == 2


class TestRecord:
    """`given_up(error)`: the record of the last policy that gave up on it, or None."""

    def test_its_fields(self, way, clock):
        """`GiveUp(name, attempts, elapsed, reason, history)`."""
        record = given_up(failure(way, Flaky([Lost("text")]), 3, wait=2, name="fetch"))
        assert record.name == "fetch"
        assert record.attempts == 3
        assert record.elapsed == 4
        assert record.reason == "attempts"
        assert isinstance(record.history, tuple)
        assert len(record.history) == 3
        assert all("text" in line for line in record.history)

    def test_its_texts_are_those_of_the_time(self, way):
        """Though it is the same object each time, and its text changes."""
        error = Lost()

        def risky():
            error.args = (f"text {getattr(error, 'count', 0)}",)
            error.count = getattr(error, "count", 0) + 1
            raise error

        lines = given_up(failure(way, risky, 4)).history
        assert [line.rpartition(": ")[2] for line in lines] == [f"text {n}" for n in range(4)]

    def test_elapsed_includes_the_attempts_themselves(self, way, clock):
        """The first one too."""

        def risky():
            clock.tick(5)
            raise Lost

        assert given_up(failure(way, risky, 2, wait=1)).elapsed == 11

    @pytest.mark.parametrize(
        ("reason", "script", "options"),
        [
            ("attempts", [Lost], {"attempts": 2}),
            ("timeout", [Lost], {"wait": 3, "timeout": 2}),
            ("budget", [Lost], {"budget": RetryBudget(1), "attempts": None}),
            ("not retryable", [Lost, Wrong], {"on": Lost}),
        ],
        ids=["attempts", "timeout", "budget", "not retryable"],
    )
    def test_its_reason(self, way, reason, script, options):
        """One of four."""
        assert given_up(failure(way, Flaky(script), **options)).reason == reason

    def test_there_is_none_for_other_errors(self):
        """None, not an error."""
        assert given_up(Lost()) is None

    def test_it_pickles(self, way):
        """As a value."""
        record = given_up(failure(way, Flaky([Lost("text")]), 2))
        copy = pickle.loads(pickle.dumps(record))
        assert copy == record
        assert (copy.attempts, copy.reason) == (2, "attempts")

    def test_the_error_still_pickles(self, way):
        """Note and record do not get in the way of a process pool."""
        error = failure(way, Flaky([Lost("text")]), 2)
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is Lost
        assert copy.args == ("text",)

    def test_unless_given_up(self, way):
        """Do not retry again what an inner layer has already retried."""
        flaky = Flaky([Lost])
        error = failure(way, retry(3, name="inner")(flaky), 5, unless=given_up, name="outer")
        assert flaky.calls == 3
        assert given_up(error).name == "inner"


class TestRaisedAgain:
    """Given up on again: the latest record, and not a second note of the same name."""

    def test_by_the_same_name(self, way):
        """Two attempts, then three."""
        error = Lost()
        failure(way, Flaky([error]), 2, name="fetch")
        failure(way, Flaky([error]), 3, name="fetch")
        assert given_up(error).attempts == 3
        assert "\n".join(error.__notes__).count("gave up on fetch") == 1

    def test_by_another_name(self, way):
        """Through two layers; the outer one comes last."""
        error = Lost()
        inner = retry(2, name="inner")(Flaky([error]))
        assert failure(way, inner, 3, name="outer") is error
        assert given_up(error).name == "outer"
        notes = "\n".join(error.__notes__)
        assert (notes.count("gave up on inner"), notes.count("gave up on outer")) == (1, 1)


class Text(str):
    """A text that fights being read, and holds on to something."""

    __slots__ = ("held",)

    def split(self, *_):
        raise ValueError

    def __len__(self):
        return 0


class OddText(Exception):
    """An error whose text is such a one."""

    def __str__(self):
        return Text("x" * 1000)


class TestTexts:
    """Whatever the text of an error is, the error leaves, and what is kept of it is a short one."""

    def test_a_subclass_of_str(self, way):
        """Cut at 200 characters as any other."""
        with pytest.raises(OddText) as caught:
            way.run(Flaky([OddText]), 2, wait=0)
        assert given_up(caught.value).history[0].endswith(f": OddText: {'x' * 200}")

    def test_a_text_kept_for_the_history_is_plain_and_short(self):
        """Whatever the error's text is: an attempt keeps ten of them."""
        for error, length in [(OddText(), 400), (Lost("x" * 401), 400), (Lost("x" * 400), 400)]:
            text = _giveup.text_of(error)
            assert type(text) is str
            assert len(text) == length

    def test_an_error_without_a_text(self, way):
        """Its class says it all: no colon follows."""
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), 2, wait=0)
        assert given_up(caught.value).history[0].endswith(" s: Lost")

    def test_the_name_of_a_class_is_cut(self):
        """At 100 characters."""
        assert _giveup.class_name(type("E" * 300, (Exception,), {})) == "E" * 100

    def test_a_line_of_a_record_is_cut(self):
        """At 400 characters, in a record made by hand."""
        *_, line = str(GiveUp("fetch", 1, 0.5, "attempts", ("x" * 1000,))).splitlines()
        assert line == "  " + "x" * 400


def answered(status, retry_after=None):
    """The error of urllib for such a response."""
    headers = Message()
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return urllib.error.HTTPError("http://127.0.0.1/", status, "busy", headers, None)


def note_of(way, outcomes, **fields):
    """The note of a call that is given up on."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        way.run(Flaky(outcomes), 5, **{"wait": 0, **fields})
    for outcome in outcomes:
        outcome.close()
    record = given_up(caught.value)
    assert record is None or caught.value.__notes__ == [str(record)]
    return "" if record is None else str(record)


class TestATooLongRetryAfter:
    """It ends the call as not retryable, and the note says how long was asked for."""

    def test_on_a_later_attempt(self, way):
        """The attempt's own line has it."""
        text = note_of(way, [answered(503), answered(503, 3000)], on=web.transient)
        assert "(the server asked for 3000 s)" in text.splitlines()[-1]

    def test_the_lines_before(self, way, clock):
        """They stay as they are, all of them."""
        outcomes = [answered(503), answered(503), answered(503), answered(503, 3000)]
        _, *lines = note_of(way, outcomes, on=web.transient).splitlines()
        assert [line.partition(" at ")[0] for line in lines] == [
            f"  attempt {number}" for number in range(1, 5)
        ]
        assert ["(the server asked for 3000 s)" in line for line in lines] == [0, 0, 0, 1]
        assert lines[3].startswith(lines[0].replace("attempt 1", "attempt 4"))

    @pytest.mark.parametrize("limit", [{}, {"wait": 5, "timeout": 4}], ids=["attempts", "timeout"])
    def test_retried_by_another_filter(self, way, limit):
        """What was asked for did not end the call, so the note leaves it out."""
        text = note_of(way, [answered(503, 3000)], on=(OSError, web.transient), **limit)
        assert "retrying_elegant: gave up on" in text
        assert "asked" not in text

    def test_in_a_tuple(self, way):
        """Of filters."""
        outcomes = [answered(503), answered(503, 3000)]
        assert "3000 s" in note_of(way, outcomes, on=(KeyError, web.transient))

    def test_by_a_limit_of_its_own(self, way):
        """`web.Transient(max_retry_after=...)`."""
        outcomes = [answered(503), answered(503, 61)]
        assert "61 s" in note_of(way, outcomes, on=web.Transient(max_retry_after=60))

    def test_within_the_limit(self, way):
        """Nothing to mention."""
        assert "asked" not in note_of(way, [answered(503, 5)], on=web.transient)

    def test_another_error(self, way):
        """A 404 has no hint."""
        assert "asked" not in note_of(way, [answered(503), answered(404)], on=web.transient)
