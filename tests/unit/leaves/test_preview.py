"""Section 8 of the contract: `policy.preview(n=None)`, a table of what a policy would do."""

import math
import random
from datetime import timedelta
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from backoff_parts import FAMILY, every_rule
from hypothesis import given
from hypothesis import strategies as st

from retrying_elegant import Attempt, Policy, RetryBudget, _decision, backoff

durations = st.floats(0, 100_000)
shares = st.floats(0, 1)
backoffs = st.one_of(
    st.builds(backoff.constant, durations, jitter=shares),
    st.builds(backoff.linear, durations, durations, cap=durations, jitter=shares),
    st.builds(backoff.exponential, durations, st.floats(0.1, 10), cap=durations, jitter=shares),
    st.builds(backoff.fibonacci, durations, cap=durations, jitter=shares),
    st.builds(backoff.decorrelated, durations, cap=durations),
    st.builds(
        lambda waits, j: backoff.sequence(*waits, jitter=j), st.lists(durations, min_size=1), shares
    ),
)
waits = st.one_of(durations, st.lists(durations, min_size=1).map(tuple), backoffs)


def columns(preview, *names):
    """Some columns of the table, after the first attempt."""
    return [tuple(getattr(row, name) for name in names) for row in preview.rows[1:]]


def spread(preview):
    return columns(preview, "wait_low", "wait_mean", "wait_high")


def elapsed(preview):
    return columns(preview, "elapsed_low", "elapsed_high")


def up_to(attempt):
    """A wait callable that draws by itself."""
    return random.uniform(1, 1 + attempt.number)


def retry_after(attempt):
    """A wait callable that needs an error."""
    return attempt.error.after


class TestRows:
    """A row for each attempt: its number, the wait before it, and when it can start."""

    def test_all_attempts_of_the_policy(self):
        """Without n, from the first to the last."""
        assert [row.number for row in Policy(7).preview()] == [1, 2, 3, 4, 5, 6, 7]

    def test_ten_where_there_is_no_limit(self):
        """Without n and without a limit."""
        assert len(Policy(None).preview()) == 10

    @pytest.mark.parametrize(
        ("attempts", "n", "count"), [(5, 3, 3), (5, 9, 5), (None, 30, 30), (1, 9, 1)]
    )
    def test_the_first_n(self, attempts, n, count):
        """As many as asked for, but no more than the policy allows."""
        preview = Policy(attempts).preview(n)
        assert len(preview) == len(list(preview)) == count

    def test_the_first_attempt_starts_at_once(self):
        """Nothing is waited before it."""
        assert Policy(1).preview()[0] == (1, 0, 0, 0, 0, 0, True)

    @given(waits, st.integers(1, 30))
    def test_numbers_are_in_order(self, wait, n):
        """low ≤ mean ≤ high, and no attempt starts before the one before it."""
        before = (0.0, 0.0)
        for row in Policy(None, wait=wait).preview(n):
            assert 0 <= row.wait_low <= row.wait_high
            slack = 1e-9 * row.wait_high
            assert row.wait_low - slack <= row.wait_mean <= row.wait_high + slack
            assert row.elapsed_low <= row.elapsed_high
            assert before <= (row.elapsed_low, row.elapsed_high)
            before = row.elapsed_low, row.elapsed_high

    @given(waits, st.integers(2, 30))
    def test_elapsed_is_the_sum_of_the_waits(self, wait, n):
        """Attempts are taken to last no time."""
        *_, last = rows = Policy(None, wait=wait).preview(n)
        assert last.elapsed_low == pytest.approx(sum(row.wait_low for row in rows))
        assert last.elapsed_high == pytest.approx(sum(row.wait_high for row in rows))


