"""Contract 2, 6 and 8 as laws: policies, backoffs, records and errors survive pickle and copy."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_parts import CHANGED
from ways import NEWEST, Flaky

from retrying_elegant import GiveUp, Policy, RetryError, TryAgain, backoff, given_up, retry


def pickled(protocol):
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


every_copy = pytest.mark.parametrize(
    "copied",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(pickled(0), id="pickle 0"),
        *(
            pytest.param(pickled(number), id=f"pickle {number}", marks=pytest.mark.crossed)
            for number in range(1, NEWEST)
        ),
        pytest.param(pickled(NEWEST), id=f"pickle {NEWEST}"),
    ],
)

shares = st.floats(0, 1)
seconds = st.floats(0, 1e6) | st.integers(0, 9)
backoffs = st.one_of(
    st.builds(backoff.constant, seconds, jitter=shares),
    st.builds(backoff.linear, seconds, seconds, cap=seconds, jitter=shares),
    st.builds(backoff.exponential, seconds, st.floats(0.1, 9), cap=seconds, jitter=shares),
    st.builds(backoff.fibonacci, seconds, cap=seconds, jitter=shares),
    st.lists(seconds, min_size=1).map(lambda waits: backoff.sequence(*waits)),
    st.builds(backoff.decorrelated, seconds, seconds),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.just(value) for name, value in CHANGED.items()},
        "attempts": st.none() | st.integers(1, 99),
        "wait": backoffs | seconds | st.lists(seconds, min_size=1),
        "timeout": st.none() | st.floats(0.001, 1e6),
        "name": st.none() | st.text(),
    },
)
plain = st.none() | st.integers() | st.text() | st.lists(st.integers())
records = st.builds(
    GiveUp,
    st.text(),
    st.integers(0),
    seconds,
    st.sampled_from(["attempts", "timeout", "budget", "not retryable"]),
    st.lists(st.text()).map(tuple),
)


class OwnInit(Exception):
    """An error of a user that pickles by a way of its own."""

    def __init__(self, code, *, url):
        super().__init__(code, url)
        self.code, self.url = code, url

    def __reduce__(self):
        return _again, (self.code, self.url), self.__dict__


def _again(code, url):
    return OwnInit(code, url=url)


errors = st.one_of(
    st.builds(RetryError, plain, result=plain),
    st.builds(TryAgain, plain, after=st.none() | seconds, result=plain),
    st.builds(OwnInit, st.integers(), url=st.text()),
    st.builds(OSError, st.integers(1, 99), st.text()),
    st.builds(lambda text: ExceptionGroup("several", [ValueError(text)]), st.text()),
)


@every_copy
class TestValues:
    """Frozen values: equal by value, readable `repr`, picklable, no state."""

    @given(st.one_of(backoffs, fields.map(lambda fields: Policy(**fields)), records))
    def test_a_copy_is_the_same_value(self, copied, value):
        """Equal, of equal hash and repr, and as frozen."""
        back = copied(value)
        assert type(back) is type(value)
        assert back == value
        assert hash(back) == hash(value)
        assert (repr(back), str(back)) == (repr(value), str(value))
        for name in vars(value):
            with pytest.raises(AttributeError, match=name):
                setattr(back, name, None)

    @given(fields)
    def test_a_copied_policy_can_be_built_on(self, copied, fields):
        """As the original."""
        assert copied(Policy(**fields)).replace(attempts=3) == Policy(**{**fields, "attempts": 3})


@every_copy
class TestErrors:
    """`RetryError` and `TryAgain` pickle whenever their result does; both carry note and record."""

    @given(errors, st.integers(1, 3), st.text(min_size=1))
    def test_an_error_that_was_given_up_on(self, copied, error, attempts, name):
        """Type, text, attributes, notes and record arrive."""
        try:
            retry(attempts, wait=0, name=name)(Flaky([error]))()
        except type(error):
            pass
        back = copied(error)
        assert type(back) is type(error)
        assert str(back) == str(error)
        assert vars(back).keys() == vars(error).keys()
        assert [vars(back).get(word) for word in ("result", "after", "code", "url")] == [
            vars(error).get(word) for word in ("result", "after", "code", "url")
        ]
        assert back.__notes__ == error.__notes__
        assert given_up(back) == given_up(error)
        assert given_up(back).attempts == attempts

    @given(plain)
    def test_an_error_for_want_of_an_accepted_result(self, copied, result):
        """With the result."""
        with pytest.raises(RetryError) as caught:
            retry(2, until=lambda value: False)(Flaky([result]))()
        back = copied(caught.value)
        assert type(back) is RetryError
        assert back.result == result
        assert given_up(back) == given_up(caught.value)
        assert back.__notes__ == caught.value.__notes__
