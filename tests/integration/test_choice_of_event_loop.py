"""Contract 15: asyncio or trio is chosen at run time, each time, and neither is imported for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types

import pytest
from forms import ASYNC, Script

trio = pytest.importorskip("trio", reason="the package trio is not installed")

SHORT = {"wait": 0.001, "attempt_timeout": 30}


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture(params=ASYNC)
def form(request):
    """Each async form: a coroutine function that takes an attempt and the options."""
    return ASYNC[request.param]


async def retried(form):
    """Fail twice, then succeed; with the timeouts and waits of whatever runs this."""
    return await form(Script(Lost, Lost, "value"), **SHORT)


class TestOneProcess:
    """The library that runs the current task is the one that sleeps."""

    def test_asyncio_where_trio_is_imported(self, form):
        """What is imported does not count."""
        assert "trio" in sys.modules
        assert asyncio.run(retried(form)) == "value"

    def test_trio_where_asyncio_is_imported(self, form):
        """The other way round."""
        assert "asyncio" in sys.modules
        assert trio.run(retried, form) == "value"

    def test_asyncio_in_a_thread_of_trio(self, form):
        """Each thread has its own."""

        async def main():
            return await trio.to_thread.run_sync(lambda: asyncio.run(retried(form)))

        assert trio.run(main) == "value"

    def test_trio_in_a_thread_of_asyncio(self, form):
        """Each thread has its own."""

        async def main():
            return await asyncio.to_thread(trio.run, retried, form)

        assert asyncio.run(main()) == "value"

    def test_asyncio_inside_a_task_of_trio(self, form):
        """Of the two that run here, the inner one; trio-asyncio is made this way."""

        async def main():
            return asyncio.run(retried(form))

        assert trio.run(main) == "value"

    def test_both_in_one_thread(self, form):
        """Trio as a guest in asyncio's loop: both retry, side by side."""

        async def host():
            loop, over = asyncio.get_running_loop(), asyncio.Event()
            outcomes = []

            def done(outcome):
                outcomes.append(outcome)
                over.set()

            trio.lowlevel.start_guest_run(
                retried,
                form,
                run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                done_callback=done,
            )
            value = await retried(form)
            await asyncio.wait_for(over.wait(), 30)
            return value, outcomes[0].unwrap()

        assert asyncio.run(host()) == ("value", "value")

    @pytest.mark.parametrize("half", [types.ModuleType("trio"), None])
    def test_asyncio_while_trio_is_half_imported(self, form, monkeypatch, half):
        """Another thread may be in the middle of it; or it may be barred from being imported."""
        monkeypatch.setitem(sys.modules, "trio", half)
        monkeypatch.setitem(sys.modules, "trio.lowlevel", half)
        assert asyncio.run(retried(form)) == "value"


IMPORTS = """
import sys
from retrying_elegant import retry

class Lost(Exception):
    pass

errors = [Lost(), Lost()]

@retry(wait=0.001, attempt_timeout=30)
async def fetch():
    if errors:
        raise errors.pop()
"""


def fresh(script):
    """Run *script* in a process of its own; what it prints."""
    command = [sys.executable, "-W", "error", "-c", IMPORTS + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


class TestImports:
    """Import: no third-party package, and no asyncio until async is used."""

    def test_asyncio_does_not_bring_trio(self):
        """Though it is installed."""
        assert fresh("import asyncio; asyncio.run(fetch()); print('trio' in sys.modules)") == (
            "False"
        )

    def test_trio_does_not_bring_asyncio(self):
        """Retrying under trio imports nothing that trio has not."""
        script = """
import trio
before = set(sys.modules)
trio.run(fetch)
print(sorted(name for name in set(sys.modules) - before if name.startswith("asyncio")))
"""
        assert fresh(script) == "[]"
