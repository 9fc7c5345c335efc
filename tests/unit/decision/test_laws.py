"""Contract 2, 5, 6 and 7 as laws: any script of outcomes, through every way in.

The model is in ``laws_parts``: the contract once more, in few lines, and none of the code.
"""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws_parts import World, calls, model, observed, rules, scripts
from ways import WAYS

from retrying_elegant import backoff


class TestDecision:
    """Filters → attempts → timeout passed? → wait → would it end past the timeout? → budget."""

    @given(rules, calls)
    def test_it_is_that_of_the_model(self, way, rules, calls):
        """Call after call: the events, the outcome, the record, and the tokens of the budget."""
        policy, world = rules.policy(), World()
        tokens = rules.full
        for script in calls:
            expected, tokens = model(rules, script, tokens)
            with world.clock():
                assert observed(way, policy, script, world) == expected
            assert policy.budget is None or policy.budget.tokens == tokens / 1000

    @pytest.mark.parametrize("way", [way for way in WAYS if way.form != "decorator"], ids=repr)
    @given(rules, scripts)
    def test_without_raising(self, way, rules, script):
        """`raises=False`: all is the same, but that the final retryable failure does not leave."""
        expected, _ = model(rules, script, rules.full)
        match expected[-1]:
            case (_, ("attempts" | "timeout" | "budget", _)):
                expected[-1] = "swallowed"
        world = World()
        with world.clock():
            assert observed(way, rules.policy(), script, world, raises=False) == expected


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

    @given(rules, scripts, backoffs, st.randoms(use_true_random=True))
    def test_the_same_seed_gives_the_same_story(self, rules, script, wait, chance):
        """Events, random waits, outcome, record and every line of the log."""
        seed = chance.random()
        listener = Listener()
        logger = logging.getLogger("retrying_elegant")

        def story(way: Any) -> Any:
            listener.lines.clear()
            random.seed(seed)
            world = World()
            with world.clock():
                told = observed(way, rules.policy().replace(wait=wait), script, world)
            return told, list(listener.lines)

        logger.addHandler(listener)
        try:
            first, *others = map(story, WAYS)
        finally:
            logger.removeHandler(listener)
        assert others == [first] * 5
