"""Section 9 of the contract, over the wire: gRPC, sync and asyncio, and google.api_core on top.

The server is a real one; a method of it is called after the code that it ends with.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent import futures
from typing import ClassVar

import grpc
import grpc.aio
import pytest
import requests
from answering import answering
from google.api_core import exceptions, grpc_helpers, grpc_helpers_async
from google.api_core import retry as google_retry

from retrying_elegant import TryAgain, web

TRANSIENT = {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "DEADLINE_EXCEEDED"}
CODES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


class Ending(grpc.GenericRpcHandler):
    """Methods called /x/CODE, which end with that code and the metadata that they are sent."""

    calls: ClassVar[list[str]] = []

    def service(self, details):
        name = details.method.rpartition("/")[2]
        self.calls.append(name)
        sent = details.invocation_metadata

        def end(request, context):
            context.set_trailing_metadata([(k[2:], v) for k, v in sent if k.startswith("x-")])
            context.abort(grpc.StatusCode[name], "as asked")

        def end_after_one(request, context):
            yield b"first"
            if ("hang", "yes") in sent:
                ended = threading.Event()
                context.add_callback(ended.set)
                ended.wait(10)
            end(request, context)

        if request_is_a_stream(sent):
            return grpc.unary_stream_rpc_method_handler(end_after_one)
        return grpc.unary_unary_rpc_method_handler(end)


def request_is_a_stream(metadata):
    return ("streamed", "yes") in metadata


@pytest.fixture
def server():
    with answering() as server:
        yield server


@pytest.fixture(scope="module")
def target():
    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((Ending(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def call(target, name, metadata=(), wrapped=lambda call: call):
    with grpc.insecure_channel(target) as channel:
        return wrapped(channel.unary_unary(f"/x/{name}"))(b"", timeout=5, metadata=metadata)


def call_async(target, name, metadata=(), wrapped=lambda call: call):
    async def run():
        async with grpc.aio.insecure_channel(target) as channel:
            method = wrapped(channel.unary_unary(f"/x/{name}"))
            return await method(b"", timeout=5, metadata=metadata)

    return asyncio.run(run())


def stream(target, name, metadata=()):
    with grpc.insecure_channel(target) as channel:
        method = channel.unary_stream(f"/x/{name}")
        return list(method(b"", timeout=5, metadata=[*metadata, ("streamed", "yes")]))


def stream_async(target, name, metadata=()):
    async def run():
        async with grpc.aio.insecure_channel(target) as channel:
            method = channel.unary_stream(f"/x/{name}")
            call = method(b"", timeout=5, metadata=[*metadata, ("streamed", "yes")])
            return [one async for one in call]

    return asyncio.run(run())


CALLS = {"call": call, "asyncio": call_async, "stream": stream, "asyncio stream": stream_async}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def failure(call, *args, **kwargs):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - gRPC's class is a private one
        call(*args, **kwargs)
    return caught.value


def pushback(value):
    return [("x-grpc-retry-pushback-ms", value)]


@every_call
class TestCodes:
    """UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED and DEADLINE_EXCEEDED are transient."""

    @pytest.mark.parametrize("code", [code for code in CODES if code != "CANCELLED"])
    def test_code(self, target, call, code):
        """Each as the server has sent it."""
        error = failure(call, target, code)
        assert error.code().name == code
        assert web.transient(error) is (code in TRANSIENT)
        assert web.unsent(error) is False

    def test_refused(self, call):
        """Nobody listens: UNAVAILABLE, and not certain to be unsent.

        A server that passes on what it got from another server sends the same.
        """
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            error = failure(call, f"127.0.0.1:{deaf.getsockname()[1]}", "OK")
        assert web.transient(error) is True
        assert web.unsent(error) is False


@every_call
class TestPushback:
    """The server's pushback in the trailing metadata is a hint; a negative one forbids a retry."""

    @pytest.mark.parametrize(("value", "after"), [("0", 0.0), ("1500", 1.5)])
    def test_hint(self, target, call, value, after):
        """Milliseconds."""
        error = failure(call, target, "UNAVAILABLE", pushback(value))
        verdict = web.transient(error)
        assert isinstance(verdict, TryAgain)
        assert verdict.after == web.retry_after(error) == after

    @pytest.mark.parametrize("value", ["-1", "soon", "1.5"])
    def test_do_not_retry(self, target, call, value):
        """Negative, or not a number."""
        error = failure(call, target, "UNAVAILABLE", pushback(value))
        assert web.transient(error) is False
        assert web.retry_after(error) is None

    def test_too_long(self, target, call):
        """Above `max_retry_after`."""
        error = failure(call, target, "UNAVAILABLE", pushback("3000000"))
        assert web.transient(error) is False
        assert web.transient._refused_hint(error) == 3000.0

    def test_with_another_code(self, target, call):
        """It says when, not whether."""
        assert web.transient(failure(call, target, "NOT_FOUND", pushback("5"))) is False


