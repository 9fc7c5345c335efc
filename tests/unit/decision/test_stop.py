"""Section 2 of the contract: `stop`, an event after which no retry follows."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import threading

import pytest
from ways import GENERATORS, WAYS, Flaky, run_async

from retrying_elegant import Policy, RetryBudget, RetryError, given_up, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


EVERY = [*WAYS, *GENERATORS]
EVERY_ASYNC = [way for way in EVERY if way.colour == "async"]


@pytest.fixture
def event(way):
    """An event of the kind that the form takes."""
    return event_for(way)


def event_for(way):
    return threading.Event() if way.colour == "sync" else asyncio.Event()


class TestOnceItIsSet:
    """No retry follows: the call gives up with the reason "stopped"."""

    def test_the_first_attempt_is_always_made(self, way, event, waits):
        """Even where it was set before the call."""
        event.set()
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost) as caught:
            way.run(flaky, stop=event)
        record = given_up(caught.value)
        assert (record.reason, record.attempts) == ("stopped", 1)
        assert (flaky.calls, waits) == (1, [])

    def test_and_may_succeed(self, way, event):
        """It is a call like any other."""
        event.set()
        assert way.run(Flaky(["value"]), stop=event) == "value"

    def test_in_an_attempt(self, way, event, caplog):
        """It is not interrupted, and takes no token; hooks and log see the reason."""
        budget = RetryBudget(10)
        endings = []

        def risky():
            event.set()
            raise Lost

        with pytest.raises(Lost):
            way.run(risky, stop=event, budget=budget, on_give_up=endings.append)
        assert [(attempt.number, attempt.reason) for attempt in endings] == [(1, "stopped")]
        assert budget.tokens == 10
        assert "gave up on" in caplog.text
        assert "(stopped)" in caplog.text

    def test_while_the_retry_is_announced(self, way, event, waits):
        """Before the wait, which is not slept."""
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost) as caught:
            way.run(flaky, stop=event, on_retry=lambda attempt: event.set())
        assert given_up(caught.value).reason == "stopped"
        assert (flaky.calls, waits) == (1, [])

    def test_a_result_that_was_rejected(self, way, event):
        """RetryError, with the result."""
        event.set()
        with pytest.raises(RetryError) as caught:
            way.run(Flaky(["pending"]), stop=event, until=lambda value: value == "ready")
        assert (caught.value.result, given_up(caught.value).reason) == ("pending", "stopped")

    def test_an_error_that_is_not_retryable_stays_that(self, way, event):
        """The filters come first."""
        flaky = Flaky([Lost, Wrong])

        def set_at_the_second(attempt):
            if attempt.number == 2:
                event.set()

        with pytest.raises(Wrong) as caught:
            way.run(flaky, stop=event, on=Lost, before_attempt=set_at_the_second)
        assert given_up(caught.value).reason == "not retryable"

    def test_it_comes_before_the_attempts(self, way, event):
        """Where both would end the call."""
        event.set()
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), 1, stop=event)
        assert given_up(caught.value).reason == "stopped"

    def test_a_fallback_applies(self, decorator_way):
        """As to attempts that are used up."""
        event = event_for(decorator_way)
        event.set()
        reason = lambda attempt: attempt.reason  # noqa: E731 - shown by what it returns
        assert decorator_way.run(Flaky([Lost]), stop=event, fallback=reason) == "stopped"


@pytest.mark.parametrize("kind", GENERATORS, ids=repr)
class TestGenerators:
    """Until the first item, generator functions stop as everything else does."""

    def test_it_was_set_before(self, kind):
        """One attempt is made."""
        event = event_for(kind)
        event.set()
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost) as caught:
            kind.run(flaky, wait=60, stop=event)
        assert (given_up(caught.value).reason, flaky.calls) == ("stopped", 1)

    def test_it_is_set_in_the_wait(self, kind, own_waits):
        """Which ends; the token is back, and the hook sees why."""
        event, reasons = event_for(kind), []
        flaky, budget = Flaky([Lost, "value"]), RetryBudget(5)

        def wait(timeout):
            event.set()
            return True

        async def main():
            asyncio.get_running_loop().call_later(5, event.set)
            return await kind.start(flaky, **options)

        options = {"wait": 60, "stop": event, "budget": budget}
        options["on_give_up"] = lambda attempt: reasons.append(attempt.reason)
        if kind.colour == "sync":
            own_waits.setattr(event, "wait", wait)
        with pytest.raises(Lost):
            run_async(main()) if kind.colour == "async" else kind.run(flaky, **options)
        assert (reasons, flaky.calls, budget.tokens) == (["stopped"], 1, 5)

    def test_the_wrong_kind(self, kind):
        """When it is decorated."""

        def items():
            yield

        async def items_async():
            yield

        function = items if kind.colour == "sync" else items_async
        wrong, right = (asyncio, threading) if kind.colour == "sync" else (threading, asyncio)
        with pytest.raises(TypeError, match=rf"stop=.*such as {right.__name__}\.Event\(\)$"):
            retry(stop=wrong.Event())(function)


class TestInAWait:
    """A wait in progress ends immediately."""

    def test_a_sync_one(self, sync_way, own_waits):
        """It is the event that is waited for, for as long as the wait is."""
        asked = []

        class Stop(threading.Event):
            def wait(self, timeout=None):
                asked.append(timeout)
                self.set()
                return True

        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost) as caught:
            sync_way.run(flaky, wait=60, stop=Stop())
        assert given_up(caught.value).reason == "stopped"
        assert (flaky.calls, asked) == (1, [60])

    def test_an_async_one(self, async_way, own_waits):
        """Another task sets it."""
        flaky = Flaky([Lost, "value"])

        async def main():
            event = asyncio.Event()
            began = asyncio.get_running_loop().time()
            asyncio.get_running_loop().call_later(5, event.set)
            with pytest.raises(Lost) as caught:
                await async_way.start(flaky, wait=60, stop=event)
            assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=1)
            return given_up(caught.value).reason

        assert run_async(main()) == "stopped"
        assert flaky.calls == 1

    def test_one_that_is_cleared_again(self, way, event, own_waits):
        """The retry does not follow either, and so not too early."""

        def pulse(timeout=None):
            event.set()
            event.clear()
            return True

        if way.colour == "sync":
            own_waits.setattr(event, "wait", pulse)
        flaky = Flaky([Lost, "value"])

        async def main():
            asyncio.get_running_loop().call_later(5, pulse)
            return await way.start(flaky, wait=60, stop=event)

        with pytest.raises(Lost) as caught:
            run_async(main()) if way.colour == "async" else way.run(flaky, wait=60, stop=event)
        assert (given_up(caught.value).reason, flaky.calls) == ("stopped", 1)

    def test_its_token_is_put_back(self, way, event, own_waits):
        """The retry that it was taken for is not made."""

        def wait(timeout):
            event.set()
            return True

        async def main():
            asyncio.get_running_loop().call_later(5, event.set)
            return await way.start(Flaky([Lost]), wait=60, stop=event, budget=budget)

        budget = RetryBudget(10)
        if way.colour == "sync":
            own_waits.setattr(event, "wait", wait)
        with pytest.raises(Lost) as caught:
            if way.colour == "async":
                run_async(main())
            way.run(Flaky([Lost]), wait=60, stop=event, budget=budget)
        assert (given_up(caught.value).reason, budget.tokens) == ("stopped", 10)

    def test_one_that_is_never_set_changes_nothing(self, way, event, own_waits):
        """The wait is slept, and the next attempt made."""
        if way.colour == "sync":
            own_waits.setattr(event, "wait", lambda timeout=None: False)
        assert way.run(Flaky([Lost, "value"]), wait=60, stop=event) == "value"

    def test_in_tests_that_wait_no_time(self, way, event, waits):
        """`testing.instant()` skips the wait for an event as it does any other."""
        assert way.run(Flaky([Lost, "value"]), wait=60, stop=event) == "value"
        assert waits == [60]

    def test_a_wait_of_nothing(self, way, event, own_waits):
        """Is not begun."""
        assert way.run(Flaky([Lost, "value"]), wait=0, stop=event) == "value"

    def test_of_another_process(self, sync_way, own_waits):
        """An event of multiprocessing, which is shared with it, and set in a wait."""
        event = multiprocessing.get_context("fork").Event()
        setting = threading.Thread(target=event.set)
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost) as caught:
            sync_way.run(flaky, wait=60, stop=event, on_retry=lambda attempt: setting.start())
        setting.join()
        assert (given_up(caught.value).reason, flaky.calls) == ("stopped", 1)


class TestWhoseWaitRaises:
    """An event whose own wait does not work."""

    @staticmethod
    def event_that_raises(error):
        class Event(asyncio.Event):
            async def wait(self):
                raise error

        return Event()

    def test_a_timeout_of_its_own(self, async_way, own_waits):
        """Is not taken for the end of the wait."""
        event = self.event_that_raises(TimeoutError("of the event"))
        flaky = Flaky([Lost, "value"])
        with pytest.raises(TimeoutError, match="of the event"):
            async_way.run(flaky, wait=60, stop=event)
        assert flaky.calls == 1

    @pytest.mark.parametrize("way", EVERY_ASYNC, ids=repr)
    def test_of_another_event_loop(self, way, own_waits):
        """RuntimeError that says so; its context is the attempt's error, and the token is back."""
        event, error, budget, ends = asyncio.Event(), Lost("down"), RetryBudget(5), []

        async def elsewhere():
            async with asyncio.timeout(1):
                await event.wait()

        def end(attempt):
            ends.append((attempt.number, attempt.reason, attempt.next_wait))

        with pytest.raises(TimeoutError):
            run_async(elsewhere())
        with pytest.raises(
            RuntimeError, match=r"^stop: the asyncio\.locks\.Event belongs"
        ) as caught:
            way.run(Flaky([error]), wait=60, stop=event, budget=budget, on_give_up=end)
        assert caught.value.__context__ is error
        assert "bound to a different event loop" in str(caught.value.__cause__)
        assert given_up(caught.value) is None
        assert (budget.tokens, ends) == (5, [(1, None, None)])

    @pytest.mark.parametrize("way", EVERY, ids=repr)
    def test_what_something_else_raises_into_it(self, way, own_waits):
        """A RuntimeError of its own kind is an interruption, as in a wait without an event."""

        class Limit(RuntimeError):
            pass

        class Event(threading.Event):
            def wait(self, timeout=None):
                raise limit

        limit, error, budget = Limit("soft"), Lost("down"), RetryBudget(5)
        event = Event() if way.colour == "sync" else self.event_that_raises(limit)
        with pytest.raises(Limit) as caught:
            way.run(Flaky([error]), wait=60, stop=event, budget=budget)
        assert caught.value is limit
        assert limit.__context__ is error
        assert (given_up(limit).reason, budget.tokens) == ("interrupted", 5)

    def test_the_end_of_an_iterator(self, own_waits):
        """It would end the loop as if all were well."""

        async def main():
            async for attempt in retrying(
                wait=60, stop=self.event_that_raises(StopAsyncIteration())
            ):
                async with attempt:
                    raise Lost

        with pytest.raises(RuntimeError, match="StopAsyncIteration"):
            run_async(main())


