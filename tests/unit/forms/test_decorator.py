"""Contract 4: `retry`, the decorator (generators apart)."""

from __future__ import annotations

import functools
import inspect
import pickle
import types

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import Policy, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


@retry
def module_level(number):
    return number + 1


class TestForms:
    """Bare `@retry`, `@retry()`, `@retry(3, ...)`, `@retry(policy, ...)`."""

    @pytest.mark.parametrize(
        ("decorator", "attempts"),
        [
            (retry, 5),
            (retry(), 5),
            (retry(3), 3),
            (retry(attempts=3), 3),
            (retry(3, on=Lost, wait=1), 3),
            (retry(Policy(2)), 2),
            (retry(Policy(2), wait=1), 2),
            (retry(Policy(2), attempts=4), 4),
        ],
        ids=["bare", "()", "3", "attempts=3", "3 and more", "policy", "policy and more", "changed"],
    )
    @pytest.mark.parametrize("colour", [lambda f: f, as_coroutine_function], ids=["sync", "async"])
    def test_each_gives_a_retrying_function(self, decorator, attempts, colour):
        """With the attempts that were asked for."""
        flaky = Flaky([Lost])
        decorated = decorator(colour(flaky))
        with pytest.raises(Lost):
            run_async(decorated()) if colour is as_coroutine_function else decorated()
        assert flaky.calls == attempts
        assert decorated.policy.attempts == attempts

    def test_one_decorator_serves_many_functions(self):
        """`retry(...)` holds no function."""
        twice = retry(2)
        one, two = twice(Flaky([Lost, 1])), twice(Flaky([Lost, 2]))
        assert (one(), two(), one()) == (1, 2, 1)


class TestMetadata:
    """Name, docstring, signature, defaults and `__wrapped__` stay."""

    @staticmethod
    def plain(url: str, *, limit: int = 3) -> str:
        """The docstring."""
        return url * limit

    @staticmethod
    async def coroutine_function(url: str, *, limit: int = 3) -> str:
        """The docstring."""
        return url * limit

    @pytest.mark.parametrize("function", [plain, coroutine_function], ids=["sync", "async"])
    def test_they_stay(self, function):
        """All of them."""
        original = function.__func__
        decorated = retry(3)(original)
        assert decorated.__name__ == original.__name__
        assert decorated.__qualname__ == original.__qualname__
        assert decorated.__module__ == original.__module__
        assert decorated.__doc__ == "The docstring."
        assert decorated.__wrapped__ is original
        assert inspect.signature(decorated) == inspect.signature(original)
        assert inspect.iscoroutinefunction(decorated) is inspect.iscoroutinefunction(original)

    def test_arguments_and_defaults_arrive(self):
        """Positional, by keyword, by default."""
        decorated = retry(self.plain)
        assert decorated("a") == "aaa"
        assert decorated("a", limit=2) == "aa"
        assert decorated(url="a", limit=1) == "a"

    def test_its_policy_shows(self):
        """At run time the function also has `.policy`."""
        # reading: the very policy that was given, its name not filled in.
        policy = Policy(3, on=Lost)
        assert retry(policy)(Flaky([1])).policy == policy
        assert retry(3, on=Lost)(Flaky([1])).policy == policy

    def test_it_pickles_by_its_name(self):
        """Decorated module-level functions pickle."""
        copy = pickle.loads(pickle.dumps(module_level))
        assert copy is module_level
        assert copy(1) == 2


class Service:
    """Methods of each kind, each failing once and then giving what it got."""

    def __init__(self):
        self.flaky = Flaky([Lost, "value"])

    @retry
    def method(self, *args):
        return self.flaky(), args

    @retry(2)
    async def async_method(self, *args):
        return self.flaky(), args

    @retry
    @classmethod
    def above_classmethod(cls, flaky):
        return flaky(), cls

    @classmethod
    @retry
    def below_classmethod(cls, flaky):
        return flaky(), cls

    @retry(2)
    @staticmethod
    def above_staticmethod(flaky):
        return flaky()

    @staticmethod
    @retry(2)
    def below_staticmethod(flaky):
        return flaky()

    @retry
    @classmethod
    async def async_above_classmethod(cls, flaky):
        return flaky(), cls

    @classmethod
    @retry
    async def async_below_classmethod(cls, flaky):
        return flaky(), cls

    def __call__(self):
        return self.flaky()


