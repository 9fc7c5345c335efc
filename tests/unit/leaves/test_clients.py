"""Section 16 of the contract: what holds for every client, without any of them.

That it does over the wire, through each client, is in tests/integration/clients.
"""

from __future__ import annotations

import asyncio
import errno
import io
import itertools
import math
import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import weakref
from email.message import Message
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ways import Flaky, run_async

from retrying_elegant import (
    Attempt,
    GiveUp,
    Policy,
    RetryBudget,
    TryAgain,
    clients,
    deadline,
    given_up,
    retry,
    testing,
    web,
)
from retrying_elegant._giveup import sign
from retrying_elegant.clients import _shared, _urllib
from retrying_elegant.clients._shared import Body, Remains, Rules, TimeLimit, describe


class TestImport:
    """No HTTP client is imported until one is used; a missing one raises ImportError."""

    def test_importing_clients_imports_no_client(self):
        """Neither a third-party one nor the one of the standard library."""
        names = {
            "requests",
            "httpx",
            "httpx2",
            "aiohttp",
            "urllib3",
            "urllib.request",
            "http.client",
        }
        code = (
            f"import sys; from retrying_elegant import clients; print({names!r} & {{*sys.modules}})"
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == "set()"

    @pytest.mark.parametrize("name", ["requests", "aiohttp"])
    def test_a_missing_client(self, name, monkeypatch):
        """The message names the package, and how to install it."""
        needed = {"requests": "requests", "aiohttp": "aiohttp 3.12 or newer"}[name]
        ours = f"retrying_elegant.clients._{name}"
        for module in (name, *(each for each in sys.modules if each.startswith(f"{name}."))):
            monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, ours, None)
        monkeypatch.delitem(sys.modules, ours)
        with pytest.raises(ImportError) as caught:
            getattr(clients, name)()
        assert caught.value.name == name
        how = f"install it with `pip install {name}`"
        assert str(caught.value) == f"clients.{name} needs {needed}: {how}"

    def test_what_is_passed_on(self, monkeypatch):
        """Everything, to the module of the client."""
        calls = []
        for name, made in (("requests", "Adapter"), ("aiohttp", "Middleware"), ("httpx", "wrap")):
            stand_in = SimpleNamespace(**{made: lambda *args, **kw: calls.append((args, kw)) or 7})
            monkeypatch.setitem(sys.modules, f"retrying_elegant.clients._{name}", stand_in)
        policy = Policy(2)
        assert clients.requests(policy, idempotent=True, pool_maxsize=3) == 7
        assert clients.aiohttp(policy, idempotent=True) == 7
        client = object()
        assert clients.httpx(client, policy, idempotent=True) is client
        assert calls == [
            ((policy, True), {"pool_maxsize": 3}),
            ((policy, True), {}),
            ((client, policy, True), {}),
        ]


class TestPolicy:
    """`policy`: a Policy, a function from the request to a Policy or None, or omitted."""

    def test_omitted(self):
        """Four attempts at what is transient, thirty seconds, a budget of its own."""
        first, second = (Rules("x", None, None, is_async=False).choose(None) for _ in range(2))
        assert isinstance(first.budget, RetryBudget)
        assert first.budget is not second.budget
        assert first.replace(budget=None) == Policy(4, on=web.transient, timeout=30)

    @pytest.mark.parametrize(
        "wrong", [3, "GET", Policy, object()], ids=["int", "str", "class", "?"]
    )
    def test_anything_else(self, wrong):
        """TypeError, where it is written."""
        with pytest.raises(TypeError, match=r"^policy=.* a Policy or None, or None$"):
            Rules("x", wrong, None, is_async=False)

    def test_a_coroutine_function(self):
        """It would have to be awaited."""

        async def choose(request):
            pass

        with pytest.raises(TypeError, match=r"^policy=.* or None; it is a coroutine function$"):
            Rules("x", choose, None, is_async=True)

    def test_what_a_function_returns(self):
        """A Policy or None; anything else raises TypeError, and a coroutine is closed."""

        async def policy():
            pass

        class Awaitable:
            def __await__(self):
                raise NotImplementedError

        file = io.BytesIO()
        for wrong in (3, policy(), Awaitable(), file):
            rules = Rules("x", lambda request, wrong=wrong: wrong, None, is_async=False)
            with pytest.raises(TypeError, match=r"^policy\(request\)=.* a Policy, or None$"):
                rules.choose("request")
        assert not file.closed
        for right in (None, Policy(3)):
            rules = Rules("x", lambda request, right=right: right, None, is_async=False)
            assert rules.choose("request") is right
        assert Rules("x", lambda request: None, None, is_async=False).choose("request") is None

    def test_until(self):
        """Rejected: results are responses. Where a function chose the policy, at the call."""
        policy = Policy(until=bool)
        with pytest.raises(TypeError, match="until="):
            Rules("x", policy, None, is_async=False)
        with pytest.raises(TypeError, match="until="):
            Rules("x", lambda request: policy, None, is_async=False).choose("request")

    def test_what_the_form_cannot_do(self):
        """Hooks to be awaited in a sync client, an event of threads in an async one."""

        async def hook(attempt):
            pass

        with pytest.raises(TypeError, match="on_retry="):
            Rules("x", Policy(on_retry=hook), None, is_async=False)
        with pytest.raises(TypeError, match="stop="):
            Rules("x", Policy(stop=threading.Event()), None, is_async=True)
        with pytest.raises(TypeError, match="stop="):
            Rules("x", Policy(stop=asyncio.Event()), None, is_async=False)

    def test_attempt_timeout_in_a_sync_client(self):
        """Accepted, unlike on a function: it cuts the timeouts of the client."""
        Rules("x", Policy(attempt_timeout=1), None, is_async=False)


