"""Random plans of faults, through every client: what must hold whatever happens.

No request is sent twice that must not be, no body is changed, no attempt follows a limit or a
cancellation, no token and no connection is lost, and the user gets what the last request came to.
The plans are the same in every run; set FUZZ_PLANS for more of them, and FUZZ_SEED for others.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import threading
import time

import pytest
from client_ways import WAYS
from test_client_carriers import CARRIERS, speaks

from retrying_elegant import Policy, RetryBudget, deadline, web

PLANS = int(os.environ.get("FUZZ_PLANS", "60"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SAFE = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
NOT_PROCESSED = {425, 429}
TRIED = [(name, way) for name in CARRIERS for way in WAYS if speaks(way, name)]
TRIED += [("plain", way) for way in WAYS]
# httpx itself leaves a connection open whose handshake is canceled, to be collected.
LEAKS = pytest.mark.filterwarnings("ignore::ResourceWarning")
CANCELED = [
    pytest.param(name, way, marks=LEAKS if way.is_httpx else ())
    for name in ("tls", "tunnel")
    for way in WAYS
    if way.is_async
]


def status_of(name, method):
    """The status of a whole answer; None: there is none."""
    is_whole = name[0].isdigit() and not any(word in name for word in ("cut", "reset"))
    return int(name[:3]) if is_whole or (method == "HEAD" and name[0].isdigit()) else None


class Plan:
    """What is sent, how, within which limit, and what the server and a proxy do."""

    def __init__(self, way, carrier, chance, limit=""):
        self.method = chance.choice(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
        self.data = chance.randbytes(chance.choice([1, 10, 60_000]))
        kinds = ["bytes", "file", "once"]
        if self.method in ("GET", "HEAD", "DELETE"):
            kinds = ["none"]
        elif way.is_async and way.is_httpx:
            kinds.remove("file")
        self.kind = chance.choice(kinds)
        self.headers = {"Idempotency-Key": "1"} if chance.random() < 0.2 else {}
        steps = [name for name in carrier.steps if name != "hang"]
        self.steps = [chance.choice(steps) for _ in range(chance.randint(1, 5))]
        self.statuses = [status_of(name, self.method) for name in self.steps]
        # What a proxy does before a tunnel holds, if the connection has to be made.
        self.faults = []
        if hasattr(carrier, "faults") and chance.random() < 0.4:
            self.faults = chance.choices([*carrier.faults], k=chance.randint(1, 2))
        self.attempts = chance.randint(1, 4)
        self.stream = chance.random() < 0.3
        limits = ["", "", "", "budget", "stop", "late", "no policy"]
        # Canceled anywhere, httpx itself loses count of its connections and streams, which httpx2
        # does not.  Handshakes have a test of their own.
        if way.is_async and way.name != "httpx async" and not hasattr(carrier, "trust"):
            limits += ["cancel", "cancel"]
        self.limit = limit or chance.choice(limits)
        self.most = chance.randint(1, 2)  # attempts within the budget, or until it is stopped
        self.moment = chance.random() * 0.02  # of a cancellation
        self.capacity = self.most if self.limit == "budget" else 10
        self.budget = RetryBudget(self.capacity, refill=0)
        self.made = []

    def policy(self, way):
        if self.limit == "no policy":
            return None
        fields = {}
        if self.limit == "stop":
            event = asyncio.Event() if way.is_async else threading.Event()
            fields["stop"] = event
            fields["on_retry"] = lambda attempt: attempt.number == self.most and event.set()
        return Policy(
            self.attempts,
            on=web.transient,
            wait=0.005 if self.limit == "cancel" else 0,
            budget=self.budget,
            before_attempt=lambda attempt: self.made.append(attempt.number),
            **fields,
        )

    def body(self, way, session):
        half = len(self.data) // 2
        return {
            "none": lambda: None,
            "bytes": lambda: self.data,
            "file": lambda: way.file(self.data),
            "once": lambda: session.once(self.data[:half], self.data[half:]),
        }[self.kind]()

    def fetch(self, way, session, url):
        """What the user gets, in the time that the plan leaves."""
        args = (self.method, url, self.body(way, session))
        options = {"headers": self.headers, "stream": self.stream}
        if self.limit == "cancel":

            async def cancel():
                task = asyncio.create_task(session.fetch_async(*args, **options))
                await asyncio.sleep(self.moment)
                task.cancel()
                return await task

            return session.runner.run(cancel())
        with deadline(0.001) if self.limit == "late" else contextlib.nullcontext():
            if self.limit == "late":
                time.sleep(0.002)
            return session.fetch(*args, **options)

    def __repr__(self):
        what = f"{self.method} {self.kind}{' stream' if self.stream else ''} {self.headers or ''}"
        limit = f", {self.limit} {self.most}" if self.limit else ""
        plan = f"{', '.join(self.steps)}{limit}; proxy: {', '.join(self.faults) or 'holds'}"
        return f"{what}: {self.attempts} attempts at {plan}"


class TestRandomPlans:
    """On one connection, one plan after the other."""

    @pytest.mark.parametrize(("name", "way"), TRIED, ids=str)
    def test_what_must_hold(self, carriers, name, way):
        """For each of them."""
        carrier, chance = carriers[name], random.Random(f"{SEED} {way.name} {name}")
        plans = PLANS if name == "plain" else PLANS // 2
        # Where a handshake fails in a tunnel, httpx alone loses a place of its pool.
        pool = 200 if way.is_httpx and "tunnel" in name else 1
        policy = None
        with carrier.session(way, lambda request: policy, pool=pool, timeout=2) as session:
            for _ in range(plans):
                plan = Plan(way, carrier, chance)
                policy = plan.policy(way)
                url = carrier.play(*plan.steps)
                if plan.faults:
                    carrier.fail(*plan.faults)
                answer = error = None
                try:
                    answer = plan.fetch(way, session, url)
                    session.discard(answer)
                except (Exception, asyncio.CancelledError) as caught:
                    error = caught
                made = len(plan.made)
                self.check(plan, way, carrier.requests_of(url), answer, error)
                if plan.faults:
                    carrier.fail()
                # A connection that was not given back would be waited for in vain.
                policy = Policy(4, on=web.transient, wait=0)
                session.discard(session.fetch("GET", carrier.play("200")))
                assert len(plan.made) == made, plan
                # aiohttp itself keeps a second connection where a tunnel has broken, and the pool
                # of httpx2 is larger over HTTP/2.
                keeps = {("aiohttp", "tunnel"), ("httpx2", "http2"), ("httpx2 async", "http2")}
                if pool == 1 and way.name != "urllib" and (way.name, name) not in keeps:
                    assert self.settles(session, way, carrier), plan
        answer = error = None  # a response of requests keeps the pool alive, and that what it holds
        gc.collect()
        assert carrier.settles(0)

    @pytest.mark.parametrize(("name", "way"), CANCELED, ids=str)
    def test_canceled_anywhere(self, carriers, name, way):
        """In a handshake and in a tunnel too; a place that httpx itself has lost is not missed."""
        carrier, chance = carriers[name], random.Random(f"{SEED} {way.name} {name} canceled")
        pool = 1000 if way.is_httpx else 1
        policy = None
        with carrier.session(way, lambda request: policy, pool=pool, timeout=2) as session:
            for _ in range(PLANS // 2):
                plan = Plan(way, carrier, chance, "cancel")
                plan.moment *= 2  # a handshake takes its time
                policy = plan.policy(way)
                url = carrier.play(*plan.steps)
                carrier.fail(*plan.faults)
                answer = error = None
                try:
                    answer = plan.fetch(way, session, url)
                    session.discard(answer)
                except (Exception, asyncio.CancelledError) as caught:
                    error = caught
                made = len(plan.made)
                self.check(plan, way, carrier.requests_of(url), answer, error)
                carrier.fail()
                policy = Policy(4, on=web.transient, wait=0)
                session.discard(session.fetch("GET", carrier.play("200")))
                assert len(plan.made) == made, plan
            # Over TLS, aiohttp's connection ends when the server has said its part: not without
            # the loop.  It also keeps a second connection where a tunnel has broken.
            settled = self.settles(session, way, carrier)
            assert settled or way.is_httpx or name == "tunnel"
        answer = error = None
        gc.collect()
        assert carrier.settles(0)

    def settles(self, session, way, carrier):
        """Whether one connection is open; those of an event loop are closed by it."""
        if way.is_async:
            return session.runner.run(asyncio.to_thread(carrier.settles, 1))
        return carrier.settles(1)

    def check(self, plan, way, requests, answer, error):
        count, made = len(requests), len(plan.made)
        statuses = [*plan.statuses, *[plan.statuses[-1]] * 5][:count]
        if plan.limit == "no policy":
            assert count <= 2, plan  # aiohttp itself sends twice
            return
        # Sent as often as it may be, within its limits.
        most = {"budget": 1 + plan.most, "stop": plan.most, "late": 1}.get(plan.limit, 4)
        assert count <= made <= min(plan.attempts, most), plan
        assert plan.budget.tokens == plan.capacity - max(made - 1, 0), plan
        if not plan.faults and plan.limit not in ("late", "cancel"):
            assert count >= 1, (plan, error)
        if plan.kind == "once":
            assert made <= 1, plan
        elif plan.method not in SAFE and not plan.headers:
            assert all(status in NOT_PROCESSED for status in statuses[:-1]), plan
        # Sent whole.
        body = b"" if plan.kind == "none" else plan.data
        assert all(request.body == body for request in requests if request.is_whole), plan
        assert all(body.startswith(request.body) for request in requests), plan
        assert {request.method for request in requests} <= {plan.method}, plan
        if plan.faults or plan.limit in ("late", "cancel"):
            return
        # What came of the last one.
        name, status = [*plan.steps, *[plan.steps[-1]] * 5][count - 1], statuses[-1]
        if status is not None:
            assert answer is not None, (plan, error)
            assert answer.status == status, plan
        elif not name[0].isdigit() or (way.reads_bodies and not plan.stream):
            assert error is not None, plan
        # And it was the last for a reason.
        retryable = error is not None or status in web.transient.statuses
        may_repeat = (plan.method in SAFE or plan.headers) and plan.kind != "once"
        if retryable and may_repeat and name != "503 much later" and not plan.stream:
            assert count == min(plan.attempts, most) or not way.reads_bodies, plan
