"""Door to a study's first round: at most one process of the researcher stands in it.

A run waits in it until every hospital is ready, and then uses the study up. Cancelling takes the same
lock, so that a study is either begun or cancelled and never both.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from securefl.errors import UsageError
from securefl.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Mark of a study that was cancelled; in its folder.
CANCELLED: Final = "cancelled"
_LOCK: Final = "begin.lock"


@contextmanager
def at_the_door(folder: Path) -> Iterator[None]:
    """Hold the door for a block.

    Args:
        folder: the study's.

    Raises:
        UsageError: another process begins this study just now.
    """
    lock = Lock(folder / _LOCK)
    if not lock.take(seconds=1.0):
        raise UsageError(
            f"{folder.name} is being begun by another process.",
            whose="the researcher",
            next_step="Wait for it, or stop it with Ctrl-C; until its first round nothing is charged.",
        )
    try:
        yield
    finally:
        lock.release()


def is_cancelled(folder: Path) -> bool:
    """True if the study was cancelled from its folder."""
    return (folder / CANCELLED).exists()


def check_not_cancelled(folder: Path) -> None:
    """Refuse to go on with a cancelled study.

    Raises:
        UsageError: it was cancelled.
    """
    if not is_cancelled(folder):
        return
    raise UsageError(
        f"{folder.name} was cancelled before it began.",
        whose="the researcher",
        next_step=f"`securefl study clone {folder.name} --id NAME` makes a file for another study.",
    )
