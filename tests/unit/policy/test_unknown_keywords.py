"""Contract 14: an unknown keyword raises TypeError with the function, the word, and a field."""

from __future__ import annotations

import pytest

from retrying_elegant import Policy, retry, retrying

CALLS = {
    "retry": retry,
    "retrying": retrying,
    "Policy": Policy,
    "replace": Policy().replace,
}
call = pytest.mark.parametrize("name", CALLS)

# What other libraries and the standard library call it.
WORDS = {
    "tries": "attempts",
    "retries": "attempts",
    "max_tries": "attempts",
    "max_attempts": "attempts",
    "delay": "wait",
    "backoff": "wait",
    "stop_after_attempt": "attempts",
    "jitter": "wait",
    "exceptions": "on",
    "retry_on": "on",
    "catch": "on",
    "giveup": "unless",
    "ignore": "unless",
    "retry_if_result": "until",
    "max_time": "timeout",
    "wait_max": "timeout",
    "try_timeout": "attempt_timeout",
    "per_attempt_timeout": "attempt_timeout",
    "on_attempt": "before_attempt",
    "before_sleep": "on_retry",
    "on_backoff": "on_retry",
    "on_failure": "on_retry",
    "retry_error_callback": "on_give_up",
    "cancel": "stop",
    "logger": "log_level",
    "level": "log_level",
}
# Typing errors.
MISTYPED = {
    "attempt": "attempts",
    "atempts": "attempts",
    "timeuot": "timeout",
    "time_out": "timeout",
    "attempts_timeout": "attempt_timeout",
    "onretry": "on_retry",
    "on_giveup": "on_give_up",
    "budgets": "budget",
    "untill": "until",
}


class TestUnknownKeywords:
    """Wherever policy fields are accepted."""

    @pytest.mark.parametrize(("word", "field"), (WORDS | MISTYPED).items(), ids=WORDS | MISTYPED)
    def test_one_that_means_a_field(self, word, field):
        """The message names the word, and the field."""
        with pytest.raises(TypeError) as caught:
            Policy(**{word: 3})
        said = f"Policy() got an unexpected keyword argument {word!r}; did you mean {field}=...?"
        assert str(caught.value) == said

    @pytest.mark.parametrize(("word", "field"), WORDS.items(), ids=WORDS)
    def test_in_capitals(self, word, field):
        """It means the same, although no name of a field looks like it."""
        with pytest.raises(TypeError, match=rf"{word.upper()}.*did you mean {field}="):
            Policy(**{word.upper(): 3})

    def test_one_that_means_a_keyword_of_its_own(self):
        """The decorator has one more, and so have blocks."""
        with pytest.raises(TypeError, match=r"recover.*did you mean fallback="):
            retry(recover=None)
        with pytest.raises(TypeError, match=r"raise_error.*did you mean raises="):
            retrying(raise_error=True)

    @pytest.mark.parametrize("name", ["retry", "retrying"])
    @pytest.mark.parametrize("given", [(), (Policy(3),)], ids=["alone", "after another"])
    def test_the_policy(self, name, given):
        """Which has no keyword here, as it has in `clients`."""
        with pytest.raises(TypeError) as caught:
            CALLS[name](*given, policy=Policy(2))
        said = f"{name}() takes the policy first, without a keyword: {name}(policy)"
        assert str(caught.value) == said

    @call
    def test_in_each_function(self, name):
        """The message names the one that was called, too."""
        with pytest.raises(TypeError, match=rf"{name}\(.*tries.*did you mean.*attempts"):
            CALLS[name](tries=3)

    @pytest.mark.parametrize(
        ("name", "word", "meant"),
        [
            ("retry", "tries", "attempts"),
            ("retry", "recover", "fallback"),
            ("retrying", "tries", "attempts"),
            ("retrying", "reraise", "raises"),
        ],
    )
    def test_beside_a_policy(self, name, word, meant):
        """The message names the function that was called, and knows the keyword of its own."""
        with pytest.raises(TypeError, match=rf"^{name}\(\).*'{word}'; did you mean {meant}="):
            CALLS[name](Policy(), **{word: 3})

    @call
    def test_one_that_means_nothing(self, name):
        """No field is suggested."""
        with pytest.raises(TypeError) as caught:
            CALLS[name](xyzzy=3)
        assert str(caught.value) == f"{name}() got an unexpected keyword argument 'xyzzy'"

    @call
    def test_beside_right_ones(self, name):
        """The wrong one is named, whatever else there is."""
        with pytest.raises(TypeError, match="tries"):
            CALLS[name](timeout=5, tries=3, wait=1)

    @pytest.mark.parametrize(("word", "of"), [("raises", "retry"), ("fallback", "retrying")])
    def test_one_of_the_other_form(self, word, of):
        """`raises` belongs to `retrying`, `fallback` to `retry`."""
        with pytest.raises(TypeError, match=word):
            CALLS[of](**{word: False})
