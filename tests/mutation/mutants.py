"""Mutants: every small wrong change of one module that is worth a test run.

Owns making them and leaving out what cannot matter.  Leaves running the tests to ``__main__``.

Most changes are cosmic-ray's: each operator of arithmetic and comparison by each other one,
numbers by their neighbours, conditions negated, ``and`` by ``or``, classes that are caught by one
that is not raised, decorators and loops taken away.  Ours are what it has not: a statement left
out, a result forgotten, a condition that always or never holds, an operand of ``and`` and ``or``
left out, a string changed, a word left out of one that is a list of words, and what is caught
left out where it is not a bare name, which is all that cosmic-ray can replace.

Left out are mutants that do not compile, mutants equal to another, and those that say nothing of
the tests: operators of bits for arithmetic and order for identity, which die of a TypeError
wherever the line runs; identity for equality and order, whose answer for numbers is CPython's own;
and what differs only where nothing runs, which is in annotations, for ``from __future__ import
annotations`` keeps them from being evaluated, and under ``if TYPE_CHECKING``.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cosmic_ray.ast
import cosmic_ray.mutating
import cosmic_ray.plugins
from cosmic_ray.operators.exception_replacer import ExceptionReplacer
from parso.python.tree import Name

if TYPE_CHECKING:
    from collections.abc import Iterator

    Edit = tuple[ast.AST, str]  # what is replaced, and by what


_ARITHMETIC, _BITS = "Add|Sub|Mul|Div|FloorDiv|Mod|Pow", "RShift|LShift|BitOr|BitAnd|BitXor"
_ORDER, _IDENTITY = "Lt|LtE|Gt|GtE", "Is|IsNot"
_SAYS_NOTHING = re.compile(
    rf"_({_ARITHMETIC})_({_BITS})$|_({_BITS})_({_ARITHMETIC})$|"
    rf"_({_IDENTITY})_({_ORDER})$|_({_ORDER}|Eq|NotEq)_({_IDENTITY})$"
)


@dataclass(frozen=True)
class Change:
    """What a mutant changes, as its entry in ``equivalent.toml`` has it."""

    function: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.before] + [f"+ {line}" for line in self.after]
        return "\n".join([f"@ {self.function}", *lines])


@dataclass(frozen=True)
class Mutant:
    """One wrong version of a module."""

    change: Change
    line: int
    source: str
    code: str  # the digest of what runs of it


# cosmic-ray takes what is caught for a name, also `*several` and the dot of `module.Name`.
_all_caught = ExceptionReplacer._name_nodes
ExceptionReplacer._name_nodes = staticmethod(
    lambda clause: [node for node in _all_caught(clause) if isinstance(node, Name)]
)


def mutants_of(source: str) -> list[Mutant]:
    """Every mutant of a module's *source*, in the order of its lines."""
    seen = {code_of(source)}
    found = []
    for mutated in (*_by_cosmic_ray(source), *_by_us(source)):
        try:
            code = code_of(mutated)
        except SyntaxError:
            continue
        if code not in seen:
            seen.add(code)
            found.append(_described(source, mutated, code))
    ours = [mutant for mutant in found if "TYPE_CHECKING" not in "".join(mutant.change.before)]
    return sorted(ours, key=lambda mutant: mutant.line)


def _by_cosmic_ray(source: str) -> Iterator[str]:
    nodes = list(cosmic_ray.ast.ast_nodes(cosmic_ray.ast.get_ast(source)))
    for name in cosmic_ray.plugins.operator_names():
        operator_class = cosmic_ray.plugins.get_operator(name)
        if operator_class.arguments() or _SAYS_NOTHING.search(name):
            continue  # with arguments are those that have to be told the names of variables
        operator = operator_class()
        places = sum(len(list(operator.mutation_positions(node))) for node in nodes)
        for place in range(places):
            mutated = cosmic_ray.mutating.mutate_code(source, operator, place)
            if mutated is not None:
                yield mutated


def _by_us(source: str) -> Iterator[str]:
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    text = b"".join(lines)
    tree = ast.parse(source)
    for node, replacement in _edits(tree, source):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        yield (text[:begin] + replacement.encode() + text[end:]).decode()


