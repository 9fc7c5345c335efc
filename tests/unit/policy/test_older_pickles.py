"""Contract 2: a pickle of an older version loads, and missing fields take their defaults."""

from __future__ import annotations

import base64
import pickle

import pytest

from retrying_elegant import GiveUp, Policy, RetryBudget, TryAgain, backoff, web

# What version 1.0.0 wrote, by `pickle.dumps(..., protocol=4)`.
WRITTEN_BY_1_0 = {
    "default": (
        "gASVXAEAAAAAAACMEHJldHJ5aW5nX2VsZWdhbnSUjAZQb2xpY3mUk5QpgZR9lCiMCGF0dGVtcHRzlEsFjAJvbp"
        "SMCGJ1aWx0aW5zlIwJRXhjZXB0aW9ulJOUjAZ1bmxlc3OUTowFdW50aWyUTowEd2FpdJSMGHJldHJ5aW5nX2Vs"
        "ZWdhbnQuYmFja29mZpSMC2V4cG9uZW50aWFslJOUKYGUfZQojAdpbml0aWFslEc/4AAAAAAAAIwGZmFjdG9ylE"
        "dAAAAAAAAAAIwDY2FwlEdAPgAAAAAAAIwGaml0dGVylEc/8AAAAAAAAHVijAd0aW1lb3V0lE6MD2F0dGVtcHRf"
        "dGltZW91dJROjAZidWRnZXSUTowOYmVmb3JlX2F0dGVtcHSUKYwIb25fcmV0cnmUKYwKb25fc3VjY2Vzc5QpjA"
        "pvbl9naXZlX3VwlCmMBG5hbWWUTowJX2lzX3BsYWlulIh1Yi4="
    ),
    "full": (
        "gASVtAEAAAAAAACMEHJldHJ5aW5nX2VsZWdhbnSUjAZQb2xpY3mUk5QpgZR9lCiMCGF0dGVtcHRzlEsDjAJvbp"
        "SMCGJ1aWx0aW5zlIwHT1NFcnJvcpSTlGgHjAhLZXlFcnJvcpSTlIaUjAZ1bmxlc3OUaAeMEUZpbGVOb3RGb3Vu"
        "ZEVycm9ylJOUjAV1bnRpbJROjAR3YWl0lIwYcmV0cnlpbmdfZWxlZ2FudC5iYWNrb2ZmlIwGbGluZWFylJOUKY"
        "GUfZQojAdpbml0aWFslEc/8AAAAAAAAIwEc3RlcJRHQAAAAAAAAACMA2NhcJRHQCIAAAAAAACMBmppdHRlcpRH"
        "P+AAAAAAAAB1YowHdGltZW91dJRHQDQAAAAAAACMD2F0dGVtcHRfdGltZW91dJRHQAAAAAAAAACMBmJ1ZGdldJ"
        "ROjA5iZWZvcmVfYXR0ZW1wdJSMCGJ1aWx0aW5zlIwFcHJpbnSUk5SFlIwIb25fcmV0cnmUaCFoH4wEcmVwcpST"
        "lIaUjApvbl9zdWNjZXNzlCmMCm9uX2dpdmVfdXCUKYwEbmFtZZSMA29sZJSMCV9pc19wbGFpbpSJdWIu"
    ),
    "a predicate": (
        "gASVZgEAAAAAAACMEHJldHJ5aW5nX2VsZWdhbnSUjAZQb2xpY3mUk5QpgZR9lCiMCGF0dGVtcHRzlE6MAm9ulI"
        "wUcmV0cnlpbmdfZWxlZ2FudC53ZWKUjAlUcmFuc2llbnSUk5QpgZR9lCiMCHN0YXR1c2VzlChNmAFNqQFNrQFN"
        "9AFN9gFN9wFN+AF0lIwHbWV0aG9kc5ROjA9tYXhfcmV0cnlfYWZ0ZXKUR0BeAAAAAAAAdWKMBnVubGVzc5ROjA"
        "V1bnRpbJSMCGJ1aWx0aW5zlIwEYm9vbJSTlIwEd2FpdJRHP/AAAAAAAABHQAQAAAAAAACGlIwHdGltZW91dJRO"
        "jA9hdHRlbXB0X3RpbWVvdXSUTowGYnVkZ2V0lE6MDmJlZm9yZV9hdHRlbXB0lCmMCG9uX3JldHJ5lCmMCm9uX3"
        "N1Y2Nlc3OUKYwKb25fZ2l2ZV91cJQpjARuYW1llE6MCV9pc19wbGFpbpSJdWIu"
    ),
    "a record": (
        "gASVjAAAAAAAAACMEHJldHJ5aW5nX2VsZWdhbnSUjAZHaXZlVXCUk5QpgZR9lCiMBG5hbWWUjAVmZXRjaJSMCG"
        "F0dGVtcHRzlEsCjAdlbGFwc2VklEc/+AAAAAAAAIwGcmVhc29ulGgHjAdoaXN0b3J5lIwcYXR0ZW1wdCAxIGF0"
        "IDAuMDAgczogT1NFcnJvcpSFlHViLg=="
    ),
    "a request": (
        "gASVTQAAAAAAAACMEHJldHJ5aW5nX2VsZWdhbnSUjAhUcnlBZ2FpbpSTlIwFbGF0ZXKUhZRSlH2UKIwGcmVzdW"
        "x0lE6MBWFmdGVylEdABAAAAAAAAHViLg=="
    ),
    "a budget": (
        "gASVOgAAAAAAAACMEHJldHJ5aW5nX2VsZWdhbnSUjAtSZXRyeUJ1ZGdldJSTlEdAHAAAAAAAAEc/4AAAAAAAAI"
        "aUUpQu"
    ),
}


def loaded(what):
    """What the old pickle is today."""
    return pickle.loads(base64.b64decode(WRITTEN_BY_1_0[what]))


class TestPoliciesOf10:
    """They are the policies that one would write today."""

    @pytest.mark.parametrize(
        ("what", "today"),
        [
            ("default", Policy()),
            (
                "full",
                Policy(
                    3,
                    on=(OSError, KeyError),
                    unless=FileNotFoundError,
                    wait=backoff.linear(1, 2, cap=9, jitter=0.5),
                    timeout=20,
                    attempt_timeout=2,
                    before_attempt=print,
                    on_retry=[print, repr],
                    name="old",
                ),
            ),
            ("a predicate", Policy(None, on=web.transient, until=bool, wait=(1, 2.5))),
        ],
    )
    def test_they_load(self, what, today):
        """Equal, with the same repr, and of use."""
        policy = loaded(what)
        assert (policy, repr(policy), hash(policy)) == (today, repr(today), hash(today))
        assert (policy.reset_after, policy.stop, policy.log_level) == (None, None, 30)
        assert policy.replace(timeout=5) == today.replace(timeout=5)
        assert pickle.loads(pickle.dumps(policy)) == today


class TestOthersOf10:
    """Whatever else pickles."""

    def test_a_record(self):
        """Fields and text."""
        line = "attempt 1 at 0.00 s: OSError"
        assert loaded("a record") == GiveUp("fetch", 2, 1.5, "attempts", (line,))

    def test_a_request(self):
        """With its hint."""
        request = loaded("a request")
        assert (type(request), request.args, request.after) == (TryAgain, ("later",), 2.5)

    def test_a_budget(self):
        """Full, and of the same size."""
        budget = loaded("a budget")
        assert type(budget) is RetryBudget
        assert (budget.capacity, budget.refill, budget.tokens) == (7, 0.5, 7)
