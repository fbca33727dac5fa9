"""Limits of the worker's resources (setrlimit(2), sched_setaffinity(2)); none can be raised again."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

from securefl.study.worker_walls import LIMIT, LOG_BYTES, NO_RULE, Standing

if TYPE_CHECKING:
    from securefl.study.worker_walls import WorkerLimits


def machine_memory() -> int:
    """Memory of this machine, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def limit_resources(limits: WorkerLimits) -> tuple[Standing, ...]:
    """Set the limits, and say which of the walls of a figure hold.

    Args:
        limits: of the owner's policy.
    """
    _lower(resource.RLIMIT_CORE, 0)
    # private memory alone: what libraries map of their files is the page cache's
    _lower(resource.RLIMIT_DATA, limits.memory or machine_memory())
    _lower(resource.RLIMIT_FSIZE, LOG_BYTES)
    cores = Standing("cores", reason=NO_RULE)
    if limits.cores is not None:
        cores = Standing("cores", (LIMIT,))
        _use_cores(limits.cores)
    seconds = Standing("time", reason=NO_RULE)
    if limits.seconds is not None:
        seconds = Standing("time", (LIMIT,))
        _lower(resource.RLIMIT_CPU, limits.seconds)
    return (Standing("memory", (LIMIT,)), cores, seconds, Standing("file-size", (LIMIT,)))


def _lower(kind: int, value: int) -> None:
    """Set a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _use_cores(count: int) -> None:
    """Run on ``count`` of the cores that this process may use.

    Two workers begin at different ones, so that they do not share a core while another is idle.
    """
    own = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(own)
    turned = [*own[first:], *own[:first]]
    os.sched_setaffinity(0, turned[:count])
