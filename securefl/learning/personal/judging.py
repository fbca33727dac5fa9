"""Judgement of a hospital's own models on its held-out rows: exact figures with intervals, and which
model is kept.

Models are compared row by row on the task's loss, which sees both the order of the scores and how
near they are to the truth. The interval is that of the mean difference over rows (Student's t): it
says how far other patients of the same kind could move it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.learning.models import predict
from securefl.learning.personal.facts import Interval, Judged

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from securefl.learning.personal.choosing import LocalRows
    from securefl.learning.tasks.task import Task
    from securefl.types import BoolArray, FloatArray

#: Groups of rows that the jackknife leaves out, one at a time.
_GROUPS: Final = 50


def judge(
    local: LocalRows,
    evaluation: Any,  # noqa: ANN401 - each task has a section of its own
    theta: FloatArray,
    common: FloatArray,
) -> Judged:
    """Judge a model beside the study's.

    Args:
        local: held-out rows, at least one.
        evaluation: the study's section, for the task's figures.
        theta: float64[p], the model.
        common: float64[p], the study's.
    """
    one = local.rows.one_row_each(local.unit)
    loss = local.judged()
    losses = loss.of_rows(theta)
    before = loss.of_rows(common)
    said = predict(theta, local.family, local.task, one.X)
    return Judged(
        figure=_figure(local.task, said, one.y, evaluation),
        loss=float(losses.mean()),
        change=mean_interval(losses - before),
    )


def mean_interval(values: FloatArray) -> Interval:
    """The mean of float64[n] with Student's interval; without ends where one value is all there is.

    >>> found = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (2.0, -0.484, 4.484)
    """
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(value=mean, low=None, high=None)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return _around(mean, error, len(values) - 1)


def _around(value: float, error: float, freedom: int) -> Interval:
    """Student's interval about a value with that standard error."""
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, 0.975)) * error
    return Interval(
        value=value,
        low=value - reach,
        high=value + reach,
    )


def _figure(
    task: Task,
    said: FloatArray,
    y: npt.NDArray[Any],
    evaluation: Any,  # noqa: ANN401 - as above
) -> Interval:
    """The task's metric, with the task's own interval or one of the jackknife."""
    found = task.own_figures(said, y, evaluation)
    value = task.exact_figure(found)
    if math.isnan(value):
        return Interval(value=None, low=None, high=None)
    ends = task.exact_interval(found)
    if ends is not None:
        return Interval(value=value, low=ends[0], high=ends[1])

    def without(away: BoolArray) -> float:
        rest = task.own_figures(said[~away], y[~away], evaluation)
        return task.exact_figure(rest)

    return jackknifed(value, without, len(y))


def jackknifed(
    value: float,
    without: Callable[[BoolArray], float],
    rows: int,
) -> Interval:
    """Interval of a figure by the delete-a-group jackknife (Kott 2001); nothing is drawn.

    Args:
        value: of all rows.
        without: the figure without the rows where bool[rows] holds.
        rows: how many.
    """
    groups = min(rows, _GROUPS)
    place = np.arange(rows) % max(groups, 1)
    found = np.array([without(place == group) for group in range(groups)])
    if groups < 2 or np.isnan(found).any():
        return Interval(value=value, low=None, high=None)
    spread = float(((found - found.mean()) ** 2).sum())
    error = math.sqrt(spread * (groups - 1) / groups)
    return _around(value, error, groups - 1)