class TestDerivedPolicies:
    """The policy of one request is the user's, but for its filters."""

    def test_as_replace_makes_it(self):
        """In every field, and in what follows from the fields."""

        def on(error):
            return True

        def unless(error):
            return False

        rules = Rules("x", None, None, is_async=False)
        policies = (
            Policy(),
            Policy(
                3, on=OSError, wait=1, timeout=5, budget=RetryBudget(), name="x", log_level=None
            ),
            Policy(None, wait=(1, 2), before_attempt=print, on_success=print, reset_after=1),
        )
        kinds = ({}, {"attempts": 1}, {"timeout": 2.0}, {"attempts": 1, "timeout": 2.0})
        # Whichever was derived before: each pair, one after the other.
        cases = [(policy, changes) for policy in policies for changes in kinds]
        for pair in itertools.product(cases, repeat=2):
            for policy, changes in pair:
                derived = rules.derive(policy, on=on, unless=unless, **changes)
                expected = policy.replace(on=on, unless=unless, **changes)
                assert derived.__dict__ == expected.__dict__
                assert type(derived) is Policy

    def test_a_template_is_not_used(self):
        """Nor pickled."""
        rules = Rules("x", Policy(), None, is_async=False)
        rules.derive(rules.policy)
        with pytest.raises(AssertionError):
            rules._template[2].on(OSError())
        assert pickle.loads(pickle.dumps(rules))._template is None


class TestIdempotent:
    """Sent twice only if that is safe; `idempotent=` replaces methods and key of this rule."""

    def may(self, method, *, has_key=False, idempotent=None):
        rules = Rules("x", None, idempotent, is_async=False)
        return rules.may_repeat("request", method, has_key)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "get"])
    def test_idempotent_methods(self, method):
        """RFC 9110, 9.2.2."""
        assert self.may(method)

    @pytest.mark.parametrize("method", ["POST", "PATCH", "CONNECT", "LOCK", ""])
    def test_other_methods(self, method):
        """Unless the request has an Idempotency-Key."""
        assert not self.may(method)
        assert self.may(method, has_key=True)

    def test_replaced(self):
        """By methods, a predicate, or a bool; the key does not count any more."""
        assert self.may("POST", idempotent=["post"])
        assert not self.may("GET", has_key=True, idempotent=("POST",))
        assert self.may("POST", idempotent=lambda request: request == "request")
        assert not self.may("GET", has_key=True, idempotent=lambda request: 0)
        assert self.may("POST", idempotent=True)
        assert not self.may("GET", has_key=True, idempotent=False)
        assert not self.may("GET", idempotent=())

    @pytest.mark.parametrize("wrong", ["POST", b"POST", 3, [3], dict, 1.5], ids=repr)
    def test_wrong_kinds(self, wrong):
        """TypeError."""
        rule = "HTTP methods, a predicate on the request, True, False or None"
        with pytest.raises(TypeError, match=rf"^idempotent=.*{rule}$"):
            self.may("GET", idempotent=wrong)

    @pytest.mark.parametrize("wrong", ["", "PO ST", " GET"])
    def test_what_is_not_a_method(self, wrong):
        """ValueError."""
        with pytest.raises(ValueError, match="idempotent="):
            self.may("GET", idempotent=[wrong])

    def test_a_predicate_to_be_awaited(self):
        """TypeError: where it is passed, or where it returns an awaitable."""

        async def predicate(request):
            pass

        with pytest.raises(TypeError, match=r"^idempotent=.*coroutine function"):
            self.may("GET", idempotent=predicate)
        with pytest.raises(TypeError, match=r"idempotent\(...\)="):
            self.may("GET", idempotent=lambda request: predicate(request))


class TestBody:
    """Bytes, and anything seekable from where it was, are sent whole each time."""

    @pytest.mark.parametrize("body", [None, b"x", "x", bytearray(b"x"), [b"x"], (b"x",)], ids=repr)
    def test_repeatable(self, body):
        """What can be read as often as one likes."""
        assert Body(body).rewind()
        assert Body(memoryview(b"x")).rewind()

    @given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
    def test_files(self, data, start, read):
        """From where they were, whatever has been read."""
        file = io.BytesIO(data)
        file.seek(start)
        body = Body(file)
        file.read(read)
        assert body.rewind()
        assert file.read() == data[start:]

    def test_files_of_any_kind(self, tmp_path):
        """Text, too; and what has no `seekable` to ask."""
        (tmp_path / "text").write_text("häder and data")
        with open(tmp_path / "text", encoding="utf-8") as file:
            file.read(6)
            body = Body(file)
            rest = file.read()
            assert body.rewind()
            assert file.read() == rest

        class Bare:
            position = 3

            def tell(self):
                return self.position

            def seek(self, position):
                self.position = position

        bare = Bare()
        body = Body(bare)
        bare.position = 9
        assert body.rewind()
        assert bare.position == 3

    def test_read_only_once(self):
        """Generators, iterators, own classes, pipes, async files."""

        class Own:
            def __iter__(self):
                yield b"x"

        class Readable(Own):
            def read(self, size=-1):
                return b""

        class Tape(io.BytesIO):
            def seekable(self):
                return False

        class AsyncFile:
            async def tell(self):
                return 0

            async def seek(self, position):
                pass

        async def generator():
            yield b"x"

        reading, writing = os.pipe()
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            for once in (
                (x for x in b"x"),
                iter([b"x"]),
                Own(),
                Readable(),
                Tape(),
                AsyncFile(),
                generator(),
                pipe,
                object(),
            ):
                assert not Body(once).rewind()

    def test_closed(self):
        """Before the first attempt, or after it."""
        file = io.BytesIO(b"x")
        body = Body(file)
        assert body.is_repeatable
        file.close()
        assert not body.rewind()
        assert not body.is_repeatable
        assert not Body(file).is_repeatable


class TestRemains:
    """What was read of a response; a part is never passed off as all."""

    @given(st.binary(max_size=40), st.lists(st.integers(-1, 10), max_size=10))
    def test_all(self, data, sizes):
        """As of a file."""
        whole, file = Remains(data, None), io.BytesIO(data)
        assert [whole.read(size) for size in sizes] == [file.read(size) for size in sizes]
        assert Remains(data, None).readlines() == io.BytesIO(data).readlines()
        assert [*Remains(data, None)] == [*io.BytesIO(data)]

    def test_a_part(self):
        """Reading all raises, and so does reading past it, in any way."""
        error = OSError("cut off")
        for read in (Remains.read, Remains.read1, Remains.readlines):
            with pytest.raises(OSError, match="cut off"):
                read(Remains(b"one\ntwo", error))
        with pytest.raises(OSError, match="cut off"):
            Remains(b"one", error).read(None)
        assert Remains(b"one\ntwo", error).read(5) == b"one\nt"
        part = Remains(b"one\ntwo", error)
        assert part.read(0) == b""
        assert part.readline(0) == b""
        assert part.readline() == b"one\n"
        assert part.readline(None) == b"two"
        for _ in range(2):
            with pytest.raises(OSError, match="cut off"):
                part.readline()
        with pytest.raises(OSError, match="cut off"):
            part.read(1)

    def test_closed(self):
        """It is a file in that, too."""
        part = Remains(b"x", None)
        assert not part.closed
        part.close()
        assert part.closed
        with pytest.raises(ValueError, match="closed"):
            part.read()


