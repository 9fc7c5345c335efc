"""What may be written by position, what by name, and what is meant where nothing is written."""

import importlib
import inspect

import pytest

from retrying_elegant import Policy, RetryBudget, backoff, db, web


def signature(callable_):
    """The signature of *callable_*, without the types."""
    parameters = inspect.signature(callable_).parameters.values()
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare))


class TestSignatures:
    """They are what the documentation writes out, to the last default."""

    @pytest.mark.parametrize(
        ("callable_", "written"),
        [
            (backoff.constant, "(seconds, *, jitter=0.0)"),
            (backoff.linear, "(initial=0.5, step=0.5, *, cap=30.0, jitter=1.0)"),
            (backoff.exponential, "(initial=0.5, factor=2, *, cap=30.0, jitter=1.0)"),
            (backoff.fibonacci, "(initial=0.5, *, cap=30.0, jitter=1.0)"),
            (backoff.sequence, "(*seconds, jitter=0.0)"),
            (backoff.decorrelated, "(initial=0.5, cap=30.0)"),
            (RetryBudget, "(capacity=100, refill=0.1)"),
            (
                web.Transient,
                "(statuses=(408, 425, 429, 500, 502, 503, 504), methods=None, max_retry_after=120)",
            ),
            (web.transient, "(error, /)"),
            (web.retry_after, "(source, /)"),
            (web.unsent, "(error, /)"),
            (db.conflict, "(error, /)"),
            (db.disconnected, "(error, /)"),
            (
                Policy,
                (
                    "(attempts=5, *, on=<class 'Exception'>, unless=None, until=None, "
                    "wait=exponential(initial=0.5, factor=2.0, cap=30.0, jitter=1.0), "
                    "timeout=None, attempt_timeout=None, reset_after=None, stop=None, budget=None, "
                    "before_attempt=None, on_retry=None, on_success=None, on_give_up=None, "
                    "name=None, log_level=30, **unknown)"
                ),
            ),
            (Policy.replace, "(self, **changes)"),
            (Policy.preview, "(self, n=None)"),
        ],
        ids=lambda value: getattr(value, "__qualname__", None) or "",
    )
    def test_as_written(self, callable_, written):
        """Positions, names and defaults."""
        assert signature(callable_) == written


class TestNames:
    """`from module import *` gives what the module is for."""

    @pytest.mark.parametrize(
        ("module", "names"),
        [
            ("backoff", "constant decorrelated exponential fibonacci linear sequence"),
            ("instrumentation", "Handle observe opentelemetry prometheus structlog"),
            ("testing", "instant limit off"),
            ("db", "conflict disconnected"),
            ("web", "Transient retry_after transient unsent"),
        ],
    )
    def test_of_modules(self, module, names):
        """All of it, and nothing else."""
        found = importlib.import_module(f"retrying_elegant.{module}")
        assert sorted(found.__all__) == names.split()
        assert [name for name in found.__all__ if not hasattr(found, name)] == []
