"""Section 2 of the contract: a policy is a frozen value, compared and shown by what it holds."""

import re
from datetime import timedelta

import pytest
from policy_parts import CHANGED, count, every_field, fail, log

from retrying_elegant import Policy, RetryBudget, backoff, retry, retrying


class TestAttributes:
    """Attributes by these names (normalised: durations are floats, hooks are tuples)."""

    def test_the_defaults_are_those_of_the_signature(self):
        """What `Policy()` says about itself is what the contract writes in its signature."""
        policy = Policy()
        assert policy.attempts == 5
        assert policy.on is Exception
        assert policy.wait == backoff.exponential()
        for unset in ("unless", "until", "timeout", "attempt_timeout", "budget", "name"):
            assert getattr(policy, unset) is None, unset

    def test_attempts_may_be_given_by_position_or_by_name(self):
        """`attempts` is the one positional field."""
        assert Policy(3).attempts == Policy(attempts=3).attempts == 3

    def test_everything_else_is_given_by_name(self):
        """A second positional argument is refused."""
        with pytest.raises(TypeError):
            Policy(3, OSError)

    def test_attempts_none_means_no_limit(self):
        """`None` is kept, not turned into a number."""
        assert Policy(None).attempts is None

    @pytest.mark.parametrize("field", ["attempts", "on", "unless", "until", "wait", "name"])
    def test_a_field_that_needs_no_normalising_is_read_as_given(self, field):
        """A class, a predicate, a backoff, a number or a label comes back as it went in."""
        assert getattr(Policy(**{field: CHANGED[field]}), field) == CHANGED[field]

    @pytest.mark.parametrize("field", ["timeout", "attempt_timeout"])
    @pytest.mark.parametrize("given", [3, 3.0, timedelta(seconds=3)], ids=repr)
    def test_durations_are_floats(self, field, given):
        """An int, a float and a timedelta are all read back as float seconds."""
        duration = getattr(Policy(**{field: given}), field)
        assert duration == 3.0
        assert type(duration) is float

    @pytest.mark.parametrize("field", ["before_attempt", "on_retry", "on_success", "on_give_up"])
    @pytest.mark.parametrize(
        ("given", "hooks"),
        [
            (lambda: None, ()),
            (lambda: (), ()),
            (lambda: log, (log,)),
            (lambda: [log, count], (log, count)),
            (lambda: (count, log), (count, log)),
            (lambda: iter([log, count]), (log, count)),
        ],
        ids=["none", "empty", "callable", "list", "tuple", "iterator"],
    )
    def test_hooks_are_tuples_in_the_order_given(self, field, given, hooks):
        """None, one callable, or any iterable of callables: read back as a tuple."""
        assert getattr(Policy(**{field: given()}), field) == hooks

    def test_the_lowest_level(self):
        """That of `logging.NOTSET`, 0, is a level, and not "no log lines"."""
        assert Policy(log_level=0).log_level == 0

    def test_a_budget_is_shared_not_copied(self):
        """The policy holds the very bucket it was given."""
        budget = RetryBudget()
        assert Policy(budget=budget).budget is budget


class TestFrozen:
    """A frozen value ... It holds no state of any call."""

    @pytest.mark.parametrize("field", [*CHANGED, "budget", "misspelt"])
    def test_no_attribute_can_be_set(self, field):
        """Neither a field nor anything new can be set."""
        policy = Policy()
        with pytest.raises(AttributeError):
            setattr(policy, field, None)

    @every_field
    def test_no_attribute_can_be_deleted(self, field, value):
        """Fields stay."""
        policy = Policy(**{field: value})
        with pytest.raises(AttributeError):
            delattr(policy, field)

    def test_a_list_given_is_not_held_by_reference(self):
        """Appending to a list of waits or hooks afterwards changes nothing."""
        waits, hooks = [1, 2], [log]
        policy = Policy(wait=waits, on_retry=hooks)
        waits.append(3)
        hooks.append(count)
        assert policy == Policy(wait=[1, 2], on_retry=[log])

    def test_a_used_policy_is_the_policy_it_was(self):
        """A call that retried and gave up leaves no trace in the policy."""
        policy = Policy(3, on=OSError, wait=0)
        hash_before, text_before = hash(policy), repr(policy)
        with pytest.raises(OSError, match="down"):
            retry(policy)(fail)()
        assert (policy, hash(policy), repr(policy)) == (
            Policy(3, on=OSError, wait=0),
            hash_before,
            text_before,
        )


