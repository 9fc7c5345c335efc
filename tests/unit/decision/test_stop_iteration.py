"""Contract 2: `StopIteration` from a predicate or a wait callable becomes RuntimeError."""

from __future__ import annotations

import pytest
from ways import Flaky

from retrying_elegant import given_up, retry


class Lost(Exception):
    """Retried in these tests."""


def exhausted(*args):
    return next(iter(()))


FIELDS = ["wait", "on", "unless", "until"]


class TestStopIteration:
    """As PEP 479 does for generators: it must not end a loop further out."""

    @pytest.mark.parametrize("field", FIELDS)
    def test_of_each_callable(self, way, field):
        """RuntimeError, from the StopIteration; the attempt's error is in the chain."""
        error = Lost("down")
        flaky = Flaky(["value" if field == "until" else error])
        text = "^a predicate or wait callable raised StopIteration$"
        with pytest.raises(RuntimeError, match=text) as caught:
            way.run(flaky, 3, **{field: exhausted})
        assert isinstance(caught.value.__cause__, StopIteration)
        assert flaky.calls == 1
        assert given_up(caught.value) is None
        if field != "until":
            chain = [caught.value.__context__, caught.value.__cause__.__context__]
            assert error in chain

    def test_waits_that_run_out(self, way, waits):
        """`wait=lambda attempt: next(waits)`: those that there are have been waited."""
        seconds = iter([1, 2])
        flaky = Flaky([Lost])
        with pytest.raises(RuntimeError):
            way.run(flaky, None, wait=lambda attempt: next(seconds))
        assert waits == [1, 2]
        assert flaky.calls == 3

    def test_a_loop_around_it_is_not_ended(self):
        """`list(map(load, urls))` raises, instead of being empty."""
        load = retry(3, wait=exhausted)(Flaky([Lost("down")]))
        with pytest.raises(RuntimeError):
            list(map(load, ["url"]))

    def test_of_the_attempt(self, sync_way):
        """That of the user's own code is an error like others."""
        flaky = Flaky([StopIteration, "value"])
        assert sync_way.run(flaky, 3, on=StopIteration) == "value"

    def test_the_ending_hook(self, way):
        """Runs, as for every broken callable."""
        ends = []
        with pytest.raises(RuntimeError):
            way.run(Flaky([Lost]), 3, wait=exhausted, on_give_up=ends.append)
        assert len(ends) == 1
