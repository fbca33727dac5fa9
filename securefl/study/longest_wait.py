"""Longest wait of a study: how long its parties wait for one that is away.

A figure of the study (``schedule.longest_wait``), so that whoever approves it has read it. A study
without it goes by its rounds' deadline, as studies did before there was the figure: its coordinator
waits for one deadline, its hospitals for two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.study.schema import Schedule

_UNITS: Final = (
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
)


def hospital_waits(schedule: Schedule) -> float:
    """Seconds for which a hospital listens to a coordinator that says nothing."""
    if schedule.longest_wait is None:
        return 2.0 * schedule.round_deadline
    return float(schedule.longest_wait)


def coordinator_waits(schedule: Schedule, now: datetime) -> float:
    """Seconds for which the coordinator waits for one that a round cannot do without.

    Args:
        schedule: of the study.
        now: the time, with its zone: after the study closes nobody is waited for.
    """
    deadline = float(schedule.round_deadline)
    if schedule.longest_wait is None:
        return deadline
    left = (schedule.closes - now).total_seconds()
    return max(deadline, min(float(schedule.longest_wait), left))


def wait_words(schedule: Schedule) -> str:
    """How long a hospital waits, in words."""
    if schedule.longest_wait is None:
        return "two round deadlines"
    return duration_words(schedule.longest_wait)


def duration_words(seconds: int) -> str:
    """A time in the largest unit that says it exactly.

    >>> duration_words(604800), duration_words(5400), duration_words(61), duration_words(1)
    ('7 days', '90 minutes', '61 seconds', '1 second')
    """
    for length, unit in _UNITS:
        count, rest = divmod(seconds, length)
        if count and not rest:
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:,} seconds"
