"""What an error holds on to: tracebacks, chains and groups, by the functions all forms use."""

from __future__ import annotations

import traceback

import pytest

from retrying_elegant._tracebacks import (
    chain,
    context_kept,
    handled,
    leaves,
    members,
    release,
    set_context,
    without,
)


class EqualsAll(Exception):
    """An error that is equal to whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = Exception.__hash__


class EqualsNothing(Exception):
    """An error that is not even equal to itself."""

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    __hash__ = Exception.__hash__


class Unreadable(Exception):
    """An error whose context cannot be read by its name."""

    @property
    def __context__(self):
        raise RuntimeError("this attribute is not to be read")


def raised(error, cause=None):
    """Return *error* with the traceback of having been raised."""
    try:
        raise error from cause
    except type(error):
        return error


def raised_while_handling(context, error):
    """Return *error*, raised while *context* was being handled; both have a traceback."""
    try:
        raise context
    except type(context):
        return raised(error)


def fails(error):
    """Raise *error*."""
    raise error


def functions(trace):
    """The names of the functions in a traceback, outermost first."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(trace)]


class TestReleased:
    """Before a wait, the tracebacks of the failed attempt are dropped."""

    def test_of_an_error_alone(self):
        """And of no error, nothing."""
        error = raised(OSError())
        release(error)
        assert error.__traceback__ is None
        release(None)

    @pytest.mark.parametrize("kind", [OSError, EqualsAll, EqualsNothing, Unreadable])
    @pytest.mark.parametrize("inner", [KeyError, EqualsAll, EqualsNothing])
    def test_of_its_context(self, kind, inner):
        """Whatever the errors say of themselves."""
        context = inner()
        error = raised_while_handling(context, kind())
        release(error)
        assert BaseException.__dict__["__traceback__"].__get__(error) is None
        assert context.__traceback__ is None

    @pytest.mark.parametrize("inner", [KeyError, EqualsAll, EqualsNothing])
    def test_of_its_cause(self, inner):
        """And of the context of that."""
        context, cause = KeyError(), inner()
        error = raised(OSError(), raised_while_handling(context, cause))
        release(error)
        assert [one.__traceback__ for one in (error, cause, context)] == [None] * 3

    def test_of_the_errors_in_a_group(self):
        """In groups in it, too."""
        error = raised(OSError())
        group = raised(ExceptionGroup("outer", [raised(ExceptionGroup("inner", [error]))]))
        release(group)
        assert [one.__traceback__ for one in (group, *group.exceptions, error)] == [None] * 3


class TestKept:
    """What the caller was handling does not belong to the attempt."""

    @pytest.mark.parametrize("kind", [OSError, EqualsAll, EqualsNothing])
    def test_an_error_that_is_being_handled(self, kind):
        """It keeps its traceback, also where it is raised again."""
        try:
            raise kind
        except kind as error:
            release(error)
            assert functions(error.__traceback__)[0] == "test_an_error_that_is_being_handled"

    def test_as_the_context_of_another(self):
        """And what is chained to it."""
        try:
            raised_while_handling(KeyError(), outer := OSError())
            raise outer
        except OSError:
            error = raised(ValueError())
            release(error)
        assert error.__traceback__ is None
        assert outer.__traceback__ is not None
        assert outer.__context__.__traceback__ is not None

    def test_what_is_handled_is_listed_from_the_inside(self):
        """Once each, though their contexts close a circle."""
        first, second = KeyError(), OSError()
        assert handled() == []
        try:
            raise first
        except KeyError:
            try:
                raise second
            except OSError:
                first.__context__ = second
                assert handled() == [second, first]

    def test_errors_are_told_apart_by_identity(self):
        """Equal ones are two."""
        first, second = EqualsAll(), EqualsAll()
        try:
            raise first
        except EqualsAll:
            try:
                raise second
            except EqualsAll:
                assert [id(one) for one in handled()] == [id(second), id(first)]

    def test_a_context_that_is_kept(self):
        """Raising the error again, where another is handled, changes nothing."""
        error, context = OSError(), KeyError()
        error.__context__ = context
        with pytest.raises(OSError) as caught:  # noqa: PT011 - it has no text
            try:
                raise ValueError
            except ValueError:
                with context_kept(error):
                    raise error  # noqa: B904 - the context is the test
        assert caught.value is error
        assert error.__context__ is context

    def test_the_frame_that_raises_it_again(self):
        """It has one entry in the traceback, not two."""
        error = OSError()
        try:
            fails(error)
        except OSError:
            pass
        with pytest.raises(OSError) as caught, context_kept(error):  # noqa: PT011 - likewise
            raise error
        here = "test_the_frame_that_raises_it_again"
        assert functions(caught.value.__traceback__) == [here, "fails"]

    def test_where_no_other_frame_is_between(self):
        """Its first entry stays, because it is the place of the failure."""
        error = OSError()
        try:
            raise error
        except OSError:
            place = error.__traceback__.tb_lineno
        with pytest.raises(OSError) as caught, context_kept(error):  # noqa: PT011 - likewise
            raise error
        assert list(traceback.walk_tb(caught.value.__traceback__))[-1][1] == place

    def test_another_frame_that_has_raised_it(self):
        """Its entry stays."""
        error = OSError()

        def elsewhere():
            try:
                fails(error)
            except OSError:
                pass

        elsewhere()
        with pytest.raises(OSError) as caught, context_kept(error):  # noqa: PT011 - likewise
            raise error
        assert functions(caught.value.__traceback__)[1:] == ["elsewhere", "fails"]


