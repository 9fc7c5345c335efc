"""Section 2 of the contract: a policy is pickled, copied and replaced, and stays a valid policy."""

import copy
import functools
import pickle
import sys

import pytest
from policy_parts import CHANGED, every_field, fail
from ways import PROTOCOLS

from retrying_elegant import Policy, RetryBudget, retry


@retry(Policy(2, on=OSError, name="decorated"))
def decorated(x):
    return x


@retry(2)
async def decorated_async(x):
    return x


@retry(2)
def decorated_generator(x):
    yield x


class TestPickle:
    """Pickles whenever its parts do."""

    @every_field
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_a_policy_comes_back_equal(self, field, value, protocol):
        """Under every protocol, with every field."""
        policy = Policy(**{field: value})
        back = pickle.loads(pickle.dumps(policy, protocol))
        assert back == policy
        assert hash(back) == hash(policy)
        assert repr(back) == repr(policy)

    def test_a_policy_comes_back_frozen(self):
        """The way through pickle opens no door."""
        back = pickle.loads(pickle.dumps(Policy()))
        with pytest.raises(AttributeError):
            back.attempts = 1

    def test_a_policy_that_was_used_still_pickles(self):
        """Use leaves nothing in it that could not be pickled."""
        policy = Policy(2, on=OSError, wait=0)
        with pytest.raises(OSError, match="down"):
            retry(policy)(fail)()
        assert pickle.loads(pickle.dumps(policy)) == policy

    def test_a_budget_comes_back_new_and_full(self):
        """The one part that does not come back equal is the bucket."""
        back = pickle.loads(pickle.dumps(Policy(2, budget=RetryBudget(7))))
        assert back.attempts == 2
        assert back.budget.tokens == 7

    def test_a_part_that_does_not_pickle_says_so(self):
        """A lambda cannot be pickled, alone or inside a policy."""
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickle.dumps(Policy(on=lambda error: True))

    @pytest.mark.parametrize(
        "function",
        [decorated, decorated_async, decorated_generator],
        ids=["sync", "async", "generator"],
    )
    def test_decorated_module_level_functions_pickle(self, function):
        """By reference, as functions do: what comes back is the decorated function itself."""
        assert pickle.loads(pickle.dumps(function)) is function

    def test_a_decorated_function_pickles_inside_other_things(self):
        """A `partial`, what one hands to a pool, carries it along."""
        back = pickle.loads(pickle.dumps(functools.partial(decorated, 42)))
        assert back() == 42


class TestCopy:
    """A value: a copy is equal to the original."""

    @every_field
    @pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
    def test_a_copy_is_equal(self, field, value, copier):
        """By `copy.copy` as by `copy.deepcopy`."""
        policy = Policy(**{field: value})
        assert copier(policy) == policy

    def test_a_shallow_copy_shares_the_budget(self):
        """`copy.copy` copies no parts, so both count on one bucket."""
        policy = Policy(budget=RetryBudget())
        assert copy.copy(policy).budget is policy.budget


def replace_by_method(policy, **changes):
    return policy.replace(**changes)


def replace_by_copy(policy, **changes):
    return copy.replace(policy, **changes)


@pytest.mark.parametrize(
    "replace",
    [
        replace_by_method,
        pytest.param(
            replace_by_copy,
            marks=pytest.mark.skipif(
                sys.version_info < (3, 13), reason="copy.replace is new in Python 3.13"
            ),
        ),
    ],
    ids=["method", "copy.replace"],
)
class TestReplace:
    """`.replace(**changes)` (and `copy.replace` on 3.13+) gives a new validated policy."""

    @every_field
    def test_one_field_changes_and_the_others_stay(self, replace, field, value):
        """The result is the policy one would have written by hand."""
        others = {name: other for name, other in CHANGED.items() if name != field}
        assert replace(Policy(**others), **{field: value}) == Policy(**CHANGED)

    def test_the_original_stays_as_it_was(self, replace):
        """A new policy is given, the old one is untouched."""
        policy = Policy(3)
        assert replace(policy, attempts=4).attempts == 4
        assert policy == Policy(3)

    def test_no_change_gives_an_equal_policy(self, replace):
        """The empty replacement is the identity."""
        assert replace(Policy(**CHANGED)) == Policy(**CHANGED)

    def test_the_budget_stays_the_same_bucket(self, replace):
        """Replacing another field does not copy the budget."""
        policy = Policy(budget=RetryBudget())
        assert replace(policy, attempts=2).budget is policy.budget

    def test_the_new_policy_is_validated(self, replace):
        """A bad value is refused as it is by the constructor."""
        with pytest.raises(ValueError, match="timeout=-3"):
            replace(Policy(), timeout=-3)

    def test_an_unknown_field_is_refused(self, replace):
        """By its name."""
        with pytest.raises(TypeError, match="atempts"):
            replace(Policy(), atempts=3)