class TestOfAnotherKind:
    """TypeError, naming the right kind, when the form is made."""

    @pytest.mark.parametrize("value", [3, True, "stop", object(), lambda: True], ids=lambda _: "")
    def test_no_event(self, value):
        """Not something that can be set and waited for."""
        with pytest.raises(TypeError, match=r"^stop=.*expected an event"):
            Policy(stop=value)

    def test_a_class(self):
        """Forgotten parentheses."""
        with pytest.raises(TypeError, match=r"did you mean Event\(\)\?"):
            Policy(stop=threading.Event)

    def test_of_asyncio_in_sync_forms(self):
        """Nothing could await it."""
        options = {"stop": asyncio.Event()}
        with pytest.raises(TypeError, match=r"stop=.*threading\.Event\(\)"):
            retry(**options)(len)
        with pytest.raises(TypeError, match=r"stop=.*threading\.Event\(\)"):
            next(iter(retrying(**options)))
        with pytest.raises(TypeError, match=r"stop=.*threading\.Event\(\)"):
            retrying(**options).__enter__()

    def test_of_threads_in_async_forms(self, async_way):
        """It would block the event loop."""
        forms = "an async loop|an async block|the async function .*"
        message = rf"stop=.* for ({forms}), such as asyncio\.Event\(\)$"
        with pytest.raises(TypeError, match=message):
            async_way.run(Flaky(["value"]), stop=threading.Event())


class TestPickle:
    """An event belongs to its process."""

    def test_a_policy_with_one_does_not_pickle(self):
        """And says why; without it, it does."""
        policy = Policy(3, stop=threading.Event())
        said = "a policy with stop does not pickle: an event belongs to its process"
        with pytest.raises(TypeError, match=f"^{said}$"):
            pickle.dumps(policy)
        without = policy.replace(stop=None)
        assert pickle.loads(pickle.dumps(without)) == without
