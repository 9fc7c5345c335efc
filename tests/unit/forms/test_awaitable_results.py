"""Contract 4: a synchronous callable that returns what has to be awaited is never a success."""

from __future__ import annotations

import asyncio
import collections.abc
import functools
import gc
import sys
import types

import pytest
from ways import WAYS, run_async

from retrying_elegant import RetryBudget, retry, retrying

# The sync forms that see what the callable returns; in a loop, the user does.
FORMS = [way for way in WAYS if way.colour == "sync" and way.form != "loop"]


@pytest.fixture(params=FORMS, ids=repr)
def form(request):
    return request.param


class Lost(Exception):
    """Retried in these tests."""


async def work():
    return "value"


class Call(collections.abc.Coroutine):
    """A coroutine that is not a `CoroutineType`, as aiohttp's and gRPC's calls are."""

    def __init__(self):
        self.closed = False

    def send(self, value):
        raise StopIteration("value")

    def throw(self, *args):
        raise args[0]

    def close(self):
        self.closed = True

    def __await__(self):
        yield
        return "value"


class Answer:
    """An awaitable that is nothing else, as the futures of several libraries are."""

    def __await__(self):
        yield
        return "value"


class Watcher:
    """Policy fields that write down whatever takes a call for a success, or for a failure."""

    def __init__(self):
        self.seen = []
        self.budget = RetryBudget(2)
        with pytest.raises(Lost):  # one token is missing, so that a credit would show
            retry(2, wait=0, budget=self.budget)(lambda: self._fail())()
        self.fields = {
            "budget": self.budget,
            "on_retry": lambda attempt: self.seen.append("on_retry"),
            "on_success": lambda attempt: self.seen.append("on_success"),
        }

    def _fail(self):
        raise Lost

    def saw_nothing(self):
        return self.seen == [] and self.budget.tokens == 1


@pytest.fixture
def watcher():
    return Watcher()


def rejected(form, fn, fields):
    """The text of the TypeError that *form* raises for *fn*."""
    with pytest.raises(TypeError) as caught:
        form.run(fn, 3, wait=0, **fields)
    return str(caught.value)


class TestWithoutAsyncio:
    """Where asyncio is not imported, it does not run."""

    def test_an_awaitable_is_a_value(self, form, monkeypatch):
        """Like any other."""
        answer = Answer()
        monkeypatch.delitem(sys.modules, "asyncio")
        assert form.run(lambda: answer) is answer


class TestCoroutines:
    """Any `collections.abc.Coroutine` raises TypeError, and is closed."""

    def test_of_an_async_def(self, form, watcher):
        """No warning says that it was never awaited; the message says what to write."""
        made = []

        def start():
            made.append(work())
            return made[-1]

        text = rejected(form, start, watcher.fields)
        assert "async def" in text
        assert watcher.saw_nothing()
        assert len(made) == 1
        with pytest.raises(RuntimeError):  # closed
            made[0].send(None)

    def test_of_another_class(self, form, watcher):
        """Whatever its type, as long as it is one by `collections.abc`."""
        made = []

        def start():
            made.append(Call())
            return made[-1]

        assert "async" in rejected(form, start, watcher.fields)
        assert watcher.saw_nothing()
        assert [call.closed for call in made] == [True]

    def test_registered(self, form, watcher):
        """`Coroutine.register` counts as well."""

        class Registered:
            __await__ = Answer.__await__

            def close(self):
                closed.append(True)

        closed = []
        collections.abc.Coroutine.register(Registered)
        rejected(form, Registered, watcher.fields)
        assert watcher.saw_nothing()
        assert closed == [True]

    def test_generator_based(self, form, watcher):
        """A coroutine of `types.coroutine`."""

        @types.coroutine
        def generator():
            yield

        rejected(form, lambda: generator(), watcher.fields)
        assert watcher.saw_nothing()

    def test_an_ordinary_generator(self):
        """It is a result as any other."""
        items = (letter for letter in "items")
        assert retry(lambda: items)() is items

    def test_one_that_cannot_be_closed(self, form, watcher):
        """The TypeError is raised all the same."""

        class Stubborn(Call):
            def close(self):
                raise ValueError("no")

        assert "async" in rejected(form, Stubborn, watcher.fields)
        assert watcher.saw_nothing()

    @pytest.mark.parametrize(
        "kind", ["function", "partial", "object", "method", "lru_cache", "class"]
    )
    def test_whatever_returns_it(self, form, watcher, kind):
        """Functions, partials, objects and builtins alike."""

        class Holder:
            def method(self):
                return Call()

            __call__ = method

        fn = {
            "function": lambda: Call(),
            "partial": functools.partial(lambda answer: Call(), "value"),
            "object": Holder(),
            "method": Holder().method,
            "lru_cache": functools.lru_cache(lambda: Call()),
            "class": Call,
        }[kind]
        rejected(form, fn, watcher.fields)
        assert watcher.saw_nothing()

    @pytest.mark.parametrize("before", [Lost(), "value"], ids=["failure", "success"])
    def test_after_another_call(self, form, watcher, before):
        """A result is checked in every attempt and every call, also after one that was fine."""
        outcomes = iter([before, Call()])

        def start():
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        if before == "value":
            assert form.run(start) == "value"
        else:
            watcher.fields.pop("on_retry")
            watcher.fields.pop("budget")
        rejected(form, start, watcher.fields)
        assert watcher.seen == []

    def test_no_fallback_takes_its_place(self):
        """It is a mistake in the program, not a failure of the call."""
        decorated = retry(3, fallback=lambda attempt: "instead")(lambda: Call())
        with pytest.raises(TypeError, match="async"):
            decorated()

    def test_no_predicate_is_called(self, form):
        """Neither on the result nor on the TypeError."""
        called = []
        rejected(form, Call, {"until": called.append, "on": called.append})
        assert called == []

    def test_a_block_ends_with_it(self):
        """`raises=False` does not swallow it."""
        with pytest.raises(TypeError, match="async"), retrying(3, raises=False) as call:
            call(Call)


