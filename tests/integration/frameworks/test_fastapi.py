"""FastAPI on a real server: decorated views and dependencies, OpenAPI, clients that disconnect."""

from typing import Annotated

import httpx
import pytest
from fastapi import BackgroundTasks, Body, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from framework_servers import PATIENCE, request_and_leave, serving, until
from pydantic import BaseModel

from retrying_elegant import RetryBudget, given_up, retry, retrying

LOOPS = ["asyncio", "uvloop"]


class Item(BaseModel):
    """A request's body."""

    name: str
    price: float = 1.0


class Flaky:
    """What a view calls: fails *failures* times, then returns "well"."""

    def __init__(self, failures, error=ConnectionError):
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("down")
        return "well"


def get(app, path, **options):
    """The response of *app* to a GET, through a real server."""
    with serving(app) as url:
        return httpx.get(url + path, timeout=PATIENCE, **options)


class TestViews:
    """A decorated view is to FastAPI the view itself: same signature, same documentation."""

    def views(self, decorate):
        """An application whose every view went through *decorate*."""
        app = FastAPI()

        def settings(debug: bool = False):
            return {"debug": debug}

        @app.get("/items/{number}", tags=["items"])
        @decorate
        async def read(
            number: int, config: Annotated[dict, Depends(settings)], q: str | None = None
        ) -> dict[str, object]:
            """Read an item."""
            return {"number": number, "q": q, **config}

        @app.post("/items")
        @decorate
        def create(item: "Item", note: Annotated[str, Body()] = "none") -> Item:
            """Create an item."""
            return Item(name=f"{item.name} ({note})", price=item.price)

        @app.get("/whole")
        @decorate
        async def whole(request: Request) -> str:
            return request.url.path

        return app

    def test_openapi(self):
        """Parameters, bodies, responses, names and descriptions: the schemas are equal."""
        plain = self.views(lambda view: view).openapi()
        assert self.views(retry(3, on=OSError)).openapi() == plain
        assert plain["paths"]["/items"]["post"]["description"] == "Create an item."

    def test_parameters_and_dependencies(self):
        """Converted and checked as ever."""
        with serving(self.views(retry(3, on=OSError))) as url:
            found = httpx.get(f"{url}/items/7?q=x&debug=true")
            assert found.json() == {"number": 7, "q": "x", "debug": True}
            assert httpx.get(f"{url}/items/seven").status_code == 422
            made = httpx.post(f"{url}/items", json={"item": {"name": "tea"}, "note": "green"})
            assert made.json() == {"name": "tea (green)", "price": 1.0}
            assert httpx.get(f"{url}/whole").json() == "/whole"

    @pytest.mark.parametrize("loop", LOOPS)
    def test_failures_are_retried(self, loop):
        """In sync views, which run in a thread pool, and in async ones."""
        app = FastAPI()
        sync_work, async_work = Flaky(2), Flaky(2)

        @app.get("/sync")
        @retry(3, on=ConnectionError, wait=0.001)
        def sync_view() -> str:
            return sync_work()

        @app.get("/async")
        @retry(3, on=ConnectionError, wait=0.001)
        async def async_view() -> str:
            return async_work()

        with serving(app, loop=loop) as url:
            assert httpx.get(f"{url}/sync").json() == "well"
            assert httpx.get(f"{url}/async").json() == "well"
        assert sync_work.calls == async_work.calls == 3

    def test_an_exception_handler_receives_the_original_error(self):
        """With the record, so that a give-up can be answered with 503."""
        app = FastAPI()

        @app.exception_handler(ConnectionError)
        async def unavailable(request: Request, error: ConnectionError):
            return JSONResponse({"attempts": given_up(error).attempts}, status_code=503)

        @app.get("/")
        @retry(3, on=ConnectionError, wait=0)
        async def view():
            raise ConnectionError("down")

        response = get(app, "/")
        assert (response.status_code, response.json()) == (503, {"attempts": 3})


