"""The sync and the async module of the core are twins: what differs between them is listed here.

They are two modules because one for both would run synchronous code through a coroutine.  Nothing
may drift apart in them: without `async` and `await`, each function of one is that of the other,
line by line, but for the lines below.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap

import pytest
from map_parts import PACKAGE

TWINS = ("_sync", "_async")

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
        + before = _async_backend.cancellations()
        + scope = None
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
}


class WithoutAwait(ast.NodeTransformer):
    """Turns async syntax into its sync counterpart, and drops docstrings."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return self.visit(node.value)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(ast.FunctionDef(**dict(ast.iter_fields(node)), lineno=0))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
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


def functions(source: str) -> dict[str, list[str]]:
    """The functions of a module by name, as lines of code without async syntax."""
    return {
        node.name: ast.unparse(WithoutAwait().visit(node)).splitlines()
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


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


class TestTwins:
    """What is not listed is the same in both."""

    @pytest.mark.parametrize("name", sorted(SYNC.keys() & ASYNC.keys()))
    def test_each_function_has_its_twin(self, name):
        """Equal but for the listed lines."""
        assert differences(SYNC[name], ASYNC[name]) == listed(name)

    def test_only_these_are_alone(self):
        """Each with its reason."""
        assert SYNC.keys() ^ ASYNC.keys() == ALONE.keys()

    def test_what_is_listed_is_there(self):
        """A list of what has gone would hide what comes."""
        assert DIFFERENCES.keys() <= SYNC.keys() & ASYNC.keys()

    def test_every_step_is_awaited(self):
        """An await that is missing would not show in a comparison that takes all of them away."""
        steps = {node.name for node in ast.walk(TREE) if isinstance(node, ast.AsyncFunctionDef)}
        awaited = [node.value for node in ast.walk(TREE) if isinstance(node, ast.Await)]
        calls = [
            node
            for node in ast.walk(TREE)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in steps
        ]
        assert len(calls) > 5
        assert [ast.unparse(call) for call in calls if call not in awaited] == []

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
