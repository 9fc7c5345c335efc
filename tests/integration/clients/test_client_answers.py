"""Section 16 of the contract over the wire: what fails, what follows, and what the user gets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import pickle
import threading

import httpx
import pytest
from client_server import CLOSE, RESET, refused, reply

from retrying_elegant import (
    Attempt,
    Policy,
    RetryBudget,
    TryAgain,
    clients,
    given_up,
    testing,
    web,
)
from retrying_elegant.clients._shared import Exchange, TimeLimit

QUICK = Policy(4, on=web.transient, wait=0)
STATUSES = (408, 425, 429, 500, 502, 503, 504)


def status_of(response):
    return getattr(response, "status_code", None) or response.status


def makes_cycles(session, server):
    """Whether an error of the client is part of a reference cycle without us."""

    def errors():
        return sum(isinstance(thing, BaseException) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = errors()
        with contextlib.suppress(Exception):
            session.fetch("GET", server.play(RESET))
        return errors() > before
    finally:
        gc.enable()


class TestPolicy:
    """`policy`: a Policy; or a function from the request; or omitted."""

    def test_a_policy(self, way, server):
        """Every request of the client is made under it."""
        url = server.play(reply(503), reply(502), reply(200, b"done"))
        with way.session(QUICK) as session:
            assert session.fetch("GET", url).body == b"done"
            url = server.play(reply(503), reply(200, b"again"))
            assert session.fetch("GET", url).body == b"again"

    def test_omitted(self, way, server, monkeypatch):
        """Four attempts at what is transient, thirty seconds, a budget of its own per client."""
        monkeypatch.setattr("random.random", lambda: 1.0)  # full jitter: no wait at all
        url = server.play(reply(503))
        with way.session() as session:
            answer = session.fetch("GET", url)
        assert (answer.status, len(server.requests)) == (503, 4)
        assert answer.record.reason == "attempts"

    def test_the_timeout_of_an_omitted_one(self, way, server):
        """A second wait of twenty seconds would end after the thirty."""
        url = server.play(reply(503, retry_after=20))
        with way.session() as session, testing.instant():
            answer = session.fetch("GET", url)
        assert (answer.record.reason, len(server.requests)) == ("timeout", 2)

    def test_a_budget_of_its_own(self, way, server):
        """Two clients do not take each other's tokens: a hundred, three for each request."""
        url = server.play(reply(503))
        with way.session() as first, way.session() as second, testing.instant():
            reasons = [first.fetch("GET", url).record.reason for _ in range(35)]
            assert reasons == ["attempts"] * 33 + ["budget"] * 2
            assert second.fetch("GET", url).record.reason == "attempts"

    def test_a_function(self, way, server):
        """It is called once for each request, and may say None: that one is not retried."""
        asked = []

        def choose(request):
            asked.append(request)
            return (
                None if "once" in str(getattr(request, "url", None) or request.full_url) else QUICK
            )

        url, once = server.play(reply(503), reply(200)), server.play(reply(503), path="/once")
        with way.session(choose) as session:
            assert session.fetch("GET", url).status == 200
            assert len(asked) == 1
            server.requests.clear()
            answer = session.fetch("GET", once)
        assert (answer.status, answer.record, len(server.requests)) == (503, None, 1)
        assert len(asked) == 2

    def test_a_function_that_returns_something_else(self, way, server):
        """TypeError, at the call; nothing is sent."""
        url = server.play(reply())
        with way.session(lambda request: 3) as session, pytest.raises(TypeError, match="a Policy"):
            session.fetch("GET", url)
        assert not server.requests

    def test_until(self, way, server):
        """TypeError: the results are responses. At the call where a function chose the policy."""
        form = f"clients.{way.name.split()[0].removesuffix('2')}"
        with (
            pytest.raises(TypeError, match=f"until=.* None for {form}, whose results"),
            way.session(QUICK.replace(until=bool)) as session,
        ):
            pass
        with (
            way.session(lambda request: QUICK.replace(until=bool)) as session,
            pytest.raises(TypeError, match="until="),
        ):
            session.fetch("GET", server.play(reply()))

    def test_what_a_sync_client_cannot_do(self, sync_way):
        """Hooks that must be awaited."""

        async def hook(attempt):
            pass

        with (
            pytest.raises(TypeError, match="on_retry="),
            sync_way.session(QUICK.replace(on_retry=hook)),
        ):
            pass

    def test_the_wrong_event(self, way, server):
        """One that blocks, or one to be awaited; at the call where a function chose the policy."""
        event = threading.Event() if way.is_async else asyncio.Event()
        policy = QUICK.replace(stop=event)
        with pytest.raises(TypeError, match="stop="), way.session(policy):
            pass
        url = server.play(reply())
        with (
            way.session(lambda request: policy) as session,
            pytest.raises(TypeError, match="stop="),
        ):
            session.fetch("GET", url)
        assert not server.requests

    @pytest.mark.parametrize(
        "wrong", [3, "GET", Policy, object()], ids=["int", "str", "class", "?"]
    )
    def test_anything_else(self, way, wrong):
        """TypeError."""
        with pytest.raises(TypeError, match="policy="), way.session(wrong):
            pass