class TestDependencies:
    """A dependency may be decorated too."""

    def test_functions(self):
        """Sync and async, with dependencies of their own."""
        app = FastAPI()
        connect, session = Flaky(1), Flaky(1)

        @retry(3, on=ConnectionError, wait=0)
        def connection(name: str = "main"):
            return f"{name} {connect()}"

        @retry(3, on=ConnectionError, wait=0)
        async def open_session(connected: Annotated[str, Depends(connection)]):
            return f"session on {connected}, {session()}"

        @app.get("/")
        async def view(session: Annotated[str, Depends(open_session)]) -> str:
            return session

        assert get(app, "/?name=spare").json() == "session on spare well, well"
        assert (connect.calls, session.calls) == (2, 2)

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_with_yield(self, kind):
        """Retried until it has yielded; its clean-up runs once, and sees the view's error."""
        app = FastAPI()
        connect, events = Flaky(2), []

        @retry(3, on=ConnectionError, wait=0)
        def connection():
            value = connect()
            try:
                yield value
            except LookupError:
                events.append("rolled back")
                raise
            finally:
                events.append("closed")

        @retry(3, on=ConnectionError, wait=0)
        async def connection_async():
            value = connect()
            try:
                yield value
            except LookupError:
                events.append("rolled back")
                raise
            finally:
                events.append("closed")

        dependency = connection if kind == "sync" else connection_async

        @app.exception_handler(LookupError)
        async def missing(request: Request, error: LookupError):
            return JSONResponse("missing", status_code=404)

        @app.get("/")
        async def view(value: Annotated[str, Depends(dependency)]) -> str:
            raise LookupError(value)

        assert get(app, "/").status_code == 404
        assert connect.calls == 3
        assert events == ["rolled back", "closed"]

    def test_a_class_and_an_object(self):
        """A class's parameters are those of its `__init__`, an object's those of `__call__`."""
        app = FastAPI()

        class Paging:
            def __init__(self, page: int = 1, size: int = 10):
                self.text = f"{page}x{size}"

        class Limit:
            def __call__(self, limit: int = 5) -> int:
                return limit

        @app.get("/")
        async def view(
            paging: Annotated[Paging, Depends(retry(3, on=OSError)(Paging))],
            limit: Annotated[int, Depends(retry(3, on=OSError)(Limit()))],
        ) -> str:
            return f"{paging.text} {limit}"

        assert get(app, "/?page=2&limit=9").json() == "2x10 9"
        assert get(app, "/?page=two").status_code == 422

    def test_background_tasks(self):
        """What runs after the response is retried as anything else."""
        app = FastAPI()
        send = Flaky(2)

        @app.get("/")
        async def view(later: BackgroundTasks) -> str:
            later.add_task(retry(3, on=ConnectionError, wait=0)(send))
            return "accepted"

        with serving(app) as url:
            assert httpx.get(url).json() == "accepted"
            until(lambda: send.calls == 3, "the task runs")


class TestHTTPException:
    """An HTTPException is an Exception: what is retried has to be named."""

    def asked(self, **options):
        """How often a view with such a policy is called that answers with 404."""
        app = FastAPI()
        calls = []

        @app.get("/")
        @retry(3, wait=0, **options)
        async def view():
            calls.append(True)
            raise HTTPException(404, "no such item")

        assert get(app, "/").status_code == 404
        return len(calls)

    def test_named(self):
        """`on` names what is transient: the 404 is sent after one call."""
        assert self.asked(on=ConnectionError) == 1

    def test_excepted(self):
        """So does `unless`."""
        assert self.asked(unless=HTTPException) == 1

    def test_neither(self):
        """The default retries the 404, and then sends it."""
        assert self.asked() == 3


class TestDisconnects:
    """A client that disconnects."""

    @pytest.mark.parametrize("loop", LOOPS)
    def test_from_a_stream(self, loop):
        """Starlette cancels the stream: its wait ends, no attempt follows, the token is back."""
        app = FastAPI()
        budget, calls, ended = RetryBudget(10), [], []

        @retry(on=ConnectionError, wait=600, budget=budget)
        async def lines():
            calls.append(True)
            raise ConnectionError("down")
            yield

        async def observed():
            try:
                async for line in lines():
                    yield line
            finally:
                ended.append(budget.tokens)

        @app.get("/")
        async def view():
            return StreamingResponse(observed())

        with serving(app, loop=loop) as url:
            request_and_leave(url, "/", lambda: budget.tokens == 9)
            until(lambda: ended, "the stream is cancelled")
        assert calls == [True]
        assert ended == [10]

    @pytest.mark.parametrize("loop", LOOPS)
    def test_from_a_view(self, loop):
        """A view is not cancelled, by FastAPI's rule: its attempts are made to the end."""
        app = FastAPI()
        work, gone = Flaky(3), []

        @app.get("/")
        async def view(request: Request):
            async for attempt in retrying(4, on=ConnectionError, wait=0.05):
                async with attempt:
                    work()
            gone.append(await request.is_disconnected())
            return "nobody reads this"

        with serving(app, loop=loop) as url:
            request_and_leave(url, "/", lambda: work.calls == 1)
            until(lambda: gone, "the view ends")
        assert work.calls == 4
        assert gone == [True]
