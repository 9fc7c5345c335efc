"""Wrong uses: what type checkers must say of them.  Checked by ``check.py``.

One wrong use per line.  A comment names the checkers that reject it; where it is not all four,
the others cannot see it.  What is "refused at definition", the library refuses right there.
"""

from __future__ import annotations

import asyncio
import random
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn, TypedDict, Unpack

import httpx
import requests

import retrying_elegant
from retrying_elegant import (
    Attempt,
    Policy,
    RetryBudget,
    TryAgain,
    backoff,
    clients,
    db,
    deadline,
    retry,
    retrying,
    web,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

POLICY = Policy()


class TeamPolicy(Policy): ...


def fetch(url: str, *, encoding: str = "utf-8") -> str:
    return url + encoding


async def fetch_async(url: str, *, encoding: str = "utf-8") -> str:
    return url + encoding


def items() -> Iterator[int]:
    yield 1


async def items_async() -> AsyncIterator[int]:
    yield 1


def hook(attempt: Attempt) -> None: ...


async def hook_async(attempt: Attempt) -> None: ...


async def ask_async(error: Exception) -> bool:
    return True


# --- The decorator: what it is given ----------------------------------------------------------


@retry(OSError)  # error: mypy pyright pyrefly ty # refused at definition
def on_is_a_keyword() -> None: ...


@retry((OSError, ValueError))  # error: mypy pyright pyrefly ty # refused at definition
def on_is_a_keyword_for_tuples_too() -> None: ...


@retry(3, OSError)  # error: mypy pyright pyrefly ty # refused at definition
def on_is_not_the_second_argument() -> None: ...


@retry("3")  # error: mypy pyright pyrefly ty # refused at definition
def attempts_are_a_number() -> None: ...


@retry(2.5)  # error: mypy pyright pyrefly ty # refused at definition
def attempts_are_whole() -> None: ...


@retry(True)  # refused at definition
def attempts_are_no_truth_value() -> None: ...


@retry(0)  # refused at definition
def attempts_are_positive() -> None: ...


@retry(3, attempts=4)  # refused at definition
def attempts_are_given_once() -> None: ...


@retry(tries=3)  # error: mypy pyright pyrefly ty # refused at definition
def keyword_of_another_library() -> None: ...


@retry(3, time_out=30)  # error: mypy pyright pyrefly ty # refused at definition
def misspelt_keyword() -> None: ...


@retry(3, raises=False)  # error: mypy pyright pyrefly ty # refused at definition
def keyword_of_retrying() -> None: ...


@retry(fallbak=hook)  # error: mypy pyright pyrefly ty # refused at definition
def misspelt_fallback() -> None: ...


@retry(fallback=3)  # error: mypy pyright pyrefly ty # refused at definition
def fallback_is_a_callable() -> None: ...


@retry(fallback=lambda: None)  # error: mypy pyright pyrefly ty
def fallback_takes_the_attempt() -> None: ...


@retrying()  # error: mypy pyright pyrefly ty # refused at definition
def loop_as_decorator() -> None: ...


@retrying  # error: mypy pyright pyrefly ty # refused at definition
def loop_as_bare_decorator() -> None: ...


retry(3)(5)  # error: mypy pyright pyrefly ty # refused at definition
retry(3)("fetch")  # error: mypy pyright pyrefly ty # refused at definition
retry(3)(fetch, "/")  # error: mypy pyright pyrefly ty # refused at definition
retry(fetch, attempts=3)  # error: mypy pyright pyrefly ty # refused at definition
retry(KeyboardInterrupt)(fetch)  # error: mypy pyright pyrefly ty # refused at definition
list(retry())  # error: mypy pyright pyrefly ty # refused at definition
with retry(3):  # error: mypy pyright pyrefly ty # refused at definition
    pass


class Resource:
    @retry  # error: mypy pyright ty # refused at definition
    @property
    def size(self) -> int:
        return 1


# --- The decorator: what it gives -------------------------------------------------------------


@retry
def bare(url: str, *, encoding: str = "utf-8") -> str:
    return url + encoding


@retry(3)
def called(url: str, *, encoding: str = "utf-8") -> str:
    return url + encoding


@retry(POLICY)
async def called_async(url: str, *, encoding: str = "utf-8") -> str:
    return url + encoding


@retry(fallback=lambda attempt: None)
def or_none(url: str) -> str:
    return url


@retry(fallback=lambda attempt: None)
async def or_none_async(url: str) -> str:
    return url


class Client:
    @retry(3)
    def get(self, path: str) -> str:
        return path

    @retry
    @classmethod
    def open(cls, host: str) -> Client:
        return cls()


def results() -> None:
    bare(1)  # error: mypy pyright pyrefly ty
    bare("/", codec="ascii")  # error: mypy pyright pyrefly ty
    called()  # error: mypy pyright pyrefly ty
    called("/", "ascii")  # error: mypy pyright pyrefly ty
    Client().get(1)  # error: mypy pyright pyrefly ty
    Client().get()  # error: mypy pyright pyrefly ty
    Client.get("/")  # error: mypy pyright pyrefly ty
    Client.open()  # error: mypy pyright pyrefly ty
    bare("/").decode()  # error: mypy pyright pyrefly ty
    or_none("/").upper()  # error: mypy pyright pyrefly ty
    or_none(1)  # error: mypy pyright pyrefly ty
    bare.policy = POLICY  # error: mypy pyright pyrefly ty


async def results_async() -> None:
    called_async("/")  # error: mypy pyright pyrefly ty
    called_async("/").upper()  # error: mypy pyright pyrefly ty
    (await called_async("/")).decode()  # error: mypy pyright pyrefly ty
    (await or_none_async("/")).upper()  # error: mypy pyright pyrefly ty
    await bare("/")  # error: mypy pyright pyrefly ty


# --- Fields -----------------------------------------------------------------------------------

Policy("3")  # error: mypy pyright pyrefly ty # refused at definition
Policy(3, OSError)  # error: mypy pyright pyrefly ty # refused at definition
Policy(OSError)  # error: mypy pyright pyrefly ty # refused at definition
Policy(retries=3)  # error: mypy pyright pyrefly ty # refused at definition
Policy(raises=False)  # error: mypy pyright pyrefly ty # refused at definition
Policy(fallback=hook)  # error: mypy pyright pyrefly ty # refused at definition
POLICY.replace(retries=3)  # error: mypy pyright pyrefly ty # refused at definition
POLICY.replace(timeout="3")  # error: mypy pyright pyrefly ty # refused at definition
POLICY.replace(3)  # error: mypy pyright pyrefly ty # refused at definition


class Options(TypedDict, total=False):
    """Some fields, as the keywords of a function of one's own."""

    timeout: float


def with_options(**options: Unpack[Options]) -> None:
    # A subclass of Options may have a field of any type; of any function, pyrefly heeds that.
    Policy(3, **options)  # error: pyrefly
    POLICY.replace(**options)  # error: pyrefly
    retry(3, **options)  # error: pyrefly
    retrying(3, **options)  # error: pyrefly


Policy(on="OSError")  # error: mypy pyright pyrefly ty # refused at definition
Policy(on=OSError())  # error: mypy pyright pyrefly ty # refused at definition
Policy(on=503)  # error: mypy pyright pyrefly ty # refused at definition
Policy(on=None)  # error: mypy pyright pyrefly ty # refused at definition
Policy(on=[OSError])  # error: mypy pyright pyrefly ty # refused at definition
Policy(on=(OSError, "ValueError"))  # error: mypy pyright pyrefly ty # refused at definition
Policy(on=(OSError, KeyboardInterrupt))  # refused at definition
Policy(on=(OSError, BaseException))  # refused at definition
Policy(on=KeyboardInterrupt)  # refused at definition
Policy(on=BaseException)  # refused at definition
Policy(on=asyncio.CancelledError)  # refused at definition
Policy(unless=SystemExit)  # refused at definition
Policy(on=int)  # refused at definition
Policy(on=ask_async)  # refused at definition
Policy(on=lambda: True)  # error: mypy pyright pyrefly ty
Policy(on=lambda error, attempt: True)  # error: mypy pyright pyrefly ty

Policy(until=True)  # error: mypy pyright pyrefly ty # refused at definition
Policy(until=lambda: True)  # error: mypy pyright pyrefly ty
Policy(until=ask_async)  # refused at definition

Policy(wait="1")  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait=None)  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait=("1", "2"))  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait={1: 2})  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait={1, 2})  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait=backoff.exponential)  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait=random.random)  # error: mypy pyright pyrefly ty
Policy(wait=lambda attempt: "1")  # error: mypy pyright pyrefly ty
Policy(wait=lambda attempt: attempt.next_wait)  # error: mypy pyright pyrefly ty
Policy(wait=hook)  # error: mypy pyright pyrefly ty
Policy(wait=hook_async)  # error: mypy pyright pyrefly ty # refused at definition
Policy(wait=())  # refused at definition
Policy(wait=-1)  # refused at definition

