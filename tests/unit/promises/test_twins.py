"""What is written twice, sync and async, are twins: what differs between them is listed here.

`_sync` and `_async` are two modules because one for both would run synchronous code through a
coroutine; other forms have both halves in one module.  Nothing may drift apart in them: without
`async` and `await`, one is the other, line by line, but for the lines below.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import textwrap

import pytest
from map_parts import PACKAGE

TWINS = ("_sync", "_async")
# In one module: its name, and the sync and the async half.
HALVES = [
    ("_generators", "wrap", "wrap_async"),
    ("_loop", "SyncAttempt", "AsyncAttempt"),
    ("_block", "Block", "AsyncBlock"),
]
# What is named differently in async code.
NAMES = {
    "_async": "_sync",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "asend": "send",
    "athrow": "throw",
    "AsyncGenerator": "Generator",
    "StopAsyncIteration": "StopIteration",
    **{other: sync for _, sync, other in HALVES},
}

# Functions that only one of them has, and why.
ALONE = {
    "check_result": "a synchronous function may return something to await by mistake",
    "reject_result": "the same",
    "expired": "only async code can end an attempt that takes too long",
    "limit": "the same",
    "finished": "a hook or a fallback may return something that has to be awaited",
}

# By function, what differs: "-" the sync lines, "+" the async lines, in order.
DIFFERENCES = {
    "wrap": """
        - checked: type = type(None)
        - nonlocal checked, known
        + nonlocal known
        + before = _async_backend.cancellations()
        + if type(value) is CoroutineType or _checks.is_awaitable(value):
        + value = value
        + count = _async_backend.cancellations()
        - is_simple = kind is known and _decision.retry_simply(attempt, error, kind, _clock.time.monotonic())
        + is_simple = kind is known and count <= before and _decision.retry_simply(attempt, error, kind, _clock.time.monotonic())
        - if not is_simple and (not settle(attempt, error)):
        + if not is_simple and (not settle(attempt, error, before=before)):
        - if type(value) is not checked:
        - checked = check_result(value, name)
        - _clock.sleep(wait)
        + _async_backend.sleep(wait)
        + before = count
        + before = _async_backend.cancellations()
    """,  # noqa: E501 - as the line is written
    "run": """
        + scope = None
        + before = _async_backend.cancellations()
        + allowed = None if policy.attempt_timeout is None else limit(attempt)
        + if policy.attempt_timeout is None:
        - value = fn(*args, **kwargs) if kwargs else fn(*args)
        + value = fn(*args, **kwargs) if kwargs else fn(*args)
        + if _checks.is_awaitable(value):
        + value = value
        + else:
        + with _async_backend.timeout(allowed) as scope:
        + value = fn(*args, **kwargs) if kwargs else fn(*args)
        + if _checks.is_awaitable(value):
        + value = value
        - if not settle(attempt, error):
        + timed_out = expired(scope, error, attempt, allowed)
        + if not settle(attempt, error, timed_out=timed_out, before=before):
        - return fallback(attempt)
        + return finished(fallback(attempt))
        - check_result(value, attempt.name)
        + if policy.until is not None:
        + expired(scope, None, attempt, allowed)
        - if not settle(attempt, None, value):
        + if not settle(attempt, None, value, before=before):
        - return fallback(attempt)
        + return finished(fallback(attempt))
        - del attempt
        + del attempt, scope
    """,
    "settle": """
        - def settle(attempt: Attempt, error: Exception | None, value: Any=NOTHING) -> bool:
        + def settle(attempt: Attempt, error: Exception | None, value: Any=NOTHING, *, timed_out: bool=False, before: int | None=None) -> bool:
        + canceled = before is not None and _async_backend.was_canceled(before, error)
        - if _decision.settle(attempt, error, value, _clock.time.monotonic()):
        + if _decision.settle(attempt, error, value, _clock.time.monotonic(), timed_out, canceled):
    """,  # noqa: E501 - as the line is written
    "next_attempt": """
        + before = _async_backend.cancellations()
        + if _async_backend.was_canceled(before, None):
        + _async_backend.meet_cancellation()
        + _decision.cancel(attempt, attempt._error)
        + return None
        - _clock.sleep(wait)
        + _async_backend.sleep(wait)
        - stopped = _clock.wait(policy.stop, wait)
        + stopped = _async_backend.wait(policy.stop, wait)
    """,
    "interrupt": """
        + misuse = _async_backend.misuse(intruder)
        + if misuse is not None:
        + _decision.break_off(attempt)
        + set_context(misuse, attempt._error)
        + end(attempt)
        + return misuse
    """,
    "fire": """
        - hook(attempt)
        + finished(hook(attempt))
    """,
    "_generators.wrap": """
        - def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        + def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any]:
        + scope = None
        + before = _async_backend.cancellations()
        + allowed = None if policy.attempt_timeout is None else _sync.limit(attempt)
        + if policy.attempt_timeout is None:
        - items = [next(source)]
        + items = [_first(source)]
        + else:
        + with _async_backend.timeout(allowed) as scope:
        + items = [_first(source)]
        - except StopIteration as end:
        + except StopIteration:
        - _sync.settle(attempt, None, end.value)
        + _sync.settle(attempt, None)
        - return end.value
        + return
        + timed_out = _sync.expired(scope, error, attempt, allowed)
        - if not _sync.settle(attempt, error):
        + if not _sync.settle(attempt, error, timed_out=timed_out, before=before):
        + try:
        - _sync.settle(attempt, None, items[0])
        + _sync.settle(attempt, None, items[0])
        + except BaseException:
        + source.aclose()
        + raise
        - del attempt
        + del attempt, scope
        - except StopIteration as end:
        + except StopIteration:
        - return end.value
        + return
    """,
    "_loop.SyncAttempt": """
        - __slots__ = ()
        + __slots__ = ('_allowed', '_before', '_scope')
        + _written = 'async with attempt:'
        +
        + def __getstate__(self) -> Any:
        + nothing, slots = super().__getstate__()
        + return (nothing, {**slots, '_scope': None})
        + self._scope: Any = None
        + self._before = _async_backend.cancellations()
        + policy = self._policy
        - if self._policy.before_attempt:
        + if policy.before_attempt:
        - _sync.fire(self._policy.before_attempt, self)
        + _sync.fire(policy.before_attempt, self)
        + if policy.attempt_timeout is not None:
        + self._allowed = _sync.limit(self)
        + self._scope = _async_backend.timeout(self._allowed)
        + self._scope.__enter__()
        + scope, timed_out = (self._scope, False)
        + if scope is not None:
        + self._scope = None
        + try:
        + scope.__exit__(kind, error, trace)
        + except Exception as late:
        + timed_out = _sync.expired(scope, late, self, self._allowed)
        + if self._settle(late, timed_out=timed_out) is None:
        + return True
        + raise
        + else:
        + timed_out = _sync.expired(scope, error, self, self._allowed)
        + finally:
        + del scope
        - final = self._settle(error)
        + final = self._settle(error, timed_out=timed_out)
        - raise TypeError('in a regular `for` loop, write `with attempt:`; in async code, `async for attempt in retrying(...)` and `async with attempt:`')
        + raise TypeError('in an `async for` loop, write `async with attempt:`')
        - def _settle(self, error: Exception | None) -> Exception | None:
        + def _settle(self, error: Exception | None, *, timed_out: bool) -> Exception | None:
        - if _sync.settle(self, error, self._result) or self._stage is SUCCEEDED:
        + follows = _sync.settle(self, error, self._result, timed_out=timed_out, before=self._before)
        + if follows or self._stage is SUCCEEDED:
    """,  # noqa: E501 - as the line is written
    "_block.Block": """
        - def __call__(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        + def __call__(self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        - flags = _checks.flags_of(fn)
        - if flags & (_checks.COROUTINE | _checks.ITERABLE_COROUTINE):
        - raise TypeError(f'{_checks.name_of(fn)} is a coroutine function: {_ASYNC_FORM}')
        - self._check(fn, flags)
        + self._check(fn, _checks.flags_of(fn))
    """,  # noqa: E501 - as the line is written
}


class WithoutAwait(ast.NodeTransformer):
    """Turns async syntax into its sync counterpart, and drops docstrings."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(ast.FunctionDef(**dict(ast.iter_fields(node)), lineno=0))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self.without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self.without_docstring(node)

    def without_docstring(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        if ast.get_docstring(node) is not None:
            del node.body[0]
        return self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.With(**dict(ast.iter_fields(node)), lineno=0))

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.For(**dict(ast.iter_fields(node)), lineno=0))

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)


