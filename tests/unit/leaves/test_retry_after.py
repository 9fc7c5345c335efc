"""Section 9 of the contract: what ``retry_after`` reads, and from where."""

import email.utils
import http.client
import itertools
import sys
import time
import types
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from freezegun import freeze_time
from hypothesis import assume, example, given
from hypothesis import strategies as st
from web_parts import answered, fake, header

from retrying_elegant import web

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@contextmanager
def at(now):
    """The wall clock stands at *now*: an aware datetime, or seconds since the epoch."""
    if isinstance(now, datetime):
        now = now.timestamp()
    with mock.patch("time.time", return_value=now):
        yield now


# The three forms of an HTTP-date, each by other means than strftime, which has a locale.
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def imf_fixdate(moment):
    return email.utils.format_datetime(moment, usegmt=True)


def rfc_850(moment):
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02}-{month}-{moment.year % 100:02} {moment:%H:%M:%S} GMT"


def asctime(moment):
    return time.asctime(moment.timetuple())


FORMS = {"IMF-fixdate": imf_fixdate, "RFC 850": rfc_850, "asctime": asctime}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def moments(low=datetime(1000, 1, 1), high=datetime(9999, 12, 31, 23, 59, 59)):
    """Any moment in GMT, in whole seconds."""
    return st.datetimes(low, high, timezones=st.just(UTC)).map(lambda it: it.replace(microsecond=0))


class TestRetryAfterSources:
    """`retry_after` reads errors, responses and mappings of headers."""

    @pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
    def test_names_in_any_case(self, name):
        """Also in plain dictionaries, that know no better."""
        assert web.retry_after({"X": "1", name: "7"}) == 7.0

    def test_messages(self):
        """The headers of http.client."""
        message = http.client.HTTPMessage()
        assert web.retry_after(message) is None
        message["retry-after"] = "7"
        assert web.retry_after(message) == 7.0
        assert web.retry_after(types.SimpleNamespace(headers=message)) == 7.0

    def test_errors(self):
        """With headers of their own, or with a response that has them."""
        assert web.retry_after(answered(404, header("7"))) == 7.0
        response = types.SimpleNamespace(headers=header("7"))
        assert web.retry_after(fake("x.Error", response=response)) == 7.0
        assert web.retry_after(ValueError()) is None

    def test_more_than_one(self):
        """Two answers to one question are none."""
        assert web.retry_after({"Retry-After": "7", "retry-after": "8"}) is None
        assert web.retry_after(header("7, 8")) is None

    @pytest.mark.parametrize(("before", "is_read"), [(999, True), (1000, False)])
    def test_headers_without_end(self, before, is_read):
        """Only the first thousand are read."""

        class Endless:
            def __init__(self, name, value):
                self.wanted = (name, value)

            def items(self):
                padding = ("X-Padding", "1")
                yield from (*[padding] * before, self.wanted)
                yield from itertools.repeat(padding)

        after = Endless("Retry-After", "7")
        assert web.retry_after(after) == (7.0 if is_read else None)
        assert web.retry_after(types.SimpleNamespace(headers=after)) == (7.0 if is_read else None)
        told = types.SimpleNamespace(status_code=404, headers=Endless("X-Should-Retry", "true"))
        assert bool(web.transient(fake("httpx.HTTPStatusError", response=told))) is is_read


