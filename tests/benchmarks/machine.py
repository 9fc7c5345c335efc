"""Machine: where and with what the figures were made, without which they say nothing."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
import time
from importlib import metadata
from pathlib import Path

import contestants


def lines(*, peers: bool = True) -> list[str]:
    """Describe machine, interpreter and contestants."""
    found, missing = [], []
    for name in (contestants.OURS, *(contestants.PEERS if peers else ()), "httpx"):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    described = [
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        f"{platform.platform()}, {_processor()}, {os.cpu_count()} cores",
        f"{platform.python_implementation()} {' '.join(sys.version.split())}, {_build()}",
        ", ".join(found),
    ]
    if missing:
        described.append(f"Not installed, so left out: {', '.join(missing)}")
    return described


def _processor() -> str:
    """The name of the processor, as far as the system gives it."""
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        described = ""
    for line in described.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _build() -> str:
    """Whether the interpreter was configured for what makes it faster, as far as it says so."""
    told = str(sysconfig.get_config_var("CONFIG_ARGS"))
    asked = [option for option in ("--enable-optimizations", "--with-lto") if option in told]
    return f"configured with {' and '.join(asked)}" if asked else "CONFIG_ARGS says nothing of PGO"
