"""What docs/testing.md shows works where it is pasted: in a conftest.py, in a test, in setUp."""

from __future__ import annotations

import unittest

import documents
import pytest

from retrying_elegant import retry, testing

pytest_plugins = ["pytester"]

PAGE = documents.ROOT / "docs" / "testing.md"
CODE = [block.code for block in documents.blocks(PAGE)]


def fixture_of_the_page(name):
    """The block that defines the fixture *name*, and the imports it needs."""
    [found] = [code for code in CODE if "@pytest.fixture" in code and f"def {name}():" in code]
    return f"import pytest\nfrom retrying_elegant import testing\n{found}"


def run(pytester, conftest, tests):
    """Run *tests* with *conftest* in a session of their own; give how many ended how."""
    pytester.makeconftest(conftest)
    pytester.makepyfile(tests)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-q")
    return {kind: n for kind, n in result.parseoutcomes().items() if kind != "warnings"}


class TestFixtures:
    """The recipes of three lines, in a conftest.py."""

    def test_instant(self, pytester, own_waits):
        """For every test by itself: each begins with an empty list."""
        slept = []
        own_waits.setattr("time.sleep", slept.append)
        tests = """
            from retrying_elegant import retrying

            def fail(seconds):
                for attempt in retrying(2, wait=seconds, raises=False):
                    with attempt:
                        raise OSError("down")

            def test_one(instant):
                fail(3600)
                assert instant.waits == [3600]

            def test_two_that_does_not_ask():
                fail(7200)

            def test_three(instant):
                assert instant.waits == []
        """
        assert run(pytester, fixture_of_the_page("instant"), tests) == {"passed": 3}
        assert not {3600, 7200} & set(slept)

    def test_off_for_a_session(self, pytester):
        """For every test, class and fixture of the session; afterwards retries are on again."""
        tests = """
            import pytest
            from retrying_elegant import retrying

            def attempts():
                for attempt in retrying(3, wait=0, raises=False):
                    with attempt:
                        raise OSError("down")
                return attempt.number

            @pytest.fixture(scope="module")
            def early():
                return attempts()

            def test_a_fixture_of_wider_scope(early):
                assert early == 1

            class TestClass:
                def test_a_method(self):
                    assert attempts() == 1
        """
        assert run(pytester, fixture_of_the_page("no_retries"), tests) == {"passed": 2}
        calls = []

        @retry(3, wait=0)
        def fail():
            calls.append(True)
            raise OSError("down")

        with pytest.raises(OSError, match="down"):
            fail()
        assert len(calls) == 3

    def test_limit_where_it_is_asked_for(self, pytester):
        """Only in the test, or the class, that is marked."""
        tests = """
            import pytest
            from retrying_elegant import retrying

            def attempts():
                for attempt in retrying(5, wait=0, raises=False):
                    with attempt:
                        raise OSError("down")
                return attempt.number

            @pytest.mark.usefixtures("two_attempts")
            def test_marked():
                assert attempts() == 2

            @pytest.mark.usefixtures("two_attempts")
            class TestMarked:
                def test_method(self):
                    assert attempts() == 2

            def test_not_marked():
                assert attempts() == 5
        """
        assert run(pytester, fixture_of_the_page("two_attempts"), tests) == {"passed": 3}


class TestExamples:
    """The tests on the page pass, as one module beneath a conftest.py with `instant`."""

    def test_they_pass(self, pytester):
        """All of them, and none is left out."""
        code = "\n".join(code for code in CODE if "@pytest.fixture" not in code)
        fixtures = [fixture_of_the_page(name) for name in ("instant", "attempts_of")]
        outcomes = run(pytester, "\n".join(fixtures), code)
        assert outcomes == {"passed": code.count("def test_")}
        assert outcomes["passed"] >= 8

    def test_the_line_for_unittest(self):
        """It is on the page, and works in setUp."""
        line = "self.instant = self.enterContext(testing.instant())"
        assert line in PAGE.read_text(encoding="utf-8")

        class Case(unittest.TestCase):
            def setUp(self):
                exec(line, {"self": self, "testing": testing})

            def test_waits(self):
                with pytest.raises(OSError, match="down"):
                    retry(2, wait=3600)(self.fail_with)(OSError("down"))
                self.assertEqual(self.instant.waits, [3600])  # noqa: PT009 - it is a TestCase

            def fail_with(self, error):
                raise error

        result = unittest.TestResult()
        Case("test_waits").run(result)
        assert result.wasSuccessful(), result
        assert result.testsRun == 1
