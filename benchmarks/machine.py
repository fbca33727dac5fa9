"""What a benchmark ran on, and how busy it was: for the scripts in the folders beside this file."""

from __future__ import annotations

import datetime as dt
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def machine(*packages: str) -> dict[str, Any]:
    """Date, processor, cores, memory, system, Python, and the versions of these packages."""
    info = Path("/proc/cpuinfo")
    models = (
        [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def with_load(
    what: str, measure: Callable[..., dict[str, Any]], *arguments: object
) -> dict[str, Any]:
    """The figures, and the one-minute load average before they were taken."""
    load = os.getloadavg()[0]
    print(f"{what} (load {load:.2f})", flush=True)
    start = time.monotonic()
    figures = measure(*arguments)
    return {
        **figures,
        "load_before": round(load, 2),
        "took_seconds": round(time.monotonic() - start, 1),
    }


def wait_for_quiet(load: float, minutes: float) -> None:
    """Wait until the one-minute load is below ``load``, at most so long."""
    end = time.monotonic() + 60 * minutes
    while os.getloadavg()[0] >= load and time.monotonic() < end:
        time.sleep(10)
