"""Figures of an evaluation's lists: for each hospital and subgroup, the lowest of them, and the gap.

All of it is read off noised lists. A single list's interval holds with 95 %. What is said of several
lists together, which is lowest and how far apart they are, rests on intervals that are widened so
that with 95 % all of them hold at once (Bonferroni): the lowest of many noised figures is low partly
because it was picked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

from securefl.learning.intervals import NORMAL_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.evaluation_lists import Part
    from securefl.learning.tasks.task import Task
    from securefl.study.counts import EvaluateSection
    from securefl.study.schema import Verdict
    from securefl.types import IntArray

#: Highest value of every task's metric.
MOST: Final = 1.0
#: Chance beyond one end of a 95 % interval.
_TAIL: Final = 0.025


@dataclass(frozen=True)
class GroupFigures:
    """Figures of one list.

    Attributes:
        group: name of the hospital or subgroup.
        low: lower end of the metric's 95 % interval.
        high: upper end.
        value: the metric; None where no single figure is given.
        known: whether the noise leaves anything to say.
        lost: whether the hospital was lost before the evaluation: its list is all zero.
        figures: the task's own.
    """

    group: str
    low: float
    high: float
    value: float | None
    known: bool
    lost: bool
    figures: Any

    def record(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "group": self.group,
            "low": self.low,
            "high": self.high,
            "value": self.value,
            "known": self.known,
            "lost": self.lost,
            "figures": asdict(self.figures),
        }


@dataclass(frozen=True)
class Spread:
    """Lowest figure of several lists and how far they are apart, as 95 % intervals.

    Attributes:
        lowest: the list whose interval has the lowest middle.
        as_low: further lists that may be as low.
        low: lower end of the interval of the lowest figure.
        high: upper end.
        gap_low: lower end of the interval of the highest figure less the lowest.
        gap_high: upper end.
        compared: lists that are compared.
        unknown: lists of which the noise leaves nothing to say: they may be lower.
    """

    lowest: str
    as_low: tuple[str, ...]
    low: float
    high: float
    gap_low: float
    gap_high: float
    compared: int
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class PartFigures:
    """Figures of lists into which every patient is sorted once.

    Attributes:
        name: what sorts them: hospitals, or a column.
        groups: of each list.
        spread: None where fewer than two lists say anything.
        below_chance: lists whose figure is surely below that of a guess, see :func:`below`.
    """

    name: str
    groups: tuple[GroupFigures, ...]
    spread: Spread | None
    below_chance: tuple[str, ...] = ()

    @property
    def apart(self) -> str:
        """The list whose figure is surely below all others of which the noise leaves something to
        say; empty where there is none.
        """
        if self.spread is None or self.spread.as_low:
            return ""
        return self.spread.lowest

    def record(self) -> dict[str, Any]:
        """The same as JSON values."""
        spread = None if self.spread is None else asdict(self.spread)
        return {
            "by": self.name,
            "groups": [group.record() for group in self.groups],
            "spread": spread,
            "below_chance": list(self.below_chance),
        }


def figures_of_part(
    part: Part,
    lists: IntArray,
    task: Task,
    section: EvaluateSection,
    noises: float,
) -> PartFigures:
    """Read the lists of a part.

    Args:
        part: the part.
        lists: int64[groups, size], as opened.
        task: the study's.
        section: the evaluation.
        noises: full noises that each of them carries.
    """
    found = tuple(
        _figures(group, numbers, task, section, noises)
        for group, numbers in zip(part.groups, lists, strict=True)
    )
    wrong_way = below(found, task.chance, task.least)
    return PartFigures(part.name, found, spread_of(found, task.least), wrong_way)


def spread_of(
    groups: Sequence[GroupFigures],
    least: float,
) -> Spread | None:
    """Compare lists; None where fewer than two say anything.

    With the true figures f_i in [l_i, h_i] for all i at once, the lowest of them lies between the
    lowest l_i and the lowest h_i, and the highest likewise.

    Args:
        groups: of one part.
        least: lowest value of the metric.
    """
    known = [group for group in groups if group.known]
    if len(known) < 2:
        return None
    count = len(known)
    ends = {group.group: widened(group.low, group.high, count, least) for group in known}
    lows = [low for low, _ in ends.values()]
    highs = [high for _, high in ends.values()]
    lowest = min(known, key=lambda group: group.low + group.high).group
    as_low = [name for name, (low, _) in ends.items() if name != lowest and low <= min(highs)]
    return Spread(
        lowest=lowest,
        as_low=tuple(as_low),
        low=min(lows),
        high=min(highs),
        gap_low=max(0.0, max(lows) - min(highs)),
        gap_high=max(highs) - min(lows),
        compared=len(known),
        unknown=tuple(group.group for group in groups if not group.known and not group.lost),
    )


def below(
    groups: Sequence[GroupFigures],
    chance: float | None,
    least: float,
) -> tuple[str, ...]:
    """Names of the lists whose figure is surely below that of a guess.

    With intervals that hold for all lists at once: where no figure is below chance, one is named in
    at most one study of forty.

    Args:
        groups: of one part.
        chance: the figure of a guess; None where there is none, and nobody is named.
        least: lowest value of the metric.
    """
    if chance is None:
        return ()
    known = [group for group in groups if group.known]
    found = []
    for group in known:
        _, high = widened(group.low, group.high, len(known), least)
        if high < chance:
            found.append(group.group)
    return tuple(found)


def is_wrong_way(
    task: Task,
    figures: Any,  # noqa: ANN401 - each task has figures of its own
) -> bool:
    """True where a hospital's own exact figure is surely below that of a guess.

    Args:
        task: the study's.
        figures: of :meth:`~securefl.learning.tasks.task.Task.own_figures`.
    """
    interval = task.exact_interval(figures)
    if task.chance is None or interval is None:
        return False
    return interval[1] < task.chance


def judge_each(
    hospitals: PartFigures | None,
    least: float,
) -> Verdict:
    """A lowest acceptable figure of every hospital, judged on intervals that hold at once.

    Met where none can be lower; not met where one surely is. A hospital of which the noise leaves
    nothing to say may be lower.

    Args:
        hospitals: None where the evaluation does not show them.
        least: the lowest acceptable figure.
    """
    if hospitals is None or hospitals.spread is None:
        return "cannot-be-judged"
    spread = hospitals.spread
    if spread.high < least:
        return "not-met"
    if spread.low >= least and not spread.unknown:
        return "met"
    return "cannot-be-judged"


def worse(
    one: Verdict,
    other: Verdict,
) -> Verdict:
    """The judgement of two rules together."""
    order: tuple[Verdict, ...] = ("not-met", "cannot-be-judged", "met")
    return min(one, other, key=order.index)


def _figures(
    group: str,
    numbers: IntArray,
    task: Task,
    section: EvaluateSection,
    noises: float,
) -> GroupFigures:
    found = task.evaluate(numbers, section, noises)
    # integer noise on every number of a list leaves no list of zeros, but for a chance that is
    # far below the study's delta
    lost = not numbers.any()
    known = not lost and (found.low > task.least or found.high < MOST)
    value = task.released_figure(found) if known else None
    low, high = (found.low, found.high) if known else (task.least, MOST)
    return GroupFigures(group, low, high, value, known, lost, found)


def widened(
    low: float,
    high: float,
    intervals: int,
    least: float,
) -> tuple[float, float]:
    """One of so many 95 % intervals, widened so that all hold at once with 95 % (Bonferroni).

    Args:
        low: its lower end.
        high: its upper end.
        intervals: how many there are.
        least: lowest value of the metric.
    """
    wider = NormalDist().inv_cdf(1 - _TAIL / intervals) / NORMAL_95
    middle = (low + high) / 2
    half = (high - low) / 2
    return max(least, middle - wider * half), min(MOST, middle + wider * half)
