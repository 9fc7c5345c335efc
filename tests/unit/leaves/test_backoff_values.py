"""Section 8 of the contract: backoffs are frozen values that say what they will give."""

import copy
import pickle
import random
from datetime import timedelta
from fractions import Fraction
from itertools import combinations

import pytest
from backoff_parts import FAMILY, wait
from hypothesis import example, given
from hypothesis import strategies as st
from ways import PROTOCOLS

from retrying_elegant import backoff

seconds = st.floats(0.001, 100_000)
shares = st.floats(0, 1)
retries = st.integers(1, 200)

# Each rule once more, with every setting other than in FAMILY.
OTHERS = {
    "constant": backoff.constant(3, jitter=0.5),
    "linear": backoff.linear(0.25, 0.75, cap=10, jitter=0.125),
    "exponential": backoff.exponential(0.25, 3, cap=10, jitter=0.125),
    "fibonacci": backoff.fibonacci(0.25, cap=10, jitter=0.125),
    "sequence": backoff.sequence(7, 9, jitter=0.125),
    "decorrelated": backoff.decorrelated(0.25, cap=10),
}
every_value = pytest.mark.parametrize(
    "rule",
    [*FAMILY.values(), *OTHERS.values()],
    ids=[*FAMILY, *(f"other {name}" for name in OTHERS)],
)


class TestBounds:
    """`.bounds(n) -> (low, high)` gives the least and greatest wait before retry n."""

    @given(seconds, st.floats(1, 10), seconds, shares, retries)
    @example(0.1, 2, 5, 0, 3)
    def test_of_a_rule_with_jitter(self, initial, factor, cap, jitter, n):
        """From the share that jitter leaves to the whole of the capped rule."""
        low, high = backoff.exponential(initial, factor, cap=cap, jitter=jitter).bounds(n)
        whole = float(min(Fraction(cap), Fraction(initial) * Fraction(factor) ** (n - 1)))
        assert (low, high) == (pytest.approx(whole * (1 - jitter)), pytest.approx(whole))

    @given(seconds, seconds, shares, retries)
    def test_of_every_other_rule_with_jitter(self, initial, cap, jitter, n):
        """The same law: the whole is what the rule gives without jitter."""
        for make in (backoff.linear, backoff.fibonacci):
            whole = wait(make(initial, cap=cap, jitter=0), n)
            low, high = make(initial, cap=cap, jitter=jitter).bounds(n)
            assert (low, high) == (pytest.approx(whole * (1 - jitter)), pytest.approx(whole))

    @given(seconds, shares, retries)
    def test_of_plain_rules(self, duration, jitter, n):
        """Constant and sequence have no cap, and a share when asked for."""
        for make in (backoff.constant, backoff.sequence):
            low, high = make(duration, jitter=jitter).bounds(n)
            assert (low, high) == (pytest.approx(duration * (1 - jitter)), duration)

    @pytest.mark.parametrize(
        ("n", "bounds"), [(1, (1, 1)), (2, (5, 5)), (3, (2, 2)), (4, (2, 2)), (10**9, (2, 2))]
    )
    def test_of_a_sequence(self, n, bounds):
        """The value of that retry; the last repeats."""
        assert backoff.sequence(1, 5, 2).bounds(n) == bounds

    @pytest.mark.parametrize(
        ("n", "bounds"), [(1, (0.5, 1.5)), (2, (0.5, 4.5)), (3, (0.5, 10)), (10**9, (0.5, 10))]
    )
    def test_of_the_decorrelated_rule(self, n, bounds):
        """Least is `initial`; greatest is three times the greatest before, up to the cap."""
        assert backoff.decorrelated(0.5, cap=10).bounds(n) == pytest.approx(bounds)

    @every_value
    @given(n=retries)
    def test_hold_for_every_wait(self, rule, n):
        """No wait is outside them, whatever was waited before."""
        before = rule.bounds(n - 1) if n > 1 else (0, 0)
        for waited in before:
            low, high = rule.bounds(n)
            assert low <= wait(rule, n, waited) <= high


class TestReplay:
    """Randomness is the `random` module's, so `random.seed` replays them."""

    @staticmethod
    def run(rule):
        """Twenty waits, each told the one before."""
        waits = [0.0]
        for n in range(1, 21):
            waits.append(wait(rule, n, waits[-1]))
        return waits

    @every_value
    @given(seed=st.integers())
    def test_the_same_seed_gives_the_same_waits(self, rule, seed):
        """Seeded twice, they come twice."""
        random.seed(seed)
        first = self.run(rule)
        random.seed(seed)
        assert self.run(rule) == first

    @every_value
    def test_no_rule_remembers_its_calls(self, rule):
        """No state: what was asked before does not change the next answer."""
        random.seed(20)
        fresh = wait(rule, 2, waited=1.0)
        self.run(rule)
        random.seed(20)
        assert wait(rule, 2, waited=1.0) == fresh

    def test_without_a_seed_two_clients_differ(self):
        """Two runs of one rule are two runs."""
        rule = backoff.exponential()
        random.seed(20)
        assert self.run(rule) != self.run(rule)


