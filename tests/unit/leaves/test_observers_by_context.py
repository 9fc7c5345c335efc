"""Contract 12: what an observer itself retries is not observed; what others retry meanwhile is."""

from __future__ import annotations

import contextvars
import sys
import threading
from types import SimpleNamespace

import pytest
from ways import Flaky

from retrying_elegant import instrumentation, retry


class Lost(Exception):
    """Retried in these tests."""


def call(name):
    """A call with one retry."""
    assert retry(2, wait=0, name=name)(Flaky([Lost, "value"]))() == "value"


def in_another_context(name):
    """As another greenlet: on this thread, in the middle of what runs."""
    contextvars.Context().run(call, name)


def in_another_thread(name):
    thread = threading.Thread(target=call, args=(name,))
    thread.start()
    thread.join()


def in_another_greenlet(name):
    """One that shares its context, as those that gevent makes may."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["greenlet"], "getcurrent", lambda: name)
        call(name)


@pytest.fixture(autouse=True)
def greenlets(request, monkeypatch):
    """A stand-in for greenlet, where a test is about them."""
    if request.node.callspec.params["elsewhere"] is in_another_greenlet:
        monkeypatch.setitem(sys.modules, "greenlet", SimpleNamespace(getcurrent=lambda: "main"))


@pytest.mark.parametrize("elsewhere", [in_another_context, in_another_thread, in_another_greenlet])
class TestObserversByContext:
    """While an observer runs, events of other contexts are observed; its own are not."""

    @pytest.mark.parametrize("kind", ["on_retry", "on_recovery"])
    def test_observers(self, elsewhere, kind):
        """Of the whole process."""
        seen = []

        def observer(attempt):
            seen.append(attempt.name)
            if attempt.name == "first":
                call("within the observer")
                elsewhere("elsewhere")

        with instrumentation.observe(**{kind: observer}):
            call("first")
        assert seen == ["first", "elsewhere"]

    def test_afterwards(self, elsewhere):
        """An observer that raises is as if it had returned."""
        seen = []

        def observer(attempt):
            seen.append(attempt.name)
            elsewhere("elsewhere") if attempt.name == "first" else None
            raise ValueError("broken")

        with instrumentation.observe(on_retry=observer):
            call("first")
            call("second")
        assert seen == ["first", "elsewhere", "second"]