class TestWaits:
    """Waits are low, mean and high of what the rule gives, for every form of `wait`."""

    def test_a_number(self):
        """The same each time."""
        assert spread(Policy(3, wait=2).preview()) == [(2, 2, 2)] * 2

    def test_a_timedelta(self):
        """In seconds."""
        assert spread(Policy(2, wait=timedelta(minutes=1)).preview()) == [(60, 60, 60)]

    def test_a_sequence(self):
        """The last repeats."""
        found = spread(Policy(4, wait=[1, 5]).preview())
        assert found == [(1, 1, 1), (5, 5, 5), (5, 5, 5)]

    @every_rule
    def test_the_bounds_of_a_backoff(self, rule):
        """Exactly `rule.bounds(n)`."""
        found = columns(Policy(None, wait=rule).preview(9), "wait_low", "wait_high")
        assert found == [rule.bounds(n) for n in range(1, 9)]

    @every_rule
    def test_the_mean_of_a_backoff(self, rule):
        """Within four percent of that of many calls."""
        random.seed(20)
        count, sums = 2_000, [0.0] * 6
        attempt = SimpleNamespace(number=0, waited=0.0)
        for _ in range(count):
            attempt.waited = 0.0
            for i in range(6):
                attempt.number = i + 1
                attempt.waited = rule(attempt)
                sums[i] += attempt.waited
        means = [row.wait_mean for row in Policy(None, wait=rule).preview(7).rows[1:]]
        assert means == pytest.approx([total / count for total in sums], rel=0.04)

    def test_the_mean_of_uniform_waits_is_exact(self):
        """The middle."""
        found = spread(Policy(3, wait=backoff.exponential(1, jitter=0.5)).preview())
        assert found == [(0.5, 0.75, 1), (1, 1.5, 2)]

    def test_the_mean_of_decorrelated_waits(self):
        """Far below the cap it is (initial + 3 * mean before) / 2."""
        found = columns(Policy(None, wait=backoff.decorrelated(1, cap=1e9)).preview(5), "wait_mean")
        assert [mean for (mean,) in found] == pytest.approx([2, 3.5, 5.75, 9.125], rel=0.01)

    def test_no_overflow(self):
        """The greatest waits there are still have a mean."""
        ((low, mean, high),) = spread(Policy(2, wait=backoff.constant(1.7e308)).preview())
        assert low == mean == high == 1.7e308

    @pytest.mark.parametrize("rule", FAMILY.values(), ids=FAMILY)
    def test_no_randomness_is_used_up(self, rule):
        """What a seed replays is the same with a preview in between."""
        random.seed(20)
        state = random.getstate()
        Policy(wait=rule).preview()
        assert random.getstate() == state


class TestOtherCallables:
    """What a callable returns is not known beforehand: it is evaluated in simulated calls."""

    def test_it_is_sampled(self):
        """Low, mean and high as it answered."""
        random.seed(20)
        for n, (low, mean, high) in enumerate(spread(Policy(6, wait=up_to).preview()), 1):
            assert 1 <= low < 1 + 0.05 * n
            assert mean == pytest.approx(1 + n / 2, rel=0.1)
            assert 1 + 0.95 * n < high <= 1 + n

    def test_the_table_says_so(self):
        """A footnote, and none where waits are known."""
        assert "as seen in 500 simulated calls" in str(Policy(wait=up_to).preview())
        assert "simulated" not in str(Policy().preview())

    @pytest.mark.parametrize("base", [backoff.exponential, backoff.decorrelated])
    def test_a_backoff_that_does_not_call_its_rule(self, base):
        """As a policy calls it."""

        class Quarter(base):
            def __call__(self, attempt):
                return 0.25 * attempt.number

        found = Policy(3, wait=Quarter()).preview()
        assert spread(found) == [(0.25, 0.25, 0.25), (0.5, 0.5, 0.5)]
        assert "simulated" in str(found)

    def test_it_sees_the_call_as_it_would_be(self):
        """Number, waits and simulated time; name; what is left of the timeout."""
        seen = []

        def look(attempt):
            seen.append((attempt.number, attempt.waited, round(attempt.elapsed), attempt.name))
            seen.append(round(attempt.remaining))
            return timedelta(seconds=2)

        found = spread(Policy(4, wait=look, timeout=100, name="it").preview())
        assert found == [(2, 2, 2)] * 3
        assert seen[:6] == [(1, 0, 0, "it"), 100, (2, 2, 2, "it"), 98, (3, 2, 4, "it"), 96]

    def test_calls_end_with_their_timeout(self):
        """Attempts that no simulated call reached are left out."""
        asked = []
        found = Policy(9, wait=lambda a: asked.append(a.number) or 3, timeout=7).preview()
        assert [row.elapsed_low for row in found] == [0, 3, 6]
        assert max(asked) == 3

    def test_calls_end_with_an_infinite_wait(self):
        """No attempt follows it."""
        preview = Policy(5, wait=lambda a: 3 if a.number == 1 else math.inf).preview()
        assert [row.elapsed_low for row in preview] == [0, 3]

    def test_one_that_needs_an_error(self):
        """Its waits are unknown: anything from 0 up; and the table says why."""
        preview = Policy(3, wait=retry_after).preview()
        for low, mean, high in spread(preview):
            assert (low, high) == (0, math.inf)
            assert math.isnan(mean)
        assert elapsed(preview) == [(0, math.inf)] * 2
        assert all(row.certain for row in preview)
        assert "?" in str(preview)
        assert "wait raised AttributeError: 'NoneType' object has no attribute" in str(preview)

    def test_one_that_needs_an_error_within_a_timeout(self):
        """Then an attempt after the first may start, and not after the timeout."""
        preview = Policy(3, wait=retry_after, timeout=9).preview()
        assert elapsed(preview) == [(0, 9)] * 2
        assert [row.certain for row in preview] == [True, False, False]

    def test_one_that_answers_wrongly(self):
        """The footnote holds the message that a call would have got."""
        preview = Policy(2, wait=lambda attempt: -1).preview()
        assert "wait(...)=-1: expected a number of seconds, 0 or more" in str(preview)