class TestRetryAfterSeconds:
    """`1*DIGIT` ASCII, and nothing like it."""

    @given(st.integers(0, 10**400))
    @example(10**308)
    def test_digits(self, number):
        """As a float; beyond floats, the largest one."""
        seconds = web.retry_after(header(str(number)))
        try:
            assert seconds == float(number)
        except OverflowError:
            assert seconds == sys.float_info.max

    def test_too_many_digits_for_int(self):
        """Python limits how long a text it turns into an int; headers have no such limit."""
        assert web.retry_after(header("9" * 100_000)) == sys.float_info.max
        assert web.retry_after(header("0" * 100_000 + "5")) == 5.0

    @pytest.mark.parametrize("value", ["7 ", " 7", "\t7 \t"])
    def test_white_space_around(self, value):
        """Blanks and tabs around a header's value are no part of it."""
        assert web.retry_after(header(value)) == 7.0

    @pytest.mark.parametrize(
        "value",
        ["", " ", "+1", "-1", "-0", "1.0", "1.", ".5", "1e3", "1_000", "1 000", "0x10", "²", "١٢",
         "\uff11\uff12", "1s", "nan", "inf", "None", "true", "7\n", "7\x00", "\xa07"],
    )  # fmt: skip
    def test_anything_else(self, value):
        """None: what int() or float() would take is not enough."""
        assert web.retry_after(header(value)) is None

    @given(st.text())
    def test_any_text(self, value):
        """Garbage never raises."""
        seconds = web.retry_after(header(value))
        assert seconds is None or seconds >= 0


class TestRetryAfterMs:
    """`Retry-After-Ms` is read too, and wins where it is valid."""

    @given(st.integers(0, 10**400))
    @example(10**308)
    def test_digits(self, number):
        """Thousandths of a second; beyond floats, the largest one."""
        expected = min(float(str(number)) / 1000, sys.float_info.max)
        assert web.retry_after({"retry-after-ms": str(number)}) == expected

    @pytest.mark.parametrize("name", ["Retry-After-Ms", "retry-after-ms", b"RETRY-AFTER-MS"])
    def test_wins(self, name):
        """Whichever comes first, in any case."""
        value = b"1500" if isinstance(name, bytes) else "1500"
        assert web.retry_after({name: value, "Retry-After": "1"}) == 1.5
        assert web.retry_after({"Retry-After": "1", name: value}) == 1.5
        assert web.retry_after({"Retry-After": "soon", name: value}) == 1.5

    @pytest.mark.parametrize("value", ["", "soon", "-1", "+1", "1.5", "1e3", "²", "inf", None, 7])
    def test_not_where_it_is_invalid(self, value):
        """Then `Retry-After` is read as if it stood alone."""
        assert web.retry_after({"Retry-After-Ms": value}) is None
        assert web.retry_after({"Retry-After-Ms": value, "Retry-After": "7"}) == 7.0

    def test_more_than_one(self):
        """Two answers to one question are none."""
        twice = {"Retry-After-Ms": "1", "retry-after-ms": "2"}
        assert web.retry_after(twice) is None
        assert web.retry_after({**twice, "Retry-After": "7"}) == 7.0


class TestOtherHeaders:
    """Headers without a specification are not read."""

    @pytest.mark.parametrize(
        "name",
        [
            "X-RateLimit-Reset",
            "RateLimit-Reset",
            "X-Retry-After",
            "x-ms-retry-after-ms",
            "x-amz-retry-after",
            "Retry-After-Seconds",
        ],
    )
    def test_not_read(self, name):
        """Nobody can say whether they hold seconds, milliseconds or a date."""
        assert web.retry_after({name: "7"}) is None

    @pytest.mark.parametrize("value", [mock.Mock(spec=str), object(), None], ids=["str", "?", "0"])
    def test_not_looked_at(self, value):
        """Whatever they hold."""
        assert web.retry_after({"Server": value, "Retry-After": "7"}) == 7.0


class TestBytes:
    """Names of headers may be bytes."""

    @pytest.mark.parametrize("value", ["7", b"7", b" 7\t"])
    @pytest.mark.parametrize("name", [b"Retry-After", b"retry-after"])
    def test_names(self, name, value):
        """With values that are bytes, as protocols have them, or text."""
        assert web.retry_after({name: value}) == 7.0
        assert web.retry_after({b"\xff": b"\xff", name: value}) == 7.0

    @pytest.mark.parametrize("value", [b"\xb2", b"soon", b"", bytearray(b"7"), 7, None])
    def test_anything_else(self, value):
        """Is no hint: `²` is not a digit in bytes either."""
        assert web.retry_after({b"Retry-After": value}) is None

    def test_once_each(self):
        """A name that is there in both forms is there twice."""
        assert web.retry_after({"Retry-After": "7", b"retry-after": b"7"}) is None

    def test_bytes_of_their_own(self):
        """Read past their methods."""

        class Stubborn(bytes):
            def decode(self, *args):
                raise RuntimeError

        assert web.retry_after({Stubborn(b"Retry-After"): Stubborn(b"7")}) == 7.0