class AsyncService(Service):
    """An object with `async def __call__`."""

    async def __call__(self):
        return self.flaky()


def generator_based(risky):
    """A coroutine function as they were written before `async def`."""

    @types.coroutine
    def attempt():
        yield
        return risky()

    return attempt


class TestCallables:
    """Works on functions, methods of each kind, lambdas, partials and callable objects."""

    def test_methods(self):
        """Bound as ever, and each object by itself."""
        one, two = Service(), Service()
        assert one.method(1) == ("value", (1,))
        assert two.flaky.calls == 0
        assert Service.method(two, 2) == ("value", (2,))

    def test_async_methods(self):
        """Driven by the async driver."""
        service = Service()
        assert run_async(service.async_method(1)) == ("value", (1,))
        assert service.flaky.calls == 2

    @pytest.mark.parametrize("holder", [Service, Service()], ids=["class", "object"])
    @pytest.mark.parametrize("side", ["above", "below"])
    def test_class_and_static_methods(self, holder, side):
        """On either side, called on the class or on an object."""
        assert getattr(holder, f"{side}_classmethod")(Flaky([Lost, 1])) == (1, Service)
        assert getattr(holder, f"{side}_staticmethod")(Flaky([Lost, 1])) == 1
        coroutine = getattr(holder, f"async_{side}_classmethod")(Flaky([Lost, 1]))
        assert run_async(coroutine) == (1, Service)

    def test_class_methods_of_a_subclass(self):
        """`cls` is the class it was called on."""
        assert AsyncService.above_classmethod(Flaky([Lost, 1])) == (1, AsyncService)

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda risky: lambda: risky(),
            functools.partial,
            lambda risky: functools.partial(functools.partial(lambda a, b: risky(), 1), b=2),
            lambda risky: risky,
        ],
        ids=["lambda", "partial", "partial of a partial", "object"],
    )
    def test_sync_callables(self, wrap):
        """Whatever can be called."""
        flaky = Flaky([Lost, "value"])
        assert retry(wrap(flaky))() == "value"
        assert flaky.calls == 2

    def test_cached_methods(self):
        """Those of `functools.cache`: methods whose function is not written in Python."""

        class Cached:
            flaky = Flaky([Lost, "value"])

            @functools.cache  # noqa: B019 - of this test alone
            def method(self):
                return self.flaky()

        decorated = retry(Cached().method)
        assert decorated() == decorated() == "value"
        assert Cached.flaky.calls == 2

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda service: service,
            functools.partial,
            lambda service: functools.partial(as_coroutine_function(service.flaky)),
            lambda service: service.__call__,
        ],
        ids=["object", "partial of an object", "partial of a function", "bound method"],
    )
    def test_async_callables(self, wrap):
        """Also inside partials and objects with `async def __call__`."""
        service = AsyncService()
        decorated = retry(wrap(service))
        assert inspect.iscoroutinefunction(decorated)
        assert run_async(decorated()) == "value"
        assert service.flaky.calls == 2

    @pytest.mark.skipif(not hasattr(inspect, "markcoroutinefunction"), reason="new in Python 3.12")
    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=str)
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda marked: marked,
            functools.partial,
            lambda marked: functools.partial(functools.partial(marked)),
        ],
        ids=["function", "partial", "partial of a partial"],
    )
    def test_marked_as_coroutine_functions(self, wrap, options):
        """By `inspect.markcoroutinefunction`: plain ones that behave like coroutine functions."""
        flaky = Flaky([Lost, "value"])
        marked = inspect.markcoroutinefunction(lambda: as_coroutine_function(flaky)())
        decorated = retry(**options)(wrap(marked))
        assert inspect.iscoroutinefunction(decorated)
        assert run_async(decorated()) == "value"
        assert flaky.calls == 2

    @pytest.mark.parametrize("wrap", [lambda f: f, functools.partial], ids=["function", "partial"])
    def test_generator_based_coroutines(self, wrap):
        """Those of `types.coroutine`."""
        flaky = Flaky(["value"])
        decorated = retry(wrap(generator_based(flaky)))
        assert inspect.iscoroutinefunction(decorated)
        assert run_async(decorated()) == "value"

    @pytest.mark.parametrize(
        ("script", "options"), [([Lost, "value"], {}), (["value"], {"until": bool})], ids=str
    )
    def test_generator_based_coroutines_again(self, script, options):
        """Also at a later attempt, and where somebody looks at the first."""
        decorated = retry(**options)(generator_based(Flaky(script)))
        assert run_async(decorated()) == "value"

    @pytest.mark.parametrize("script", [["value"], [Lost, "value"]], ids=str)
    def test_generator_based_coroutines_in_a_block(self, script):
        """At the first attempt and at a later one."""

        async def main():
            async with retrying() as call:
                return await call(generator_based(Flaky(script)))

        assert run_async(main()) == "value"


