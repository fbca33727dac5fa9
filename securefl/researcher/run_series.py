"""Series of a run for programs that draw curves: what its event stream and its opened sums say.

Nothing but public facts of the rounds and what follows from charged, opened sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UnreadableError
from securefl.federation.kept_totals import KeptTotals
from securefl.learning.looks import read_looks
from securefl.learning.settling import Settling, settling
from securefl.learning.stages.roles import look_rounds, moves_model, opened_looks
from securefl.learning.update_lengths import trained_weights, update_lengths
from securefl.party.events import EVENTS, read_events
from securefl.researcher.durable_run import FOLDER, TOTALS
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.looks import Looks, OpenedLook
    from securefl.party.events import Event
    from securefl.types import IntArray


@dataclass(frozen=True)
class Point:
    """One point of a series.

    Attributes:
        series: its name, like ``round/seconds``.
        round: of the study, from 1.
        value: in the unit that the name says.
        at: when the round was opened.
    """

    series: str
    round: int
    value: float
    at: datetime


def run_series(folder: Path, plan: RoundPlan) -> list[Point]:
    """All points of a run, by round.

    Args:
        folder: the study's folder at its researcher.
        plan: the study.

    Raises:
        UnreadableError: a kept sum was altered or damaged.
    """
    opened = [e for e in read_events(folder / EVENTS) if e.event == "round-opened" and e.round]
    times = {e.round: e.at for e in opened if e.round}
    points = [*_rounds(opened)]
    for number, series, value in (*_training(folder, plan), *_looks(folder, plan)):
        if number in times:
            points.append(Point(series, number, value, times[number]))
    return sorted(points, key=lambda point: (point.round, point.series))


def _rounds(opened: Iterable[Event]) -> Iterator[Point]:
    before = None
    for event in opened:
        number = event.round or 0
        yield Point("round/hospitals", number, float(len(event.sites)), event.at)
        yield Point("round/upload_bytes", number, float(event.upload_bytes or 0), event.at)
        if before is not None:
            seconds = (event.at - before).total_seconds()
            yield Point("round/seconds", number, seconds, event.at)
        before = event.at


def _training(folder: Path, plan: RoundPlan) -> Iterator[tuple[int, str, float]]:
    numbers, totals = training_totals(folder, plan)
    if not numbers:
        return
    for number, update in zip(numbers, update_lengths(plan.study, totals), strict=True):
        yield number, "training/update_length", update.length
        yield number, "training/noise_alone_low", update.low
        yield number, "training/noise_alone_high", update.high


def _looks(folder: Path, plan: RoundPlan) -> Iterator[tuple[int, str, float]]:
    """Figures of the looks: the metric's interval, and the metric where a single one is given."""
    opened = _opened_looks(folder, plan)
    if not opened:
        return
    looks = read_looks(plan.study, [sums for _, sums in opened]).looks
    for (number, _), look in zip(opened, looks, strict=True):
        yield number, "look/low", look.low
        yield number, "look/high", look.high
        if look.value is not None:
            yield number, "look/value", look.value


def _opened_looks(folder: Path, plan: RoundPlan) -> list[tuple[int, OpenedLook]]:
    """Rounds that were looks at the training, and their opened sums so far; none where the study
    asks for none.

    Raises:
        UnreadableError: a kept sum was altered or damaged.
    """
    kept = KeptTotals(folder / FOLDER / TOTALS)
    return opened_looks(plan.programme, kept.of(look_rounds(plan.programme)))


def run_looks(folder: Path, plan: RoundPlan) -> Looks | None:
    """Looks at the training so far; None where the study asks for none."""
    training = training_if_any(plan.study)
    if training is None or training.looks is None:
        return None
    try:
        opened = _opened_looks(folder, plan)
    except FileNotFoundError:
        opened = []
    except UnreadableError:  # a look-on stops nothing
        return None
    return read_looks(plan.study, [sums for _, sums in opened])


def training_totals(folder: Path, plan: RoundPlan) -> tuple[list[int], list[tuple[IntArray, int]]]:
    """Rounds that trained and their opened sums so far; none where a sum is more than one update.

    Raises:
        UnreadableError: a kept sum was altered or damaged.
    """
    numbers: list[int] = []
    totals: list[tuple[IntArray, int]] = []
    if training_if_any(plan.study) is None:
        return numbers, totals
    for number, total, contributors in KeptTotals(folder / FOLDER / TOTALS).all():
        if moves_model(plan.step(number)):
            numbers.append(number)
            totals.append((total, contributors))
    if totals and totals[0][0].size != trained_weights(plan.study, ()).size:
        return [], []
    return numbers, totals


def run_settling(folder: Path, plan: RoundPlan) -> Settling | None:
    """Course of the training; None where that cannot be read off the sums."""
    try:
        _, totals = training_totals(folder, plan)
    except (FileNotFoundError, UnreadableError):  # a look-on stops nothing
        return None
    if not totals:
        return None
    return settling(plan.study, totals)
