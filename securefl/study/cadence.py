"""Windows of a study: the hours and days in which its rounds may begin, and how many in each.

Times are UTC, without daylight saving: every party then derives the same windows from the study
alone, whatever its machine knows of time zones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from securefl.study.fields import Fault, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.study.schema import Schedule

#: Days of a week as a study file writes them, Monday first.
DAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
#: Days without a window after which none is looked for: a study is open for years at most.
_LONGEST: Final = 366 * 10
_DAY: Final = timedelta(days=1)


def _clock(text: str) -> str:
    if not _CLOCK.fullmatch(text):
        raise ValueError('write the time of day in UTC, like "22:00"')
    return text


ClockTime = Annotated[str, AfterValidator(_clock)]


class Cadence(Section):
    """Hours in which rounds begin, and how many.

    ``begin`` and ``end`` are times of day in UTC; an ``end`` that is not later than ``begin`` is on
    the next day. ``days`` and ``not_on`` (holidays) are about the day on which a window begins.
    ``rounds`` is how many rounds one window takes at most; left out, as many as fit.
    """

    begin: ClockTime
    end: ClockTime
    days: Annotated[tuple[str, ...], Field(min_length=1, max_length=7)] = DAYS
    not_on: Annotated[tuple[date, ...], Field(max_length=400)] = ()
    rounds: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _known_days(self) -> Self:
        for place, day in enumerate(self.days):
            if day not in DAYS:
                raise Fault(f'"{day}" is no day; write one of {", ".join(DAYS)}', "days", place)
        for name in ("days", "not_on"):
            listed = getattr(self, name)
            if len(set(listed)) != len(listed):
                raise Fault("names a day twice", name)
        return self


@dataclass(frozen=True)
class Window:
    """One window: rounds begin from ``begins`` on and before ``ends``."""

    begins: datetime
    ends: datetime

    def __contains__(self, at: datetime) -> bool:
        """Tell whether a round may begin then."""
        return self.begins <= at < self.ends


def windows(schedule: Schedule, at: datetime) -> Iterator[Window]:
    """Windows that end after ``at``, in order, cut to the dates of the study.

    Without a cadence there is one: from the study's opening to its closing.
    """
    opens = schedule.opens
    closes = schedule.closes
    if schedule.cadence is None:
        if at < closes:
            yield Window(opens, closes)
        return
    first = (max(at, opens).astimezone(UTC) - _DAY).date()
    for number in range(_LONGEST):
        try:
            day = first + number * _DAY
        except OverflowError:
            return
        window = _of_day(schedule.cadence, day)
        if window is None:
            continue
        if window.begins >= closes:
            return
        cut = Window(max(window.begins, opens), min(window.ends, closes))
        if cut.begins < cut.ends and at < cut.ends:
            yield cut


def next_begin(
    schedule: Schedule,
    at: datetime,
    begun: Sequence[datetime],
) -> datetime | None:
    """Earliest time, ``at`` or later, at which the next round may begin.

    Args:
        schedule: of the study.
        at: from then on.
        begun: when its rounds so far began.

    Returns:
        None where the study closes before.
    """
    most = None if schedule.cadence is None else schedule.cadence.rounds
    for window in windows(schedule, at):
        taken = sum(one in window for one in begun)
        if most is None or taken < most:
            return max(at, window.begins)
    return None


def may_begin(
    schedule: Schedule,
    at: datetime,
    begun: Sequence[datetime],
    grace: timedelta,
) -> bool:
    """Tell whether a hospital may take a round that it sees now.

    Args:
        schedule: of the study.
        at: now.
        begun: when this hospital took the rounds before.
        grace: a round that was announced in its window may be seen so long after its end.
    """
    if schedule.cadence is None:
        return True
    most = schedule.cadence.rounds
    for window in windows(schedule, at - grace):
        if at < window.begins:
            return False
        taken = sum(one in Window(window.begins, window.ends + grace) for one in begun)
        if most is None or taken < most:
            return True
    return False


def most_rounds(schedule: Schedule, enough: int) -> int | None:
    """Rounds that the study's windows take, counted as far as ``enough``; None where no window
    limits them.
    """
    if schedule.cadence is None or schedule.cadence.rounds is None:
        return None
    total = 0
    for _ in windows(schedule, schedule.opens):
        total += schedule.cadence.rounds
        if total >= enough:
            break
    return total


def cadence_sentences(cadence: Cadence) -> list[str]:
    """The windows in sentences; days are named as the study file names them.

    >>> cadence_sentences(Cadence(begin="22:00", end="05:00", rounds=1))
    ['Rounds begin between 22:00 and 05:00 UTC.', 'At most 1 round begins in each of these windows.']
    """
    told = [f"Rounds begin between {cadence.begin} and {cadence.end} UTC."]
    if set(cadence.days) != set(DAYS):
        days = ", ".join(day for day in DAYS if day in cadence.days)
        told.append(f"Their windows begin on {days} alone.")
    if cadence.not_on:
        free = ", ".join(day.isoformat() for day in sorted(cadence.not_on))
        told.append(f"No window begins on {free}.")
    if cadence.rounds == 1:
        told.append("At most 1 round begins in each of these windows.")
    elif cadence.rounds is not None:
        told.append(f"At most {cadence.rounds:,} rounds begin in each of these windows.")
    return told


def _of_day(cadence: Cadence, day: date) -> Window | None:
    """Window that begins on a day."""
    if DAYS[day.weekday()] not in cadence.days or day in cadence.not_on:
        return None
    begins = datetime.combine(day, time.fromisoformat(cadence.begin), UTC)
    ends = datetime.combine(day, time.fromisoformat(cadence.end), UTC)
    if ends <= begins:
        ends += _DAY
    return Window(begins, ends)
