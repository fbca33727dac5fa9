"""Two models on one table: each one's figure, and the difference with a paired interval.

Both models score the same rows, so most of what sampling does to one figure it does to the other;
the interval of the difference is drawn from resamples in which both see the same patients (paired
bootstrap over patients: Efron and Tibshirani 1993, chapter 13; rows of one patient stay together).

The figures are exact, so the table must be one that whoever asks may see: their own, or a public
one. Nothing here is a release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.errors import DataError, UsageError
from securefl.learning.public import public_uniforms
from securefl.learning.tasks import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from securefl.learning.artefact import Model
    from securefl.learning.table import Table
    from securefl.types import FloatArray, IntArray

#: Resamples of the patients; the same ones in every comparison of a table.
RESAMPLES: Final = 1000
#: With fewer patients no interval is worth drawing.
_FEWEST: Final = 10
_ENDS: Final = (2.5, 97.5)


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval over the sampling of patients."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the rows that both can score.

    Attributes:
        metric: the figure's name, as "AUC".
        first: of the first model.
        second: of the second one.
        difference: second less first, from resamples in which both see the same patients.
        rows: how many both scored and have a target.
        patients: how many these are of.
        left_out: rows that a model was not made for, or without a target.
    """

    metric: str
    first: Figure
    second: Figure
    difference: Figure
    rows: int
    patients: int
    left_out: int

    @property
    def verdict(self) -> str:
        """The difference in a sentence."""
        if self.difference.low > 0:
            return f"The second model has the higher {self.metric}."
        if self.difference.high < 0:
            return f"The first model has the higher {self.metric}."
        return "The table does not tell the two models apart: the interval holds 0."


def compare_models(
    first: Model,
    second: Model,
    table: Table,
) -> Comparison:
    """Compare two models of one label.

    Args:
        first: a model.
        second: another one.
        table: with the columns of both, those of the label, and of the patient where there is one.

    Raises:
        UsageError: they predict different things.
        DataError: a column is missing, or too few patients are left.
    """
    if first.data.label != second.data.label:
        raise UsageError(
            "The two models predict different things, or read them differently: their labels are"
            " not the same.",
            whose="whoever compares them",
            next_step="Compare models of one label.",
        )
    task = task_of(first.data)
    try:
        targets, _ = task.targets(table)
    except DataError as error:
        raise DataError(
            error.what,
            whose="whoever made the table",
            next_step="Add the column that says what was to be predicted.",
        ) from error
    scored = [model.scored(table) for model in (first, second)]
    kept = np.array(
        [
            not isinstance(target, str) and scored[0][1][row] is None and scored[1][1][row] is None
            for row, target in enumerate(targets)
        ],
        dtype=np.bool_,
    )
    people = _patients(table, first.data.patient, kept)
    number = int(people.max(initial=-1)) + 1
    if number < _FEWEST:
        raise DataError(
            f"{number} patients are left of {table.rows} rows that both models can score and that"
            " have a target.",
            whose="whoever made the table",
            next_step=f"Give a table of at least {_FEWEST}.",
        )
    y = np.array([target for target, keep in zip(targets, kept, strict=True) if keep], task.dtype)
    try:
        first_figure, second_figure, difference = _figures(
            task, [predictions[kept] for predictions, _ in scored], y, people
        )
    except NotImplementedError as error:
        raise UsageError(
            f"Models of this task cannot be compared: {error}.",
            whose="whoever wrote that extension",
            next_step="Give the task a `figure`.",
        ) from error
    return Comparison(
        task.metric,
        first_figure,
        second_figure,
        difference,
        rows=len(y),
        patients=number,
        left_out=table.rows - len(y),
    )


def _patients(
    table: Table,
    column: str,
    kept: npt.NDArray[np.bool_],
) -> IntArray:
    """Number of each kept row's patient; each row is one where the table names no patients."""
    names: Sequence[Any] = range(table.rows)
    if column in table.columns:
        # a row without a name is a patient of its own
        names = [cell or row for row, cell in enumerate(table.columns[column])]
    places: dict[Any, int] = {}
    found = [places.setdefault(names[row], len(places)) for row in np.flatnonzero(kept).tolist()]
    return np.array(found, dtype=np.int64)


def _figures(
    task: Any,  # noqa: ANN401 - a task of any kind of target
    predictions: list[FloatArray],
    y: npt.NDArray[Any],
    people: IntArray,
) -> tuple[Figure, Figure, Figure]:
    """Figures of both models and of their difference."""
    order = np.argsort(people, kind="stable")
    starts = np.searchsorted(people[order], np.arange(people.max() + 2))
    number = int(people.max()) + 1
    drawn = np.empty((RESAMPLES, 2))
    for resample in range(RESAMPLES):
        lots = public_uniforms("paired-resample", resample.to_bytes(4, "big"), number)
        chosen = (lots * number).astype(np.int64)
        rows = np.concatenate([order[starts[one] : starts[one + 1]] for one in chosen])
        drawn[resample] = [task.figure(each[rows], y[rows]) for each in predictions]
    values = [task.figure(each, y) for each in predictions]
    return (
        _figure(values[0], drawn[:, 0]),
        _figure(values[1], drawn[:, 1]),
        _figure(values[1] - values[0], drawn[:, 1] - drawn[:, 0]),
    )


def _figure(value: float, drawn: FloatArray) -> Figure:
    known = drawn[np.isfinite(drawn)]
    if not known.size or not np.isfinite(value):
        return Figure(value, float("nan"), float("nan"))
    low, high = np.percentile(known, _ENDS)
    return Figure(float(value), float(low), float(high))