Policy(timeout="30")  # error: mypy pyright pyrefly ty # refused at definition
Policy(timeout=(1, 2))  # error: mypy pyright pyrefly ty # refused at definition
Policy(timeout=lambda: 30)  # error: mypy pyright pyrefly ty # refused at definition
Policy(timeout=0)  # refused at definition
Policy(attempt_timeout="30")  # error: mypy pyright pyrefly ty # refused at definition
Policy(reset_after="30")  # error: mypy pyright pyrefly ty # refused at definition
Policy(reset_after=0)  # refused at definition
Policy(stop=True)  # error: mypy pyright pyrefly ty # refused at definition
Policy(stop=threading.Event)  # error: mypy pyright pyrefly ty # refused at definition
Policy(stop=lambda: True)  # error: mypy pyright pyrefly ty # refused at definition
Policy(log_level="INFO")  # error: mypy pyright pyrefly ty # refused at definition
Policy(budget=10)  # error: mypy pyright pyrefly ty # refused at definition
Policy(budget=RetryBudget)  # error: mypy pyright pyrefly ty # refused at definition
Policy(name=1)  # error: mypy pyright pyrefly ty # refused at definition

Policy(on_retry=1)  # error: mypy pyright pyrefly ty # refused at definition
Policy(on_retry="print")  # error: mypy pyright pyrefly ty # refused at definition
Policy(on_retry=[hook, None])  # error: mypy pyright pyrefly ty # refused at definition
Policy(before_attempt=lambda: None)  # error: mypy pyright pyrefly ty
Policy(on_success=lambda attempt, result: None)  # error: mypy pyright pyrefly ty
Policy(on_give_up=[hook, fetch])  # error: mypy pyright pyrefly ty

