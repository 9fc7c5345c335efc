"""Section 9 of the contract, over the wire: botocore, against a local endpoint.

botocore retries by itself; here, as the guide says, that is turned off.
"""

from __future__ import annotations

import json

import botocore.session
import pytest
from answering import answering
from botocore.config import Config
from fault_server import FaultServer, untrusted_tls

from retrying_elegant import TryAgain, web

STATUSES = (408, 425, 429, 500, 502, 503, 504)


ONCE = {"retries": {"total_max_attempts": 1}}


def failure(service, url, proxy=None, own=ONCE):
    """The error of one request to *service* at *url*, with botocore's *own* retries."""
    client = botocore.session.get_session().create_client(
        service,
        region_name="eu-north-1",
        endpoint_url=url,
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(
            connect_timeout=0.3,
            read_timeout=0.3,
            proxies={"http": proxy, "https": proxy} if proxy else {},
            **own,
        ),
    )
    ask = {"dynamodb": lambda: client.list_tables(), "s3": lambda: client.list_buckets()}
    try:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is botocore's
            ask[service]()
        return caught.value
    finally:
        client.close()


@pytest.fixture(scope="module")
def faults():
    with FaultServer(untrusted_tls()) as faults:
        yield faults


@pytest.fixture
def server():
    with answering() as server:
        yield server


@pytest.mark.parametrize("service", ["dynamodb", "s3"])
class TestConnections:
    """Errors of connections and timeouts."""

    @pytest.mark.parametrize(
        ("fault", "transient", "unsent"),
        [
            ("refuse", True, True),
            ("reset", True, False),
            ("close", True, False),
            ("cut", True, False),
            ("hang", True, False),
            ("garbage", False, False),
            ("tls-untrusted", False, True),
            ("tls-closed", True, False),
            ("tls-missing", False, False),
        ],
    )
    def test_fault(self, faults, service, fault, transient, unsent):
        """As of urllib3, which is beneath."""
        error = failure(service, faults.url(fault))
        assert web.transient(error) is transient, repr(error)
        assert web.unsent(error) is unsent, repr(error)

    def test_unroutable(self, service):
        """TCP cannot reach a multicast address."""
        error = failure(service, "http://224.0.0.1:9")
        assert web.transient(error) is True
        assert web.unsent(error) is True

    def test_unknown_host(self, service):
        """Permanent, and unsent."""
        error = failure(service, "http://no-such-host.invalid")
        assert web.transient(error) is False
        assert web.unsent(error) is True

    def test_proxy(self, faults, service):
        """One that refuses the connection."""
        error = failure(service, "https://aws.invalid", proxy=faults.url("refuse"))
        assert web.transient(error) is True
        assert web.unsent(error) is True


class TestResponses:
    """`ClientError` by code, or by status."""

    @pytest.mark.parametrize(
        "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestTimeout"]
    )
    def test_code(self, server, code):
        """DynamoDB throttles with status 400."""
        server.give(400, body=json.dumps({"__type": f"com.amazonaws#{code}", "message": "why"}))
        error = failure("dynamodb", server.url)
        assert web.transient(error) is True
        assert web.unsent(error) is False
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [*STATUSES, 400, 403, 404])
    @pytest.mark.parametrize("service", ["dynamodb", "s3"])
    def test_status(self, server, service, status):
        """Where the code says nothing."""
        server.give(status)
        assert web.transient(failure(service, server.url)) is (status in STATUSES)

    def test_slow_down(self, server):
        """S3 throttles with status 503, in XML."""
        server.give(503, body="<Error><Code>SlowDown</Code></Error>")
        error = failure("s3", server.url)
        assert web.transient(error) is True
        assert web.Transient(statuses=())(error) is True

    def test_hint(self, server):
        """The headers are in the response's metadata."""
        server.give(503, {"Retry-After": "7"})
        error = failure("dynamodb", server.url)
        verdict = web.transient(error)
        assert isinstance(verdict, TryAgain)
        assert verdict.after == web.retry_after(error.response) == 7.0
        server.give(503, {"Retry-After": "3000"})
        assert web.transient(failure("dynamodb", server.url)) is False


class TestOwnRetries:
    """The guide says how many there are, and how they are turned off."""

    @pytest.mark.parametrize(("own", "requests"), [({}, 3), (ONCE, 1)])
    def test_requests(self, server, own, requests):
        """By default, three requests."""
        server.give(503)
        failure("s3", server.url, own=own)
        assert len(server.requests) == requests
