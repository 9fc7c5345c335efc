"""What only the adapter for requests has."""

from __future__ import annotations

import inspect
import pickle
import re
import threading

import pytest
import requests
import urllib3
from client_server import reply

from retrying_elegant import Policy, clients, given_up, web
from retrying_elegant.clients import _requests

QUICK = Policy(4, on=web.transient, wait=0)


class TestAdapter:
    """It is an HTTPAdapter in all that it does not say."""

    def test_sent_without_a_session(self, server):
        """The body has been read, as `stream=False` says."""
        url = server.play(reply(503), reply(200, b"done"))
        request = requests.Request("GET", url).prepare()
        adapter = clients.requests(QUICK)
        response = adapter.send(request)
        assert response.raw.isclosed()
        assert response.content == b"done"
        adapter.close()

    def test_its_parameters(self):
        """The same as those of HTTPAdapter, with the same defaults."""
        ours, theirs = (
            inspect.signature(adapter.send).parameters.values()
            for adapter in (clients.requests(QUICK), requests.adapters.HTTPAdapter())
        )
        assert [(each.name, each.default) for each in ours] == [
            (each.name, each.default) for each in theirs
        ]

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_one_connection(self, server, method):
        """A failed response has released it before the wait, with or without a body."""
        url = server.play(reply(503, b"busy"), reply(200))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            with session.request(method, url, stream=True) as response:
                assert response.status_code == 200
            assert len({request.connection for request in server.requests}) == 1
            assert len(server.requests) == 2

    def test_a_body_that_cannot_be_decoded(self, server):
        """Its connection is closed: nobody will read the rest."""
        url = server.play(reply(200, b"no gzip" * 100_000, {"Content-Encoding": "gzip"}))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            with pytest.raises(requests.exceptions.ContentDecodingError) as caught:
                session.get(url)
            assert server.settles(0), caught.value

    @pytest.mark.parametrize("half", ["close", "reset"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_redirect_that_breaks_off(self, server, method, half):
        """It is followed, as by requests itself: whoever sends such redirects always does."""
        end = server.play(reply(200, b"here"), path="/end")
        url = server.play(reply(303, b"x" * 100, {"Location": end}, half=half))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            assert session.request(method, url).content == b"here"
        assert len(server.requests) == 2

    def test_a_redirect_to_nowhere_that_breaks_off(self, server):
        """It is not followed, so its body is the user's: an error, as of any other."""
        url = server.play(reply(302, b"x" * 100, {"Location": ""}, half="reset"))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                session.get(url)
        assert len(server.requests) == 4

    @pytest.mark.parametrize("status", [401, 407])
    def test_a_challenge(self, server, status):
        """The hook that answers it finds the connection open: NTLM needs the certificate."""
        found = []

        def answer(response, **_):
            found.append(response.raw._fp.fp.raw._sock.fileno())
            return response

        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK, pool_maxsize=1, pool_block=True))
            url = server.play(reply(status, b"who?"))
            assert session.get(url, hooks={"response": answer}).content == b"who?"
            assert found[0] > 0
            assert session.get(url).content == b"who?"
        assert len({request.connection for request in server.requests}) == 1

    @pytest.mark.parametrize(("status", "hooks"), [(401, []), (200, [lambda *_, **__: None])])
    def test_a_challenge_needs_a_hook_and_its_status(self, server, status, hooks):
        """Other answers are read: one that is cut off is a failed attempt."""
        url = server.play(reply(status, b"x" * 100, half="close"), reply(200, b"done"))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            assert session.get(url, hooks={"response": hooks}).content == b"done"

    @pytest.mark.parametrize("status", [200, 503])
    def test_a_urllib3_that_does_not_count(self, server, status):
        """As version 1.26: a body that is too short is noticed all the same."""

        class Stop(threading.Event):
            def wait(self, timeout=None):
                self.set()
                return True

        adapter = clients.requests(QUICK.replace(wait=5, stop=Stop()))

        def build_response(request, raw):
            raw.enforce_content_length = False
            return type(adapter).build_response(adapter, request, raw)

        adapter.build_response = build_response
        with requests.Session() as session:
            session.mount("http://", adapter)
            url = server.play(reply(status, b"x" * 100, half="close"), reply(200, b"done"))
            with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
                session.get(url)
            assert given_up(caught.value).reason == "stopped"

    def test_the_error_of_an_attempt(self, server):
        """The one that `raise_for_status` raises."""
        errors = []
        policy = QUICK.replace(attempts=2, on_give_up=lambda attempt: errors.append(attempt.error))
        with requests.Session() as session:
            session.mount("http://", clients.requests(policy))
            response = session.get(server.play(reply(503)))
        with pytest.raises(requests.HTTPError) as caught:
            response.raise_for_status()
        assert [str(error) for error in errors] == [str(caught.value)]
        assert errors[0].response is response

    @pytest.mark.parametrize(
        ("retries", "shown"),
        [
            (3, "3"),
            (None, "None"),
            (urllib3.Retry(total=None, connect=3), "Retry(total=None, connect=3"),
        ],
        ids=["number", "none", "unlimited"],
    )
    def test_retries_of_its_own(self, retries, shown):
        """The message says what to write."""
        rule = "expected 0, because the policy retries"
        with pytest.raises(ValueError, match=f"max_retries={re.escape(shown)}.*: {rule}$"):
            clients.requests(QUICK, max_retries=retries)

    @pytest.mark.parametrize("retries", [0, False, urllib3.Retry(0), urllib3.Retry(False)], ids=str)
    def test_none_of_its_own(self, retries):
        """Said in another way."""
        clients.requests(QUICK, max_retries=retries).close()

    def test_a_copy(self, server):
        """It retries, and knows which bodies it has sent."""
        url = server.play(reply(503), reply(200, b"done"))
        with requests.Session() as session:
            session.mount("http://", pickle.loads(pickle.dumps(clients.requests(QUICK))))
            assert session.get(url).content == b"done"
            url = server.play(reply(307, headers={"Location": url}))
            words = "the body was sent before, and can be read only once$"
            with pytest.raises(requests.exceptions.UnrewindableBodyError, match=words):
                session.put(url, data=(piece for piece in [b"x"]))

    def test_an_error_for_no_response(self):
        """It has no status."""
        assert _requests._Exchange.status_of(None, requests.HTTPError("a hook's")) is None