RetryBudget("10")  # error: mypy pyright pyrefly ty # refused at definition
RetryBudget(10, refil=1)  # error: mypy pyright pyrefly ty # refused at definition
TryAgain(hint=2)  # error: mypy pyright pyrefly ty # refused at definition
TryAgain(after="2.5")  # error: mypy pyright pyrefly ty # refused at definition
backoff.constant()  # error: mypy pyright pyrefly ty # refused at definition
backoff.constant("1")  # error: mypy pyright pyrefly ty # refused at definition
backoff.exponential(factor=timedelta(1))  # error: mypy pyright pyrefly ty # refused at definition
backoff.exponential(0.1, 2, 30)  # error: mypy pyright pyrefly ty # refused at definition
backoff.sequence([1, 2])  # error: mypy pyright pyrefly ty # refused at definition
backoff.sequence()  # refused at definition
web.Transient(statuses=503)  # error: mypy pyright pyrefly ty # refused at definition
web.Transient(methods="GET")  # refused at definition
web.transient()  # error: mypy pyright pyrefly ty # refused at definition
web.unsent()  # error: mypy pyright pyrefly ty # refused at definition
db.conflict()  # error: mypy pyright pyrefly ty # refused at definition
db.disconnected(error=OSError())  # error: mypy pyright pyrefly ty # refused at definition
retrying_elegant.Retry()  # error: mypy pyright pyrefly ty # refused at definition

