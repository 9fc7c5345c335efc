"""What only the adapter for requests has."""

from __future__ import annotations

import re

import pytest
import requests
from client_server import reply

from retrying_elegant import Policy, clients, web
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

    def test_retries_of_its_own(self):
        """The message says what to write."""
        rule = re.escape("max_retries=3: expected 0, because the policy retries")
        with pytest.raises(ValueError, match=f"{rule}$"):
            clients.requests(QUICK, max_retries=3)

    def test_an_error_for_no_response(self):
        """It has no status."""
        assert _requests._Exchange.status_of(None, requests.HTTPError("a hook's")) is None