class TestRetryAfterDates:
    """An HTTP-date in its three forms, read as GMT; a past date is 0.0."""

    @every_form
    @given(st.data())
    def test_round_trip(self, form, data):
        """Whatever the date and the time now: so many seconds from now, to the second."""
        now = data.draw(moments(datetime(1970, 1, 1), datetime(9000, 1, 1)), "now")
        if form is rfc_850:
            assume((now.month, now.day) != (2, 29))
            low, high = now.replace(year=now.year - 50), now.replace(year=now.year + 50)
            low += timedelta(seconds=1)
            moment = data.draw(moments(low.replace(tzinfo=None), high.replace(tzinfo=None)))
        else:
            moment = data.draw(moments())
        with at(now):
            expected = max(0.0, (moment - now).total_seconds())
            assert web.retry_after(header(form(moment))) == expected

    @pytest.mark.parametrize(
        "value",
        ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
         "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994"],
    )  # fmt: skip
    def test_as_the_standard_has_it(self, value):
        """The examples of RFC 9110, seen from ten seconds before."""
        with at(datetime(1994, 11, 6, 8, 49, 27, tzinfo=UTC)):
            assert web.retry_after(header(value)) == 10.0
        assert web.retry_after(header(value)) == 0.0

    @pytest.mark.parametrize("days", [1, 2, 40, 400, 4000])
    @pytest.mark.parametrize("form", [imf_fixdate, asctime])
    def test_days_count(self, form, days):
        """An hour and some days hence is not an hour hence."""
        with at(NOW):
            moment = NOW + timedelta(days=days, hours=1)
            assert web.retry_after(header(form(moment))) == days * 86_400 + 3_600

    @pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
    def test_parts_of_a_second(self, fraction):
        """The clock is finer than the date."""
        with at(NOW.timestamp() + fraction):
            assert web.retry_after(header(imf_fixdate(NOW + timedelta(seconds=3)))) == 3 - fraction

    @every_form
    @pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Pacific/Kiritimati", "XYZ+11:30"])
    @pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs time.tzset")
    def test_zones(self, form, zone, monkeypatch):
        """Whatever the machine's zone, summer time or not."""
        try:
            with monkeypatch.context() as patch:
                patch.setenv("TZ", zone)
                time.tzset()
                for month in (1, 7):
                    now = NOW.replace(month=month)
                    with at(now):
                        assert web.retry_after(header(form(now + timedelta(minutes=5)))) == 300
        finally:
            time.tzset()

    @every_form
    def test_frozen_clock(self, form):
        """The wall clock is looked up when used, so freezegun works."""
        with freeze_time(NOW) as clock:
            value = header(form(NOW + timedelta(minutes=5)))
            assert web.retry_after(value) == 300
            clock.tick(60)
            assert web.retry_after(value) == 240
            clock.tick(600)
            assert web.retry_after(value) == 0.0

    @pytest.mark.parametrize(
        ("short", "long"),
        [("94", 1994), ("26", 2026), ("27", 2027), ("75", 2075), ("76", 2076), ("77", 1977)],
    )
    def test_years_of_two_digits(self, short, long):
        """At most 50 years ahead, to the second; or else the last year that ends like it."""
        value = header(f"Friday, 20-Nov-{short} 12:00:00 GMT")
        with at(NOW):
            expected = datetime(long, 11, 20, 12, tzinfo=UTC) - NOW
            assert web.retry_after(value) == max(0.0, expected.total_seconds())
        with at(NOW - timedelta(seconds=1)):
            late = short == "76"  # 50 years and a second ahead: 1976 was meant
            assert (web.retry_after(value) == 0.0) is (late or long < 2026)

    def test_years_of_two_digits_at_the_turn_of_a_century(self):
        """Next year is next year, in whichever century."""
        with at(datetime(2099, 12, 31, 23, 59, 0, tzinfo=UTC)):
            assert web.retry_after(header("Friday, 01-Jan-00 00:00:00 GMT")) == 60

    def test_leap_second(self):
        """A minute's second 60 is the first second of the next."""
        with at(datetime(2016, 12, 31, 23, 59, 50, tzinfo=UTC)):
            assert web.retry_after(header("Sat, 31 Dec 2016 23:59:59 GMT")) == 9
            assert web.retry_after(header("Sat, 31 Dec 2016 23:59:60 GMT")) == 10
            assert web.retry_after(header("Sun, 01 Jan 2017 00:00:00 GMT")) == 10

    def test_leap_years(self):
        """29 February is there when it is."""
        with at(NOW):
            assert web.retry_after(header("Tue, 29 Feb 2028 00:00:00 GMT")) == 40_219_200
            assert web.retry_after(header("Mon, 29 Feb 2027 00:00:00 GMT")) is None

    def test_wrong_day_of_the_week(self):
        """Is overlooked, as the standard encourages: the date is plain enough."""
        with at(NOW):
            assert web.retry_after(header("Mon, 20 Nov 2026 12:00:05 GMT")) == 5

    @pytest.mark.parametrize(
        "value",
        [
            "Fri, 20 Nov 2026 12:00:05",
            "Fri, 20 Nov 2026 12:00:05 UTC",
            "Fri, 20 Nov 2026 12:00:05 +0000",
            "Fri, 20 Nov 2026 12:00:05 gmt",
            "Fri, 20 Nov 2026 12:00:05 EST",
            "fri, 20 nov 2026 12:00:05 GMT",
            "Fri 20 Nov 2026 12:00:05 GMT",
            "20 Nov 2026 12:00:05 GMT",
            "Friday, 20 Nov 2026 12:00:05 GMT",
            "Fr., 20 Nov 2026 12:00:05 GMT",
            "Fri, 20 Nov 26 12:00:05 GMT",
            "Fri, 20-Nov-2026 12:00:05 GMT",
            "Friday, 20-Nov-2026 12:00:05 GMT",
            "Friday, 20-11-26 12:00:05 GMT",
            "Friday, 20-Nov-26 12:00:05",
            "Friday, 20-Nov 12:00:05 GMT",
            "Fri, 20-Nov-26 12:00:05 GMT",
            "Fri, 20 11 2026 12:00:05 GMT",
            "Fri, 20 Nov 2026 12:00 GMT",
            "Fri, 20 Nov 2026 12:00:05:00 GMT",
            "Fri, 20 Nov 2026 12:00:05.5 GMT",
            "Fri, 20 Nov 2026 24:00:00 GMT",
            "Fri, 20 Nov 2026 12:60:00 GMT",
            "Fri, 20 Nov 2026 12:00:61 GMT",
            "Fri, 00 Nov 2026 12:00:05 GMT",
            "Fri, 31 Nov 2026 12:00:05 GMT",
            "Fri, 20 Nov 0000 12:00:05 GMT",
            "Fri, ²0 Nov 2026 12:00:05 GMT",
            "Fri, ٢٠ Nov 2026 12:00:05 GMT",
            "Fri, +1 Nov 2026 12:00:05 GMT",
            "Fri, 20 Nov 2026 12:00:05 GMT, 7",
            "Fri,  20 Nov 2026 12:00:05 GMT",
            "Fri Nov 20 12:00:05 2026 GMT",
            "Fri Nov  20 12:00:05 2026",
            "Fri Nov   6 12:00:05 2026",
            "Friday Nov 20 12:00:05 2026",
            "Fri Nov 20 12:00:05 26",
            "2026-11-20T12:00:05Z",
        ],
    )
    def test_anything_else(self, value):
        """None: a date that is nearly one may mean anything."""
        assert web.retry_after(header(value)) is None

    @every_form
    @given(moments(datetime(1971, 1, 1), datetime(2070, 1, 1)), st.data())
    def test_nothing_to_spare(self, form, moment, data):
        """No form has a character that it could do without."""
        text = form(moment)
        lost = data.draw(st.integers(0, len(text) - 1), "lost")
        assert web.retry_after(header(text[:lost] + text[lost + 1 :])) is None

    @every_form
    @given(moments(datetime(1971, 1, 1), datetime(2070, 1, 1)), st.data())
    def test_garbled(self, form, moment, data):
        """A date in which anything is changed never raises."""
        text = form(moment)
        place = data.draw(st.integers(0, len(text) - 1), "place")
        changed = text[:place] + data.draw(st.characters(), "by") + text[place + 1 :]
        seconds = web.retry_after(header(changed))
        assert seconds is None or seconds >= 0