# --- What is async on what is not -------------------------------------------------------------


@retry(on_retry=hook_async)  # refused at definition
def hook_that_nobody_awaits() -> None: ...


@retry(on_give_up=[hook, hook_async])  # refused at definition
def hooks_that_nobody_awaits() -> None: ...


@retry(attempt_timeout=2)  # refused at definition
def attempt_that_nobody_interrupts() -> None: ...


@retry(fallback=hook_async)  # refused at definition
def fallback_that_nobody_awaits() -> str:
    return ""


@retry(until=bool)  # refused at definition
def generator_without_a_result() -> Iterator[int]:
    yield 1


@retry(fallback=lambda attempt: [1])  # refused at definition
def generator_without_a_fallback() -> Iterator[int]:
    yield 1


# --- Loops ------------------------------------------------------------------------------------

retrying(OSError)  # error: mypy pyright pyrefly ty # refused at definition
retrying(3, OSError)  # error: mypy pyright pyrefly ty # refused at definition
retrying(tries=3)  # error: mypy pyright pyrefly ty # refused at definition
retrying(timeout="3")  # error: mypy pyright pyrefly ty # refused at definition
retrying(fallback=hook)  # error: mypy pyright pyrefly ty # refused at definition
retrying(raises="no")  # error: mypy pyright pyrefly ty
retrying(fetch)  # error: mypy pyright pyrefly ty # refused at definition
retrying()(fetch)  # error: mypy pyright pyrefly ty # refused at definition
retrying().policy = POLICY  # error: mypy pyright pyrefly ty # refused at definition
POLICY.attempts = 3  # error: mypy pyright pyrefly ty # refused at definition
POLICY.attempt = 3  # error: ty # refused at definition
backoff.constant(1).seconds = 2  # error: mypy pyright pyrefly ty # refused at definition
TeamPolicy().attempts = 3  # error: mypy pyright pyrefly ty # refused at definition
TeamPolicy(tries=3)  # error: mypy pyright pyrefly ty # refused at definition
RetryBudget().capacity = 2  # error: mypy pyright pyrefly ty # refused at definition


def loops() -> None:
    for attempt in retry():  # error: mypy pyright pyrefly ty
        with attempt:
            pass
    for attempt in retrying():
        attempt.number = 3  # error: mypy pyright pyrefly ty
        attempt.error = None  # error: mypy pyright pyrefly ty
        attempt.retries = 3  # error: mypy pyright pyrefly ty
        with attempt:
            raise OSError
        attempt.reached_after_an_error()  # error: mypy pyright pyrefly ty
    for number in retrying():
        with number:
            fetch(number)  # error: mypy pyright pyrefly ty


def stored(attempt: Attempt) -> None:
    attempt.result = 3  # error: mypy pyright pyrefly ty
    with attempt:  # error: mypy pyright pyrefly ty
        pass


async def loops_async() -> None:
    for blocking in retrying():
        async with blocking:  # error: mypy pyright pyrefly ty
            await fetch_async("/")
    async for waiting in retrying():
        with waiting:  # error: mypy pyright pyrefly ty
            await fetch_async("/")
    async for final in retrying():
        final.number = 3  # error: mypy pyright pyrefly ty
        async with final:
            raise OSError
        final.reached_after_an_error()  # error: mypy pyright pyrefly ty
    async for attempt in retry():  # error: mypy pyright pyrefly ty
        async with attempt:
            pass


# --- Blocks -----------------------------------------------------------------------------------


