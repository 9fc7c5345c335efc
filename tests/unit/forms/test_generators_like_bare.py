"""Contract 4, generators: in what they are like the bare generator, in every kind of callable."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import sys
from contextlib import suppress
from weakref import WeakSet

import pytest
from generator_parts import (
    SYNC,
    Lost,
    Wrong,
    bodies,
    consumers,
    described,
    every_kind,
    playing,
    settled,
    transcript,
)
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from ways import run_async

from retrying_elegant import retry, testing


class Service:
    """Generators of each kind of method, each failing once and then giving what it got."""

    def __init__(self):
        self.failed = False

    @retry
    def method(self, *args):
        if not self.failed:
            self.failed = True
            raise Lost
        yield self, *args

    @retry
    @classmethod
    def above(cls, failures):
        if failures:
            raise failures.pop()
        yield cls

    @classmethod
    @retry
    def below(cls, failures):
        if failures:
            raise failures.pop()
        yield cls

    @retry(2)
    @staticmethod
    def static(failures):
        if failures:
            raise failures.pop()
        yield "static"

    def __call__(self):
        return self.method.__wrapped__(self)


class GeneratorObject:
    """An object whose `__call__` is a generator function."""

    def __init__(self, source):
        self.source = source

    def __call__(self, *args):
        yield from self.source(*args)


class TestCallables:
    """Methods of each kind, partials and objects, as with plain functions."""

    def test_methods(self):
        """Bound as ever."""
        service = Service()
        assert list(service.method(1)) == [(service, 1)]

    @pytest.mark.parametrize("holder", [Service, Service()], ids=["class", "object"])
    def test_class_and_static_methods(self, holder):
        """On either side of the decorator."""
        assert list(holder.above([Lost])) == [Service]
        assert list(holder.below([Lost])) == [Service]
        assert list(holder.static([Lost])) == ["static"]

    @every_kind
    def test_partials(self, kind):
        """The arguments of both arrive."""
        source = kind.playing([Lost], [1])
        assert kind.listed(retry(functools.partial(source, 1, a=2))(3)) == [1]
        assert source.calls == [((1, 3), {"a": 2})] * 2

    def test_objects(self):
        """Whose `__call__` is a generator function."""
        decorated = retry(GeneratorObject(playing([Lost], [1, 2])))
        assert inspect.isgeneratorfunction(decorated)
        assert list(decorated()) == [1, 2]

    @every_kind
    def test_looks(self, kind):
        """`inspect` still says what it is; name, signature and policy are there."""
        source = kind.playing([1])
        decorated = retry(3)(source)
        assert inspect.isgeneratorfunction(decorated) is inspect.isgeneratorfunction(source)
        assert inspect.isasyncgenfunction(decorated) is inspect.isasyncgenfunction(source)
        assert not inspect.iscoroutinefunction(decorated)
        assert decorated.__qualname__ == source.__qualname__
        assert inspect.signature(decorated) == inspect.signature(source)
        assert decorated.policy.attempts == 3
        generator = decorated()
        assert type(generator) is type(source())
        assert generator.__name__ == "source"


@every_kind
class TestMemory:
    """No reference cycles, and no frame of a failed attempt that lives through the wait."""

    @pytest.mark.parametrize(
        ("attempts", "options"),
        [
            ([[Lost], [1, 2]], {}),
            ([[Lost], []], {}),
            ([[Lost]], {"attempts": 2, "wait": 0}),
            ([[Lost], [Wrong]], {"on": Lost}),
            ([[1, Lost]], {}),
        ],
        ids=["items", "no item", "give-up", "not retryable", "late error"],
    )
    def test_nothing_is_left_for_the_collector(self, kind, no_collector, attempts, options):
        """After any end, once the caller has let go of the error."""
        source = kind.playing(*attempts)
        kind.exhaust(retry(**options)(source)())
        assert source.calls
        assert len(source.locals) == 0

    def test_an_error_thrown_in_leaves_nothing(self, kind, no_collector):
        """No frame that it has come through holds it."""
        errors = WeakSet()

        async def main():
            generator = retry(kind.playing([1, 2]))()
            await settled(kind.verbs["next"](generator))
            error = Lost()
            errors.add(error)
            with suppress(Lost):  # without a helper, whose frame would hold it
                if kind is SYNC:
                    generator.throw(error)
                else:
                    await generator.athrow(error)
            del error

        run_async(main())
        assert len(errors) == 0

    def test_a_failed_attempt_is_gone_before_the_wait(self, kind, own_waits, no_collector):
        """Its frame, and the locals that it held."""
        source = kind.playing([Lost], [Lost], [1])
        alive = []
        own_waits.setattr("time.sleep", lambda seconds: alive.append(len(source.locals)))
        look = {"before_attempt": lambda attempt: alive.append(len(source.locals))}
        assert kind.listed(retry(wait=1, **look)(source)()) == [1]
        assert alive == [0] * (5 if kind is SYNC else 3)


class TestLikeTheBareGenerator:
    """`send`, `throw`, `close` and their async twins behave as on the bare generator."""

    def look(self, kind, make, script):
        """What a consumer sees and what the body sees."""
        seen = []
        return transcript(kind, make(seen)(), script), seen

    def compare(self, kind, body, script, failures, **options):
        """The decorated generator fails so often before it does what the bare one does."""
        decorate = retry(3, on=Lost, unless=Wrong)
        with testing.instant():
            assert self.look(
                kind, lambda seen: decorate(kind.doing(body, seen, failures, **options)), script
            ) == self.look(kind, lambda seen: kind.doing(body, seen, **options), script)

    @every_kind
    @given(bodies, consumers("close"), st.integers(0, 2))
    @example([("item", 1, "return")], [("next",), ("throw", ValueError)], 1)
    def test_any_consumer_of_any_body(self, kind, body, script, failures):
        """The same transcript, and the body sees the same, after any number of retries."""
        self.compare(kind, body, script, failures)

    @every_kind
    @settings(phases=set(Phase) - {Phase.shrink})
    @given(bodies, consumers("throw", GeneratorExit), st.integers(0, 2))
    @example([("item", 1, "yield again")], [("next",), ("throw", GeneratorExit), ("next",)], 1)
    def test_any_consumer_of_a_stubborn_body(self, kind, body, script, failures):
        """Which may go on when a GeneratorExit is thrown in."""
        self.compare(kind, body, script, failures, stubborn=True)


@every_kind
class TestGeneratorExit:
    """GeneratorExit, by `close` or thrown in, behaves as on the bare generator."""

    def test_close_runs_the_clean_up(self, kind):
        """At the yield, by GeneratorExit."""
        seen = []
        body = [("item", 1, "let it pass")]
        assert kind.first_item(retry(kind.doing(body, seen))) == 1
        assert seen == [("caught", described(GeneratorExit()))]

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_generator_that_goes_on_yielding(self, kind):
        """RuntimeError; what Python itself says of it later is no matter of ours."""
        body = [("item", 1, "yield again")]
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            kind.first_item(retry(kind.doing(body, [], stubborn=True)))
        gc.collect()

    def test_garbage_collection_closes_it(self, kind):
        """A generator that nobody will finish runs its clean-up."""
        seen = []

        async def main():
            generator = retry(kind.doing([("item", 1, "let it pass")], seen))()
            assert await settled(kind.verbs["next"](generator)) == 1
            del generator
            await asyncio.sleep(0)
            gc.collect()
            await asyncio.sleep(0)

        run_async(main())
        assert seen == [("caught", described(GeneratorExit()))]


def returning(value):
    """A generator that returns *value*, also when it is closed."""
    try:
        yield "item"
    except GeneratorExit:
        pass
    return value


class TestReturnValue:
    """The return value is that of the bare generator."""

    def test_it_ends_the_iteration(self):
        """As the value of StopIteration."""
        generator = retry(returning)("value")
        assert next(generator) == "item"
        with pytest.raises(StopIteration) as end:
            next(generator)
        assert end.value.value == "value"

    def test_it_is_that_of_yield_from(self):
        """In whatever delegates to it."""

        def outer(inner):
            return (yield from inner), "outer"

        bare = transcript(SYNC, outer(returning("value")), [("next",)] * 3)
        assert transcript(SYNC, outer(retry(returning)("value")), [("next",)] * 3) == bare
        assert (("next", "stopped", StopIteration, (("value", "outer"),))) in bare

    def test_without_an_item(self):
        """It is the result that hooks see."""
        results = []

        @retry(on_success=lambda attempt: results.append(attempt.result))
        def empty():
            return "value"
            yield

        with pytest.raises(StopIteration) as end:
            next(empty())
        assert end.value.value == "value"
        assert results == ["value"]

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="close returns a value since 3.13")
    def test_close_gives_it(self):
        """Where the generator returns when it is closed."""
        generator = retry(returning)("value")
        next(generator)
        assert generator.close() == "value"