class TestTimeLimit:
    """The body of a failed response is read within bounds of time."""

    def test_the_limit(self, monkeypatch):
        """2 seconds."""
        limits = []
        monkeypatch.setattr(threading.Timer, "start", lambda timer: limits.append(timer.interval))
        one, other = socket.socketpair()
        with one, other, TimeLimit(one):
            assert limits == [2]

    def test_it_ends_a_read_that_blocks(self, monkeypatch):
        """From another thread."""
        monkeypatch.setattr(_shared, "MOST_SECONDS", 0.01)
        one, other = socket.socketpair()
        with one, other, TimeLimit(one) as limit:
            assert one.recv(1) == b""  # the end of the connection, which nothing was sent on
            assert limit.has_passed

    def test_it_does_nothing_in_time(self, monkeypatch):
        """What is read is what was sent, and no thread is left."""
        monkeypatch.setattr(_shared, "MOST_SECONDS", 3600)
        one, other = socket.socketpair()
        before = threading.enumerate()
        with one, other:
            other.send(b"x")
            with TimeLimit(one) as limit:
                assert one.recv(1) == b"x"
            assert not limit.has_passed
            limit._stop()  # a thread that comes too late does not touch the connection
            other.send(b"y")
            assert one.recv(1) == b"y"
        for thread in {*threading.enumerate()} - {*before}:
            thread.join(5)
            assert not thread.is_alive()

    def test_it_keeps_nothing_alive(self):
        """The source of a failed response has a pool that may have to be closed."""
        one, other = socket.socketpair()
        source = weakref.ref(one)
        with one, other, TimeLimit(one) as limit:
            pass
        del one
        assert source() is None
        assert not limit.has_passed

    @pytest.mark.parametrize("source", [object(), io.BytesIO(b"x")], ids=["object", "file"])
    def test_what_is_not_a_socket(self, source):
        """It cannot block."""
        with TimeLimit(source) as limit:
            pass
        assert not limit.has_passed

    def test_where_no_thread_can_be_started(self, monkeypatch):
        """At the end of the interpreter: the error is the caller's to swallow."""

        def fail(self):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", fail)
        one, other = socket.socketpair()
        with one, other, pytest.raises(RuntimeError, match="new thread"), TimeLimit(one):
            pass


class TestDescription:
    """No path, query, header or body appears in our log lines and notes."""

    @pytest.mark.parametrize(
        ("status", "text"), [(503, "503 Service Unavailable"), (599, "599"), (404, "404 Not Found")]
    )
    def test_a_status(self, status, text):
        """With the phrase of the standard, not with the server's."""
        assert describe(OSError("http://host/path"), status, "GET host") == text

    def test_words_of_the_operating_system(self):
        """However deep they are wrapped."""
        inner = ConnectionRefusedError(errno.ECONNREFUSED, "http://host/path")
        words = f"[Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
        assert describe(inner, None, "GET host") == words
        assert describe(urllib.error.URLError(inner), None, "GET host") == words
        wrapped = RuntimeError("http://host/path")
        wrapped.__cause__ = ValueError("/path", inner)
        assert describe(wrapped, None, "GET host") == words

    @pytest.mark.parametrize(
        "attribute", ["reason", "_reason", "original_error", "os_error", "__cause__"]
    )
    def test_wherever_a_client_keeps_what_it_wraps(self, attribute):
        """Each under a name of its own."""
        outer = RuntimeError("http://host/path")
        setattr(outer, attribute, ConnectionResetError(errno.ECONNRESET, "http://host/path"))
        words = f"[Errno {errno.ECONNRESET}] {os.strerror(errno.ECONNRESET)}"
        assert describe(outer, None, "GET host") == words

    def test_words_of_the_resolver(self):
        """Its numbers are its own."""
        error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        assert describe(error, None, "GET host").endswith("Name or service not known")

    def test_where_nothing_has_used_a_network(self, monkeypatch):
        """Neither TLS nor the resolver is imported for it."""
        monkeypatch.delitem(sys.modules, "ssl")
        monkeypatch.delitem(sys.modules, "socket")
        words = f"[Errno {errno.EPIPE}] {os.strerror(errno.EPIPE)}"
        assert describe(BrokenPipeError(errno.EPIPE, "/path"), None, "GET host") == words
        assert {"ssl", "socket"}.isdisjoint(sys.modules)

    def test_words_of_the_tls_library(self):
        """The reason, and what is wrong with a certificate."""
        error = ssl.SSLCertVerificationError(1, "[SSL] http://host/path")
        error.reason, error.verify_message = "CERTIFICATE_VERIFY_FAILED", "expired"
        assert describe(error, None, "GET host") == "CERTIFICATE_VERIFY_FAILED: expired"
        assert describe(ssl.SSLError("http://host/path"), None, "GET host") == ""

    def test_anything_else(self):
        """The kind of what is wrapped, nothing of its text."""
        assert describe(ValueError("http://host/path"), None, "GET host") == ""
        outer = RuntimeError("http://host/path", KeyError("token"))
        assert describe(outer, None, "GET host") == "KeyError"
        outer = KeyError("http://host/path", RuntimeError("token"))
        assert describe(outer, None, "GET host") == "RuntimeError"

    def test_how_deep_it_looks(self):
        """Seven wrappers are opened, for seven is more than any client has."""
        wrapped = ConnectionResetError(errno.ECONNRESET, "http://host/path")
        words = f"[Errno {errno.ECONNRESET}] {os.strerror(errno.ECONNRESET)}"
        for _ in range(7):
            wrapped = RuntimeError(wrapped)
            assert describe(wrapped, None, "GET host") == words
        assert describe(RuntimeError(wrapped), None, "GET host") == "ConnectionResetError"

    def test_endless_and_hostile(self):
        """A cycle has an end, and what raises is passed over."""
        one, two = ValueError("a"), KeyError("b")
        one.__cause__, two.__cause__ = two, one
        assert describe(one, None, "GET host") in ("KeyError", "ValueError", "")

        class Hostile(Exception):
            @property
            def reason(self):
                raise RuntimeError

        assert describe(Hostile("secret"), None, "GET host") == ""
        hostile = Hostile("secret")
        hostile.__cause__ = KeyError("secret")
        assert describe(hostile, None, "GET host") == "KeyError"

    @pytest.mark.parametrize("limit", ["attempt_timeout", "timeout", "deadline"])
    def test_our_own_timeout(self, limit):
        """Says which limit it was, and how many seconds; that of others says nothing."""
        limits = {"attempt_timeout": 9000, "timeout": 9500} | {limit: 1000}

        @retry(1, name="GET host", **{key: limits[key] for key in limits if key != "deadline"})
        async def hang():
            await asyncio.sleep(9999)

        async def main():
            with deadline(limits.get("deadline", 9999)):
                await hang()

        with pytest.raises(TimeoutError) as caught:
            run_async(main())
        ours = caught.value
        assert describe(ours, None, "GET host") == str(ours)
        assert f"s that {limit} allowed" in str(ours)
        for other in (
            TimeoutError("GET host took longer than the /path s that timeout allowed"),
            TimeoutError("GET host took longer than the 1 s that timeout allowed /path"),
            TimeoutError("GET host took longer than the 1 s that /path allowed"),
            TimeoutError("GET host took longer than the "),
            TimeoutError("PUT host took longer than the 1 s that timeout allowed"),
            TimeoutError("attempt at /path"),
            type("Theirs", (TimeoutError,), {})(str(ours)),
        ):
            assert describe(other, None, "GET host") == ""


