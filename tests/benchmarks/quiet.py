"""
Quiet: waits that take no time and logs that say nothing, for all contestants alike.

Owns one rule for everybody: where the standard library sleeps, nothing happens.
Each contestant looks ``time.sleep`` and ``asyncio.sleep`` up when it waits, so
that none needs to know of the stub, and none has a switch for tests in its way.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, no wait takes time and no log record is made."""
    logging.disable()
    try:
        with mock.patch("time.sleep", _no_sleep), mock.patch("asyncio.sleep", _no_async_sleep):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _no_sleep(seconds: float) -> None:
    pass


async def _no_async_sleep(delay: float, result: object = None) -> object:
    return result
