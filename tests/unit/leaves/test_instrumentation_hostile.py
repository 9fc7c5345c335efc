"""Contract 7, 10 and 12: texts from outside in metrics and events, and handles in finalizers."""

from __future__ import annotations

import gc
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interruption_parts import before_call, codes_of, in_turns, interrupted
from ways import Flaky

from retrying_elegant import instrumentation, retry
from retrying_elegant._atomic import Cell

CODES = codes_of(
    Cell.newest,
    Cell.replace,
    instrumentation._apply,
    instrumentation.Handle.__init__,
    instrumentation.Handle.close,
)

FORGED = type("Lost\nCRITICAL all is lost\x1b[31m", (Exception,), {})
LONG = type("L" * 100_000, (Exception,), {})


# What the exporters make of an attempt.
VALUES = (instrumentation._name, instrumentation._error, instrumentation._text)


def values_of(error, name="fetch"):
    """What the exporters say of a retry because of *error*: name, error and text."""
    seen = []

    def observer(attempt):
        seen.append([value(attempt) for value in VALUES])

    with instrumentation.observe(on_retry=observer):
        retry(name=name)(Flaky([error, "value"]))()
    (values,) = seen
    return values


class TestTexts:
    """What comes from outside is folded to one line, cut and escaped, here as in the log."""

    def test_the_name_of_a_class(self):
        """It may come from a peer."""
        assert values_of(FORGED("a"))[1] == r"Lost CRITICAL all is lost\x1b[31m"

    def test_a_long_name(self):
        """A label has to be stored."""
        assert len(values_of(LONG("a"))[1]) <= 200

    def test_the_text(self):
        """With controls that would turn what is read around."""
        assert values_of(OSError("a\n\u202eb\x07"))[2] == r"a \u202eb\x07"

    def test_the_name_of_the_call(self):
        """It may hold the name of a file."""
        assert values_of(OSError(), name="a\nb\x1b")[0] == r"a b\x1b"

    def test_a_text_that_cannot_be_had(self):
        """It says so."""

        class Hostile(Exception):
            def __str__(self):
                raise RuntimeError

        assert values_of(Hostile())[1:] == ["Hostile", "<its text raised RuntimeError>"]


def observed(*observers):
    """Which of *observers* are notified of a retry."""
    for observer in observers:
        observer.clear()
    retry(Flaky([OSError, "value"]))()
    return [bool(observer) for observer in observers]


class TestInterrupted:
    """A handle that is opened or closed in the middle of opening or closing another."""

    @pytest.mark.parametrize("inner", ["open", "close"])
    @pytest.mark.parametrize("outer", ["open", "close"])
    def test_at_every_instruction(self, outer, inner):
        """Both happen."""
        first, second = [], []
        for place in range(1000):
            handles = {}

            def turn(which, target, handles=handles):
                if which == "open":
                    handles[id(target)] = instrumentation.observe(target.append)
                else:
                    handles.pop(id(target)).close()

            for which, target in ((outer, first), (inner, second)):
                if which == "close":
                    turn("open", target)
            done = []
            interrupted(
                CODES,
                lambda: turn(outer, first),
                lambda: done.append(turn(inner, second)),  # noqa: B023 - in this iteration
                [place],
            )
            expected = [outer == "open", (inner == "open") if done else (inner == "close")]
            assert observed(first, second) == expected
            for handle in handles.values():
                handle.close()
            assert observed(first, second) == [False, False]
            if not done:
                break
        assert 20 < place < 1000

    @pytest.mark.parametrize("outer", ["open", "close"])
    def test_before_every_step(self, outer):
        """The same, without the help of a tracer."""
        steps = {"newest": Cell.newest, "replace": Cell.replace}
        for number in range(20):
            first, second, opened = [], [], []
            handle = instrumentation.observe(first.append) if outer == "close" else None

            def interrupt(second=second, opened=opened):
                opened.append(instrumentation.observe(second.append))

            with before_call(steps, Cell, number, interrupt):
                if handle is None:
                    handle = instrumentation.observe(first.append)
                else:
                    handle.close()
            if not opened:
                break
            assert observed(first, second) == [outer == "open", True]
            opened[0].close()
            handle.close()
            assert observed(first, second) == [False, False]
        handle.close()
        assert 3 < number < 20

    @pytest.mark.slow
    @given(
        count=st.integers(2, 3),
        turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 150)), max_size=8),
    )
    def test_threads(self, count, turns):
        """Whatever turns they take: all that are open are notified, and nobody else."""
        told = [[] for _ in range(count)]
        order = list(chain.from_iterable(repeat(*turn) for turn in turns))
        opening = [lambda each=each: instrumentation.observe(each.append) for each in told]
        handles = in_turns(CODES, opening, iter(order))
        try:
            assert observed(*told) == [True] * count
        finally:
            in_turns(CODES, [handle.close for handle in handles], iter(order))
        assert observed(*told) == [False] * count


class TestFinalizers:
    """A finalizer may close a handle."""

    def test_it_is_closed(self, no_collector):
        """By the cyclic collector, in the middle of whatever it interrupts."""
        told = []

        class Owner:
            def __init__(self):
                self.me = self
                self.handle = instrumentation.observe(told.append)

            def __del__(self):
                self.handle.close()

        Owner()
        assert observed(told) == [True]
        gc.collect()
        assert observed(told) == [False]
