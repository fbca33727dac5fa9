"""Judgement of a hospital's own models on its held-out rows: exact figures with intervals, and which
model is kept.

Models are compared row by row on the task's loss, which sees both the order of the scores and how
near they are to the truth. The interval is that of the mean difference over rows (Student's t): it
says how far other patients of the same kind could move it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from securefl.learning.models import predict
from securefl.learning.personal.facts import Interval, Judged

if TYPE_CHECKING:
    from securefl.learning.personal.choosing import LocalRows
    from securefl.types import FloatArray


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
    found = local.task.own_figures(
        predict(theta, local.family, local.task, one.X), one.y, evaluation
    )
    low, high = local.task.exact_interval(found) or (math.nan, math.nan)
    return Judged(
        figure=Interval(
            value=_known(local.task.exact_figure(found)),
            low=_known(low),
            high=_known(high),
        ),
        loss=float(losses.mean()),
        change=mean_interval(losses - before),
    )


def mean_interval(values: FloatArray) -> Interval:
    """The mean of float64[n] with Student's interval; without ends where one value is all there is.

    >>> found = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (2.0, -0.484, 4.484)
    """
    from scipy.special import stdtrit

    mean = float(values.mean())
    if len(values) < 2:
        return Interval(value=mean, low=None, high=None)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    reach = float(stdtrit(len(values) - 1, 0.975)) * error
    return Interval(
        value=mean,
        low=mean - reach,
        high=mean + reach,
    )


def _known(figure: float) -> float | None:
    if math.isnan(figure):
        return None
    return figure
