"""Looks at a training on its way: what a hospital answers, and what the sums say of the course.

A look is the study's evaluation with noise of its own (:mod:`securefl.study.looks`). The rules read
opened, charged sums alone, so every hospital and the coordinator come to the same word, and it costs
no privacy.

With k looks in the study each interval is widened to the level .05/k (Bonferroni): with 95 % all of
them hold at once, however often somebody looks. A look is then compared with others:

- below: the newest interval ends below where the best one before it begins;
- no gain: the newest interval is not above the figure of the look ``patience`` looks before. That
  is no proof that nothing was gained: noise can hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.errors import RoundError
from securefl.learning.counts import release_counts
from securefl.learning.evaluation_split import MOST, widened
from securefl.learning.models import family_of, predict
from securefl.learning.stages.stage import FigureRow
from securefl.learning.strategies import strategy_of
from securefl.learning.tasks import task_of
from securefl.learning.tasks.told import Curves, Line, Told
from securefl.study.looks import look_section, looks_count
from securefl.study.noise_shares import evaluation_noises, noise_shares
from securefl.study.training import training_of
from securefl.types import IntArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.features import Prepared
    from securefl.learning.steps import Draws
    from securefl.study.looks import LooksSection
    from securefl.study.schema import Template
    from securefl.types import FloatArray

#: Opened sum of a look: training rounds before it, int64[h], and how many hospitals are in it.
OpenedLook = tuple[int, IntArray, int]
#: Marks of the upright axis of a picture.
_LEVELS = 4


class Trend(StrEnum):
    """Course of the figure over the looks, in a word."""

    EARLY = "early"
    UNKNOWN = "unknown"
    BETTER = "better"
    NO_GAIN = "no-gain"
    WORSE = "worse"


@dataclass(frozen=True)
class Look:
    """Figures of one look.

    Attributes:
        after: training rounds that had made the model.
        low: lower end of the metric's 95 % interval.
        high: upper end.
        value: the metric; None where no single figure is given.
        known: whether the noise leaves anything to say.
    """

    after: int
    low: float
    high: float
    value: float | None
    known: bool

    @property
    def point(self) -> float:
        """The metric, or the middle of its interval where it is not told from chance."""
        if self.value is None:
            return (self.low + self.high) / 2
        return self.value


@dataclass(frozen=True)
class Looks:
    """Looks at a training so far.

    Attributes:
        metric: of the study's task.
        looks: those that were opened, in order.
        planned: looks of the whole study.
        patience: of the study.
        trend: what they say together.
    """

    metric: str
    looks: tuple[Look, ...]
    planned: int
    patience: int
    trend: Trend

    def record(self) -> dict[str, Any]:
        """The same as JSON values."""
        found = [
            {
                "after": look.after,
                "low": look.low,
                "high": look.high,
                "value": look.value,
                "known": look.known,
            }
            for look in self.looks
        ]
        return {"looks": found, "trend": str(self.trend)}

    def figure_rows(self) -> list[FigureRow]:
        """The looks as rows of a spreadsheet."""
        return [
            FigureRow(
                "model on the way",
                f"after round {look.after}",
                self.metric,
                look.value,
                look.low,
                look.high,
            )
            for look in self.looks
        ]

    def told(self) -> Told:
        """The looks as a table and a picture, for the page of a finished study."""
        cells = tuple(_cells(look) for look in self.looks)
        return Told(
            metric=f"{self.metric} on the way",
            header=("after round", self.metric, "95 %"),
            cells=cells,
            right=frozenset({0, 1, 2}),
            sentences=(trend_words(self),),
            note=(
                "Each look is one encrypted, noised total of the patients kept aside, charged when"
                " the study was approved. The last model is judged by itself, with fresh noise."
            ),
            curves=_curves(self),
        )


class LookAnswers:
    """A hospital's end of the looks.

    Args:
        study: the study.
        looks: its section.
        held_out: rows of the patients kept aside.
        draws: where all randomness comes from.
    """

    def __init__(
        self,
        study: Template,
        looks: LooksSection,
        held_out: Prepared,
        draws: Draws,
    ) -> None:
        training = training_of(study)
        self._strategy = strategy_of(training)
        self._family = family_of(training.model, study.data)
        self._task = task_of(study.data)
        self._section = look_section(study, looks)
        self._numbers = noise_shares(study).numbers(self._section.split_numbers)
        self._rows = held_out.one_row_each(study.privacy.unit)
        self._draws = draws

    def answer(self, public: FloatArray) -> IntArray:
        """int64[h], the list of these rows with its noise.

        Args:
            public: float64[b], what was broadcast: hospitals start the next round from the same.
        """
        theta = self._strategy.weights(public)
        predictions = predict(theta, self._family, self._task, self._rows.X)
        exact = self._task.tally(predictions, self._rows.y, self._section)
        return release_counts(exact, self._numbers, self._draws)


def read_look(study: Template, opened: OpenedLook) -> Look:
    """Read one look.

    Args:
        study: one whose training is looked at.
        opened: its sum.

    Raises:
        LookupError: the study asks for no looks.
        RoundError: the sum has another length.
    """
    after, total, contributors = opened
    section = look_section(study, _section_of(study))
    task = task_of(study.data)
    figures = task.evaluate(total, section, evaluation_noises(study, section, contributors))
    known = bool(figures.low > task.least or figures.high < MOST)
    value = task.released_figure(figures)
    return Look(after, float(figures.low), float(figures.high), value, known)


def looks_together(study: Template, looks: Sequence[Look]) -> Looks:
    """The looks so far, and what they say together.

    Args:
        study: one whose training is looked at.
        looks: in order.

    Raises:
        LookupError: the study asks for no looks.
    """
    patience = _section_of(study).patience
    planned = looks_count(training_of(study))
    task = task_of(study.data)
    trend = trend_of(looks, planned, patience, task.least)
    return Looks(task.metric, tuple(looks), planned, patience, trend)


def read_looks(study: Template, opened: Sequence[OpenedLook]) -> Looks:
    """Read the looks so far: as :func:`read_look` and :func:`looks_together`."""
    return looks_together(study, [read_look(study, one) for one in opened])


def _section_of(study: Template) -> LooksSection:
    looks = training_of(study).looks
    if looks is None:
        raise LookupError("the study asks for no looks at its training")
    return looks


def best_before(looks: Sequence[Look]) -> Look:
    """The look before the newest whose interval begins highest."""
    known = [look for look in looks[:-1] if look.known]
    return max(known, key=lambda look: look.low)


def require_no_loss(looks: Looks) -> None:
    """End a study at a look that is worse than one before it.

    Raises:
        RoundError: naming the figures.
    """
    if looks.trend is not Trend.WORSE:
        return
    newest = looks.looks[-1]
    best = best_before(looks.looks)
    raise RoundError(
        f"The study ends here, as its rule on looks says: the {looks.metric} is {newest.low:.3f} to"
        f" {newest.high:.3f} after {newest.after} rounds of training, and was {best.low:.3f} to"
        f" {best.high:.3f} after {best.after}.",
        whose="nobody",
        next_step=(
            "There is no model. What was charged stays charged: how far the training came depends on"
            " the data. In another study a smaller learning rate may help."
        ),
    )


def recalled_looks(study: Template, record: Mapping[str, Any]) -> Looks:
    """Looks from what :meth:`Looks.record` said, read from a study's file of results.

    Args:
        study: as of :func:`looks_together`.
        record: JSON values.
    """
    return looks_together(study, [Look(**one) for one in record["looks"]])


def trend_of(
    looks: Sequence[Look],
    planned: int,
    patience: int,
    least: float,
) -> Trend:
    """Word for the course of the figure.

    Args:
        looks: so far, in order.
        planned: looks of the whole study; intervals are widened for as many.
        patience: looks after which no gain is told.
        least: lowest value of the metric.
    """
    if not looks:
        return Trend.EARLY
    ends = [widened(one.low, one.high, planned, least) for one in looks]
    low, high = ends[-1]
    earlier = zip(looks[:-1], ends[:-1], strict=True)
    lowest = [start for one, (start, _) in earlier if one.known]
    if looks[-1].known and lowest and high < max(lowest):
        return Trend.WORSE
    if len(looks) <= patience:
        return Trend.EARLY
    oldest = looks[-1 - patience]
    if not (looks[-1].known and oldest.known):
        return Trend.UNKNOWN
    if low > oldest.point:
        return Trend.BETTER
    return Trend.NO_GAIN


def trend_words(found: Looks) -> str:
    """The course of the figure in a sentence."""
    last = "look before" if found.patience == 1 else f"look {found.patience} looks before"
    match found.trend:
        case Trend.EARLY:
            return (
                f"Too early to say whether it gains: {len(found.looks)} of {found.planned} looks,"
                f" and each is compared with the {last}."
            )
        case Trend.UNKNOWN:
            return "The noise of a look leaves nothing to say: it hides the figure."
        case Trend.BETTER:
            return f"It gains: the newest look lies above the {last}."
        case Trend.WORSE:
            return "It loses: the newest look lies below the best one before it."
        case Trend.NO_GAIN:
            return (
                f"No gain shows against the {last}: the model is as good as it gets, or the noise"
                " hides what it gains."
            )


def _cells(look: Look) -> tuple[str | None, ...]:
    if not look.known:
        return (str(look.after), None, None)
    value = "no single figure"
    if look.value is not None:
        value = f"{look.value:.3f}"
    return (str(look.after), value, f"{look.low:.3f} to {look.high:.3f}")


def _curves(found: Looks) -> tuple[Curves, ...]:
    """The picture of the looks; none where fewer than two say anything."""
    known = [look for look in found.looks if look.known]
    if len(known) < 2:
        return ()
    first, last = known[0].after, known[-1].after
    bottom = min(look.low for look in known)
    top = max(look.high for look in known)
    levels = [float(level) for level in np.linspace(bottom, top, _LEVELS + 1)]
    words = (
        f"{found.metric} after {len(known)} looks, from round {first} to {last}:"
        f" {known[0].low:.2f} to {known[0].high:.2f} at first, {known[-1].low:.2f} to"
        f" {known[-1].high:.2f} at last (95 %)."
    )
    line = Line(
        found.metric,
        tuple(look.point for look in known),
        tuple(look.low for look in known),
        tuple(look.high for look in known),
    )
    places = tuple((look.after - first) / (last - first) for look in known)
    picture = Curves(
        words=words,
        places=places,
        ticks=((0.0, str(first)), (1.0, str(last))),
        levels=tuple((level, f"{level:.2f}") for level in levels),
        lines=(line,),
    )
    return (picture,)