class Response(io.BytesIO):
    """What http.client has for a response."""

    def __init__(self, status, body=b"ok", headers=(), length=0):
        super().__init__(body)
        self.status = self.code = status
        self.msg = self.reason = "Said So"
        self.headers = Message()
        for name, value in headers:
            self.headers[name] = value
        self.url = "http://host/"
        self.version = 11
        self.length = length

    def info(self):
        return self.headers

    def geturl(self):
        return self.url


class Network(urllib.request.BaseHandler):
    """Opens requests without a network: plays a script, whose last outcome repeats."""

    def __init__(self, *outcomes):
        self.outcomes = [*outcomes]
        self.requests = []
        self.timeouts = []

    def http_open(self, request):
        self.requests.append(request)
        self.timeouts.append(request.timeout)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome() if callable(outcome) else outcome

    https_open = http_open


def opened(
    network, policy=None, *, method="GET", data=None, url="http://host/path", timeout=5, **options
):
    """The response of a urllib opener over *network*."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        network,
        clients.urllib(QUICK if policy is None else policy, **options),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, data, method=method)
    return opener.open(request, timeout=timeout)


QUICK = Policy(4, on=web.transient, wait=0)


class TestUrllib:
    """A handler that passes requests on, and retries."""

    def test_retried(self):
        """Until it succeeds."""
        network = Network(ConnectionResetError(), lambda: Response(503), Response(200, b"done"))
        assert opened(network).read() == b"done"
        assert len(network.requests) == 3

    def test_https(self):
        """Passed on to the handler of that scheme."""
        network = Network(Response(503), Response(200, b"done"))
        assert opened(network, url="https://host/").read() == b"done"

    def test_given_up(self):
        """The opener's HTTPError, whole, with record and note."""
        network = Network(lambda: Response(503, b"body"))
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(network)
        assert given_up(caught.value).attempts == 4
        assert "gave up on GET host after 4 attempts" in caught.value.__notes__[0]
        assert caught.value.read() == b"body"
        caught.value.close()

    def test_not_given_up(self):
        """Nothing is added to a 404."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(Network(Response(404)))
        caught.value.close()
        assert given_up(caught.value) is None

    def test_no_handler_is_left(self):
        """What the next handlers do not open, this one does not; what they do is retried."""
        opener = urllib.request.OpenerDirector()
        opener.add_handler(clients.urllib(QUICK))
        assert opener.open("http://host/") is None
        opener.add_handler(Network(lambda: None))
        opener.add_handler(Network(Response(503), Response(200)))
        assert opener.open("http://host/").status == 200  # so it was retried

    def test_an_error_that_other_handlers_turn_into_an_answer(self):
        """Theirs."""

        class Forgiving(urllib.request.BaseHandler):
            def http_error_default(self, request, response, *_):
                return response

        opener = urllib.request.OpenerDirector()
        for handler in (
            Network(lambda: Response(503)),
            clients.urllib(QUICK),
            urllib.request.HTTPErrorProcessor(),
            Forgiving(),
        ):
            opener.add_handler(handler)
        assert opener.open("http://host/").status == 503

    @pytest.mark.parametrize(("status", "position"), [(299, 4), (300, 1)])
    def test_the_file_that_was_sent(self, status, position):
        """It is back where it was if the answer is no success: a handler may send it again."""
        body = io.BytesIO(b"body")
        body.seek(1)

        def answer():
            body.read()
            return Response(status)

        try:
            opened(Network(answer), method="PUT", data=body)
        except urllib.error.HTTPError as error:
            error.close()
        assert body.tell() == position

    def test_a_body_that_was_sent_before(self):
        """Raises if it can be read only once; the same request with another one is sent."""
        network = Network(lambda: Response(200))
        opener = urllib.request.OpenerDirector()
        opener.add_handler(network)
        opener.add_handler(clients.urllib(QUICK))
        request = urllib.request.Request("http://host/", iter([b"once"]))
        opener.open(request)
        words = "^the request was not sent again: its body cannot be read again$"
        with pytest.raises(ValueError, match=words):
            opener.open(request)
        request.data = iter([b"another"])
        opener.open(request)
        assert len(network.requests) == 2

    def test_two_of_them(self):
        """ValueError: attempts would multiply."""
        with pytest.raises(
            ValueError, match=r"^clients\.urllib: expected one handler, or attempts would multiply$"
        ):
            urllib.request.build_opener(clients.urllib(QUICK), clients.urllib(QUICK))
        shared = clients.urllib(QUICK)
        openers = [urllib.request.build_opener(shared) for _ in range(2)]  # one may serve several
        assert [shared in opener.handlers for opener in openers] == [True, False]

    def test_not_this_request(self):
        """None: it is not retried."""
        network = Network(Response(503))
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(network, lambda request: None)
        caught.value.close()
        assert len(network.requests) == 1

    @pytest.mark.parametrize(
        "timeout", [None, 5, socket._GLOBAL_DEFAULT_TIMEOUT], ids=["none", "5", "default"]
    )
    def test_timeouts_are_cut(self, timeout):
        """To what remains of a deadline, or to `attempt.timeout`; never to 0; for this attempt."""
        network = Network(Response(200))
        with testing.instant() as time, deadline(3):
            opened(network, timeout=timeout)
            time.advance(5)
            opened(network, timeout=timeout)
        opened(network, QUICK.replace(attempt_timeout=2), timeout=timeout)
        opened(network, QUICK.replace(attempt_timeout=20), timeout=timeout)
        first, second, third, fourth = network.timeouts
        assert 2.9 < first <= 3
        assert 0 < second < 0.1
        assert third == 2
        assert fourth == (5 if timeout == 5 else 20)
        assert network.requests[0].timeout is timeout

    def test_timeout_alone_cuts_nothing(self):
        """It interrupts no attempt."""
        network = Network(Response(200))
        opened(network, QUICK.replace(timeout=1))
        assert network.timeouts == [5]

    @pytest.mark.parametrize(
        ("seconds", "limits", "requests"),
        [
            (9, {"attempt_timeout": 10}, 5),
            (10, {"attempt_timeout": 10}, 2),
            (9, {"attempt_timeout": 10, "timeout": 9}, 1),
            (9, {}, 5),
        ],
    )
    def test_an_attempt_that_hung_was_not_healthy(self, seconds, limits, requests):
        """One that took all that it was allowed, as where `attempt_timeout` itself ends it."""
        with testing.instant() as time:

            def hang():
                time.advance(seconds)
                raise TimeoutError

            network = Network(hang, hang, hang, hang, Response(200))
            try:
                opened(network, QUICK.replace(attempts=2, reset_after=5, **limits))
            except TimeoutError:
                pass
        assert len(network.requests) == requests

    def test_a_failed_response_is_closed_before_the_wait(self):
        """And read first."""
        failed = Response(503, b"body")
        states = []
        policy = QUICK.replace(
            on_retry=lambda attempt: states.append(attempt.result.closed),
            before_attempt=lambda attempt: states.append(failed.closed),
        )
        opened(Network(failed, Response(200)), policy)
        assert states == [False, False, True]

    @pytest.mark.parametrize("length", [0, 7], ids=["whole", "cut off"])
    def test_returned_after_all(self, length):
        """What was read is still there; where there was more, reading it says so."""

        failed = Response(503, b"body", length=length)

        class Stop:
            def is_set(self):
                return failed.closed

            def wait(self, timeout=None):
                return True

        network = Network(failed)
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(network, QUICK.replace(stop=Stop(), wait=1))
        assert given_up(caught.value).reason == "stopped"
        assert (caught.value.msg, caught.value.version) == ("Said So", 11)
        if length:
            with pytest.raises(Exception, match="IncompleteRead"):
                caught.value.read()
        else:
            assert caught.value.read() == b"body"
        caught.value.close()

    @pytest.mark.parametrize("read", ["read", "read1", "readline", "readlines"])
    @pytest.mark.parametrize("length", [0, 7], ids=["whole", "cut off"])
    def test_raised_by_another_handler(self, length, read):
        """An error for the status is the user's, with what was read of its response."""
        failed = Response(503, b"a body", length=length)

        def fail():
            raise urllib.error.HTTPError("http://host/", 503, "So", failed.headers, failed)

        class Stop:
            def is_set(self):
                return failed.closed

            def wait(self, timeout=None):
                return True

        def look(attempt):
            assert attempt.error.read(2) == b"a "
            getattr(attempt.error, read)  # it keeps the method that it found
            assert not failed.closed

        policy = QUICK.replace(stop=Stop(), wait=1, on_retry=look)
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(Network(fail), policy)
        error = caught.value
        assert (given_up(error).reason, failed.closed) == ("stopped", True)
        assert (error.code, error.msg, error.url) == (503, "So", "http://host/")
        assert error.headers is failed.headers
        if length:
            with pytest.raises(Exception, match="IncompleteRead"):
                while getattr(error, read)():
                    pass
        else:
            assert getattr(error, read)() == ([b"body"] if read == "readlines" else b"body")
        error.close()
        assert error.closed

    def test_raised_by_another_handler_and_not_waited_for(self):
        """Nobody has read the response of the last attempt, whose error is as it was."""
        responses = [Response(503, b"body") for _ in range(4)]
        left = iter(responses)

        def fail():
            response = next(left)
            raise urllib.error.HTTPError("http://host/", 503, "So", response.headers, response)

        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(Network(fail))
        error = caught.value
        assert [response.closed for response in responses] == [True, True, True, False]
        assert error.fp is responses[-1]
        assert error.read() == b"body"
        error.close()

    def test_another_error_in_the_wait(self):
        """That of the attempt stays closed: it is not what the user gets."""
        failed = Response(503, b"body")

        def fail():
            raise urllib.error.HTTPError("http://host/", 503, "So", failed.headers, failed)

        class Stop:
            def is_set(self):
                if failed.closed:
                    raise LookupError
                return False

            def wait(self, timeout=None):
                raise LookupError

        with pytest.raises(LookupError) as caught:
            opened(Network(fail), QUICK.replace(stop=Stop(), wait=1))
        error = caught.value.__context__
        assert isinstance(error, urllib.error.HTTPError)
        assert error.fp is failed
        assert error.closed

    def test_raised_by_another_handler_without_a_response(self):
        """Nothing is read."""
        error = urllib.error.HTTPError("http://host/", 503, "So", Message(), None)
        network = Network(error, Response(200, b"done"))
        assert opened(network).read() == b"done"
        error.close()

    @pytest.mark.parametrize("excess", [-1, 0, 1])
    def test_the_size_that_is_kept(self, excess):
        """1 MiB; of what is larger, reading all raises."""
        body = b"x" * (2**20 + excess)
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.stopped_after(Response(503, body))
        if excess > 0:
            with pytest.raises(Exception, match="IncompleteRead"):
                caught.value.read()
        else:
            assert caught.value.read() == body
        caught.value.close()

    @pytest.mark.parametrize("trouble", ["late", "error"])
    def test_what_was_not_read_in_time_or_at_all(self, trouble, monkeypatch):
        """A part is not passed off as all, though the response knows no length."""

        class Late(TimeLimit):
            has_passed = property(lambda self: trouble == "late", lambda self, value: None)

        class Broken(Response):
            def read(self, size=-1):
                if trouble == "error" and self.tell():
                    raise ConnectionResetError
                return super().read(2)

        monkeypatch.setattr(_urllib, "TimeLimit", Late)
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.stopped_after(Broken(503, b"body"))
        with pytest.raises(Exception, match="IncompleteRead"):
            caught.value.read()
        caught.value.close()

    def stopped_after(self, failed):
        """Set the response aside, and then return it after all."""

        class Stop:
            def is_set(self):
                return failed.closed

            def wait(self, timeout=None):
                return True

        return opened(Network(failed), QUICK.replace(stop=Stop(), wait=1))

    def test_the_timeout_of_the_response(self, monkeypatch):
        """What was cut for the attempt is as before when the response is read."""

        class Socket:
            def __init__(self):
                self.timeouts = []
                self.raw = self.fp = self._sock = self

            settimeout = property(lambda self: self.timeouts.append)

        monkeypatch.setattr(socket, "getdefaulttimeout", lambda: 7)
        for timeout, after in ((5, 5), (None, None), (socket._GLOBAL_DEFAULT_TIMEOUT, 7)):
            response, connection = Response(200), Socket()
            response.fp = connection
            opened(Network(response), timeout=timeout)
            assert connection.timeouts == []  # nothing was cut
            with deadline(3):
                opened(Network(response), timeout=timeout)
            assert connection.timeouts == [after]

    def test_what_the_attempt_returned(self):
        """Is the response."""
        results, response = [], Response(200)
        opened(
            Network(response),
            QUICK.replace(on_success=lambda attempt: results.append(attempt.result)),
        )
        assert results == [response]

    def test_what_it_cannot_do(self):
        """The message names the form."""
        with pytest.raises(TypeError, match=r"until=.* None for clients\.urllib, whose"):
            clients.urllib(Policy(until=bool))

    def test_a_response_that_knows_no_length(self):
        """Such as that of a handler of one's own: what was read of it is all."""
        failed = Response(503, b"body")
        del failed.length
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.stopped_after(failed)
        assert caught.value.read() == b"body"
        caught.value.close()

    def test_nothing_is_kept_alive(self, no_collector):
        """Neither a failed response nor its error waits for the garbage collector."""

        class Reset(ConnectionResetError):
            """One to which there can be weak references."""

        failed, error = Response(503), Reset()
        alive = [weakref.ref(failed), weakref.ref(error)]
        network = Network(failed, error, Response(200))
        del failed, error
        assert opened(network).status == 200
        assert [reference() for reference in alive] == [None, None]

        def fail():
            raise Reset

        try:
            opened(Network(fail))
        except Reset as raised:
            alive = weakref.ref(raised)
        assert alive() is None

    def test_bounds_of_size(self):
        """A body without end is cut off."""

        class Endless(Response):
            def read(self, size=-1):
                return b"x" * size

        endless = Endless(503)
        assert opened(Network(endless, Response(200))).status == 200
        assert endless.closed

    def test_a_body_that_cannot_be_read(self):
        """Does not matter any more."""

        class Broken(Response):
            def read(self, size=-1):
                raise ConnectionResetError

        assert opened(Network(Broken(503), Response(200))).status == 200

    def test_an_error_that_is_not_of_the_body(self):
        """As a signal handler raises it: it ends the call, and the response is closed."""

        class Limit(Exception):
            pass

        class Interrupted(Response):
            def read(self, size=-1):
                raise Limit

        failed = Interrupted(503)
        with pytest.raises(Limit) as caught:
            opened(Network(failed, Response(200)))
        assert given_up(caught.value).reason == "interrupted"
        assert isinstance(caught.value.__context__, urllib.error.HTTPError)
        assert failed.closed

    def test_an_interrupt_closes_the_response(self):
        """It will not be returned."""
        failed = Response(503)

        def hook(attempt):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            opened(Network(failed), QUICK.replace(on_retry=hook))
        assert failed.closed