class TestOwnDate:
    """A date is measured against the response's own `Date` where it has one."""

    @every_form
    @pytest.mark.parametrize("date", FORMS.values(), ids=FORMS)
    @pytest.mark.parametrize("ahead", [-3600, 0, 3600])
    def test_a_clock_that_is_wrong(self, form, date, ahead):
        """A server an hour ahead, or behind, that asks for 10 seconds gets 10 seconds."""
        there = NOW + timedelta(seconds=ahead)
        headers = {"Date": date(there), "Retry-After": form(there + timedelta(seconds=10))}
        with at(NOW):
            assert web.retry_after(headers) == 10.0

    def test_of_the_same_response(self):
        """Wherever an error keeps its headers."""
        there = NOW + timedelta(hours=1)
        headers = {
            b"date": imf_fixdate(there).encode(),
            b"retry-after": imf_fixdate(there + timedelta(seconds=10)).encode(),
        }
        with at(NOW):
            response = types.SimpleNamespace(headers=headers)
            assert web.retry_after(response) == 10.0
            assert web.retry_after(fake("x.Error", response=response)) == 10.0

    def test_in_the_past(self):
        """A date before `Date` is 0.0."""
        headers = {"Date": imf_fixdate(NOW), "Retry-After": imf_fixdate(NOW - timedelta(days=1))}
        assert web.retry_after(headers) == 0.0

    @pytest.mark.parametrize("value", ["", "now", "7", "Fri, 20 Nov 2026 12:00:00", None])
    def test_that_is_none(self, value):
        """Then the machine's clock is used."""
        headers = {"Date": value, **header(imf_fixdate(NOW + timedelta(seconds=10)))}
        with at(NOW):
            assert web.retry_after(headers) == 10.0

    def test_more_than_one(self):
        """Two answers to one question are none, here too."""
        there = imf_fixdate(NOW + timedelta(hours=1))
        headers = {"Date": there, "date": there, **header(imf_fixdate(NOW + timedelta(minutes=1)))}
        with at(NOW):
            assert web.retry_after(headers) == 60.0

    def test_seconds_are_seconds(self):
        """Digits are not measured against anything."""
        assert web.retry_after({"Date": imf_fixdate(NOW), "Retry-After": "7"}) == 7.0

    def test_years_of_two_digits(self):
        """At most 50 years ahead of the server's clock."""
        there = datetime(2099, 12, 31, 23, 59, 0, tzinfo=UTC)
        headers = {"Date": imf_fixdate(there), "Retry-After": "Friday, 01-Jan-00 00:00:00 GMT"}
        with at(NOW):
            assert web.retry_after(headers) == 60.0

    def test_fifty_years_to_the_turn_of_a_century(self):
        """Whatever the century: the last year not too far ahead may be the first of the next."""
        there = datetime(5150, 1, 1, tzinfo=UTC)
        headers = {"Date": imf_fixdate(there), "Retry-After": "Friday, 01-Jan-00 00:00:00 GMT"}
        with at(NOW):
            ahead = datetime(5200, 1, 1, tzinfo=UTC) - there
            assert web.retry_after(headers) == ahead.total_seconds()
