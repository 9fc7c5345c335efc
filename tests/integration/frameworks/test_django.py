"""Django: decorated views, and transactions that the database refuses."""

import asyncio
import sqlite3

import database_servers
import pytest
from django.db import DatabaseError, OperationalError, connections, transaction
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.http import Http404, HttpResponse
from django.test import AsyncClient, Client
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET
from django_project import Account, database, routes

from retrying_elegant import RetryError, given_up, retry, retrying
from retrying_elegant.db import conflict


class Flaky:
    """What a view calls: fails twice, then returns a response."""

    def __init__(self, error=ConnectionError):
        self.error = error
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= 2:
            raise self.error("down")
        return HttpResponse(b"well")


@pytest.fixture
def work():
    return Flaky()


def asked(view, method="get"):
    """The response of *view*."""
    with routes(view=view):
        return getattr(Client(), method)("/view")


class TestFunctionViews:
    """A decorated view is a view."""

    def test_sync(self, work):
        """The third attempt is answered."""

        @retry(3, on=ConnectionError, wait=0)
        def view(request):
            return work()

        assert asked(view).content == b"well"
        assert work.calls == 3

    def test_async(self, work):
        """Django sees a coroutine function, and awaits it, from its sync and its async client."""

        @retry(3, on=ConnectionError, wait=0)
        async def view(request):
            await asyncio.sleep(0)
            return work()

        async def main():
            return await AsyncClient().get("/view")

        assert asked(view).content == b"well"
        work.calls = 0
        with routes(view=view):
            assert asyncio.run(main()).content == b"well"
        assert work.calls == 3

    @pytest.mark.parametrize("outermost", [True, False])
    def test_below_and_above_other_decorators(self, work, outermost):
        """What they mark on the view stays marked."""

        def view(request):
            return work()

        retried = retry(3, on=ConnectionError, wait=0)
        if outermost:
            view = retried(csrf_exempt(require_GET(view)))
        else:
            view = csrf_exempt(require_GET(retried(view)))
        assert view.csrf_exempt
        assert asked(view).content == b"well"
        assert asked(view, "post").status_code == 405

    def test_the_original_error(self):
        """Middleware and the error reporter see the view's exception, with the record."""

        @retry(3, on=ConnectionError, wait=0)
        def view(request):
            raise ConnectionError("down")

        with pytest.raises(ConnectionError) as caught:
            asked(view)
        assert given_up(caught.value).attempts == 3


class TestClassBasedViews:
    """`method_decorator(retry(...), name=...)`."""

    @pytest.mark.parametrize(
        "decorator", [retry(3, on=ConnectionError, wait=0), retry], ids=["called", "bare"]
    )
    def test_on_the_class(self, work, decorator):
        """The named method is retried, with its `self` and its request."""

        @method_decorator(decorator, name="get")
        class Page(View):
            def get(self, request):
                assert request.method == self.request.method == "GET"
                return work()

            def post(self, request):
                return HttpResponse(b"posted")

        work.calls = 1 if decorator is retry else 0  # whose default waits are real
        assert asked(Page.as_view()).content == b"well"
        assert asked(Page.as_view(), "post").content == b"posted"
        assert work.calls == 3

    def test_with_others_in_a_list(self, work):
        """`method_decorator` takes a list for several decorators, and only a list."""

        @method_decorator([require_GET, retry(3, on=ConnectionError, wait=0)], name="dispatch")
        class Page(View):
            def get(self, request):
                return work()

        assert asked(Page.as_view()).content == b"well"
        assert asked(Page.as_view(), "post").status_code == 405

    def test_on_the_method(self, work):
        """Sync and async."""

        class Page(View):
            @retry(3, on=ConnectionError, wait=0)
            def get(self, request):
                return work()

        class AsyncPage(View):
            @retry(3, on=ConnectionError, wait=0)
            async def get(self, request):
                return work()

        assert asked(Page.as_view()).content == b"well"
        work.calls = 0
        assert asked(AsyncPage.as_view()).content == b"well"
        assert work.calls == 3

    def test_on_as_view(self, work):
        """The function that `as_view` returns keeps what Django reads from it."""

        class Page(View):
            def get(self, request):
                return work()

        view = retry(3, on=ConnectionError, wait=0)(Page.as_view())
        assert view.view_class is Page
        assert asked(view).content == b"well"


class TestHttp404:
    """Http404 is an Exception: what is retried has to be named."""

    def asked(self, **options):
        """How often a view with such a policy is called that raises Http404."""
        calls = []

        @retry(3, wait=0, **options)
        def view(request):
            calls.append(True)
            raise Http404("no such page")

        assert asked(view).status_code == 404
        return len(calls)

    def test_named(self):
        """`on` names what is transient: one call."""
        assert self.asked(on=ConnectionError) == 1

    def test_neither(self):
        """The default asks three times for what does not exist."""
        assert self.asked() == 3