def functions(source: str, *kinds: type[ast.stmt]) -> dict[str, list[str]]:
    """The functions of a module by name, as lines of code without async syntax."""
    kinds = kinds or (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name: ast.unparse(WithoutAwait().visit(node)).splitlines()
        for node in ast.parse(source).body
        if isinstance(node, kinds)
    }


def halves(module: str, sync: str, other: str) -> list[list[str]]:
    """The lines of both halves, with the names of the sync one."""
    source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    found = functions(source, ast.FunctionDef, ast.ClassDef)
    name = re.compile(rf"\b(?:{'|'.join(NAMES)})\b")
    return [
        [name.sub(lambda at: NAMES[at[0]], line) for line in found[half]] for half in (sync, other)
    ]


def differences(sync: list[str], other: list[str]) -> list[str]:
    """The lines that only one of them has, as "- line" and "+ line", in order."""
    return [
        f"{line[0]} {line[2:].strip()}"
        for line in difflib.ndiff(sync, other)
        if line.startswith(("- ", "+ "))
    ]


def listed(name: str) -> list[str]:
    """What may differ in the function."""
    lines = inspect.cleandoc(DIFFERENCES.get(name, "")).splitlines()
    return [f"{line[0]} {line[2:].strip()}" for line in lines]


SOURCES = [(PACKAGE / f"{name}.py").read_text(encoding="utf-8") for name in TWINS]
SYNC, ASYNC = map(functions, SOURCES)
TREE = ast.parse(SOURCES[1])
STEPS = {node.name for node in ast.walk(TREE) if isinstance(node, ast.AsyncFunctionDef)}


