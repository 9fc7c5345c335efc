"""Flask: decorated views, their names and their contexts, `abort`, error handlers."""

from __future__ import annotations

import flask
import pytest
import werkzeug.exceptions

from retrying_elegant import given_up, retry, retrying


class Flaky:
    """What a view calls: fails twice, then returns the address it is asked for."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= 2:
            raise ConnectionError("down")
        return flask.request.path


@pytest.fixture
def app():
    return flask.Flask(__name__)


@pytest.fixture
def work():
    return Flaky()


class TestViews:
    """A decorated view is a view."""

    def test_sync_and_async(self, app, work):
        """Each with the request's context in every attempt."""

        @app.get("/sync/<int:number>")
        @retry(3, on=ConnectionError, wait=0)
        def sync_view(number):
            return work()

        @app.get("/async/<int:number>")
        @retry(3, on=ConnectionError, wait=0)
        async def async_view(number):
            return work()

        with app.test_client() as client:
            assert client.get("/sync/7").text == "/sync/7"
            work.calls = 0
            assert client.get("/async/7").text == "/async/7"
        assert work.calls == 3

    def test_names(self, app):
        """Several views keep the names of their functions: endpoints do not collide."""

        @app.get("/one")
        @retry(3, on=ConnectionError)
        def first():
            return flask.url_for("second")

        @app.get("/two")
        @retry(3, on=ConnectionError)
        def second():
            return flask.url_for("first")

        with app.test_client() as client:
            assert client.get("/one").text == "/two"
            assert client.get("/two").text == "/one"

    def test_the_context_of_a_request(self, app, work):
        """`g` is the same in all attempts, and is torn down once, after the last."""
        torn_down = []

        @app.teardown_request
        def note(error):
            torn_down.append((work.calls, flask.g.attempts, error))

        @app.get("/")
        def view():
            flask.g.attempts = 0
            for attempt in retrying(3, on=ConnectionError, wait=0):
                with attempt:
                    flask.g.attempts += 1
                    work()
            return "well"

        assert app.test_client().get("/").text == "well"
        assert torn_down == [(3, 3, None)]

    def test_an_error_handler_receives_the_original_error(self, app):
        """With the record, so that a give-up can be answered with 503."""

        @app.errorhandler(ConnectionError)
        def unavailable(error):
            return {"attempts": given_up(error).attempts}, 503

        @app.get("/")
        @retry(3, on=ConnectionError, wait=0)
        def view():
            raise ConnectionError("down")

        with app.test_client() as client:
            response = client.get("/")
        assert (response.status_code, response.json) == (503, {"attempts": 3})

    def test_a_stream(self, app, work):
        """A generator is retried until its first item; what fails later ends the stream."""

        @retry(3, on=ConnectionError, wait=0)
        def lines():
            yield work()
            yield "the end"

        @app.get("/")
        def view():
            return flask.Response(flask.stream_with_context(lines()))

        with app.test_client() as client:
            assert client.get("/").text == "/the end"
        assert work.calls == 3


class TestAbort:
    """What `abort` raises is an Exception: what is retried has to be named."""

    def asked(self, app, **options):
        """How often a view with such a policy is called that aborts with 404."""
        calls = []

        @app.get("/")
        @retry(3, wait=0, **options)
        def view():
            calls.append(True)
            flask.abort(404)

        with app.test_client() as client:
            assert client.get("/").status_code == 404
        return len(calls)

    def test_named(self, app):
        """`on` names what is transient: one call."""
        assert self.asked(app, on=ConnectionError) == 1

    def test_excepted(self, app):
        """So does `unless`."""
        assert self.asked(app, unless=werkzeug.exceptions.HTTPException) == 1

    def test_neither(self, app):
        """The default aborts three times."""
        assert self.asked(app) == 3
