"""Section 9 of the contract, over the wire: every fault, through every client.

What the unit tests say of errors by their names, this file says of the errors that
the clients really raise: nothing here makes an error itself.
"""

import http.client
import socket
import time
import urllib.error
from email.utils import formatdate

import aiohttp
import httpcore
import httpcore2
import httpx
import httpx2
import pytest
import requests
import urllib3
from fault_server import FaultServer, untrusted_tls
from web_clients import CLIENTS, clients, failure

from retrying_elegant import TryAgain, web

STATUSES = (408, 425, 429, 500, 502, 503, 504)
NO_ERROR_FOR_A_STATUS = {"http.client", "urllib3 without retries"}
NO_HEADERS_IN_THE_ERROR = {"urllib3"}
NO_METHOD_IN_THE_ERROR = {"urllib3"}


@pytest.fixture(scope="module")
def faults():
    with FaultServer(untrusted_tls()) as faults:
        yield faults


@pytest.fixture
def no_name(monkeypatch):
    """A function: have the resolver say of `*.invalid` what is asked for."""
    real = socket.getaddrinfo

    def answer(code, text):
        def getaddrinfo(host, *args, **kwargs):
            name = host.decode() if isinstance(host, bytes) else str(host)
            if name.endswith(".invalid"):
                raise socket.gaierror(code, text)
            return real(host, *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return answer


# Is it transient?  Of every client the same is expected.
FAULTS = {
    "refuse": True,
    "reset": True,
    "close": True,
    "cut": True,
    "short": True,
    "short-chunked": True,
    "hang": True,
    "stall": True,
    "garbage": False,
    "tls-untrusted": False,
    "tls-closed": True,
    "tls-missing": False,
}


class TestFaults:
    """Connection refused/reset/aborted, timeouts, remote disconnects, incomplete reads: transient.

    Certificate failures, and answers that are no HTTP, no TLS or no gzip: not.
    """

    def test_every_fault_has_an_expectation(self):
        """No fault of the server is left out; some have tests of their own."""
        assert set(FAULTS) == {"refuse", *FaultServer.FAULTS} - {"status", "loop", "miscoded"}

    @clients()
    @pytest.mark.parametrize("fault", FAULTS)
    def test_fault(self, faults, client, fault):
        """One fault, one client, one answer; and the server was really asked."""
        before = faults.requests[fault]
        error = failure(client, faults.url(fault))
        assert web.transient(error) is FAULTS[fault], repr(error)
        assert (faults.requests[fault] > before) is (fault != "refuse")

    @clients(but={"http.client", "urllib3 without retries"})
    def test_loop(self, faults, client):
        """Redirects without end; some clients follow none and so do not notice."""
        assert web.transient(failure(client, faults.url("loop"))) is False

    @clients(but={"urllib", "http.client"})
    def test_miscoded(self, faults, client):
        """A body that cannot be decoded; some clients do not decode and so do not notice."""
        assert web.transient(failure(client, faults.url("miscoded"))) is False


class TestStatuses:
    """Statuses 408, 425, 429, 500, 502, 503, 504 are transient, others are not."""

    @clients(but=NO_ERROR_FOR_A_STATUS)
    @pytest.mark.parametrize("status", STATUSES)
    def test_transient(self, faults, client, status):
        """Without a Retry-After: plainly True."""
        assert web.transient(failure(client, faults.status(status))) is True

    @clients(but=NO_ERROR_FOR_A_STATUS)
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501, 505, 599])
    def test_permanent(self, faults, client, status):
        """Also with a Retry-After: only the statuses decide whether."""
        error = failure(client, faults.status(status, retry_after="1"))
        assert web.transient(error) is False

    @clients(but=NO_ERROR_FOR_A_STATUS)
    def test_chosen(self, faults, client):
        """Another `Transient` has its own."""
        only_404 = web.Transient(statuses=[404])
        assert only_404(failure(client, faults.status(404))) is True
        assert only_404(failure(client, faults.status(503))) is False

    @clients(but={"http.client"})
    @pytest.mark.parametrize(("status", "expected"), [(502, True), (407, False)])
    def test_of_a_proxy(self, faults, client, status, expected):
        """A proxy that cannot reach the target is transient, one that forbids it is not."""
        url = f"https://{status}.invalid/"
        error = failure(client, url, proxy=faults.url("status"))
        assert web.transient(error) is expected, repr(error)

    @pytest.mark.parametrize(("status", "expected"), [(502, True), (407, False)])
    def test_of_a_tunnel_of_http_client(self, faults, status, expected):
        """The same where the tunnel is set by hand."""
        error = failure("http.client", f"https://{status}.invalid/", proxy=faults.url("status"))
        assert web.transient(error) is expected


