"""What a call is given reaches the function, and what the function gives comes back."""

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import retry, retrying


class Lost(Exception):
    """Retried in these tests."""


def function_sync(fn, args, kwargs, **options):
    return retry(**options)(fn)(*args, **kwargs)


def block_sync(fn, args, kwargs, **options):
    with retrying(**options) as call:
        return call(fn, *args, **kwargs)


def function_async(fn, args, kwargs, **options):
    return run_async(retry(**options)(as_coroutine_function(fn))(*args, **kwargs))


def block_async(fn, args, kwargs, **options):
    async def main():
        async with retrying(**options) as call:
            return await call(as_coroutine_function(fn), *args, **kwargs)

    return run_async(main())


def plain_in_an_async_block(fn, args, kwargs, **options):
    async def main():
        async with retrying(**options) as call:
            return await call(fn, *args, **kwargs)

    return run_async(main())


UNTIL = {"until": bool}
TIMED = {"attempt_timeout": 5}
FORMS = [
    *((form, options) for form in (function_sync, block_sync) for options in ({}, UNTIL)),
    *(
        (form, options)
        for form in (function_async, block_async, plain_in_an_async_block)
        for options in ({}, UNTIL, TIMED)
    ),
]


@pytest.mark.parametrize(
    ("form", "options"), FORMS, ids=lambda value: getattr(value, "__name__", None) or str(value)
)
@pytest.mark.parametrize("script", [["value"], [Lost, "value"]], ids=["first", "again"])
class TestArguments:
    """They reach the function as they were given, at first and when it is called again."""

    def test_by_position_and_by_name(self, form, options, script):
        """Both, or none; and the value comes back."""
        for args in ((), (1, 2)):
            for kwargs in ({}, {"a": 1, "timeout": 3}):
                seen = []
                flaky = Flaky(script)

                def fetch(*args, flaky=flaky, seen=seen, **kwargs):
                    seen.append((args, kwargs))
                    return flaky()

                assert form(fetch, args, kwargs, wait=0, **options) == "value"
                assert seen == [(args, kwargs)] * len(script)