class TestTimeouts:
    """In any form that requests takes them."""

    @pytest.mark.parametrize(
        ("timeout", "cut"),
        [
            (None, (3, 3, 3)),
            (2, (3, 2, 2)),
            (9, (3, 3, 3)),
            ((1, 9), (3, 1, 3)),
            ((9, None), (3, 3, 3)),
            (urllib3.Timeout(2), (2, 2)),
            (urllib3.Timeout(9), (3, 3)),
            (urllib3.Timeout(connect=1, read=9), (3, 1, 9)),
        ],
        ids=repr,
    )
    def test_cut(self, timeout, cut):
        """No part is longer than the limit; of one object, the total is what bounds them."""
        made = _requests._cut(timeout, 3)
        assert (made.total, made.connect_timeout, made._read)[: len(cut)] == cut
        assert made is not timeout

    @pytest.mark.parametrize("timeout", [(1,), (1, 2, 3)])
    def test_no_timeout_at_all(self, timeout):
        """As it came: requests says what is wrong with it."""
        assert _requests._cut(timeout, 3) == timeout

    @pytest.mark.parametrize(
        ("timeout", "seconds"),
        [
            (None, None),
            (2, 2),
            ((1, 2), 2),
            ((1, None), None),
            (urllib3.Timeout(2), 2),
            (urllib3.Timeout(connect=1, read=2), 2),
            (urllib3.Timeout(3, read=2), 2),
            (urllib3.Timeout(connect=1), None),
            (urllib3.Timeout(connect=1, read=None), None),
        ],
        ids=repr,
    )
    def test_of_a_read(self, timeout, seconds):
        """What the rest of a stream gets after the limit of the attempt."""
        assert _requests._read_timeout(timeout) == seconds
