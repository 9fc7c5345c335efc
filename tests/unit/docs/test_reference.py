"""The reference names everything that is public, and nothing that is not there."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re

import documents
import pytest

import retrying_elegant
from retrying_elegant import (
    GiveUp,
    Policy,
    RetryBudget,
    TryAgain,
    backoff,
    clients,
    db,
    deadline,
    instrumentation,
    retry,
    retrying,
    testing,
    web,
)

CONTRACT = (documents.ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
PAGE = (documents.ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
# What its autodoc directives name, without the package and without arguments.
NAMED = re.findall(r"^ *\.\. auto\w+:: (?:retrying_elegant\.)?([\w.]+)", PAGE, re.MULTILINE)
MODULES = [backoff, clients, db, instrumentation, testing, web]
PUBLIC = [
    *(name for name in retrying_elegant.__all__ if getattr(retrying_elegant, name) not in MODULES),
    *(f"{m.__name__.partition('.')[2]}.{name}" for m in MODULES for name in m.__all__),
]


class TestReference:
    """Whoever looks a name up finds it there."""

    def test_every_public_name_is_there(self):
        """Once, by the name it is imported by."""
        assert len(PUBLIC) > 30
        assert [name for name in PUBLIC if NAMED.count(name) != 1] == []

    @pytest.mark.parametrize("cls", [retrying_elegant.Attempt, retrying_elegant.RetryBudget])
    def test_every_property_is_there(self, cls):
        """Those are listed one by one, in an order to be read in."""
        properties = {name for name, value in vars(cls).items() if isinstance(value, property)}
        assert properties <= set(NAMED)
        assert len(properties) >= 3

    def test_every_name_on_it_exists(self):
        """Those of classes are looked for in the class that they stand below."""
        within: object = retrying_elegant
        for indent, dotted in re.findall(
            r"^( *)\.\. auto\w+:: (?:retrying_elegant\.)?([\w.]+)", PAGE, re.MULTILINE
        ):
            first, *rest = dotted.split(".")
            if indent:
                assert hasattr(within, dotted), dotted
                continue
            within = (
                importlib.import_module(f"retrying_elegant.{first}")
                if rest
                else getattr(retrying_elegant, first)
            )
            for name in rest:
                within = getattr(within, name)


def block():
    with retrying() as call:
        call(int)
    return call


async def async_block():
    async with retrying() as call:
        await call(asyncio.sleep, 0)
    return call


def loop():
    for attempt in retrying():
        with attempt:
            return attempt
    return None


async def async_loop():
    async for attempt in retrying():
        async with attempt:
            return attempt
    return None


def written(thing):
    """The signature of *thing*, as the contract writes it."""
    parameters = [
        each.replace(annotation=each.empty)
        for each in inspect.signature(thing).parameters.values()
        # It says once for all backoffs what cap and jitter are.
        if each.name not in ("unknown", "cap", "jitter") or thing is backoff.decorrelated
    ]
    text = str(inspect.Signature(parameters)).replace(", *)", ")").replace("*, **", "**")
    for value, name in {
        "<class 'Exception'>": "Exception",
        repr(backoff.exponential()): "backoff.exponential()",
        "log_level=30": "log_level=logging.WARNING",
        str(web.transient.statuses): "…",
    }.items():
        text = text.replace(value, name)
    return f"{thing.__name__}{text}"


class TestContract:
    """What users hold has no public attribute that the contract does not name."""

    @pytest.mark.parametrize(
        "thing",
        [
            *(Policy, GiveUp, RetryBudget, web.Transient),
            *(getattr(backoff, name) for name in backoff.__all__),
            *(getattr(clients, name) for name in clients.__all__),
            *(instrumentation.observe, instrumentation.prometheus),
            *(instrumentation.opentelemetry, instrumentation.structlog),
        ],
        ids=lambda thing: thing.__name__,
    )
    def test_every_default_is_there(self, thing):
        """Names, order and defaults, to the letter."""
        assert written(thing) in " ".join(CONTRACT.split())

    @pytest.mark.parametrize(
        "thing",
        [
            Policy(),
            retrying(),
            block(),
            asyncio.run(async_block()),
            loop(),
            asyncio.run(async_loop()),
            retry(),
            retry(loop),
            RetryBudget(),
            deadline(1),
            TryAgain(),
            GiveUp("name", 1, 0.0, "attempts", ()),
            backoff.exponential(),
            web.transient,
            testing.instant(),
            testing.limit(1),
            instrumentation.Handle,
        ],
        ids=lambda thing: type(thing).__name__,
    )
    def test_every_attribute_is_there(self, thing):
        """But for what every function and exception has."""
        known = {*dir(loop), *dir(Exception()), *re.findall(r"\w+", CONTRACT)}
        assert [name for name in dir(thing) if name[0] != "_" and name not in known] == []