class TestWhatIsAFailedAttempt:
    """A response is one if the policy would retry the error that raise_for_status() raises."""

    @pytest.mark.parametrize("status", STATUSES)
    def test_the_statuses_of_web_transient(self, way, server, status):
        """With the default filter."""
        url = server.play(reply(status), reply(200))
        with way.session(QUICK) as session:
            assert session.fetch("GET", url).status == 200
        assert len(server.requests) == 2

    def test_a_predicate_is_called_for_every_status_from_400(self, way, server):
        """And gets the client's own error; what it says holds."""
        seen = []

        def on(error):
            seen.append(error)
            return True

        for status in (400, 404, 418, 451, 501, 505, 599):
            url = server.play(reply(status), reply(200))
            with way.session(QUICK.replace(on=on)) as session:
                assert session.fetch("GET", url).status == 200
        assert len(seen) == 7
        assert all(isinstance(error, way.error) for error in seen)

    @pytest.mark.parametrize("status", [200, 204, 304])
    def test_a_predicate_is_not_called_below_400(self, way, server, status):
        """These are what was asked for."""
        seen = []
        url = server.play(reply(status, b""))
        with way.session(QUICK.replace(on=lambda error: not seen.append(error))) as session:
            assert session.fetch("GET", url).status == status
        assert (seen, len(server.requests)) == ([], 1)

    def test_a_predicate_is_called_once_for_a_response(self, way, server):
        """Though it is asked for before the attempt ends."""
        seen = []
        url = server.play(reply(404))
        with way.session(QUICK.replace(on=lambda error: seen.append(error))) as session:
            session.fetch("GET", url)
        assert len(seen) == 1

    @pytest.mark.parametrize("on", [Exception, (ValueError, Exception)], ids=["class", "tuple"])
    def test_classes_apply_to_the_statuses_of_web_transient(self, way, server, on):
        """`on=Exception` does not retry a 404."""
        with way.session(QUICK.replace(on=on)) as session:
            assert session.fetch("GET", server.play(reply(404), reply(200))).status == 404
            assert session.fetch("GET", server.play(reply(501), reply(200))).status == 501
            assert session.fetch("GET", server.play(reply(503), reply(200))).status == 200

    def test_classes_have_the_hint_too(self, way, server):
        """The wait is that of Retry-After."""
        waits = []
        policy = QUICK.replace(on=Exception, on_retry=lambda attempt: waits.append(attempt.hint))
        url = server.play(reply(503, retry_after=0), reply(200))
        with way.session(policy) as session:
            session.fetch("GET", url)
        assert waits == [0]

    @pytest.mark.parametrize("on", [web.transient, Exception], ids=["predicate", "class"])
    def test_x_should_retry(self, way, server, on):
        """It decides before the status does (section 9), but does not make a POST safe."""
        told, told_not = ({"X-Should-Retry": word} for word in ("true", "false"))
        with way.session(QUICK.replace(on=on)) as session:
            url = server.play(reply(404, headers=told), reply(200))
            assert session.fetch("GET", url).status == 200
            url = server.play(reply(503, headers=told_not), reply(200))
            assert session.fetch("GET", url).status == 503
            url = server.play(reply(503, headers=told), reply(200))
            assert session.fetch("POST", url, b"data").status == 503

    @pytest.mark.parametrize("on", [web.transient, Exception], ids=["predicate", "class"])
    @pytest.mark.parametrize(
        ("headers", "hint"),
        [
            ({"Retry-After-Ms": "250", "Retry-After": "3000"}, 0.25),
            ({"Retry-After-Ms": "soon", "Retry-After": "7"}, 7),
            (
                {
                    "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
                    "Retry-After": "Wed, 21 Oct 2015 07:28:09 GMT",
                },
                9,
            ),
        ],
        ids=["milliseconds", "no milliseconds", "date"],
    )
    def test_what_the_server_asks_for(self, way, server, on, headers, hint):
        """It is the wait, in every form of section 9."""
        url = server.play(reply(503, headers=headers), reply(200))
        with way.session(QUICK.replace(on=on)) as session, testing.instant() as instant:
            assert session.fetch("GET", url).status == 200
        assert instant.waits == [hint]

    def test_unless_wins(self, way, server):
        """As everywhere."""
        url = server.play(reply(503))
        with way.session(QUICK.replace(unless=lambda error: True)) as session:
            assert session.fetch("GET", url).status == 503
        assert len(server.requests) == 1

    def test_a_tuple(self, way, server):
        """Evaluated in order; the first match decides, with its hint."""
        hints = []
        on = (lambda error: False, lambda error: TryAgain(after=0.01), web.transient)
        policy = QUICK.replace(on=on, on_retry=lambda attempt: hints.append(attempt.hint))
        with way.session(policy) as session:
            assert session.fetch("GET", server.play(reply(404), reply(200))).status == 200
        assert hints == [0.01]

    def test_a_predicate_that_raises(self, way, server):
        """It is a bug, and what it raised propagates; the connection is free again."""
        given = []
        policy = QUICK.replace(on=lambda error: 1 // 0, on_give_up=given.append)
        with way.session(policy, pool=1) as session:
            for status in (404, 503):
                with pytest.raises(ZeroDivisionError):
                    session.fetch("GET", server.play(reply(status)))
            assert session.fetch("GET", server.play(reply(200))).status == 200
        assert [attempt.reason for attempt in given] == [None, None]


class TestResponsesThatAreNone:
    """Any other response below 500, 429 excepted, ends the call with success."""

    @pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 404, 409, 422])
    def test_success(self, way, server, log, status):
        """on_success runs, the budget is credited, and nothing is logged."""
        ended, given = [], []
        budget = RetryBudget(10, refill=1)
        budget._take()
        policy = QUICK.replace(on_success=ended.append, on_give_up=given.append, budget=budget)
        with way.session(policy) as session:
            answer = session.fetch(
                "GET", server.play(reply(status, b"" if status < 400 else b"no"))
            )
        assert (answer.status, answer.record) == (status, None)
        assert len(server.requests) == len(ended) == 1
        assert (given, log()) == ([], [])
        assert budget.tokens == 10
        assert ended[0].succeeded
        assert status_of(ended[0].result) == status

    def test_success_after_a_retry(self, way, server, log):
        """Likewise: one line for the retry, and none for the 404."""
        ended, given = [], []
        budget = RetryBudget(10, refill=0.5)
        policy = QUICK.replace(on_success=ended.append, on_give_up=given.append, budget=budget)
        with way.session(policy) as session:
            answer = session.fetch("GET", server.play(reply(503), reply(404, b"no")))
        assert (answer.status, answer.body, answer.record) == (404, b"no", None)
        assert [attempt.number for attempt in ended] == [2]
        assert (given, len(log()), budget.tokens) == ([], 1, 9.5)

    @pytest.mark.parametrize("follow", [True, False])
    def test_a_redirect(self, way, server, log, follow):
        """It is not logged, whether the client follows it or not."""
        ended = []
        end = server.play(reply(200), path="/end")
        url = server.play(reply(302, headers={"Location": end}))
        with way.session(QUICK.replace(on_success=ended.append)) as session:
            session.discard(session.fetch("GET", url, follow=follow))
        assert log() == []
        hops = 2 if way.name == "urllib" or follow else 1  # urllib always follows
        assert len(server.requests) == hops
        assert len(ended) == (1 if way.is_httpx else hops)

    def test_not_retryable_after_a_retry(self, way, server):
        """The record counts both attempts."""
        budget = RetryBudget(10, refill=0.5)
        with way.session(QUICK.replace(budget=budget)) as session:
            answer = session.fetch("GET", server.play(reply(503), reply(501, b"no")))
        assert (answer.status, answer.body, budget.tokens) == (501, b"no", 9)
        assert (answer.record.reason, answer.record.attempts) == ("not retryable", 2)

    @pytest.mark.parametrize("status", [500, 501, 505, 429])
    def test_the_rest_is_not_retryable(self, way, server, log, status):
        """on_give_up runs, no credit; on the first attempt it is not worth a line."""
        ended, given = [], []
        budget = RetryBudget(10, refill=1)
        budget._take()
        policy = QUICK.replace(
            on=(), on_success=ended.append, on_give_up=given.append, budget=budget
        )
        with way.session(policy) as session:
            answer = session.fetch("GET", server.play(reply(status, b"no")))
        assert (answer.status, answer.body, answer.record) == (status, b"no", None)
        assert [attempt.reason for attempt in given] == ["not retryable"]
        assert (ended, log(), budget.tokens) == ([], [], 9)

    def test_a_retry_after_that_is_too_long(self, way, server, log):
        """One line, and the note says for how long the server asked."""
        url = server.play(reply(503, b"later", retry_after=3000))
        with way.session(QUICK) as session:
            answer = session.fetch("GET", url)
        assert (answer.status, answer.body, len(server.requests)) == (503, b"later", 1)
        assert len(log()) == 1
        assert answer.record.reason == "not retryable"
        assert "the server asked for 3000 s" in str(answer.record)

    def test_classes_do_not_hide_a_retry_after_that_is_too_long(self, way, server, log):
        """As classes apply with the hint."""
        url = server.play(reply(503, retry_after=3000))
        with way.session(QUICK.replace(on=Exception)) as session:
            assert session.fetch("GET", url).status == 503
        assert (len(server.requests), len(log())) == (1, 1)


