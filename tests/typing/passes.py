"""Right uses, as type checkers must see them.  Checked by ``check.py``, never run.

A decorated callable keeps its type: arguments by name, defaults, overloads, binding, awaiting.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import threading
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from datetime import timedelta
from functools import partial
from typing import (
    Any,
    Literal,
    NoReturn,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    assert_type,
    overload,
)

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter

from retrying_elegant import (
    Attempt,
    GiveUp,
    Policy,
    RetryBudget,
    RetryError,
    TryAgain,
    backoff,
    clients,
    db,
    deadline,
    given_up,
    instrumentation,
    retry,
    retrying,
    testing,
    web,
)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

POLICY = Policy(4, on=web.transient, timeout=20, budget=RetryBudget())


class Page:
    def __init__(self, text: str = "") -> None:
        self.text = text


class Fetch(Protocol):
    """What the functions below are, to the name of the last argument."""

    def __call__(self, url: str, *, encoding: str = ...) -> Page: ...


class FetchAsync(Protocol):
    def __call__(self, url: str, *, encoding: str = ...) -> Coroutine[Any, Any, Page]: ...


# --- The decorator, in each way to write it ---------------------------------------------------


@retry
def bare(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry()
def called(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(3, on=(ConnectionError, TimeoutError), wait=backoff.exponential(0.1, cap=5), timeout=30)
def counted(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(None, timeout=timedelta(minutes=1))
def unlimited(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(attempts=3)
def counted_by_name(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(POLICY)
def shared(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(POLICY, attempts=2, name="fetch")
def shared_but_for_one(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


preset = partial(retry, on=OSError)


@preset(timeout=30)
def from_a_preset(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@partial(retry, POLICY)()
def from_a_preset_of_a_policy(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry
async def bare_async(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(3, attempt_timeout=2)
async def counted_async(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(POLICY, attempts=2)
async def shared_async(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


fetches: list[Fetch] = [
    bare,
    called,
    counted,
    counted_by_name,
    unlimited,
    shared,
    shared_but_for_one,
    from_a_preset,
    from_a_preset_of_a_policy,
    retry(bare),
    retry(3)(bare),
]
fetches_async: list[FetchAsync] = [bare_async, counted_async, shared_async, retry(bare_async)]
assert_type(bare("/"), Page)
assert_type(called("/", encoding="ascii"), Page)
assert_type(counted("/"), Page)
assert_type(shared(url="/"), Page)


async def awaited() -> None:
    assert_type(await bare_async("/"), Page)
    assert_type(await counted_async("/", encoding="ascii"), Page)
    assert_type(await shared_async(url="/"), Page)


# --- Methods, and either side of classmethod and staticmethod ---------------------------------


class Client:
    @retry
    def get(self, path: str) -> Page:
        return Page(path)

    @retry(3)
    def put(self, path: str, page: Page) -> Self:
        return self

    @retry(3)
    async def get_async(self, path: str) -> Page:
        return Page(path)

    @classmethod
    @retry
    def inside_class(cls, host: str) -> Self:
        return cls()

    @retry
    @classmethod
    def outside_class(cls, host: str) -> Self:
        return cls()

    @retry(3)
    @classmethod
    def outside_class_called(cls, host: str) -> Self:
        return cls()

    @retry(POLICY)
    @classmethod
    async def outside_class_async(cls, host: str) -> Self:
        return cls()

    @staticmethod
    @retry
    def inside_static(host: str) -> bytes:
        return host.encode()

    @retry
    @staticmethod
    def outside_static(host: str) -> bytes:
        return host.encode()

    @retry(3)
    @staticmethod
    def outside_static_called(host: str) -> bytes:
        return host.encode()

    @property
    @retry
    def latency(self) -> float:
        return 0.1

    @retry(fallback=lambda attempt: None)
    def get_or_none(self, path: str) -> Page:
        return Page(path)

    @classmethod
    @retry(fallback=lambda attempt: None)
    def open_or_none(cls, host: str) -> Page:
        return Page(host)

    @retry(fallback=lambda attempt: None)
    @staticmethod
    def resolve_or_none(host: str) -> bytes:
        return host.encode()


class SpecialClient(Client):
    pass


client = SpecialClient()
assert_type(client.get("/"), Page)
assert_type(client.get(path="/"), Page)
assert_type(Client.get(client, "/"), Page)
assert_type(client.put("/", Page()), SpecialClient)
assert_type(SpecialClient.inside_class("host"), SpecialClient)
assert_type(SpecialClient.outside_class("host"), SpecialClient)
assert_type(SpecialClient.outside_class_called("host"), SpecialClient)
assert_type(client.outside_class(host="host"), SpecialClient)
assert_type(Client.inside_static("host"), bytes)
assert_type(client.outside_static("host"), bytes)
assert_type(Client.outside_static_called(host="host"), bytes)
assert_type(client.latency, float)
assert_type(client.get_or_none("/"), Page | None)
assert_type(Client.open_or_none("host"), Page | None)
assert_type(Client.resolve_or_none("host"), bytes | None)


async def awaited_methods() -> None:
    assert_type(await client.get_async("/"), Page)
    assert_type(await SpecialClient.outside_class_async("host"), SpecialClient)


# --- Generators, overloads, and whatever else can be called -----------------------------------


@retry
def lines(path: str) -> Iterator[str]:
    yield path


@retry(3)
def dialogue(first: int) -> Generator[int, str, bool]:
    answer = yield first
    return bool(answer)


@retry(on=OSError)
async def stream(path: str) -> AsyncIterator[bytes]:
    yield path.encode()


assert_type(lines("log"), Iterator[str])
assert_type(dialogue(1), Generator[int, str, bool])


async def streamed() -> None:
    async for chunk in stream("log"):
        assert_type(chunk, bytes)


@overload
def parse(text: str) -> Page: ...
@overload
def parse(text: bytes, encoding: str) -> list[Page]: ...
@retry(3)
def parse(text: str | bytes, encoding: str = "") -> Page | list[Page]:
    return Page(str(text))


parse_again = retry(parse)
parse_three_times = retry(3)(parse)
assert_type(parse("a"), Page)
assert_type(parse_again("a"), Page)
assert_type(parse_again(b"a", "ascii"), list[Page])
assert_type(parse_three_times(b"a", encoding="ascii"), list[Page])


@retry
def first_of(items: list[T]) -> T:
    return items[0]


assert_type(first_of([1]), int)
assert_type(first_of(["a"]), str)


def timed(fn: Callable[P, R]) -> Callable[P, R]:
    """Decorators of the user's go on either side."""

    @retry(3)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return fn(*args, **kwargs)

    return wrapper


