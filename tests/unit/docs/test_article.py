"""The six stages of the article: from the loop written by hand to `for` + `with`.

Each stage is a function that tries *risky* five times at the most and says how that ended.  The
first is the reference; the others behave like it.
"""

from __future__ import annotations

import pytest
from ways import Flaky

from retrying_elegant import retry, retrying


class Lost(Exception):
    """What goes wrong on the wire."""


def misspelt():
    return undefined_name  # noqa: F821 - risky code may well raise NameError


def written_by_hand(risky):
    for _ in range(5):
        try:
            risky()
        except Exception:
            continue
        return "succeeded"
    return "failed"


SCRIPTS = {
    "at once": ["value"],
    "at the third": [Lost, Lost, "value"],
    "at the last": [Lost, Lost, Lost, Lost, "value"],
    "never": [Lost],
    "after a NameError": [NameError, "value"],
}


@pytest.fixture(params=[*SCRIPTS, "a real NameError"])
def scene(request):
    """An attempt to make, as often as one likes: each with its calls counted from zero."""

    def make():
        play = Flaky(SCRIPTS.get(request.param, [None]))

        def risky():
            risky.calls += 1
            return misspelt() if request.param == "a real NameError" else play()

        risky.calls = 0
        return risky

    return make


def same_as_by_hand(stage, scene):
    """Whether *stage* ends as the reference does, after as many calls."""
    ours, reference = scene(), scene()
    assert (stage(ours), ours.calls) == (written_by_hand(reference), reference.calls)


def test_stage_1_the_loop_written_by_hand():
    """The reference: its own behaviour, spelt out once."""
    ends = {}
    for name, script in SCRIPTS.items():
        flaky = Flaky(script)
        ends[name] = (written_by_hand(flaky), flaky.calls)
    assert ends == {
        "at once": ("succeeded", 1),
        "at the third": ("succeeded", 3),
        "at the last": ("succeeded", 5),
        "never": ("failed", 5),
        "after a NameError": ("succeeded", 2),
    }


def test_stage_2_the_decorator_and_its_outcome_afterwards(scene):
    """The risky code is a function; how it ended is asked by try/except/else."""

    def stage(risky):
        @retry(5)
        def attempt():
            risky()

        try:
            attempt()
        except Exception:
            return "failed"
        else:
            return "succeeded"

    same_as_by_hand(stage, scene)


def test_stage_3_the_ideal_with(scene):
    """One `with` and nothing else: the block."""

    def stage(risky):
        with retrying(5, raises=False) as call:
            call(risky)
        if call.succeeded:
            return "succeeded"
        return "failed"

    same_as_by_hand(stage, scene)


def test_stage_4_for_and_with(scene):
    """The loop repeats, the `with` catches; the final error leaves."""

    def stage(risky):
        try:
            for attempt in retrying(5):
                with attempt:
                    risky()
        except Exception:
            return "failed"
        return "succeeded"

    same_as_by_hand(stage, scene)


def test_stage_5_one_reusable_object(scene):
    """Made once, used by several loops, each starting afresh."""
    five_times = retrying(5, raises=False)

    def stage(risky):
        for attempt in five_times:
            with attempt:
                risky()
        return "succeeded" if attempt.succeeded else "failed"

    for _ in range(3):
        same_as_by_hand(stage, scene)


def test_stage_6_the_final_form(scene):
    """No exception leaves, the outcome is asked of the last attempt."""

    def stage(risky):
        for attempt in retrying(5, raises=False):
            with attempt:
                risky()
        if attempt.succeeded:
            return "succeeded"
        else:  # noqa: RET505 - as the article has it
            return "failed"

    same_as_by_hand(stage, scene)