class TestRetryAfter:
    """`TryAgain(after=seconds)` from Retry-After: digits, or a date in one of three forms."""

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_HEADERS_IN_THE_ERROR)
    @pytest.mark.parametrize("status", STATUSES)
    def test_seconds(self, faults, client, status):
        """Digits come as they are, with every transient status."""
        verdict = web.transient(failure(client, faults.status(status, retry_after="7")))
        assert isinstance(verdict, TryAgain)
        assert verdict.after == 7.0

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_HEADERS_IN_THE_ERROR)
    @pytest.mark.parametrize(
        "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"]
    )
    def test_date(self, faults, client, form):
        """A date is so many seconds from now."""
        moment = time.gmtime(time.time() + 100)
        url = faults.status(503, retry_after=time.strftime(form, moment))
        verdict = web.transient(failure(client, url))
        assert isinstance(verdict, TryAgain)
        assert 80 < verdict.after <= 100

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_HEADERS_IN_THE_ERROR)
    def test_past_date(self, faults, client):
        """A past date is a hint to come at once."""
        url = faults.status(503, retry_after="Sun, 06 Nov 1994 08:49:37 GMT")
        verdict = web.transient(failure(client, url))
        assert isinstance(verdict, TryAgain)
        assert verdict.after == 0.0

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_HEADERS_IN_THE_ERROR)
    @pytest.mark.parametrize(
        "value", ["soon", "-1", "+1", "1.0", "²", "", "Sun, 06 Nov 1994 08:49:37 UTC"]
    )
    def test_invalid(self, faults, client, value):
        """What is neither is no hint: the status alone decides."""
        assert web.transient(failure(client, faults.status(503, retry_after=value))) is True

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_HEADERS_IN_THE_ERROR)
    @pytest.mark.parametrize(
        "value", ["121", "9" * 5_000, formatdate(time.time() + 9_000, usegmt=True)]
    )
    def test_above_the_maximum(self, faults, client, value):
        """A hint above `max_retry_after` means False; with a greater one it is obeyed."""
        error = failure(client, faults.status(503, retry_after=value))
        assert web.transient(error) is False
        assert (web.Transient(max_retry_after=10_000)(error) is False) is (len(value) > 100)

    @clients(but=NO_HEADERS_IN_THE_ERROR)
    def test_of_a_response(self, faults, client):
        """`retry_after` reads responses and headers of every client, and errors that have them."""
        url = faults.status(200, retry_after="7")
        response = CLIENTS[client](url)
        assert web.retry_after(response) == 7.0
        assert web.retry_after(response.headers) == 7.0
        assert web.retry_after(CLIENTS[client](faults.status(200))) is None

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_HEADERS_IN_THE_ERROR)
    def test_of_an_error(self, faults, client):
        """Also of errors with statuses that are not transient."""
        assert web.retry_after(failure(client, faults.status(404, retry_after="7"))) == 7.0

    @clients()
    def test_of_an_error_without_an_answer(self, faults, client):
        """No answer, no hint."""
        assert web.retry_after(failure(client, faults.url("refuse"))) is None


class TestMethods:
    """With `methods` given, a request known to use another method is not transient."""

    SAFE = web.Transient(methods=("get", "put"))

    @clients(but=NO_ERROR_FOR_A_STATUS | NO_METHOD_IN_THE_ERROR)
    def test_another(self, faults, client):
        """A POST may have been carried out."""
        error = failure(client, faults.status(503, retry_after="1"), method="POST")
        assert self.SAFE(error) is False
        assert isinstance(web.transient(error), TryAgain)

    @clients(but=NO_ERROR_FOR_A_STATUS)
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_one_of_them(self, faults, client, method):
        """A PUT may be sent twice."""
        assert self.SAFE(failure(client, faults.status(503), method=method)) is True

    @clients()
    def test_without_an_answer(self, faults, client):
        """Where nothing was answered, only requests, httpx and httpx2 still know the method."""
        error = failure(client, faults.url("close"), method="POST")
        known = client.split()[0] in {"requests", "httpx", "httpx2"}
        assert self.SAFE(error) is not known


