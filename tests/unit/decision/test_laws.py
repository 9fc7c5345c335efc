"""Contract 2, 3, 5, 6, 7, 10 and 18 as laws: any script of outcomes, through every form.

The model is in ``laws_parts``: the contract once more, in few lines, and none of the code.
"""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws_parts import (
    Model,
    State,
    World,
    bounds,
    calls,
    long_case,
    rules,
    simple_case,
    unwatched,
    without_raising,
)
from ways import GENERATORS, WAYS

from retrying_elegant import backoff

chances = st.randoms(use_true_random=True)
simple_cases = chances.map(simple_case)
KINDS = ["any rules", "simple rules"]


def laws_hold(
    way: Any, rules: Any, calls: Any, bounds: Any, *, watched: bool = True, raises: bool = True
) -> None:
    """Assert that *calls* under *rules* go as in the model, and take the same tokens."""
    world, state = World(rules.policy(way), rules.most), State(rules)
    budget = world.policy.budget
    for script in calls:
        model = Model(rules, state, bounds, block=way.form == "block", watched=watched)
        expected = model.told(script)
        if not raises:
            expected = without_raising(expected)
        if not watched:
            expected = unwatched(expected)
        assert world.observed(way, script, bounds, watched=watched, raises=raises) == expected
        assert budget is None or budget.tokens == state.tokens / 1000


class TestDecision:
    """Healthy? → filters → stop → attempts → timeout passed? → wait → past it? → budget."""

    @given(rules, calls, st.just([]) | bounds, chances)
    def test_it_is_that_of_the_model(self, some_way, rules, calls, bounds, chance):
        """Call after call: the events, the outcome, the record, and the tokens of the budget."""
        laws_hold(some_way, rules, calls, bounds)
        laws_hold(some_way, *long_case(chance))

    @given(chances)
    def test_where_nothing_observes_it(self, some_way, chance):
        """Without hooks a call takes short cuts: the same attempts at the same moments."""
        for watched in [False] * 5 + [True]:
            rules, calls, bounds = simple_case(chance)
            laws_hold(some_way, rules, calls, bounds, watched=watched)

    @given(rules, calls, st.just([]) | bounds)
    def test_where_only_callables_observe_it(self, some_way, rules, calls, bounds):
        """Filters, `until` and wait callables, without hooks."""
        laws_hold(some_way, rules, calls, bounds, watched=False)

    @pytest.mark.parametrize("way", GENERATORS, ids=repr)
    @given(rules, calls, st.just([]) | bounds, chances)
    def test_of_generator_functions(self, way, rules, calls, bounds, chance):
        """Until their first item; they take neither `until` nor `reset_after`."""
        for rule, *rest in [(rules, calls, bounds), simple_case(chance), long_case(chance)]:
            fitting = rule._replace(polls=False, reset_after=None)
            laws_hold(way, fitting, *rest, watched=chance.random() < 0.7)

    @given(rules, calls, st.just([]) | bounds)
    def test_without_raising(self, some_way, rules, calls, bounds):
        """`raises=False`, or a fallback: all is the same, but some final errors are not raised."""
        laws_hold(some_way, rules, calls, bounds, raises=False)


class Listener(logging.Handler):
    """Keeps what the library logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


rates = st.sampled_from([0.0, 0.25, 1.0])
backoffs = st.one_of(
    st.builds(backoff.constant, st.integers(0, 9), jitter=rates),
    st.builds(backoff.linear, st.integers(0, 9), st.integers(0, 9), jitter=rates),
    st.builds(backoff.exponential, st.integers(0, 9), st.sampled_from([0.5, 1, 3]), jitter=rates),
    st.builds(backoff.fibonacci, st.integers(0, 9), jitter=rates),
    st.builds(backoff.decorrelated, st.integers(0, 9)),
)


class TestWaysAreOne:
    """The same words, the same rules: decorator, loop and block, sync and async."""

    @pytest.mark.parametrize("cases", [st.tuples(rules, calls, bounds), simple_cases], ids=KINDS)
    @given(st.data(), backoffs, chances)
    def test_the_same_seed_gives_the_same_story(self, cases, data, wait, chance):
        """Events, random waits, outcome, record and every line of the log, hooks or none."""
        seed = chance.random()
        rules, (script, *_), bounds = data.draw(cases)
        rules = rules._replace(reset_after=None)  # after which a block keeps its timeout
        script = [step._replace(held=0) for step in script if step.at != "stop in hook"]
        listener = Listener()
        logger = logging.getLogger("retrying_elegant")

        def story(way: Any, *, watched: bool = True) -> Any:
            listener.lines.clear()
            random.seed(seed)
            world = World(rules.policy(way).replace(wait=wait), rules.most)
            told = world.observed(way, script, bounds, watched=watched)
            return told, list(listener.lines)

        logger.addHandler(listener)
        try:
            first, *others = map(story, WAYS)
            unseen = [story(way, watched=False) for way in WAYS]
        finally:
            logger.removeHandler(listener)
        assert others == [first] * 5
        assert unseen == [(unwatched(first[0]), first[1])] * 6