def not_awaited(tree: ast.Module, prefix: str = "") -> list[str]:
    """The calls of a step of ``_async`` that are not awaited."""
    awaited = [node.value for node in ast.walk(tree) if isinstance(node, ast.Await)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    steps = {prefix + step for step in STEPS}
    found = [call for call in calls if ast.unparse(call.func) in steps]
    assert found
    return [ast.unparse(call) for call in found if call not in awaited]


class TestTwins:
    """What is not listed is the same in both."""

    @pytest.mark.parametrize("name", sorted(SYNC.keys() & ASYNC.keys()))
    def test_each_function_has_its_twin(self, name):
        """Equal but for the listed lines."""
        assert differences(SYNC[name], ASYNC[name]) == listed(name)

    @pytest.mark.parametrize("names", HALVES, ids=lambda names: names[0])
    def test_each_half_of_a_form_has_its_twin(self, names):
        """The same for the two in one module."""
        assert differences(*halves(*names)) == listed(f"{names[0]}.{names[1]}")

    def test_only_these_are_alone(self):
        """Each with its reason."""
        assert SYNC.keys() ^ ASYNC.keys() == ALONE.keys()

    def test_what_is_listed_is_there(self):
        """A list of what has gone would hide what comes."""
        assert DIFFERENCES.keys() <= (SYNC.keys() & ASYNC.keys()) | {
            f"{m}.{n}" for m, n, _ in HALVES
        }

    def test_every_step_is_awaited(self):
        """An await that is missing would not show in a comparison that takes all of them away."""
        assert not_awaited(TREE) == []
        for module, *_ in HALVES:
            tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
            assert not_awaited(tree, "_async.") == []

    def test_they_are_in_the_same_order(self):
        """To be read side by side."""
        assert [name for name in SYNC if name in ASYNC] == [name for name in ASYNC if name in SYNC]


class TestTheComparison:
    """It finds what it is for."""

    def test_async_syntax_is_no_difference(self):
        """All of it, nested too."""
        sync = """
            def f(a):
                with a as b:
                    for c in b:
                        yield [d for d in g(c)]
        """
        other = """
            async def f(a):
                '''And a docstring.'''
                async with a as b:
                    async for c in b:
                        yield [d async for d in await g(c)]
        """
        sync, other = (functions(textwrap.dedent(text))["f"] for text in (sync, other))
        assert differences(sync, other) == []

    def test_any_other_is_found(self):
        """A call that one of them forgets."""
        sync, other = "def f():\n    g()\n    h()", "async def f():\n    await g()"
        assert differences(functions(sync)["f"], functions(other)["f"]) == ["- h()"]