class TestContextSet:
    """An error may be given a context, but never a chain that has no end."""

    def test_it_is_set(self):
        """In the place of another."""
        error, context = OSError(), KeyError()
        error.__context__ = ValueError()
        set_context(error, context)
        assert error.__context__ is context

    def test_none_changes_nothing(self):
        """There is nothing to show."""
        error, context = OSError(), KeyError()
        error.__context__ = context
        set_context(error, None)
        assert error.__context__ is context

    def test_not_where_it_closes_a_circle(self):
        """Through contexts, causes and groups."""
        error = OSError()
        for context in (
            error,
            raised_while_handling(error, KeyError()),
            raised(KeyError(), error),
            ExceptionGroup("group", [error]),
        ):
            error.__context__ = None
            set_context(error, context)
            assert error.__context__ is None

    def test_an_equal_error_is_another(self):
        """No circle is closed."""
        error, context = EqualsAll(), EqualsAll()
        set_context(error, context)
        assert error.__context__ is context


class TestWalked:
    """Chains and groups are walked to their end, which they all have."""

    def test_a_chain(self):
        """Each error once."""
        cause, context, member = KeyError(), ValueError(), OSError()
        error = ExceptionGroup("group", [member])
        error.__cause__, error.__context__, member.__context__ = cause, context, error
        assert {id(one) for one in chain(error)} == {id(error), id(cause), id(context), id(member)}
        assert len(list(chain(error))) == 4

    def test_a_group(self):
        """Its errors from left to right, those of inner groups in their place."""
        errors = [OSError(number) for number in range(4)]
        inner = ExceptionGroup("inner", errors[1:3])
        group = ExceptionGroup("outer", [errors[0], inner, errors[3]])
        assert list(leaves(group)) == errors
        assert members(group) == (errors[0], inner, errors[3])

    def test_a_group_that_has_an_error_twice(self):
        """Or a group in it: once, and what follows all the same."""
        first, second, last = OSError(), KeyError(), ValueError()
        inner = ExceptionGroup("inner", [first, first, second])
        assert list(leaves(ExceptionGroup("outer", [inner, inner, last]))) == [first, second, last]

    def test_an_error_that_is_not_a_group(self):
        """It is the one that there is."""
        error = OSError()
        assert list(leaves(error)) == [error]
        assert members(error) == ()


class TestEntriesLeftOut:
    """Entries of the library's own code can be left out of a traceback."""

    def test_wherever_they_are(self):
        """The others stay, in their order."""

        def ours(call):
            call()

        def users():
            ours(fails)

        def fails():
            raise OSError

        with pytest.raises(OSError) as caught:  # noqa: PT011 - it has no text
            ours(users)
        trace = caught.value.__traceback__
        assert functions(trace)[1:] == ["ours", "users", "ours", "fails"]
        assert functions(without(ours.__code__, trace))[1:] == ["users", "fails"]

    def test_at_the_end(self):
        """There may be nothing left."""
        error = raised(OSError())
        assert without(raised.__code__, error.__traceback__) is None
        assert without(raised.__code__, None) is None