class TestValues:
    """They are frozen values: equal by value, readable `repr`, picklable, no state."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (backoff.exponential(), backoff.exponential(0.5, 2, cap=30.0, jitter=1)),
            (backoff.linear(), backoff.linear(0.5, 0.5, cap=30.0, jitter=1)),
            (backoff.fibonacci(), backoff.fibonacci(0.5, cap=30.0, jitter=1)),
            (backoff.decorrelated(), backoff.decorrelated(0.5, cap=30.0)),
            (backoff.constant(2), backoff.constant(2.0, jitter=0)),
            (backoff.sequence(1, 2), backoff.sequence(1.0, 2.0, jitter=0)),
            (backoff.exponential(initial=1, factor=3), backoff.exponential(1, 3)),
            (backoff.linear(initial=1, step=3), backoff.linear(1, 3)),
        ],
        ids=repr,
    )
    def test_the_same_settings_are_one_value(self, one, other):
        """Written out or left at the default, by name or by position."""
        assert one == other
        assert hash(one) == hash(other)

    def test_different_rules_and_settings_are_different_values(self):
        """Every rule and every setting counts."""
        values = [
            *FAMILY.values(),
            *OTHERS.values(),
            *(backoff.exponential(**{name: 1}) for name in ("initial", "factor", "cap")),
            backoff.exponential(jitter=0),
            *(backoff.linear(**{name: 1}) for name in ("initial", "step", "cap")),
            backoff.linear(jitter=0),
        ]
        assert [pair for pair in combinations(values, 2) if pair[0] == pair[1]] == []
        assert len(set(values)) == len(values)

    @every_value
    def test_a_rule_equals_nothing_but_a_rule(self, rule):
        """Comparison with anything else is False and raises nothing."""
        assert (rule == 2) is False
        assert (rule == (1, 2, 5)) is False

    @every_value
    @pytest.mark.parametrize("name", ["cap", "jitter", "initial", "misspelt"])
    def test_nothing_can_be_set(self, rule, name):
        """Frozen."""
        with pytest.raises(AttributeError):
            setattr(rule, name, 1)

    @pytest.mark.parametrize(("name", "rule"), OTHERS.items(), ids=OTHERS)
    def test_repr_names_the_rule_and_its_settings(self, name, rule):
        """What one would have typed, on one line."""
        text = repr(rule)
        assert name in text
        for setting in {"constant": "3", "sequence": "7 9"}.get(name, "0.25 10").split():
            assert setting in text
        assert " at 0x" not in text
        assert "\n" not in text

    @every_value
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_pickle_gives_an_equal_value(self, rule, protocol):
        """Under every protocol."""
        assert pickle.loads(pickle.dumps(rule, protocol)) == rule

    @every_value
    @pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
    def test_a_copy_is_an_equal_value(self, rule, copier):
        """Shallow or deep."""
        assert copier(rule) == rule


class TestTimedeltas:
    """All durations are seconds as `int`/`float`, or `datetime.timedelta`."""

    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            (backoff.constant(timedelta(minutes=1)), backoff.constant(60)),
            (backoff.sequence(timedelta(seconds=1), 2), backoff.sequence(1, 2)),
            (
                backoff.linear(
                    timedelta(seconds=1), timedelta(seconds=2), cap=timedelta(minutes=1)
                ),
                backoff.linear(1, 2, cap=60),
            ),
            (
                backoff.exponential(timedelta(milliseconds=100), cap=timedelta(seconds=5)),
                backoff.exponential(0.1, cap=5),
            ),
            (
                backoff.fibonacci(timedelta(seconds=1), cap=timedelta(seconds=5)),
                backoff.fibonacci(1, cap=5),
            ),
            (
                backoff.decorrelated(timedelta(seconds=1), cap=timedelta(seconds=5)),
                backoff.decorrelated(1, cap=5),
            ),
        ],
        ids=repr,
    )
    def test_a_timedelta_is_its_seconds(self, given, meant):
        """Either spelling makes the same value."""
        assert given == meant


class TestRepr:
    """A rule reads as one would write it."""

    @pytest.mark.parametrize(
        ("rule", "text"),
        [
            (backoff.constant(2), "constant(seconds=2.0, jitter=0.0)"),
            (backoff.sequence(1, 5, 30), "sequence(1.0, 5.0, 30.0, jitter=0.0)"),
            (backoff.sequence(1), "sequence(1.0, jitter=0.0)"),
            (backoff.decorrelated(), "decorrelated(initial=0.5, cap=30.0)"),
            (backoff.fibonacci(1), "fibonacci(initial=1.0, cap=30.0, jitter=1.0)"),
        ],
    )
    def test_it_gives_the_same_value_back(self, rule, text):
        """Every setting by its name, but for the waits of a sequence."""
        assert repr(rule) == text
        assert eval(text, vars(backoff).copy()) == rule