class TestLooks:
    """Name and docstring stay as far as there are any."""

    def test_of_a_function(self):
        """What was set on it is there too."""

        def fetch():
            """The docstring."""

        fetch.route = "/page"
        assert retry(fetch).route == "/page"

    def test_of_a_cached_function(self):
        """The label of a policy is no name of the function."""

        def fetch():
            """The docstring."""

        decorated = retry(name="label")(functools.cache(fetch))
        assert decorated.__name__ == "fetch"
        assert decorated.__qualname__ == fetch.__qualname__
        assert decorated.__module__ == __name__
        assert decorated.__doc__ == "The docstring."

    @pytest.mark.parametrize("options", [{}, {"name": "label"}], ids=str)
    def test_of_a_partial(self, options):
        """Those of its function, not those of the class `partial`."""

        def fetch(url, limit=3):
            """The docstring."""

        partial = functools.partial(functools.partial(fetch, "url"), limit=2)
        decorated = retry(**options)(partial)
        assert decorated.__name__ == "fetch"
        assert decorated.__qualname__ == fetch.__qualname__
        assert decorated.__module__ == __name__
        assert decorated.__doc__ == "The docstring."
        assert decorated.__wrapped__ is partial

    def test_of_a_partial_in_the_log(self, caplog):
        """There too it is named by its function."""

        def fetch(flaky):
            return flaky()

        assert retry(functools.partial(fetch, Flaky([Lost, "value"])))() == "value"
        assert f"retrying {fetch.__qualname__} in" in caplog.text

    @pytest.mark.parametrize("options", [{}, {"name": "label"}], ids=str)
    def test_of_an_object(self, options):
        """It has no name, but its class does."""
        service = Service()
        decorated = retry(**options)(service)
        assert decorated.__name__ == "Service"
        assert decorated.__qualname__ == "Service"
        assert decorated.__doc__ == Service.__doc__
        assert decorated.__wrapped__ is service
        assert decorated() == "value"

    @pytest.mark.parametrize("attribute", [3, None, [], b"fetch"], ids=repr)
    @pytest.mark.parametrize("kind", [Service, AsyncService])
    def test_of_an_object_whose_attributes_are_no_strings(self, kind, attribute, caplog):
        """A mock, say: what is no name is not taken for one."""
        service = kind()
        for name in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(service, name, attribute)
        decorated = retry(service)
        assert decorated.__name__ == decorated.__qualname__ == kind.__name__
        value = decorated()
        assert (run_async(value) if inspect.isawaitable(value) else value) == "value"
        assert f"retrying {kind.__name__} in" in caplog.text


class TestReentrance:
    """Recursion and re-entrance do not disturb each other."""

    def test_recursion(self):
        """Each level fails once and counts its own attempts."""
        numbers = []
        failed = set()

        @retry(2, before_attempt=lambda attempt: numbers.append((*attempt.args, attempt.number)))
        def descend(depth):
            if depth not in failed:
                failed.add(depth)
                raise Lost
            return depth + (descend(depth - 1) if depth else 0)

        assert descend(3) == 6
        assert numbers == [(depth, number) for depth in (3, 2, 1, 0) for number in (1, 2)]

    def test_async_recursion(self):
        """The same for coroutine functions."""
        failed = set()

        @retry(2)
        async def descend(depth):
            if depth not in failed:
                failed.add(depth)
                raise Lost
            return depth + (await descend(depth - 1) if depth else 0)

        assert run_async(descend(3)) == 6