def _edits(tree: ast.Module, source: str) -> Iterator[Edit]:
    no_values = _docstrings_and_parts(tree)
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
                pass
            case ast.Return(value=ast.expr()) if node in inside:
                yield node, "return None"
            case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.AnnAssign() if node in inside:
                yield node, "pass"
            case ast.ExceptHandler(type=ast.Attribute() as caught):
                yield caught, "()"
            case ast.ExceptHandler(type=ast.Tuple(elts=several)):
                for caught in several:
                    if not isinstance(caught, ast.Name):
                        yield caught, "*()"
            case ast.Raise() | ast.Delete() | ast.Assert():
                yield node, "pass"
            case ast.If() | ast.While() | ast.IfExp():
                yield node.test, "True"
                yield node.test, "False"
            case ast.comprehension():
                for test in node.ifs:
                    yield test, "True"
                    yield test, "False"
            case ast.match_case(guard=ast.expr()):
                yield node.guard, "True"
                yield node.guard, "False"
            case ast.BoolOp():
                word = " and " if isinstance(node.op, ast.And) else " or "
                for left_out in node.values:
                    kept = [value for value in node.values if value is not left_out]
                    parts = [f"({ast.get_source_segment(source, value)})" for value in kept]
                    yield node, f"({word.join(parts)})"
            case ast.Constant(value=str()) if node not in no_values:
                written = ast.get_source_segment(source, node)
                words = list(re.finditer(r"[\w.]+", written)) if "\n" in node.value else []
                for word in words:  # of a table
                    yield node, written[: word.start()] + written[word.end() :]
                if not words:
                    yield node, repr(f"{node.value}.")


def _docstrings_and_parts(tree: ast.Module) -> set[ast.AST]:
    """Strings that are no expressions of their own."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                found.add(node.value)
            case ast.JoinedStr():  # Python 3.11 does not know where the parts of an f-string are
                found.update(ast.walk(node))
    return found


class _OnlyWhatRuns(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_text = isinstance(node.value, ast.Constant)
        return ast.Pass() if is_text else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        return node.value and ast.Assign([node.target], node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Write `not a is b` as `a is not b`, and `not not a` as `a`: mutants may be both."""
        self.generic_visit(node)
        match node.op, node.operand:
            case ast.Not(), ast.UnaryOp(op=ast.Not(), operand=inner):
                return inner
            case ast.Not(), ast.Compare(ops=[ast.Is() | ast.IsNot() as op]) as inner:
                opposite = ast.IsNot() if isinstance(op, ast.Is) else ast.Is()
                return ast.Compare(inner.left, [opposite], inner.comparators)
        return node


def code_of(source: str) -> str:
    """Return a digest of *source* without what has no effect: comments, docstrings, annotations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `is` with a number: a mutant may
        compile(source, "mutant", "exec")
    return hashlib.sha256(ast.dump(_OnlyWhatRuns().visit(ast.parse(source))).encode()).hexdigest()


def _described(source: str, mutated: str, code: str) -> Mutant:
    old, new = ([" ".join(line.split()) for line in text.split("\n")] for text in (source, mutated))
    before: list[str] = []
    after: list[str] = []
    changed = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            changed += [number for number in range(i, j) if old[number]]
            before += filter(None, old[i:j])
            after += filter(None, new[k:m])
    line = changed[0] + 1
    return Mutant(
        Change(_function_at(source, line), tuple(before), tuple(after)), line, mutated, code
    )


def _function_at(source: str, line: int) -> str:
    """The dotted name of what holds *line*."""
    names = []
    node: ast.AST | None = ast.parse(source)
    while node is not None:
        inner = [
            child
            for child in ast.walk(node)
            if child is not node
            and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and min([child, *child.decorator_list], key=_line).lineno <= line <= child.end_lineno
        ]
        node = min(inner, key=_line, default=None)
        if node is not None:
            names.append(node.name)
    return ".".join(names) or "<module>"


def _line(node: ast.AST) -> int:
    return node.lineno