class TestFilters:
    """A response is a failed attempt if the policy would retry the error for it."""

    def attempts(self, *outcomes, **options):
        network = Network(*outcomes)
        try:
            opened(network, **options)
        except Exception as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            return len(network.requests), error
        return len(network.requests), None

    def test_classes(self):
        """Apply to the statuses of web.transient only; first match decides."""
        for on in (Exception, (ValueError, OSError)):
            policy = QUICK.replace(on=on)
            assert self.attempts(lambda: Response(503), policy=policy)[0] == 4
            assert self.attempts(lambda: Response(404), policy=policy)[0] == 1
        assert self.attempts(lambda: Response(503), policy=QUICK.replace(on=ValueError))[0] == 1
        # An error without a status is all that it says.
        policy = QUICK.replace(on=(KeyError, OSError))
        assert self.attempts(KeyError("here"), policy=policy)[0] == 4

    def test_predicates(self):
        """Are called for every status from 400, once for each response."""
        seen = []
        policy = QUICK.replace(on=lambda error: seen.append(error.code) or len(seen) < 3)
        assert self.attempts(lambda: Response(404), policy=policy)[0] == 3
        assert seen == [404, 404, 404]

    def test_unless(self):
        """Wins; also where it is a class."""
        for unless in (urllib.error.HTTPError, lambda error: True):
            policy = QUICK.replace(unless=unless)
            assert self.attempts(lambda: Response(503), policy=policy)[0] == 1
            policy = QUICK.replace(unless=unless, on=lambda error: True)
            assert self.attempts(ConnectionResetError(), policy=policy)[0] == (
                4 if isinstance(unless, type) else 1
            )

    def test_a_broken_filter(self):
        """What it raises propagates."""
        policy = QUICK.replace(on=lambda error: 1 // 0)
        for outcome in (Response(404), ConnectionResetError()):
            assert isinstance(self.attempts(outcome, policy=policy)[1], ZeroDivisionError)

    @pytest.mark.parametrize("name", ["on", "unless"])
    def test_a_filter_that_must_be_awaited(self, name):
        """The message names the field, whatever the error."""

        async def answer():
            pass

        policy = QUICK.replace(**{name: lambda error: answer()})
        for outcome in (Response(404), ConnectionResetError()):
            with pytest.raises(TypeError, match=rf"^{name}\(\.\.\.\)="):
                opened(Network(outcome), policy)

    @pytest.mark.parametrize(
        ("status", "is_success"),
        [(400, True), (428, True), (429, False), (430, True), (499, True), (500, False)],
    )
    def test_what_is_not_retried(self, status, is_success):
        """A success below 500, and other than 429; else a failure that is not retryable."""
        ended = []
        policy = QUICK.replace(
            on=(),
            on_success=lambda attempt: ended.append(True),
            on_give_up=lambda attempt: ended.append(False),
        )
        assert self.attempts(Response(status), policy=policy)[0] == 1
        # `unless` is the other filter that says so.
        policy = policy.replace(on=lambda error: True, unless=lambda error: True)
        assert self.attempts(Response(status), policy=policy)[0] == 1
        assert ended == [is_success] * 2

    def test_methods_of_web_transient(self):
        """Both must agree, though the error does not know its method."""
        policy = QUICK.replace(on=web.Transient(methods=("GET",)))
        for outcome in (lambda: Response(503), ConnectionResetError()):
            assert self.attempts(outcome, policy=policy)[0] == 4
            assert self.attempts(outcome, policy=policy, method="PUT")[0] == 1

    def test_sent_twice(self):
        """A POST only where it was never sent, or not processed."""
        for outcome, count in (
            (ConnectionResetError(), 1),
            (lambda: Response(503), 1),
            (lambda: Response(429), 4),
            (lambda: Response(425), 4),
            (urllib.error.URLError(ConnectionRefusedError()), 4),
        ):
            assert self.attempts(outcome, method="POST", data=b"x")[0] == count

    def test_read_only_once(self):
        """Sent once, whatever asks for more."""
        for error in (ConnectionResetError(), TryAgain()):
            body = iter([b"x"])
            assert self.attempts(error, method="PUT", data=body) == (1, error)

    def test_a_file_that_the_attempt_closes(self):
        """Nor waited for: the call ends with the error of the attempt."""
        file, error = io.BytesIO(b"x"), ConnectionResetError()

        def close():
            file.close()
            raise error

        policy = QUICK.replace(on_give_up=lambda attempt: reasons.append(attempt.reason))
        reasons = []
        assert self.attempts(close, method="PUT", data=file, policy=policy) == (1, error)
        assert reasons == ["not retryable"]

    def test_a_file_that_a_hook_closes(self):
        """Is not sent again."""
        file = io.BytesIO(b"x")
        policy = QUICK.replace(on_retry=lambda attempt: file.close())
        count, error = self.attempts(ConnectionResetError(), method="PUT", data=file, policy=policy)
        assert count == 1
        assert str(error) == "the request was not sent again: its body cannot be read again"

    @pytest.mark.parametrize(
        "on", [web.transient, Exception, (KeyError, OSError)], ids=["predicate", "class", "tuple"]
    )
    def test_a_retry_after_that_is_too_long(self, on, caplog):
        """One line, on the first attempt too, and a record that says what was asked for."""
        late = Response(503, headers=[("Retry-After", "3000")])
        _, error = self.attempts(late, policy=QUICK.replace(on=on))
        assert "the server asked for 3000 s" in str(given_up(error))
        assert len(caplog.records) == 1

    def test_nothing_too_long(self, caplog):
        """No line for what is simply not retryable."""
        self.attempts(Response(501), policy=QUICK.replace(on=(KeyError, lambda error: False)))
        self.attempts(ValueError("/path"), policy=QUICK.replace(on=KeyError))
        assert caplog.records == []


class TestNames:
    """The name is `METHOD host`, without port and user; `policy.name` wins."""

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("http://host/path?query", "PUT host"),
            ("http://Host:8080/", "PUT host"),
            ("http://[::1]:8080/", "PUT ::1"),
        ],
    )
    def test_names(self, url, name):
        """Of any URL."""
        names = []
        policy = QUICK.replace(before_attempt=lambda attempt: names.append(attempt.name))
        opened(Network(Response(200)), policy, url=url, method="PUT")
        opened(Network(Response(200)), policy.replace(name="shop"), url=url)
        assert names == [name, "shop"]

    def test_arguments(self):
        """`attempt.args[0]` is the request."""
        seen = []
        network = Network(Response(200))
        opened(network, QUICK.replace(before_attempt=lambda attempt: seen.append(attempt.args)))
        assert seen == [(network.requests[0],)]