class TestWhatTheUserGets:
    """In the end, what the bare client would have given."""

    def test_the_last_response(self, way, server):
        """Unraised, whole, and with the record."""
        url = server.play(reply(503, b"one"), reply(502, b"two"), reply(500, b"three"))
        with way.session(QUICK.replace(attempts=3)) as session:
            answer = session.fetch("GET", url)
        assert (answer.status, answer.body) == (500, b"three")
        assert (answer.record.attempts, answer.record.reason) == (3, "attempts")
        said = [line.rpartition(": ")[2] for line in answer.record.history]
        assert said == ["503 Service Unavailable", "502 Bad Gateway", "500 Internal Server Error"]

    def test_the_error_that_the_client_makes_of_it(self, way, server):
        """It has the record too."""
        with way.session(QUICK.replace(attempts=2)) as session:
            answer = session.fetch("GET", server.play(reply(503)))
            with pytest.raises(way.error) as caught:
                session.raise_for_status(answer)
        assert given_up(caught.value) == answer.record
        assert given_up(caught.value).attempts == 2

    def test_the_client_own_exception(self, way, server):
        """The same class as without us, with note and record."""
        url = server.play(RESET)
        with way.session(bare=True) as session, pytest.raises(Exception) as bare:  # noqa: PT011
            session.fetch("GET", url)
        with way.session(QUICK) as session, pytest.raises(type(bare.value)) as caught:
            session.fetch("GET", url)
        assert type(caught.value) is type(bare.value)
        assert given_up(caught.value).attempts == 4
        assert any("gave up on GET 127.0.0.1" in note for note in caught.value.__notes__)

    def test_an_exception_that_is_final_at_once(self, way, server):
        """As it came: no note, no record."""
        with way.session(QUICK.replace(on=())) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("GET", server.play(CLOSE))
        assert given_up(caught.value) is None
        assert not hasattr(caught.value, "__notes__")

    @pytest.mark.parametrize(
        "steps",
        [[reply(200)], [reply(503)], [RESET], [reply(503), RESET, reply(404)]],
        ids=["200", "503", "reset", "mixed"],
    )
    def test_nothing_of_ours_is_left_behind(self, way, server, steps):
        """No reference cycle, neither with the exception nor with the response."""
        with way.session(bare=True) as session:
            if RESET in steps and makes_cycles(session, server):
                return  # the client's own error keeps all frames alive, ours among them
        with way.session(QUICK) as session:
            session.fetch("GET", server.play(reply(200)))  # imports, and what is kept for good
            gc.collect()
            gc.disable()
            try:
                with contextlib.suppress(Exception):
                    session.discard(session.fetch("GET", server.play(*steps)))
                timers = [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
                while timers:  # of time limits that are over
                    timers.pop().join()
                ours = (Attempt, Exchange, TimeLimit)
                left = [thing for thing in gc.get_objects() if isinstance(thing, ours)]
                assert not left
            finally:
                gc.enable()

    def test_the_result_of_an_attempt_is_the_response(self, way, server):
        """In every hook, and in the wait."""
        seen = []

        def status(attempt):
            seen.append(status_of(attempt.result))
            return 0

        policy = QUICK.replace(attempts=2, wait=status, on_retry=status, on_give_up=status)
        url = server.play(reply(503), reply(502))
        with way.session(policy) as session:
            session.fetch("GET", url)
        assert seen == [503, 503, 502]

    @pytest.mark.parametrize("status", [200, 404])
    def test_it_is_the_one_that_the_user_gets(self, way, server, status):
        """The same object, but for the error that urllib makes of a 404."""
        ended = []
        with way.session(QUICK.replace(on_success=ended.append)) as session:
            answer = session.fetch("GET", server.play(reply(503), reply(status)))
        if way.name == "urllib" and status == 404:
            assert ended[0].result is answer.response.fp
        else:
            assert ended[0].result is answer.response


class TestNames:
    """The name is `METHOD host`; no path, query, header or body is logged."""

    def test_the_name(self, way, server):
        """Without port and user; `policy.name` wins."""
        names = []
        policy = QUICK.replace(before_attempt=lambda attempt: names.append(attempt.name))
        url = server.play(reply())
        with way.session(policy) as session:
            session.fetch("DELETE", url)
            if way.name not in ("urllib",):  # which does not know of users in a URL
                session.fetch("GET", url.replace("http://", "http://user:secret@"))
        with way.session(policy.replace(name="shop")) as session:
            session.fetch("GET", url)
        assert names == ["DELETE 127.0.0.1", *["GET 127.0.0.1"] * (len(names) - 2), "shop"]

    def test_the_request_is_the_argument(self, way, server):
        """`attempt.args[0]`."""
        seen = []
        policy = QUICK.replace(before_attempt=lambda attempt: seen.append(attempt.args))
        url = server.play(reply())
        with way.session(policy) as session:
            session.fetch("PUT", url, b"data")
        ((request,),) = seen
        assert (getattr(request, "method", None) or request.get_method()) == "PUT"
        assert str(getattr(request, "url", None) or request.full_url) == url

    @pytest.mark.parametrize(
        "step",
        [RESET, CLOSE, reply(503), reply(200, b"x" * 100, half="close")],
        ids=["reset", "close", "503", "mid-body"],
    )
    def test_nothing_secret(self, way, server, log, step):
        """Whatever fails, and however the client words it."""
        url = server.play(step, path="/tok-path", query="?key=tok-query")
        policy = QUICK.replace(attempts=2)
        error = record = None
        with way.session(policy) as session:
            try:
                answer = session.fetch("PUT", url, b"tok-body", headers={"X-Secret": "tok-header"})
                record = answer.record
            except Exception as caught:
                error = caught
                record = given_up(error)
        text = "\n".join([*log(), str(record), repr(record), *getattr(error, "__notes__", ())])
        assert "tok-" not in text
        assert "127.0.0.1" in text or way.name in ("aiohttp", "urllib")

    def test_nothing_secret_where_a_hook_fails(self, way, server, log, caplog):
        """Its traceback does not show what the client says."""

        def broken(attempt):
            raise ZeroDivisionError

        url = server.play(reply(503), path="/tok-path", query="?key=tok-query")
        with way.session(QUICK.replace(attempts=2, on_retry=broken, on_give_up=broken)) as session:
            session.fetch("GET", url)
        ours = [record for record in caplog.records if record.name == "retrying_elegant"]
        assert len(ours) == 2
        text = "\n".join(logging.Formatter().format(record) for record in ours)
        assert "tok-" not in text

    def test_nothing_secret_where_nothing_listens(self, way, log):
        """The words of the operating system are given instead."""
        url = refused() + "tok-path?key=tok-query"
        with way.session(QUICK) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("GET", url)
        text = "\n".join([*log(), *caught.value.__notes__])
        assert "tok-" not in text
        assert "Connection refused" in text


class TestWhatIsReturned:
    """One function for each client."""

    def test_requests(self, server):
        """An adapter to mount, with the keywords of HTTPAdapter, that pickles with its session."""
        import requests

        adapter = clients.requests(QUICK, pool_maxsize=3)
        assert isinstance(adapter, requests.adapters.HTTPAdapter)
        session = requests.Session()
        session.mount("http://", adapter)
        with pickle.loads(pickle.dumps(session)) as copy:
            assert copy.get(server.play(reply(503), reply(200, b"copied"))).content == b"copied"
        assert pickle.loads(pickle.dumps(adapter))._pool_maxsize == 3
        session.mount("http://", clients.requests(QUICK.replace(stop=threading.Event())))
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(session)
        with pytest.raises(TypeError, match="pool_size"):
            clients.requests(pool_size=3)

    def test_requests_with_retries_of_its_own(self):
        """Rejected, because they would multiply."""
        import urllib3

        for retries in (3, urllib3.Retry(2)):
            with pytest.raises(ValueError, match="max_retries="):
                clients.requests(max_retries=retries)
        clients.requests(max_retries=0)
        clients.requests(max_retries=urllib3.Retry(0, read=False))

    def test_httpx(self, httpx_way):
        """The same client; wrapping it twice raises ValueError."""
        with httpx_way.session(QUICK) as session:
            with pytest.raises(ValueError, match=r"wrapped before$"):
                clients.httpx(session.client)
            assert session.client.send.__name__ == "send"
            bare = inspect.signature(httpx_way.kind.library.Client.send)
            assert [*inspect.signature(session.client.send).parameters] == [*bare.parameters][1:]

    def test_httpx_of_something_else(self):
        """TypeError; its name alone does not make it a client of httpx."""

        class Client:
            pass

        for other in (object(), Client(), Client, httpx.Client, httpx.Response(200)):
            with pytest.raises(TypeError, match=r"client=.* AsyncClient of httpx or httpx2$"):
                clients.httpx(other)

    def test_httpx_wherever_it_defines_its_clients(self, httpx_way, monkeypatch):
        """That is the library's own affair."""
        library = httpx_way.kind.library
        kind = library.AsyncClient if httpx_way.is_async else library.Client
        monkeypatch.setattr(kind, "__module__", f"{library.__name__}._elsewhere")
        with httpx_way.session(QUICK):
            pass

    def test_httpx_keeps_what_was_there(self, httpx_way, server):
        """A `send` that something else has put on the client is what is called."""
        with httpx_way.session(bare=True) as session:
            calls, bare = [], session.client.send

            def send(*args, **kwargs):
                calls.append(args)
                return bare(*args, **kwargs)

            session.client.send = send
            clients.httpx(session.client, QUICK)
            assert session.fetch("GET", server.play(reply(503), reply(200))).status == 200
        assert len(calls) == 2

    def test_aiohttp(self):
        """A middleware: a callable of request and handler."""
        assert callable(clients.aiohttp())

    def test_urllib(self):
        """A handler."""
        import urllib.request

        assert isinstance(clients.urllib(), urllib.request.BaseHandler)
