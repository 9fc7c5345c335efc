"""Figures: all of the documentation, drawn anew; it takes about a minute.

python tests/simulation/figures.py
"""

from __future__ import annotations

import logging

import architecture
import contention
import failure_rates
import jitter
import layers
import outage

# By the name of the figure, the command that draws it.
COMMANDS = {
    "architecture": architecture,
    "contention": contention,
    "failure-rates": failure_rates,
    "jitter": jitter,
    "layers": layers,
    "outage": outage,
}


def main() -> None:
    """Run every command; each prints its table as well."""
    for name, command in COMMANDS.items():
        print(f"\n## {name}\n")
        command.main()


if __name__ == "__main__":
    logging.disable()  # of the layers' attempts
    main()