class TestExchange:
    """What each client has to say itself is said by each."""

    def test_nothing_is_said_for_it(self):
        """The common part does not guess."""
        rules = Rules("x", None, None, is_async=False)
        exchange = _shared.Exchange(rules, QUICK, "request", "GET", {}, Body(None))
        for method, arguments in (
            ("attempt", ("request",)),
            ("set_aside", ()),
            ("status_of", (OSError(),)),
            ("restore_response", (b"", True)),
        ):
            with pytest.raises(NotImplementedError):
                getattr(exchange, method)(*arguments)
        assert exchange.is_redirected(OSError()) is False
        assert _urllib._host(urllib.request.Request("http://host:1/")) == "host"

    def test_the_response_is_set_aside_before_the_wait(self, async_way, own_waits):
        """After the hooks; a `stop` that is set meanwhile still ends the call, without the wait."""
        story, stop = [], asyncio.Event()

        async def set_aside(attempt):
            story.append("set aside")
            stop.set()

        own_waits.setattr(Attempt, "_before_wait", set_aside)
        with pytest.raises(OSError, match="down") as caught:
            async_way.run(
                Flaky([OSError("down")]),
                wait=60,
                stop=stop,
                on_retry=lambda attempt: story.append("on_retry"),
            )
        assert story == ["on_retry", "set aside"]
        assert given_up(caught.value).reason == "stopped"

    def test_the_error_of_reading_the_last_response(self):
        """It carries the record of that, if there is one."""
        response, error = Response(503), OSError()
        _shared.sign_late(error, response)
        assert given_up(error) is None
        record = GiveUp("GET host", 2, 1.0, "attempts", ())
        sign(response, record)
        _shared.sign_late(error, response)
        assert given_up(error) == record

    def test_a_chain_of_redirects(self):
        """After one, a request that is not idempotent is not sent again."""

        class Chain(_shared.Exchange):
            def status_of(self, error):
                return 429

            def is_redirected(self, error):
                return True

        rules = Rules("x", None, None, is_async=False)
        for method, again in (("POST", False), ("PUT", True)):
            exchange = Chain(rules, QUICK, "request", method, {}, Body(None))
            assert exchange._may_send_again(OSError()) is again

    def test_a_key_that_was_there_before(self):
        """Permits a second request; one that the attempt has set or replaced does not."""

        class Post(_shared.Exchange):
            def status_of(self, error):
                return 503

        rules = Rules("x", None, None, is_async=False)
        for before, after, again in ((None, None, False), (None, "1", False), ("1", "1", True)):
            headers = {} if before is None else {"idempotency-key": before}
            exchange = Post(rules, QUICK, "request", "POST", headers, Body(None))
            if after is not None:
                headers["idempotency-key"] = after
            assert exchange._may_send_again(OSError()) is again
            headers["idempotency-key"] = "2"
            assert not exchange._may_send_again(OSError())

    def test_the_lowest_status_that_failed(self):
        """400, even for filters that match everything."""

        class Statuses(_shared.Exchange):
            def status_of(self, error):
                return error.args[0]

        rules = Rules("x", None, None, is_async=False)
        policy = QUICK.replace(on=lambda error: True)
        exchange = Statuses(rules, policy, "request", "GET", {}, Body(None))
        exchange.first_attempt("host")
        for status, failed in ((399, False), (400, True)):
            assert exchange.may_have_failed("response", status, lambda _: OSError(status)) is failed  # noqa: B023
            assert (exchange.failure is not None) is failed

    def test_what_may_have_failed(self):
        """Only where another attempt may follow is the answer True; a broken filter may say so."""

        class Statuses(_shared.Exchange):
            def status_of(self, error):
                return error.args[0]

        def unavailable(error):
            return error.args[0] == 503

        def broken(error):
            calls.append(error)
            raise trouble

        calls, trouble = [], ZeroDivisionError()
        rules, policy = Rules("x", None, None, is_async=False), QUICK.replace(on=unavailable)
        for status, changes, answer, failed in (
            (200, {}, False, False),
            (503, {}, True, True),
            (404, {}, False, False),
            (501, {}, False, True),
            (503, {"unless": OSError}, False, True),
            (404, {"on": broken}, True, True),
            (404, {"unless": broken}, True, True),
        ):
            exchange = Statuses(rules, policy.replace(**changes), "request", "GET", {}, Body(None))
            exchange.first_attempt("host")
            error = OSError(status)
            assert exchange.may_have_failed("response", status, lambda _: error) is answer  # noqa: B023
            assert exchange.failure is (error if failed else None)
            if broken in changes.values():
                with pytest.raises(ZeroDivisionError) as caught:
                    exchange._unless(error)
                assert caught.value is trouble
        assert len(calls) == 2  # once for each response, and not again

    def test_an_attempt_that_took_all_of_its_time(self, clock):
        """To the moment; one second less would have been healthy."""

        class Hanging(_shared.Exchange):
            def attempt(self, request):
                clock.tick(request)
                raise OSError

        rules = Rules("x", None, None, is_async=False)
        policy = QUICK.replace(reset_after=5, attempt_timeout=10)
        for seconds, is_hung in ((9, False), (10, True)):
            exchange = Hanging(rules, policy, seconds, "GET", {}, Body(None))
            exchange.first_attempt("host")
            with pytest.raises(OSError, match=r"^$"):
                exchange.attempt_in_time(seconds)
            assert (exchange.current._began == math.inf) is is_hung

    def test_an_error_after_that_of_the_response(self):
        """Each error is judged by itself, such as that of reading a response that failed."""
        judged = []

        class Unavailable(_shared.Exchange):
            def status_of(self, error):
                return 503 if "503" in error.args else None

        rules = Rules("x", None, None, is_async=False)
        policy = QUICK.replace(
            on=lambda error: judged.append(error) or "cut off" in error.args,
            unless=lambda error: judged.append(error) or "unreadable" in error.args,
        )
        exchange = Unavailable(rules, policy, "request", "GET", {}, Body(None))
        exchange.first_attempt("host")
        response_error, later = OSError("503"), [OSError("cut off"), OSError("unreadable")]
        exchange.may_have_failed("response", 503, lambda _: response_error)
        on, unless = _shared._On(exchange), exchange._unless
        assert (on(response_error), unless(response_error)) == (False, False)
        assert [on(error) for error in later] == [True, False]
        assert [unless(error) for error in later] == [False, True]
        assert judged.count(response_error) == 2

    def test_a_hint_in_an_error_without_a_status(self):
        """A class matches such an error whatever it says, so no hint of it was too long."""
        late = urllib.error.HTTPError("http://host/", 503, "", Message(), None)
        late.headers["Retry-After"] = "3000"

        class NoStatus(_shared.Exchange):
            def status_of(self, error):
                return None

        rules = Rules("x", None, None, is_async=False)
        policy = QUICK.replace(on=OSError)
        exchange = NoStatus(rules, policy, "request", "GET", {}, Body(None))
        assert exchange.refused_hint(late) is None
        late.close()

    def test_the_rule_that_found_a_hint_too_long(self):
        """The first that has one to say, of those that are about such an error."""
        late = urllib.error.HTTPError("http://host/", 503, "", Message(), None)
        late.headers["Retry-After"] = "3000"
        rules = Rules("x", None, None, is_async=False)
        for on, hint in (
            ((KeyError, lambda error: False), None),
            ((lambda error: False, web.transient), 3000),
            ((KeyError, OSError), 3000),
        ):
            policy = QUICK.replace(on=on)
            exchange = _urllib._Exchange(
                rules, policy, urllib.request.Request("http://host/"), lambda request: None
            )
            assert exchange.refused_hint(late) == hint
        late.close()

    def test_a_request_without_a_host(self):
        """It is named by its method."""
        rules = Rules("x", None, None, is_async=False)
        exchange = _shared.Exchange(rules, QUICK, "request", "GET", {}, Body(None))
        assert exchange.first_attempt(None).name == "GET"

    def test_a_limit_of_the_client_itself(self):
        """Replaces the policy's timeout."""
        rules = Rules("x", None, None, is_async=False)
        exchange = _shared.Exchange(rules, QUICK, "request", "GET", {}, Body(None))
        exchange.most_seconds = 2.5
        assert exchange.first_attempt("host").remaining == pytest.approx(2.5, abs=0.5)

    def test_an_attempt_of_an_async_client(self):
        """Sets aside what it has before the wait, awaited."""
        seen = []

        class Async(_shared.Exchange):
            kind = _shared.AsyncAttempt

            async def set_aside(self):
                seen.append("set aside")

        rules = Rules("x", None, None, is_async=True)
        exchange = Async(rules, QUICK, "request", "GET", {}, Body(None))
        asyncio.run(exchange.first_attempt("host")._before_wait())
        assert seen == ["set aside"]