class TestStreams:
    """A stream is call and error in one."""

    def test_that_is_not_over(self, target):
        """It is not waited for."""
        with grpc.insecure_channel(target) as channel:
            method = channel.unary_stream("/x/UNAVAILABLE")
            call = method(b"", wait_for_ready=True, metadata=[("streamed", "yes"), ("hang", "yes")])
            assert next(call) == b"first"
            assert isinstance(call, grpc.RpcError)
            assert not call.done()
            assert web.retry_after(call) is None
            call.cancel()


class TestOwnRetries:
    """The guide says how they are turned off."""

    POLICY = (
        '{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3, "backoffMultiplier": 1,'
        '"initialBackoff": "0.01s", "maxBackoff": "0.01s", "retryableStatusCodes": ["UNAVAILABLE"]'
        "}}]}"
    )

    @pytest.mark.parametrize(("enabled", "calls"), [(1, 3), (0, 1)])
    def test_calls(self, target, enabled, calls):
        """Those that the service config asks for."""
        options = [("grpc.service_config", self.POLICY), ("grpc.enable_retries", enabled)]
        before = len(Ending.calls)
        with (
            grpc.insecure_channel(target, options=options) as channel,
            pytest.raises(grpc.RpcError),
        ):
            channel.unary_unary("/x/UNAVAILABLE")(b"", timeout=5)
        assert len(Ending.calls) == before + calls


GOOGLE = {
    "call": (call, grpc_helpers.wrap_errors),
    "asyncio": (call_async, grpc_helpers_async.wrap_errors),
}


class TestGoogle:
    """google.api_core: by class or code, over gRPC and over HTTP."""

    @pytest.mark.parametrize("how", GOOGLE)
    @pytest.mark.parametrize("code", [code for code in CODES if code != "CANCELLED"])
    def test_over_grpc(self, target, how, code):
        """INTERNAL has the status 500, and Google's own retries count it as transient, too."""
        call, wrapped = GOOGLE[how]
        error = failure(call, target, code, wrapped=wrapped)
        assert isinstance(error, exceptions.GoogleAPICallError)
        assert web.transient(error) is (code in {*TRANSIENT, "INTERNAL"})
        assert web.unsent(error) is False

    @pytest.mark.parametrize("how", GOOGLE)
    @pytest.mark.parametrize(("value", "after"), [("1500", 1.5), ("-1", None), ("3000000", None)])
    def test_pushback(self, target, how, value, after):
        """It is in the error of gRPC, inside."""
        call, wrapped = GOOGLE[how]
        error = failure(call, target, "UNAVAILABLE", pushback(value), wrapped=wrapped)
        verdict = web.transient(error)
        assert (verdict.after if after else verdict) == (after or False)

    @pytest.mark.parametrize("status", [400, 404, 408, 409, 429, 499, 500, 501, 502, 503, 504])
    def test_over_http(self, server, status):
        """By status, with the hint of the response."""
        server.give(status, {"Retry-After": "7"})
        with requests.get(server.url) as response:
            error = exceptions.from_http_response(response)
        verdict = web.transient(error)
        assert bool(verdict) is (status in {408, 429, 500, 502, 503, 504})
        assert not verdict or verdict.after == 7.0

    @pytest.mark.parametrize(("code", "expected"), [("UNAVAILABLE", True), ("INTERNAL", True)])
    def test_of_its_own_retries(self, target, code, expected):
        """What they gave up on decides."""
        again = google_retry.Retry(initial=0.01, timeout=0.03)
        error = failure(again(call), target, code, wrapped=grpc_helpers.wrap_errors)
        assert isinstance(error, exceptions.RetryError)
        assert web.transient(error) is expected