def attempts_made(policy):
    """The attempts of a call that always fails, on a clock that only waits move."""
    now, attempt = 0.0, Attempt(policy, "it", 0.0)
    while _decision.settle(attempt, OSError(), None, now):
        now += attempt.next_wait
        attempt = attempt._following(attempt.next_wait)
    return attempt.number


class TestTimeout:
    """Attempts that can no longer start are left out; those that may not start are marked."""

    def test_waits_that_end_in_time(self):
        """All of them, whatever is drawn."""
        assert all(row.certain for row in Policy(wait=1, timeout=4.5).preview())

    def test_waits_that_would_end_at_the_timeout(self):
        """As for calls: what would end at it is not begun."""
        assert [row.number for row in Policy(wait=1, timeout=3).preview()] == [1, 2, 3]

    def test_waits_that_may_end_in_time(self):
        """Marked, and the latest start is the timeout."""
        preview = Policy(wait=backoff.constant(2, jitter=0.5), timeout=3.5).preview()
        assert elapsed(preview) == [(1, 2), (2, 3.5), (3, 3.5)]
        assert [row.certain for row in preview] == [True, True, False, False]

    def test_the_text(self):
        """A question mark, explained below the table."""
        text = str(Policy(wait=backoff.constant(2, jitter=0.5), timeout=3.5).preview())
        assert [line.split()[0] for line in text.splitlines()[3:7]] == ["1", "2", "3?", "4?"]
        assert text.endswith("?: may not start, as the timeout of 3.5 s may have passed")

    @given(waits, st.floats(0.001, 100_000), st.integers(0, 2**32))
    def test_it_is_what_calls_do(self, wait, timeout, seed):
        """A call makes every attempt that is certain, and none that is not in the table."""
        policy = Policy(8, wait=wait, timeout=timeout)
        preview = policy.preview()
        random.seed(seed)
        assert sum(row.certain for row in preview) <= attempts_made(policy) <= len(preview)


class TestNothingIsChanged:
    """A preview is a look: neither the policy nor its budget is touched."""

    def test_the_budget(self):
        """No token is taken."""
        budget = RetryBudget()
        Policy(budget=budget, wait=up_to).preview()
        assert budget.tokens == 100


class TestText:
    """A readable `str`."""

    def test_by_hand(self):
        """The policy, a line of heads, a line for each attempt."""
        assert str(Policy(3, wait=backoff.linear(1, 2, jitter=0.5)).preview()).splitlines() == [
            "Policy(3, wait=linear(initial=1.0, step=2.0, cap=30.0, jitter=0.5))",
            "attempt       wait before it, s       starts after, s",
            "             low     mean     high      low     high",
            "      1    0.000    0.000    0.000    0.000    0.000",
            "      2    0.500    0.750    1.000    0.500    1.000",
            "      3    1.500    2.250    3.000    2.000    4.000",
        ]

    @given(waits)
    def test_columns_stay_in_line(self, wait):
        """However great the numbers are."""
        lines = str(Policy(None, wait=wait).preview(30)).splitlines()
        assert {len(line) for line in lines[3:]} == {52}

    def test_at_the_prompt(self):
        """`repr` is the table too."""
        assert repr(Policy().preview()) == str(Policy().preview())


