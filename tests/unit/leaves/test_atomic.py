"""Contract 10: reentrant.  A handler, finalizer or thread may use any budget at any moment."""

from __future__ import annotations

import dis
import math
from functools import partial
from itertools import chain, permutations, product, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interruption_parts import before_call, codes_of, in_turns, interrupted

from retrying_elegant import RetryBudget
from retrying_elegant._atomic import Cell

CODES = codes_of(
    Cell.newest,
    Cell.replace,
    Cell.value.fget,
    RetryBudget._take,
    RetryBudget._put_back,
    RetryBudget._earn,
    RetryBudget._add,
    RetryBudget.tokens.fget,
)


def a_budget(tokens, capacity=3, refill=0.25):
    """A budget with so many tokens left."""
    budget = RetryBudget(capacity, refill)
    for _ in range(capacity - tokens):
        assert budget._take()
    return budget


OPERATIONS = {
    "take": RetryBudget._take,
    "put back": RetryBudget._put_back,
    "earn": RetryBudget._earn,
    "tokens": lambda budget: budget.tokens,
}


def outcomes_in_order(tokens, names):
    """What operations give one after the other: their results and the tokens then."""
    budget = a_budget(tokens)
    return [OPERATIONS[name](budget) for name in names], budget.tokens


def outcomes_in_any_order(tokens, names):
    """All that *names* can give, each way around: results by their position, and the tokens."""
    possible = []
    for order in permutations(range(len(names))):
        results, left = outcomes_in_order(tokens, [names[index] for index in order])
        by_position = [results[order.index(index)] for index in range(len(names))]
        possible.append((by_position, left))
    return possible


class TestACell:
    """A value is replaced by whoever has seen the newest one."""

    def test_it_has_a_value(self):
        """The one that it was made with."""
        assert Cell("first").value == "first"

    def test_the_newest_is_replaced(self):
        """And whoever reads it next sees what it was replaced by."""
        cell = Cell("first")
        assert cell.replace(cell.newest(), "second") is True
        assert cell.value == "second"

    def test_an_older_one_is_not(self):
        """Who has read before another replaced it has to read again."""
        cell = Cell("first")
        old = cell.newest()
        assert cell.replace(old, "second") is True
        assert cell.replace(old, "too late") is False
        assert cell.value == "second"
        assert cell.replace(cell.newest(), "third") is True
        assert cell.value == "third"

    def test_a_hint_that_is_out_of_date(self):
        """It leads to the newest all the same."""
        cell = Cell(0)
        old = cell.link
        for value in range(1, 5):
            assert cell.replace(cell.newest(), value)
        cell.link = old
        assert cell.value == 4
        assert cell.replace(cell.newest(), 5)
        assert cell.value == 5

    def test_nothing_is_kept(self):
        """After a replacement the cell holds one link."""
        cell = Cell(0)
        for value in range(1, 5):
            assert cell.replace(cell.newest(), value)
        assert cell.link == [4]

    def test_one_of_two_that_replace_it_by_equal_values(self):
        """The other has to read again: two callers have taken two tokens, not one."""
        cell = Cell(3)
        old = cell.newest()
        assert cell.replace(old, 2) is True
        assert cell.replace(old, 2) is False

    def test_a_value_that_differs_from_itself(self):
        """It is the newest all the same: values are not compared."""
        assert math.isnan(Cell(math.nan).value)


