"""Random plans of faults, through every client: what must hold whatever happens.

No request is sent twice that must not be, no body is changed, no connection is leaked, and the
user gets what the last request came to.  The plans are the same in every run; set FUZZ_PLANS for
more of them, and FUZZ_SEED for others.
"""

from __future__ import annotations

import gc
import os
import random

from client_server import CLOSE, RESET, reply

from retrying_elegant import Policy, web

PLANS = int(os.environ.get("FUZZ_PLANS", "60"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
SAFE = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
NOT_PROCESSED = {425, 429}
# Name, step, and the status of a whole answer; None: there is none.
STEPS = [
    ("reset", RESET, None),
    ("close", CLOSE, None),
    *((f"{s}", reply(s, b"said"), s) for s in (200, 204, 404, 408, 425, 429, 500, 501, 502, 503)),
    ("503 long", reply(503, b"x" * 100_000), 503),
    ("503 chunked", reply(503, b"x" * 5000, chunked=True), 503),
    ("503 closing", reply(503, b"said", close=True), 503),
    ("503 at once", reply(503, retry_after=0), 503),
    ("503 much later", reply(503, retry_after=3000), 503),
    ("200 cut off", reply(200, b"x" * 1000, half="close"), None),
    ("200 reset", reply(200, b"x" * 1000, half="reset"), None),
    ("200 cut chunk", reply(200, b"x" * 5000, chunked=True, half="close"), None),
    ("503 cut off", reply(503, b"x" * 1000, half="close"), None),
]


class Plan:
    """What is sent, how, and what the server does."""

    def __init__(self, way, chance):
        self.method = chance.choice(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
        self.data = chance.randbytes(chance.choice([1, 10, 70_000]))
        kinds = ["bytes", "file", "once"]
        if self.method in ("GET", "HEAD", "DELETE"):
            kinds = ["none"]
        elif way.is_async and way.is_httpx:
            kinds.remove("file")
        self.kind = chance.choice(kinds)
        self.headers = {"Idempotency-Key": "1"} if chance.random() < 0.2 else {}
        self.steps = [chance.choice(STEPS) for _ in range(chance.randint(1, 5))]
        self.attempts = chance.randint(1, 4)
        self.stream = chance.random() < 0.3

    def body(self, way, session):
        half = len(self.data) // 2
        return {
            "none": lambda: None,
            "bytes": lambda: self.data,
            "file": lambda: way.file(self.data),
            "once": lambda: session.once(self.data[:half], self.data[half:]),
        }[self.kind]()

    def __repr__(self):
        steps = ", ".join(name for name, _, _ in self.steps)
        what = f"{self.method} {self.kind}{' stream' if self.stream else ''} {self.headers or ''}"
        return f"{what}: {self.attempts} attempts at {steps}"


class TestRandomPlans:
    """On one connection, one plan after the other."""

    def test_what_must_hold(self, way, server):
        """For each of them."""
        chance = random.Random(f"{SEED} {way.name}")
        plan = None

        def choose(request):
            return Policy(plan.attempts, on=web.transient, wait=0)

        with way.session(choose, pool=1, timeout=2) as session:
            for _ in range(PLANS):
                plan = Plan(way, chance)
                url = server.play(*(step for _, step, _ in plan.steps))
                answer = error = None
                try:
                    answer = session.fetch(
                        plan.method,
                        url,
                        plan.body(way, session),
                        headers=plan.headers,
                        stream=plan.stream,
                    )
                    session.discard(answer)
                except Exception as caught:
                    error = caught
                requests = [*server.requests]
                self.check(plan, way, requests, answer, error)
                # A connection that was not given back would be waited for in vain.
                session.discard(session.fetch("GET", server.play(reply(200))))
                assert server.settles(1) or way.name == "urllib", plan
        answer = error = None  # a response of requests keeps the pool alive, and that what it holds
        gc.collect()
        assert server.settles(0)

    def check(self, plan, way, requests, answer, error):
        count = len(requests)
        steps = [*plan.steps, *[plan.steps[-1]] * 5][:count]
        body = b"" if plan.kind == "none" else plan.data
        # Sent as often as it may be.
        assert 1 <= count <= plan.attempts, plan
        if plan.kind == "once":
            assert count == 1, plan
        elif plan.method not in SAFE and not plan.headers:
            assert all(status in NOT_PROCESSED for _, _, status in steps[:-1]), plan
        # Sent whole.
        assert all(request.body == body for request in requests if request.is_whole), plan
        assert all(body.startswith(request.body) for request in requests), plan
        assert {request.method for request in requests} == {plan.method}, plan
        # What came of the last one.
        name, _, status = steps[-1]
        if status is None and plan.method == "HEAD" and name[0].isdigit():
            status = int(name[:3])  # there was no body to be cut off
        if status is not None:
            assert answer is not None, (plan, error)
            assert answer.status == status, plan
        elif name in ("reset", "close") or (way.reads_bodies and not plan.stream):
            assert error is not None, plan
        # And it was the last for a reason.
        retryable = error is not None or status in web.transient.statuses
        may_repeat = (plan.method in SAFE or plan.headers) and plan.kind != "once"
        if retryable and may_repeat and name != "503 much later" and not plan.stream:
            assert count == plan.attempts or not way.reads_bodies, plan