def drawing(preview):
    """The SVG inside the HTML, parsed."""
    text = preview._repr_html_()
    svg = text[text.index("<svg") : text.index("</svg>") + len("</svg>")]
    return ElementTree.fromstring(svg)


def bars(preview):
    """Left and right end of each bar, in pixels."""
    rects = drawing(preview).findall(".//{*}rect")
    return [(float(r.get("x")), float(r.get("x")) + float(r.get("width"))) for r in rects]


class TestNotebook:
    """`_repr_html_` with a drawing for notebooks."""

    def test_a_line_for_each_attempt(self):
        """And the text of the table in its cells."""
        html = Policy(4, wait=1.5).preview()._repr_html_()
        assert html.count("<tr>") == 1 + 4
        assert "<td>4<td>1.500<td>1.500<td>1.500<td>4.500<td>4.500" in html

    def test_a_bar_for_each_attempt(self):
        """From the earliest to the latest start, on one scale."""
        found = bars(Policy(3, wait=backoff.constant(4, jitter=0.5)).preview())
        assert found[1:] == [(180, 320), (320, 600)]

    def test_the_dot_is_the_average(self):
        """In the middle of a uniform wait."""
        circles = drawing(Policy(2, wait=backoff.constant(4, jitter=1)).preview()).findall(
            ".//{*}circle"
        )
        assert [float(circle.get("cx")) for circle in circles] == [40, 320]

    def test_the_drawing_ends_at_a_timeout_that_matters(self):
        """Bars of attempts that may not start are dashed and reach it; far ones have no dot."""
        preview = Policy(4, wait=backoff.exponential(4, jitter=0.5), timeout=7).preview()
        svg = drawing(preview)
        looks = [rect.get("stroke-dasharray") for rect in svg.findall(".//{*}rect")]
        assert looks == [None, None, "3 2"]
        assert bars(preview)[-1][1] == 600
        assert len(list(svg.findall(".//{*}circle"))) == 2
        assert "ends at timeout" in preview._repr_html_()
        assert "may not start" in preview._repr_html_()

    def test_it_reads_on_light_and_dark_pages(self):
        """Text and lines have the colour of the page's own text; there is no background."""
        svg = drawing(Policy().preview())
        assert svg.get("fill") == "currentColor"
        assert {path.get("stroke") for path in svg.findall(".//{*}path")} == {"currentColor"}

    def test_names_are_escaped(self):
        """A lambda is no tag."""
        html = Policy(wait=lambda attempt: attempt.error.code).preview()._repr_html_()
        assert "&lt;lambda&gt;" in html
        assert "<lambda>" not in html

    def test_long_previews_have_a_drawing_of_bounded_height(self):
        """Forty bars; the table is whole."""
        preview = Policy(None).preview(100)
        assert len(bars(preview)) == 40
        assert preview._repr_html_().count("<tr>") == 101

    @given(waits, st.none() | st.floats(1e-300, 1e300))
    def test_any_policy_can_be_drawn(self, wait, timeout):
        """Well-formed, with everything inside the frame."""
        preview = Policy(6, wait=wait, timeout=timeout).preview()
        assert len(bars(preview)) == len(preview)
        for left, right in bars(preview):
            assert 40 <= left <= right <= 602.5

    @pytest.mark.parametrize("wait", [0, retry_after, 1e-300, 1e300])
    def test_scales_without_a_length(self, wait):
        """Nothing waited, nothing known, next to nothing, next to everything."""
        assert len(bars(Policy(3, wait=wait).preview())) == 3


class TestValue:
    """A preview is a frozen value."""

    def test_equality(self):
        """Equal policies have equal previews."""
        assert Policy().preview() == Policy().preview()
        assert Policy().preview() != Policy(4).preview()

    def test_frozen(self):
        """Its fields cannot be set."""
        with pytest.raises(AttributeError, match="Preview is frozen"):
            Policy().preview().rows = ()


class TestBadInput:
    """Refused by name, with the value and the rule."""

    @pytest.mark.parametrize(
        ("n", "kind"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.0, TypeError)]
    )
    def test_n(self, n, kind):
        """An int of 1 or more, or None."""
        with pytest.raises(kind, match=rf"n={n}: expected an int of 1 or more, or None"):
            Policy().preview(n)