@timed
@retry
def both(number: int, *, digits: int = 2) -> str:
    return f"{number:.{digits}f}"


assert_type(both(1, digits=3), str)


class Lookup:
    def __init__(self, table: dict[str, int]) -> None:
        self.table = table

    def __call__(self, key: str) -> int:
        return self.table[key]


assert_type(retry(3)(Lookup({}))("a"), int)
assert_type(retry(partial(bare, encoding="ascii"))("/"), Page)
assert_type(retry(3)(lambda: str(1))(), str)
assert_type(retry(Lookup)({}), Lookup)


# --- fallback widens what is returned ----------------------------------------------------------


def cached(attempt: Attempt) -> bytes:
    return b""


async def cached_async(attempt: Attempt) -> bytes:
    return b""


def unavailable(attempt: Attempt) -> NoReturn:
    raise RuntimeError("unavailable") from attempt.error


def anything(attempt: Attempt) -> Any:
    return attempt.error


@retry(fallback=cached)
def widened(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(3, on=OSError, fallback=lambda attempt: None)
def or_none(url: str) -> Page:
    return Page(url)


@retry(POLICY, fallback=lambda attempt: attempt.number)
def or_number(url: str) -> Page:
    return Page(url)


@retry(fallback=lambda attempt: Page())
def not_wider(url: str) -> Page:
    return Page(url)


@retry(fallback=unavailable)
def or_error(url: str) -> Page:
    return Page(url)


@retry(fallback=anything)
def or_anything(url: str) -> Page:
    return Page(url)


@retry(fallback=lambda attempt: attempt.result)
def or_last_result(url: str) -> Page:
    return Page(url)


@retry(fallback=cached)
async def widened_async(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(3, fallback=cached_async)
async def widened_by_async(url: str, *, encoding: str = "utf-8") -> Page:
    return Page(url + encoding)


@retry(POLICY, fallback=lambda attempt: None)
async def or_none_async(url: str) -> Page:
    return Page(url)


@retry(fallback=anything)
async def or_anything_async(url: str) -> Page:
    return Page(url)


assert_type(widened("/", encoding="ascii"), Page | bytes)
assert_type(or_none(url="/"), Page | None)
assert_type(or_number("/"), Page | int)
assert_type(not_wider("/"), Page)
assert_type(or_error("/"), Page)
page_of_any: Page = or_anything("/")
page_of_last: Page = or_last_result("/")
coroutine_of_either: Coroutine[Any, Any, Page | bytes] = widened_by_async("/", encoding="ascii")


async def awaited_fallbacks() -> None:
    assert_type(await widened_async("/", encoding="ascii"), Page | bytes)
    assert_type(await widened_by_async(url="/"), Page | bytes)
    assert_type(await or_none_async("/"), Page | None)
    page: Page = await or_anything_async("/")
    del page


# --- The loop ---------------------------------------------------------------------------------


def loop() -> None:
    for attempt in retrying(5, on=OSError):
        with attempt:
            page = bare("/")
            attempt.result = page
            assert_type(page, Page)
        assert_type(attempt.number, int)
        assert_type(attempt.waited, float)
        assert_type(attempt.next_wait, float | None)


def loop_with_a_name_of_its_own() -> None:
    for _ in retrying(POLICY, attempts=2):
        with _ as attempt:
            attempt.result = bare("/", encoding=str(attempt.timeout))


def loop_that_raises_nothing() -> Page | None:
    attempt: Attempt | None = None
    page: Page | None = None
    for attempt in retrying(5, raises=False):
        with attempt:
            page = bare("/")
    if attempt is not None and attempt.succeeded:
        return page
    return None


def loop_that_goes_on_after_an_error() -> int:
    """What follows the ``with`` is reached, though its body only raises."""
    failures = 0
    for attempt in retrying(until=bool):
        with attempt:
            raise OSError
        failures += 1
        assert_type(attempt.error, Exception | None)
    return failures


def loop_that_returns(url: str) -> Page:
    """No checker knows of a loop that it has no end but its body's: a last line tells it."""
    for attempt in retrying(5, on=OSError):
        with attempt:
            return bare(url, encoding="ascii")
    raise AssertionError


def loop_that_goes_through_attributes() -> None:
    loop: retrying = retrying(None, timeout=5)
    assert_type(loop.policy, Policy)
    for attempt in loop:
        seen: Attempt = attempt
        with attempt as entered:
            assert_type(entered.remaining, float | None)
        del seen


async def loop_async() -> None:
    async for attempt in retrying(on=OSError, attempt_timeout=2):
        async with attempt:
            page = await bare_async("/")
            attempt.result = page
            assert_type(page, Page)
        assert_type(attempt.elapsed, float)


async def loop_async_that_goes_on_after_an_error() -> int:
    failures = 0
    async for attempt in retrying(raises=False):
        async with attempt:
            raise OSError
        failures += 1
    return failures


async def loop_async_that_returns(url: str) -> Page:
    async for attempt in retrying(POLICY):
        async with attempt:
            return await bare_async(url)
    raise AssertionError


# --- The block --------------------------------------------------------------------------------


def get_user(uid: int, *, region: str = "eu") -> str:
    return f"{region}{uid}"


async def get_user_async(uid: int, *, region: str = "eu") -> str:
    return f"{region}{uid}"


def get_later(uid: int) -> Awaitable[str]:
    return get_user_async(uid)


def block() -> str:
    with retrying(on=web.transient, timeout=10) as call:
        user = call(get_user, 1, region="us")
        assert_type(user, str)
        assert_type(call(bare, "/", encoding="ascii"), Page)
        assert_type(call(client.get, path="/"), Page)
        assert_type(call(client.get_or_none, "/"), Page | None)
        assert_type(call(Page, "text"), Page)
        assert_type(call(Lookup({}), "key"), int)
        assert_type(call(lambda: str(1)), str)
        assert_type(call(partial(get_user, 1)), str)
    # An error leaves the block, so that its names are bound after it.
    return user


def block_that_returns() -> str:
    with retrying() as call:
        return call(get_user, 1)


def block_that_raises_nothing() -> str:
    user = ""
    with retrying(POLICY, raises=False) as call:
        user = call(get_user, 1)
        assert_type(call(get_user, 2), str)
    assert_type(call.succeeded, bool)
    assert_type(call.error, Exception | None)
    return user


def block_that_ends_early() -> str:
    with retrying(raises=False) as call:
        return call(get_user, 1)
    return str(call.error)


async def block_async() -> str:
    async with retrying(on=web.transient, timeout=10) as call:
        user = await call(get_user_async, 1, region="us")
        assert_type(user, str)
        assert_type(await call(bare_async, "/", encoding="ascii"), Page)
        assert_type(await call(client.get_async, path="/"), Page)
        assert_type(await call(widened_by_async, "/"), Page | bytes)
        assert_type(await call(get_later, 1), str)
        assert_type(await call(lambda: get_user_async(1)), str)
    return user


async def block_async_that_returns() -> str:
    async with retrying() as call:
        return await call(get_user_async, 1)


async def block_async_that_ends_early() -> str:
    async with retrying(raises=False) as call:
        return await call(get_user_async, 1)
    return str(call.error)


def block_chosen_at_run_time(*, raises: bool) -> None:
    with retrying(3, raises=raises) as call:
        call(get_user, 1)


# --- Policy -----------------------------------------------------------------------------------

assert_type(POLICY.attempts, int | None)
assert_type(POLICY.until, Callable[[Any], object] | None)
assert_type(POLICY.timeout, float | None)
assert_type(POLICY.attempt_timeout, float | None)
assert_type(POLICY.reset_after, float | None)
assert_type(POLICY.budget, RetryBudget | None)
assert_type(POLICY.log_level, int | None)
assert_type(Policy(reset_after=timedelta(minutes=2), stop=threading.Event()), Policy)
assert_type(POLICY.replace(reset_after=120, stop=None, log_level=10), Policy)
for stop in (asyncio.Event(), multiprocessing.Event()):
    retrying(POLICY, stop=stop, reset_after=120)
if POLICY.stop is not None:
    assert_type(POLICY.stop.is_set(), bool)
assert_type(POLICY.name, str | None)
assert_type(POLICY.replace(attempts=None, timeout=timedelta(seconds=5), on_retry=print), Policy)
assert_type(Policy() == POLICY, bool)
assert_type(hash(POLICY), int)
assert_type({POLICY: 1}, dict[Policy, int])
assert_type(str(POLICY.preview()), str)
hook_count: int = len(POLICY.before_attempt + POLICY.on_retry + POLICY.on_success)
if callable(POLICY.wait):
    chosen: object = POLICY.wait
for row in POLICY.preview(10):
    assert_type(row.number, int)
    assert_type(row.wait_high, float)


class Settings:
    """Policies as defaults and attributes."""

    policy: Policy = Policy()

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy.replace(name=type(self).__name__)
        self.fetch = retry(self.policy)(bare)

    def get(self) -> Page:
        return self.fetch("/", encoding="ascii")


class TeamPolicy(Policy):
    """The policy of a team."""


assert_type(TeamPolicy(3, on=OSError).replace(attempts=2), TeamPolicy)

# --- What to retry ----------------------------------------------------------------------------


class ApiError(Exception):
    status = 500


def is_overloaded(error: ApiError) -> bool:
    return error.status == 503


def is_overloaded_with_hint(error: Exception) -> TryAgain | bool:
    return TryAgain(after=2.5) if isinstance(error, ApiError) else False


CLASSES: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)
filters = [
    Policy(on=OSError),
    Policy(on=ApiError),
    Policy(on=CLASSES),
    Policy(on=(OSError, ApiError), unless=FileNotFoundError),
    Policy(on=()),
    Policy(on=is_overloaded),
    Policy(on=is_overloaded_with_hint),
    Policy(on=lambda error: "locked" in str(error)),
    Policy(on=lambda error: TryAgain(after=timedelta(seconds=1))),
    Policy(on=lambda error: error.args),
    Policy(on=db.conflict, unless=db.disconnected),
    Policy(on=web.transient, unless=given_up),
    Policy(on=web.unsent),
    Policy(on=web.Transient(methods=("GET",), max_retry_after=timedelta(minutes=1))),
    Policy(unless=lambda error: isinstance(error, (KeyError, IndexError))),
    Policy(until=bool),
    Policy(until=lambda job: job.done),
]

# --- How long to wait -------------------------------------------------------------------------


class Rule:
    def __call__(self, attempt: Attempt) -> float:
        return random.random() * attempt.number


class Gentle(backoff.exponential):
    """A backoff of one's own."""


def as_timedelta(attempt: Attempt) -> timedelta:
    return timedelta(seconds=attempt.number)


waits = [
    Policy(wait=0),
    Policy(wait=Gentle(0.5, cap=5)),
    Policy(wait=0.5),
    Policy(wait=timedelta(seconds=1)),
    Policy(wait=(1, 2, 5)),
    Policy(wait=[0.1, timedelta(seconds=1)]),
    Policy(wait=lambda attempt: 2**attempt.number),
    Policy(wait=lambda attempt: attempt.hint or 1),
    Policy(wait=as_timedelta),
    Policy(wait=Rule()),
    Policy(wait=backoff.constant(1, jitter=0.1)),
    Policy(wait=backoff.linear(1, 2, cap=timedelta(minutes=1))),
    Policy(wait=backoff.exponential(0.1, 3, cap=5, jitter=0.5)),
    Policy(wait=backoff.fibonacci(timedelta(seconds=1))),
    Policy(wait=backoff.sequence(1, 5, timedelta(seconds=30))),
    Policy(wait=backoff.decorrelated(1, cap=20)),
]
assert_type(backoff.exponential().bounds(3), tuple[float, float])
assert_type(backoff.exponential().cap, float)
assert_type(backoff.sequence(1, 2).seconds, tuple[float, ...])

# --- Hooks ------------------------------------------------------------------------------------


class Metrics:
    def count(self, attempt: Attempt) -> None: ...

    async def send(self, attempt: Attempt) -> bool:
        return attempt.succeeded


def note_down(attempt: Attempt) -> str:
    return f"{attempt.name} {attempt.args} {attempt.kwargs}"


metrics = Metrics()
counted_attempts: list[Attempt] = []
hooks = [
    Policy(on_retry=print),
    Policy(before_attempt=note_down, on_success=metrics.count),
    Policy(on_give_up=[note_down, metrics.count, counted_attempts.append]),
    Policy(on_retry=(note_down, metrics.send)),
    Policy(on_retry={note_down}),
    Policy(on_retry=metrics.send),
    Policy(on_retry=lambda attempt: attempt.next_wait),
    Policy(on_retry=(hook for hook in (note_down, print))),
    Policy(on_retry=()),
    Policy(on_retry=None),
]


@retry(before_attempt=metrics.send, on_give_up=[metrics.count, metrics.send])
async def watched(url: str) -> Page:
    return Page(url)


# --- Whole clients ----------------------------------------------------------------------------


def choose(request: requests.PreparedRequest) -> Policy | None:
    return POLICY if request.method == "GET" else None


def choose_httpx(request: httpx.Request) -> Policy | None:
    return POLICY if request.method == "GET" else None


def whole_clients() -> None:
    assert_type(clients.requests(), HTTPAdapter)
    adapter = clients.requests(POLICY, idempotent={"GET"}, pool_maxsize=5, pool_block=True)
    requests.Session().mount("https://", adapter)
    clients.requests(choose, idempotent=lambda request: request.url is not None)

    assert_type(clients.httpx(httpx.Client()), httpx.Client)
    assert_type(clients.httpx(httpx.AsyncClient(), POLICY, idempotent=True), httpx.AsyncClient)
    clients.httpx(httpx.Client(), choose_httpx).get("/").json()

    opener = urllib.request.build_opener(clients.urllib(POLICY, idempotent=False))
    opener.add_handler(clients.urllib(lambda request: POLICY if request.host else None))
    assert_type(clients.urllib(), urllib.request.BaseHandler)


async def whole_clients_async() -> None:
    middlewares = [clients.aiohttp(POLICY, idempotent=("GET", "POST"))]
    async with aiohttp.ClientSession(middlewares=middlewares) as session:
        await session.get("/")
    clients.aiohttp(lambda request: POLICY if request.method == "GET" else None)
    async with clients.httpx(httpx.AsyncClient()) as client:
        (await client.get("/")).raise_for_status()


# --- How it ended -----------------------------------------------------------------------------


def ending() -> None:
    try:
        bare("/")
    except RetryError as error:
        assert_type(given_up(error), GiveUp | None)
    except OSError as error:
        record = given_up(error)
        if record is not None:
            assert_type(record.attempts, int)
            assert_type(
                record.reason,
                Literal[
                    "attempts",
                    "timeout",
                    "budget",
                    "stopped",
                    "wait",
                    "not retryable",
                    "interrupted",
                ],
            )
            assert_type(record.history, tuple[str, ...])
        assert_type(web.retry_after(error), float | None)
        assert_type(web.transient(error), bool | TryAgain)
        assert_type(web.unsent(error), bool)
        assert_type(db.conflict(error), bool)
        assert_type(db.disconnected(error), bool)
        raise TryAgain(after=1) from error


# --- Deadlines ----------------------------------------------------------------------------------


def answer() -> float:
    with deadline(5) as outer, deadline(timedelta(seconds=3)):
        assert_type(outer, deadline)
        current = deadline.current()
        assert_type(current, deadline | None)
        bare("/")
        return current.remaining if current is not None else 0


# --- In tests, and for a whole process --------------------------------------------------------


def test() -> Page:
    with testing.instant() as time, testing.limit(2), testing.off():
        time.advance(5)
        time.advance(timedelta(hours=1))
        page = bare("/")
    assert_type(time.waits, list[float])
    return page


def observe() -> None:
    handle = instrumentation.observe(on_retry=print, on_recovery=metrics.count)
    handle.close()
    with instrumentation.structlog():
        bare("/")