class TestEquality:
    """`==` and `hash` by value."""

    @every_field
    def test_the_same_settings_are_one_value(self, field, value):
        """Two policies with the same settings are equal, hash alike, and are one key."""
        one, other = Policy(**{field: value}), Policy(**{field: value})
        assert one == other
        assert hash(one) == hash(other)
        assert {one: "found"}[other] == "found"

    @every_field
    def test_one_field_that_differs_makes_another_value(self, field, value):
        """Each field counts."""
        assert Policy(**{field: value}) != Policy()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"timeout": 3}, {"timeout": timedelta(seconds=3)}),
            ({"attempt_timeout": 3}, {"attempt_timeout": 3.0}),
            ({"wait": 3}, {"wait": timedelta(seconds=3)}),
            ({"wait": [1, 2]}, {"wait": (1.0, timedelta(seconds=2))}),
            ({"on_retry": log}, {"on_retry": [log]}),
            ({"attempts": 5}, {}),
        ],
        ids=["timeout", "attempt_timeout", "wait", "waits", "hooks", "default"],
    )
    def test_two_spellings_of_one_setting_are_one_value(self, one, other):
        """Values are compared after they were normalised."""
        assert Policy(**one) == Policy(**other)
        assert hash(Policy(**one)) == hash(Policy(**other))

    def test_budgets_are_compared_by_identity(self):
        """Two buckets of one size are two budgets, so two policies."""
        budget = RetryBudget()
        assert Policy(budget=budget) == Policy(budget=budget)
        assert Policy(budget=budget) != Policy(budget=RetryBudget())

    @pytest.mark.parametrize("other", [5, None, "Policy()", []], ids=repr)
    def test_a_policy_equals_nothing_but_a_policy(self, other):
        """Comparison with anything else is False and raises nothing."""
        assert (Policy() == other) is False


class TestRepr:
    """A short `repr` that shows what differs from the defaults."""

    def test_the_default_policy_shows_nothing(self):
        """No field differs, none is shown."""
        assert repr(Policy()) == "Policy()"

    @every_field
    def test_a_field_that_differs_is_shown_and_no_other(self, field, value):
        """By name; `attempts`, the positional one, at least by its value."""
        text = repr(Policy(**{field: value}))
        shown = CHANGED.keys() & re.findall(r"\b(\w+)=", text)
        assert text.startswith("Policy(")
        if field == "attempts":
            # reading: the positional field may be shown without its name.
            assert "7" in text
            assert shown <= {"attempts"}
        else:
            assert shown == {field}

    @pytest.mark.parametrize(
        "given",
        [
            {"attempts": 5},
            {"on": Exception},
            {"timeout": None},
            {"on_retry": ()},
            {"wait": backoff.exponential()},
        ],
        ids=lambda given: next(iter(given)),
    )
    def test_a_default_written_out_is_not_shown(self, given):
        """What was typed does not matter, what differs does."""
        assert repr(Policy(**given)) == "Policy()"

    def test_it_is_one_short_line(self):
        """Even with every field but the budget changed, it is one line."""
        assert "\n" not in repr(Policy(**CHANGED))


class TestTheWholeRepr:
    """What differs from the defaults, each by its name, and nothing else."""

    def test_every_field(self):
        """In the order of the signature."""
        budget = RetryBudget()
        policy = Policy(
            3,
            on=OSError,
            unless=(KeyError,),
            until=bool,
            wait=[1, 2],
            timeout=9,
            attempt_timeout=2,
            budget=budget,
            before_attempt=len,
            on_retry=[len, print],
            on_success=len,
            on_give_up=len,
            name="fetch",
        )
        assert repr(policy) == (
            "Policy(3, on=OSError, unless=(KeyError,), until=bool, wait=(1.0, 2.0), timeout=9.0, "
            "attempt_timeout=2.0, budget=RetryBudget(capacity=100, refill=0.1), "
            "before_attempt=(len,), on_retry=(len, print), on_success=(len,), on_give_up=(len,), "
            "name='fetch')"
        )
        assert eval(repr(policy.replace(budget=None))) == policy.replace(budget=None)