class TestNames:
    """Temporary DNS failure is transient, an unknown host is not."""

    URL = "http://no-such-host.invalid/"

    @clients()
    def test_unknown(self, client, no_name):
        """A name that does not exist, really asked for where the resolver says so."""
        try:
            socket.getaddrinfo("no-such-host.invalid", 80)
        except socket.gaierror as error:
            if error.errno != socket.EAI_NONAME:
                no_name(socket.EAI_NONAME, "Name or service not known")
        else:
            no_name(socket.EAI_NONAME, "Name or service not known")
        assert web.transient(failure(client, self.URL)) is False

    @clients()
    def test_temporary(self, client, no_name):
        """A resolver that did not answer."""
        no_name(socket.EAI_AGAIN, "Temporary failure in name resolution")
        assert web.transient(failure(client, self.URL)) is True

    @clients()
    def test_non_recoverable(self, client, no_name):
        """A resolver that answered with a failure for good."""
        no_name(socket.EAI_FAIL, "Non-recoverable failure in name resolution")
        assert web.transient(failure(client, self.URL)) is False

    @pytest.mark.parametrize(("host", "expected"), [("x.onion", False), ("x.invalid", True)])
    def test_optional_resolver_of_aiohttp(self, host, expected):
        """c-ares knows without asking that x.onion is unknown; the rest it asks a deaf port."""
        pytest.importorskip("aiodns")
        options = {"nameservers": ["127.0.0.1"], "udp_port": 1, "tcp_port": 1, "tries": 1}
        error = failure("aiohttp", f"http://{host}/", resolver=aiohttp.AsyncResolver, **options)
        assert isinstance(error, aiohttp.ClientConnectorDNSError)
        assert web.transient(error) is expected, repr(error.os_error.__cause__)


class TestBadUrls:
    """Bad URLs are not transient."""

    @clients(but={"http.client"})
    @pytest.mark.parametrize("url", ["", "no-scheme", "gopher+x://127.0.0.1/", "http://[::1/"])
    def test_bad_url(self, client, url):
        """No client gets as far as the wire."""
        assert web.transient(failure(client, url)) is False

    @clients()
    def test_bad_host(self, client):
        """A host that cannot be a name."""
        assert web.transient(failure(client, f"http://{'x' * 64}.invalid/")) is False


class TestBeneathHttpx:
    """httpcore and httpcore2 raise errors of their own, to those who use them directly."""

    @pytest.mark.parametrize("package", [httpcore, httpcore2], ids=lambda it: it.__name__)
    @pytest.mark.parametrize(
        ("fault", "transient", "unsent"),
        [
            ("refuse", True, True),
            ("reset", True, False),
            ("close", True, False),
            ("short", True, False),
            ("hang", True, False),
            ("garbage", False, False),
            ("tls-untrusted", False, True),
        ],
    )
    def test_fault(self, faults, package, fault, transient, unsent):
        """As of httpx."""
        timeout = dict.fromkeys(["connect", "read", "write", "pool"], 0.3)
        with package.ConnectionPool() as pool, pytest.raises(Exception) as caught:  # noqa: PT011
            pool.request("GET", faults.url(fault), extensions={"timeout": timeout})
        assert web.transient(caught.value) is transient, repr(caught.value)
        assert web.unsent(caught.value) is unsent, repr(caught.value)


TRANSIENT = {
    requests.exceptions: """
        ChunkedEncodingError ConnectTimeout ConnectionError ProxyError ReadTimeout Timeout
    """,
    urllib3.exceptions: """
        ConnectTimeoutError EmptyPoolError IncompleteRead InvalidChunkLength
        NewConnectionError ProtocolError ReadTimeoutError TimeoutError httplib_IncompleteRead
        ConnectionError
    """,
    **dict.fromkeys(
        (httpx, httpx2),
        """
        CloseError ConnectError ConnectTimeout NetworkError PoolTimeout ReadError ReadTimeout
        RemoteProtocolError TimeoutException WriteError WriteTimeout
        """,
    ),
    aiohttp: """
        ClientConnectionError ClientConnectionResetError ClientConnectorError ClientOSError
        ClientPayloadError ClientProxyConnectionError ConnectionTimeoutError
        ServerConnectionError ServerDisconnectedError ServerTimeoutError SocketTimeoutError
    """,
    http.client: "IncompleteRead RemoteDisconnected",
    urllib.error: "ContentTooShortError",
}


class TestEveryClass:
    """Each exception class of each client is decided, also for an error that holds nothing.

    A new class that a client brings is not transient, unless it derives from one that is:
    then it turns up here.
    """

    @pytest.mark.parametrize("module", TRANSIENT, ids=lambda module: module.__name__)
    def test_of(self, module):
        """A table for each client; every other class is not transient."""
        found = {
            name
            for name, cls in vars(module).items()
            if isinstance(cls, type)
            and issubclass(cls, Exception)
            and not issubclass(cls, Warning)
            and web.transient(cls.__new__(cls))
        }
        assert found == set(TRANSIENT[module].split())
