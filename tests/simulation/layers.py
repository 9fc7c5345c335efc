"""Layers: policies around policies, and what they make of one failing call.

Each layer allows three attempts.  With ``unless=given_up`` a layer does not
retry what the one below has already retried.  The layers are decorators, run in
the library's own virtual time.

    python tests/simulation/layers.py
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import report
from charts import Panel
from virtual import FAILURE

from retrying_elegant import Policy, given_up, retry, testing

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 5
PLAIN = Policy(3)
AWARE = Policy(3, unless=given_up)


def calls(layers: int, policy: Policy) -> int:
    """How often the innermost function runs when each of its calls fails."""
    count = 0

    def fail() -> None:
        nonlocal count
        count += 1
        raise type(FAILURE)(*FAILURE.args)

    call: Callable[[], None] = fail
    for layer in range(layers):
        call = retry(policy.replace(name=f"layer {layer + 1}"))(call)
    with testing.instant():
        try:
            call()
        except ConnectionError:
            return count
    raise AssertionError("it succeeded")


def main() -> None:
    """Print the table and draw the figure."""
    found = {
        "on its own": {layers: calls(layers, PLAIN) for layers in range(1, MOST + 1)},
        "unless=given_up": {layers: calls(layers, AWARE) for layers in range(1, MOST + 1)},
    }
    report.table(
        "Calls of the innermost function",
        ["layers of 3 attempts", *found],
        [[layers, *(at[layers] for at in found.values())] for layers in range(1, MOST + 1)],
    )
    report.figure(
        "layers",
        "Retries inside retries",
        Panel(
            "Calls of the innermost function",
            "layers of 3 attempts",
            {name: list(at.items()) for name, at in found.items()},
            log=True,
        ),
    )


if __name__ == "__main__":
    logging.disable()  # what each attempt would say stands in the table
    main()