def blocks() -> str:
    with retrying() as call:
        call()  # error: mypy pyright pyrefly ty
        call(fetch)  # error: mypy pyright pyrefly ty
        call(fetch, 1)  # error: mypy pyright pyrefly ty
        call(fetch, "/", "ascii")  # error: mypy pyright pyrefly ty
        call(fetch, "/", codec="ascii")  # error: mypy pyright pyrefly ty
        call(fetch("/"))  # error: mypy pyright pyrefly ty
        call(fetch, "/").decode()  # error: mypy pyright pyrefly ty
        call(fetch_async, "/")  # error: mypy pyright pyrefly ty
        call(fetch_async, "/").upper()  # error: mypy pyright pyrefly ty
        call.succeeded = True  # error: mypy pyright pyrefly ty
    with retrying(raises=False) as call:
        page = call(fetch, "/")
    return page  # error: pyright ty


async def blocks_async() -> None:
    async with retrying() as call:
        call(fetch_async, "/")  # error: mypy pyright pyrefly ty
        call(fetch_async, "/").upper()  # error: mypy pyright pyrefly ty
        await call(fetch, "/")  # error: mypy pyright pyrefly ty
        await call(fetch_async)  # error: mypy pyright pyrefly ty
        await call(fetch_async, 1)  # error: mypy pyright pyrefly ty
        await call(fetch_async("/"))  # error: mypy pyright pyrefly ty
        (await call(fetch_async, "/")).decode()  # error: mypy pyright pyrefly ty
    with retrying() as call_sync:
        await call_sync(fetch, "/")  # error: mypy pyright pyrefly ty


# --- Whole clients ----------------------------------------------------------------------------

clients.requests(3)  # error: mypy pyright pyrefly ty # refused at definition
clients.requests(pool_size=3)  # error: mypy pyright pyrefly # refused at definition
clients.requests(idempotent=3)  # error: mypy pyright pyrefly ty # refused at definition
clients.requests(attempts=3)  # error: mypy pyright pyrefly # refused at definition
clients.httpx(requests.Session())  # error: mypy pyright pyrefly ty # refused at definition
clients.httpx()  # error: mypy pyright pyrefly ty # refused at definition
clients.aiohttp(3)  # error: mypy pyright pyrefly ty # refused at definition
clients.urllib(idempotent=3)  # error: mypy pyright pyrefly ty # refused at definition


def whole_clients() -> None:
    clients.requests(lambda request: 3)  # error: mypy pyright pyrefly ty
    clients.httpx(httpx.Client()).nothing()  # error: mypy pyright pyrefly ty
    clients.httpx(httpx.AsyncClient()).get("/").json()  # error: mypy pyright pyrefly ty
    requests.Session().mount("", clients.urllib())  # error: mypy pyright pyrefly ty


# --- Right, and rejected all the same ---------------------------------------------------------


def unavailable(attempt: Attempt) -> NoReturn:
    raise RuntimeError from attempt.error


@retry(fallback=unavailable)
async def or_error_async(url: str) -> str:
    return url


async def known_in_part() -> None:
    # To pyright the fallback adds something unknown to the type, though it never returns.
    page: str = await or_error_async("/")  # error: pyright
    del page


def loop_that_returns() -> str:  # error: mypy pyright pyrefly ty # noqa: RET503
    # No checker can be told that only its body ends the loop; a last line has to, as in passes.py.
    for attempt in retrying():
        with attempt:
            return fetch("/")


def loop_that_assigns() -> str:
    for attempt in retrying():
        with attempt:
            page = fetch("/")
    return page  # error: mypy pyright pyrefly ty


# --- Deadlines ----------------------------------------------------------------------------------

deadline()  # error: mypy pyright pyrefly ty # refused at definition
deadline("5")  # error: mypy pyright pyrefly ty # refused at definition
deadline(None)  # error: mypy pyright pyrefly ty # refused at definition
deadline(0)  # refused at definition
deadline.current().__enter__()  # error: mypy pyright pyrefly ty # refused at definition