class TestFutures:
    """asyncio's Futures and Tasks raise TypeError; a Task is left running."""

    def test_a_task(self, form, watcher):
        """It ends as it would have."""

        async def main():
            tasks = []

            def start():
                tasks.append(asyncio.ensure_future(work()))
                return tasks[-1]

            assert "an awaitable (Task)" in rejected(form, start, watcher.fields)
            [task] = tasks
            return await task

        assert run_async(main()) == "value"
        assert watcher.saw_nothing()

    def test_a_future(self, form, watcher):
        """It can still be set."""

        async def main():
            future = asyncio.get_running_loop().create_future()
            rejected(form, lambda: future, watcher.fields)
            future.set_result("value")
            return await future

        assert run_async(main()) == "value"
        assert watcher.saw_nothing()

    def test_a_future_of_a_loop_that_does_not_run(self, form, watcher):
        """From synchronous code too."""
        loop = asyncio.new_event_loop()
        try:
            future = loop.create_future()
            rejected(form, lambda: future, watcher.fields)
        finally:
            loop.close()
        assert watcher.saw_nothing()


class TestOtherAwaitables:
    """Any other awaitable: TypeError where an event loop runs in this thread, else a value."""

    def test_under_an_event_loop(self, form, watcher):
        """Rejected."""

        async def main():
            assert "an awaitable (Answer)" in rejected(form, Answer, watcher.fields)

        run_async(main())
        assert watcher.saw_nothing()

    def test_one_that_can_be_closed(self, form):
        """It is left as it is: only coroutines are closed."""
        closed = []

        class Connection(Answer):
            def close(self):
                closed.append(self)

        async def main():
            rejected(form, Connection, {})

        run_async(main())
        assert closed == []

    def test_in_synchronous_code(self, form, watcher):
        """Returned, and a success."""
        answer = Answer()
        assert form.run(lambda: answer, **watcher.fields) is answer
        assert watcher.seen == ["on_success"]
        assert watcher.budget.tokens > 1

    def test_first_in_one_and_then_in_the_other(self, form):
        """What was a value in synchronous code is none under an event loop, call by call."""
        decorated = retry(3)(Answer)

        async def main():
            with pytest.raises(TypeError, match="async"):
                decorated()

        for _ in range(2):
            assert type(decorated()) is Answer
            run_async(main())

    def test_in_a_thread_beside_an_event_loop(self, form):
        """`asyncio.to_thread`: no event loop runs in that thread."""

        async def main():
            return await asyncio.to_thread(form.run, Answer)

        assert type(run_async(main())) is Answer

    def test_a_class_is_no_awaitable(self, form):
        """Only its instances are."""

        async def main():
            return form.run(lambda: Answer)

        assert run_async(main()) is Answer


class TestInAsyncForms:
    """In async forms, awaitables are awaited: what is rejected above is right here."""

    @pytest.mark.parametrize("result", [Call, Answer, work], ids=["Call", "Answer", "coroutine"])
    def test_a_block(self, result):
        """`await call(fn)`, where `fn` returns one."""

        class Immediate(result if isinstance(result, type) else object):
            def __await__(self):
                return "value"
                yield

        async def main():
            async with retrying(3) as call:
                return await call(work if result is work else Immediate)

        assert run_async(main()) == "value"

    def test_nothing_is_left_unawaited(self):
        """No coroutine is dropped on the way."""

        async def main():
            async with retrying(3) as call:
                return await call(lambda: work())

        assert run_async(main()) == "value"
        gc.collect()  # would warn, and warnings are errors