class TestFieldsBesideAPolicy:
    """`attempts` or a `Policy`, then any field as a keyword (which replaces that field)."""

    @every_field
    def test_the_decorator_replaces_a_field(self, field, value):
        """`@retry(policy, field=value)` runs under `policy.replace(field=value)`."""
        policy = Policy(3, on=ValueError, name="the policy's name")

        # A coroutine function, because it alone may have an attempt_timeout.
        @retry(policy, **{field: value})
        async def fetch():
            """Never run."""

        assert fetch.policy == policy.replace(**{field: value})

    def test_the_decorator_takes_a_policy_alone(self):
        """`@retry(policy)` runs under that policy."""
        policy = Policy(3, on=OSError, name="shared")
        assert retry(policy)(fail).policy == policy

    def test_a_loop_replaces_a_field(self):
        """`retrying(policy, attempts=2)`: the same policy with one thing changed."""
        passes = []

        def loop():
            for attempt in retrying(Policy(4, on=OSError, wait=0), attempts=2):
                with attempt:
                    passes.append(attempt.number)
                    fail()

        with pytest.raises(OSError, match="down"):
            loop()
        assert passes == [1, 2]

    def test_a_block_replaces_a_field(self):
        """`on` of the policy is replaced: what it retried is not retried here."""
        calls = []

        def block():
            with retrying(Policy(4, on=OSError, wait=0), on=ValueError) as call:
                call(lambda: fail(calls.append("called")))

        with pytest.raises(OSError, match="down"):
            block()
        assert calls == ["called"]

    def test_all_fields_at_once(self):
        """As many as there are."""
        fields = {**CHANGED, "stop": None, "budget": RetryBudget()}
        assert Policy().replace(**fields) == Policy(**fields)

        # A coroutine function, because it alone may have an attempt_timeout.
        @retry(Policy(3), **fields)
        async def fetch():
            """Never run."""

        assert fetch.policy == Policy(**fields)

    def test_the_shared_policy_is_not_changed_by_it(self):
        """Two users of one policy do not see each other's changes."""
        policy = Policy(4, name="shared")
        changed, plain = retry(policy, attempts=2)(fail), retry(policy)(fail)
        assert (changed.policy.attempts, plain.policy.attempts, policy.attempts) == (2, 4, 4)

    @every_field
    def test_every_keyword_may_take_a_setting_back(self, field, value):
        """Its default is as good a value as any."""
        default = getattr(Policy(), field)
        assert Policy(**{field: value}).replace(**{field: default}) == Policy()

    @pytest.mark.parametrize("field", Policy.__init__.__kwdefaults__)
    def test_a_default_may_be_written_out(self, field):
        """The decorator checks it as any other value, and it passes."""
        default = Policy.__init__.__kwdefaults__[field]
        assert retry(**{field: default})(fail).policy == Policy()

    def test_a_keyword_may_take_a_setting_back(self):
        """A field is replaced also by None."""
        policy = Policy(4, timeout=20, name="shared")
        assert retry(policy, timeout=None)(fail).policy == Policy(4, name="shared")

    @pytest.mark.parametrize(
        "fields",
        [{"until": count}, {"on_retry": log}, {"name": "shared"}, {"log_level": 10}],
        ids=lambda fields: next(iter(fields)),
    )
    def test_each_kind_of_setting(self, fields):
        """None says "no limit", "no hook", "no name" or "no log"."""
        none = dict.fromkeys(fields)
        assert Policy(**fields).replace(**none) == Policy(**none) == retry(**none)(fail).policy

    @pytest.mark.parametrize("form", [retry, retrying])
    def test_attempts_beside_attempts_are_refused(self, form):
        """One thing said twice is an error, as with any Python function."""
        with pytest.raises(TypeError):
            form(3, attempts=2)


class TestNames:
    """A name is a line."""

    @pytest.mark.parametrize(
        ("given", "name"), [("fetch", "fetch"), ("a\nb", "a b"), ("a\r\nb\nc\n", "a b c")]
    )
    def test_several_lines(self, given, name):
        """They are put one after the other."""
        assert Policy(name=given).name == name


class TestWhatFollowsFromFields:
    """An unknown keyword is a TypeError: no name that is not a field is let through."""

    def test_what_follows_from_fields(self):
        """It is none."""
        for name in set(vars(Policy())) - set(Policy.__init__.__kwdefaults__) - {"attempts"}:
            with pytest.raises(TypeError):
                Policy().replace(**{name: False})
            with pytest.raises(TypeError):
                retry(Policy(), **{name: False})