class TestSQLite:
    """A transaction on a database that another process is writing to."""

    @pytest.fixture
    def db(self, tmp_path):
        """A database with one account of 100, whose writers are not waited for."""
        with database(
            "file",
            ENGINE="django.db.backends.sqlite3",
            NAME=str(tmp_path / "db.sqlite3"),
            OPTIONS={"timeout": 0, "transaction_mode": "IMMEDIATE"},
        ) as alias:
            with connections[alias].schema_editor() as editor:
                editor.create_model(Account)
            Account.objects.using(alias).create(pk=1, balance=100)
            yield alias

    @pytest.fixture
    def writer(self, db):
        """Another connection, in the middle of a transaction."""
        connection = sqlite3.connect(connections.databases[db]["NAME"], isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.close()

    def withdraw(self, db, amount):
        """Read, then write, in one transaction."""
        with transaction.atomic(using=db):
            account = Account.objects.using(db).get(pk=1)
            account.balance -= amount
            account.save()
            return account.balance

    def test_until_the_other_is_done(self, db, writer):
        """Locked twice; the hook then ends the other's transaction, and the third succeeds."""
        locks = []

        def commit_at_last(attempt):
            locks.append(str(attempt.error))
            if len(locks) == 2:
                writer.execute("UPDATE retried_account SET balance = 90")
                writer.execute("COMMIT")

        withdraw = retry(5, on=conflict, wait=0, on_retry=commit_at_last)(self.withdraw)
        assert withdraw(db, 10) == 80
        assert locks == ["database is locked"] * 2
        assert Account.objects.using(db).get().balance == 80

    def test_one_that_stays_locked(self, db, writer):
        """Django's own error, with the record; the connection is usable afterwards."""
        with pytest.raises(OperationalError, match="locked") as caught:
            retry(3, on=conflict, wait=0)(self.withdraw)(db, 10)
        assert given_up(caught.value).attempts == 3
        writer.execute("ROLLBACK")
        assert self.withdraw(db, 10) == 90

    def test_atomic_as_the_inner_decorator(self, db, writer):
        """`@retry` above `@transaction.atomic`: each attempt is a transaction of its own."""
        attempts = []

        @retry(3, on=conflict, wait=0, on_retry=lambda attempt: writer.execute("ROLLBACK"))
        @transaction.atomic(using=db)
        def withdraw():
            attempts.append(connections[db].in_atomic_block)
            Account.objects.using(db).update(balance=1)

        withdraw()
        assert attempts == [True]  # the first one failed at its BEGIN
        assert Account.objects.using(db).get().balance == 1
        assert not connections[db].in_atomic_block

    def test_another_error_is_not_retried(self, db):
        """Rolled back once."""
        calls = []

        @retry(3, on=conflict, wait=0)
        @transaction.atomic(using=db)
        def insert():
            calls.append(True)
            Account.objects.using(db).update(balance=0)
            raise LookupError("no such customer")

        with pytest.raises(LookupError):
            insert()
        assert len(calls) == 1
        assert Account.objects.using(db).get().balance == 100


@pytest.fixture(scope="module")
def databases():
    """Two connections to one server: ours, whose transactions are SERIALIZABLE, and theirs."""
    with database_servers.PostgreSQL() as server:
        config = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "tester",
            "HOST": "127.0.0.1",
            "PORT": str(server.port),
        }
        strict = {"isolation_level": IsolationLevel.SERIALIZABLE}
        with database("ours", **config, OPTIONS=strict), database("theirs", **config):
            with connections["theirs"].schema_editor() as editor:
                editor.create_model(Account)
            yield "ours", "theirs"


class TestPostgreSQL:
    """SERIALIZABLE transactions that the server refuses because of others."""

    @pytest.fixture
    def accounts(self, databases):
        """The accounts as both connections see them: one, of 100."""
        ours, theirs = (Account.objects.using(alias) for alias in databases)
        theirs.all().delete()
        theirs.create(pk=1, balance=100)
        return ours, theirs

    def test_retried_as_a_whole(self, accounts):
        """Somebody else changes the row between reading and writing: 40001, once."""
        ours, theirs = accounts
        read = []

        @retry(5, on=conflict, wait=0)
        @transaction.atomic(using="ours")
        def withdraw(amount):
            account = ours.get()
            read.append(account.balance)
            if len(read) == 1:
                theirs.update(balance=70)
            account.balance -= amount
            account.save()

        withdraw(50)
        assert read == [100, 70]
        assert theirs.get().balance == 20

    def test_as_a_loop(self, accounts):
        """`with attempt, transaction.atomic()`: the attempt is outside."""
        ours, theirs = accounts
        for attempt in retrying(5, on=conflict, wait=0):
            with attempt, transaction.atomic(using="ours"):
                balance = ours.get().balance
                if attempt.number == 1:
                    theirs.update(balance=70)
                ours.update(balance=balance - 50)
        assert attempt.number == 2
        assert theirs.get().balance == 20

    def test_one_that_never_ends(self, accounts):
        """Django's own error, with the record; nothing has been written."""
        ours, theirs = accounts

        @retry(3, on=conflict, wait=0)
        @transaction.atomic(using="ours")
        def withdraw():
            balance = ours.get().balance
            theirs.update(balance=balance + 1)
            ours.update(balance=0)

        with pytest.raises(OperationalError) as caught:
            withdraw()
        assert given_up(caught.value).attempts == 3
        assert theirs.get().balance == 103

    def test_inside_a_transaction_nothing_can_be_retried(self, accounts):
        """Django runs no query after a failure until `atomic` ends: retry around it, not in it."""
        ours, theirs = accounts
        errors, refused = [], "TransactionManagementError"

        @retry(3, on=DatabaseError, wait=0, on_retry=lambda a: errors.append(type(a.error)))
        def set_balance(balance):
            return ours.update(balance=balance)

        with pytest.raises(DatabaseError), transaction.atomic(using="ours"):
            balance = ours.get().balance
            theirs.update(balance=70)
            set_balance(balance - 50)
        assert [error.__name__ for error in errors] == ["OperationalError", refused]
        assert theirs.get().balance == 70

    def test_async(self, accounts):
        """The ORM's async methods, outside of transactions; the result is what `until` checks."""
        _, theirs = accounts

        @retry(3, wait=0, until=lambda account: account.balance > 100)
        async def rich():
            return await theirs.aget()

        with pytest.raises(RetryError) as caught:
            asyncio.run(rich())
        assert caught.value.result.balance == 100