class TestInterrupted:
    """A handler or finalizer that uses the budget in the middle of one of its methods."""

    @pytest.mark.parametrize("outer", OPERATIONS)
    def test_at_every_instruction(self, outer):
        """It is as if one had been called after the other."""
        for inner, tokens in product(OPERATIONS, range(4)):
            self.check_at_every_instruction(outer, inner, tokens)

    def check_at_every_instruction(self, outer, inner, tokens):
        possible = outcomes_in_any_order(tokens, [outer, inner])
        for place in range(1000):
            budget, inside = a_budget(tokens), []
            result = interrupted(
                CODES,
                partial(OPERATIONS[outer], budget),
                lambda: inside.append(OPERATIONS[inner](budget)),  # noqa: B023 - in this iteration
                [place],
            )
            if not inside:
                break
            assert ([result, *inside], budget.tokens) in possible
        assert 5 < place < 1000

    @pytest.mark.parametrize("outer", OPERATIONS)
    def test_before_every_step(self, outer):
        """The same, without the help of a tracer."""
        for inner, tokens in product(OPERATIONS, range(4)):
            self.check_before_every_step(outer, inner, tokens)

    def check_before_every_step(self, outer, inner, tokens):
        possible = outcomes_in_any_order(tokens, [outer, inner])
        steps = {"newest": Cell.newest, "replace": Cell.replace}
        for number in range(9):
            budget, inside = a_budget(tokens), []
            use = partial(OPERATIONS[inner], budget)
            with before_call(steps, Cell, number, lambda: inside.append(use())):  # noqa: B023
                result = OPERATIONS[outer](budget)
            if not inside:
                break
            assert ([result, *inside], budget.tokens) in possible

    @pytest.mark.parametrize("outer", OPERATIONS)
    @pytest.mark.parametrize("inner", OPERATIONS)
    def test_again_and_again(self, outer, inner):
        """At all instructions of one call together, so that it starts again each time."""
        budget, inside = RetryBudget(1000, 0.25), []
        for _ in range(500):
            assert budget._take()
        result = interrupted(
            CODES,
            partial(OPERATIONS[outer], budget),
            lambda: inside.append(OPERATIONS[inner](budget)),
            range(100),
        )
        assert len(inside) > 5
        worth = {"take": -1, "put back": 1, "earn": 0.25, "tokens": 0}
        assert budget.tokens == 500 + worth[outer] + len(inside) * worth[inner]
        if outer == "take":
            assert result is True


class TestSideBySide:
    """Threads that take turns at any instruction."""

    @given(
        names=st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=2, max_size=3),
        tokens=st.integers(0, 3),
        turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60)), max_size=6),
    )
    def test_in_any_order(self, names, tokens, turns):
        """It is as if they had been called one after the other, in some order."""
        budget = a_budget(tokens)
        runs = [lambda name=name: OPERATIONS[name](budget) for name in names]
        results = in_turns(CODES, runs, chain.from_iterable(repeat(*turn) for turn in turns))
        assert (results, budget.tokens) in outcomes_in_any_order(tokens, names)


# Where CPython delivers signals, runs the cyclic collector and switches threads: what begins a
# function, calls, and jumps back.
BREAKS = ("RESUME", "CALL", "PRECALL", "JUMP_BACKWARD", "SEND", "FOR_ITER", "YIELD")


def instructions_after(function, is_it):
    """The names of the instructions from the one that *is_it* to the return, where all is true."""
    all_of_them = list(dis.get_instructions(function))
    index = next(index for index, each in enumerate(all_of_them) if is_it(each)) + 1
    names = []
    while not all_of_them[index].opname.startswith("RETURN"):
        each = all_of_them[index]
        names.append(each.opname)
        if each.opname.endswith("IF_TRUE"):
            index = next(i for i, other in enumerate(all_of_them) if other.offset == each.argval)
        else:
            index += 1
    return names


def is_in_place_addition(instruction):
    return instruction.opname == "BINARY_OP" and instruction.argrepr == "+="


class TestWhereAnExceptionMayFall:
    """An exception that a handler raises finds a token taken and reported, or not taken."""

    def test_not_between_the_change_and_its_report(self):
        """From the atomic step to the return nothing gives a handler its chance."""
        names = instructions_after(Cell.replace, is_in_place_addition)
        assert "STORE_FAST" in " ".join(names)
        assert [name for name in names if name.startswith(BREAKS)] == []

    def test_not_between_the_report_and_the_answer(self):
        """Nor does anything from there to the True that the caller gets."""
        calls = [
            each.offset
            for each in dis.get_instructions(RetryBudget._take)
            if each.opname.startswith("CALL")
        ]
        names = instructions_after(RetryBudget._take, lambda each: each.offset == calls[-1])
        assert [name for name in names if name.startswith(BREAKS)] == []
