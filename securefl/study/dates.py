"""Dates of a study against the time it is: what is over cannot be made, asked for or run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import StudyError
from securefl.study.faults import at
from securefl.study.lines import line_index

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.study.schema import Template


def time_here(now: datetime) -> str:
    """Say what time it is on this machine, for refusals that rest on it.

    A clock that is wrong is then seen at once.
    """
    return f"by this machine's clock it is {now:%Y-%m-%d %H:%M:%S} UTC"


def check_not_over(study: Template, now: datetime, text: str = "") -> None:
    """Refuse a protocol or study whose time has passed.

    Every hospital would, and nothing of it could run.

    Args:
        study: as parsed.
        now: the time, with its zone.
        text: the file it was parsed from; with it the error names the line.

    Raises:
        StudyError: ``schedule.closes`` is not in the future.
    """
    closes = study.schedule.closes
    if now < closes:
        return
    path = ("schedule", "closes")
    where = ".".join(path)
    if text:
        where = at(path, line_index(text))
    raise StudyError(
        f"{where}: the study was to run until {closes:%Y-%m-%d %H:%M} UTC, and it is"
        f" {now:%Y-%m-%d %H:%M} UTC here.",
        next_step="Write a later time into the protocol and make the study from it.",
    )
