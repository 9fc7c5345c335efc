"""Contract 7: exactly one ending is told of each call, also where its first wait is too long."""

from __future__ import annotations

import asyncio

import pytest
from ways import Flaky, run_async

from retrying_elegant import given_up, instrumentation


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture
def oversleep(clock, own_waits):
    """Runs a script whose first wait, of ten seconds, takes sixty, with a timeout of thirty."""
    own_waits.setattr("time.sleep", lambda seconds: clock.tick(60))

    def run(way, risky, **options):
        options = {"wait": 10, "timeout": 30, **options}
        if way.colour == "sync":
            return way.run(risky, **options)

        async def main():
            asyncio.get_running_loop().call_later(5, clock.tick, 60)
            return await way.start(risky, **options)

        return run_async(main())

    return run


class TestOneEnding:
    """Exactly one of ``on_success`` and ``on_give_up`` ends every call, and ends it once."""

    def test_the_hook(self, way, oversleep):
        """With no other hook, where a decorated call has no state until its first failure."""
        endings = []
        with pytest.raises(Lost):
            oversleep(way, Flaky([Lost, "value"]), on_give_up=endings.append)
        assert len(endings) == 1

    def test_the_log(self, way, oversleep, caplog):
        """One line says that it gave up."""
        with pytest.raises(Lost):
            oversleep(way, Flaky([Lost, "value"]))
        assert [record.args[0].startswith("gave up") for record in caplog.records] == [False, True]

    def test_the_observers(self, way, oversleep):
        """Each is told once."""
        endings = []
        with instrumentation.observe(on_give_up=endings.append), pytest.raises(Lost):
            oversleep(way, Flaky([Lost, "value"]))
        assert len(endings) == 1

    def test_the_record(self, way, oversleep):
        """It knows of the one attempt that was made."""
        error = Lost("first")
        with pytest.raises(Lost):
            oversleep(way, Flaky([error, "value"]))
        assert given_up(error).history == ("attempt 1 at 0.00 s: Lost: first",)
