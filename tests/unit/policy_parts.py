"""A value for every field of a policy, for the tests of policies as values."""

import pytest

from retrying_elegant import backoff


def is_transient(error):
    return isinstance(error, ConnectionError)


def is_ready(result):
    return result is not None


def log(attempt):
    """A hook."""


def count(attempt):
    """Another hook."""


def fail(*args):
    raise OSError("down")


# One value for every field, each other than the default.
CHANGED = {
    "attempts": 7,
    "on": OSError,
    "unless": is_transient,
    "until": is_ready,
    "wait": backoff.exponential(0.1, cap=5),
    "timeout": 20,
    "attempt_timeout": 2.5,
    "reset_after": 3600,
    "before_attempt": log,
    "on_retry": (log, count),
    "on_success": log,
    "on_give_up": count,
    "name": "the-name",
    "log_level": 10,
}
every_field = pytest.mark.parametrize(("field", "value"), CHANGED.items(), ids=CHANGED)

# For every field, one value that it cannot take, and the error.
BAD = {
    "attempts": (0, ValueError),
    "on": (3, TypeError),
    "unless": (int, TypeError),
    "until": ("ready", TypeError),
    "wait": (-1, ValueError),
    "timeout": (0, ValueError),
    "attempt_timeout": (-3, ValueError),
    "reset_after": (0, ValueError),
    "stop": (3, TypeError),
    "budget": (100, TypeError),
    "before_attempt": (3, TypeError),
    "on_retry": (3, TypeError),
    "on_success": (3, TypeError),
    "on_give_up": (3, TypeError),
    "name": (3, TypeError),
    "log_level": ("DEBUG", TypeError),
}
