"""
Contestants: this library and its peers, each told the same in its own words.

Owns how each is configured: 5 attempts, exponential waits from half a second to
30 with jitter, on ConnectionError, no timeout; the error itself leaves at the end.
Where one cannot be told so, the nearest thing is said, and noted.  A contestant
that is not installed is left out.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT = 0.05  # of the contestants that wait the same each time

# Around the code to protect, for which BODY stands.
LOOP = """\
for attempt in {}:
    with attempt:
        BODY"""
ASYNC_LOOP = f"async {LOOP}"
OWN_ASYNC_LOOP = ASYNC_LOOP.replace("with", "async with")
REDO_LOOP = """\
for _ in {}:
    try:
        BODY
        break
    except ConnectionError:
        pass"""


@dataclass
class Contestant:
    """What the cases need of one library."""

    name: str
    names: dict[str, Any]  # for the sources below
    decorate: Callable[[Any], Any] | None = None
    decorate_async: Callable[[Any], Any] | None = None
    decorate_waiting: Callable[[Any], Any] | None = None  # async, WAIT seconds each time
    # Sources, by what they are of.
    loop: dict[str, str] = field(default_factory=dict)
    async_loop: dict[str, str] = field(default_factory=dict)
    construction: dict[str, str] = field(default_factory=dict)
    gives_up: bool = True  # after so many attempts


def _ours() -> Contestant:
    from retrying_elegant import Policy, retry, retrying

    net = Policy(5, on=ConnectionError)
    heads = {
        "in place": "retrying(5, on=ConnectionError)",
        "prebuilt policy": "retrying(NET)",
        "prebuilt loop": "PREBUILT",
    }
    return Contestant(
        "retrying_elegant",
        {
            "Policy": Policy,
            "retry": retry,
            "retrying": retrying,
            "NET": net,
            "PREBUILT": retrying(net),
        },
        retry(net),
        retry(net),
        retry(net.replace(wait=WAIT)),
        {form: LOOP.format(head) for form, head in heads.items()},
        {form: OWN_ASYNC_LOOP.format(head) for form, head in heads.items()},
        {
            "Policy()": "Policy()",
            "Policy(3, on=..., timeout=30)": "Policy(3, on=ConnectionError, timeout=30)",
            "retrying(5, on=...)": "retrying(5, on=ConnectionError)",
            "retrying(NET)": "retrying(NET)",
            "retry(NET)(f)": "retry(NET)(f)",
            "retry(5, on=...)(f)": "retry(5, on=ConnectionError)(f)",
        },
    )


def _tenacity() -> Contestant:
    import tenacity

    making = (
        "tenacity.{}(stop=tenacity.stop_after_attempt(5), wait={}, "
        "retry=tenacity.retry_if_exception_type(ConnectionError), reraise=True)"
    )
    jitter = "tenacity.wait_random_exponential(0.5, max=30)"
    retry, loop, async_loop = (
        making.format(name, jitter) for name in ("retry", "Retrying", "AsyncRetrying")
    )
    names = {"tenacity": tenacity}
    names |= {"PREBUILT": _made(loop, names), "ASYNC_PREBUILT": _made(async_loop, names)}
    return Contestant(
        "tenacity",
        names,
        _made(retry, names),
        _made(retry, names),
        _made(making.format("retry", f"tenacity.wait_fixed({WAIT})"), names),
        {"in place": LOOP.format(loop), "prebuilt loop": LOOP.format("PREBUILT")},
        {
            "in place": ASYNC_LOOP.format(async_loop),
            "prebuilt loop": ASYNC_LOOP.format("ASYNC_PREBUILT"),
        },
        {"Retrying(...)": loop, "retry(...)(f)": f"{retry}(f)"},
    )


def _stamina() -> Contestant:
    import stamina

    alike = "on=ConnectionError, attempts=5, timeout=None"
    jitter = "wait_initial=0.5, wait_max=30, wait_jitter=0.5"
    retry, loop = (f"stamina.{name}({alike}, {jitter})" for name in ("retry", "retry_context"))
    names = {"stamina": stamina}
    return Contestant(
        "stamina",
        names,
        _made(retry, names),
        _made(retry, names),
        _made(
            f"stamina.retry({alike}, wait_initial={WAIT}, wait_max={WAIT}, wait_jitter=0)", names
        ),
        {"in place": LOOP.format(loop)},
        {"in place": ASYNC_LOOP.format(loop)},
        {"retry_context(...)": loop, "retry(...)(f)": f"{retry}(f)"},
    )


def _backoff() -> Contestant:
    import backoff

    making = "backoff.on_exception(backoff.{}, ConnectionError, max_tries=5, {})"
    retry = making.format("expo", "factor=0.5, max_value=30")
    names = {"backoff": backoff}
    return Contestant(
        "backoff",
        names,
        _made(retry, names),
        _made(retry, names),
        _made(making.format("constant", f"jitter=None, interval={WAIT}"), names),
        construction={"on_exception(...)(f)": f"{retry}(f)"},
    )


def _retrying() -> Contestant:
    import retrying

    settings = (
        "retry_on_exception=(ConnectionError,), stop_max_attempt_number=5, "
        "wait_exponential_multiplier=250, wait_exponential_max=30_000, wait_jitter_max=500"
    )
    retry = f"retrying.retry({settings})"
    names = {"retrying": retrying}
    return Contestant(
        "retrying",
        names,
        _made(retry, names),
        construction={
            "Retrying(...)": f"retrying.Retrying({settings})",
            "retry(...)(f)": f"{retry}(f)",
        },
    )


def _opnieuw() -> Contestant:
    import opnieuw

    # It works its waits out from the number of calls and the seconds they may spread over.
    making = (
        "opnieuw.retry(retry_on_exceptions=ConnectionError, "
        "max_calls_total={}, retry_window_after_first_call_in_seconds={})"
    )
    retry = making.format(5, 7.5)
    names = {"opnieuw": opnieuw}
    return Contestant(
        "opnieuw",
        names,
        _made(retry, names),
        _made(retry, names),
        # Waits are always random; the first two are 50 ms in the mean. The seconds have to last
        # until the last of very many tasks has had its turn, hence more calls.
        _made(making.format(10, 34), names),
        construction={"retry(...)(f)": f"{retry}(f)"},
    )


def _hyx() -> Contestant:
    from hyx.retry import backoffs, jitters, retry

    making = "retry(on=ConnectionError, attempts=4, backoff={})"  # 4 after the first
    jittered = making.format(
        "backoffs.expo(min_delay_secs=0.5, max_delay_secs=30, jitter=jitters.full)"
    )
    names = {"retry": retry, "backoffs": backoffs, "jitters": jitters}
    return Contestant(
        "hyx",
        names,
        decorate_async=_made(jittered, names),
        decorate_waiting=_made(making.format(WAIT), names),
        construction={"retry(...)(f)": f"{jittered}(g)"},
    )


def _redo() -> Contestant:
    import redo

    settings = "attempts=5, sleeptime=0.5, max_sleeptime=30, sleepscale=2, jitter=0.5"
    retry = f"redo.retriable({settings}, retry_exceptions=(ConnectionError,))"
    names = {"redo": redo}

    def wait(attempt: int) -> float:
        return WAIT

    return Contestant(
        "redo",
        names,
        _made(retry, names),
        redo.retriable_async(ConnectionError, {"delay_factor": 0.25, "max_delay": 30}),
        lambda fn: lambda *args: redo.retry_async(fn, 5, wait, ConnectionError, args),
        {"in place": REDO_LOOP.format(f"redo.retrier({settings})")},
        construction={"retriable(...)(f)": f"{retry}(f)"},
    )


def _google() -> Contestant:
    from google.api_core import retry

    making = "retry.{}(predicate=retry.if_exception_type(ConnectionError), timeout=None, {})"
    jitter = "initial=0.5, maximum=30, multiplier=2"
    names = {"retry": retry}
    return Contestant(
        "google-api-core",
        names,
        _made(making.format("Retry", jitter), names),
        _made(making.format("AsyncRetry", jitter), names),
        # Waits are always random; these are 50 ms in the mean.
        _made(
            making.format("AsyncRetry", f"initial={2 * WAIT}, maximum={2 * WAIT}, multiplier=1"),
            names,
        ),
        construction={
            "Retry(...)": making.format("Retry", jitter),
            "Retry(...)(f)": f"{making.format('Retry', jitter)}(f)",
        },
        gives_up=False,  # only a timeout ends it
    )


def _made(source: str, names: dict[str, Any]) -> Any:
    """Make what *source* says, which is also what the case of construction measures."""
    return eval(source, dict(names))


# By the name of the distribution: what is imported, and how it is told.
PEERS: dict[str, tuple[str, Callable[[], Contestant]]] = {
    "tenacity": ("tenacity", _tenacity),
    "stamina": ("stamina", _stamina),
    "backoff": ("backoff", _backoff),
    "retrying": ("retrying", _retrying),
    "opnieuw": ("opnieuw", _opnieuw),
    "hyx": ("hyx.retry", _hyx),
    "redo": ("redo", _redo),
    "google-api-core": ("google.api_core.retry", _google),
}
OURS = "retrying_elegant"


def named(name: str) -> Contestant:
    """Give the contestant of this *name*; ImportError where it is not installed."""
    return _ours() if name == OURS else PEERS[name][1]()


def installed(*, peers: bool = True) -> Iterator[Contestant]:
    """Give this library, and all *peers* that are installed."""
    yield _ours()
    for module, told in PEERS.values() if peers else ():
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        yield told()
