"""Invented tables whose label follows from the columns: what a study would find if there is
something to find.

Columns are invented as for mock data. A score is a sum of all columns with random signs and weights;
the label follows from it as strongly as is asked for. Nothing in them comes from a patient.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.learning.encoding import encode_table
from securefl.learning.mock import mock_table
from securefl.learning.public import public_uniforms
from securefl.learning.table import Table, read_table
from securefl.learning.tasks import task_of
from securefl.study.survival_label import TimeToEventLabel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.learning.table import Cell
    from securefl.study.columns import DataSpec
    from securefl.types import FloatArray

#: Area under the curve that a model without noise would reach.
PLANTED_AUC: Final = 0.8
#: Share of a number's variance that the columns explain, on the scale of ranks.
PLANTED_R2: Final = 0.5
#: Weight of a class' score, in standard deviations.
_CLASS_WEIGHT: Final = 1.5
_HALVINGS: Final = 50
_LARGEST: Final = 30.0
_TRIED: Final = 997
_NORMAL: Final = NormalDist()


class _Lots:
    """Lots that anybody can draw again, all from one seed.

    Args:
        seed: of the table.
    """

    def __init__(self, seed: int) -> None:
        self._key = seed.to_bytes(16, "big", signed=True)

    def uniform(self, use: str, size: int) -> FloatArray:
        """Float64[size] in (0, 1)."""
        return public_uniforms(f"planted/{use}", self._key, size)

    def normal(self, use: str, size: int) -> FloatArray:
        """Float64[size] of the standard normal distribution (Box and Muller 1958)."""
        radius = np.sqrt(-2 * np.log(self.uniform(f"{use}/radius", size)))
        angle = 2 * np.pi * self.uniform(f"{use}/angle", size)
        made: FloatArray = radius * np.cos(angle)
        return made


def planted_table(
    spec: DataSpec,
    rows: int,
    shares: Sequence[float],
    seed: int,
) -> Table:
    """A table of invented patients, one row each.

    Args:
        spec: columns and label.
        rows: how many.
        shares: of the outcomes: one, of positives, for a yes or no; one each for classes; none for
            a number, nor for a time to an event, whose label has its curve.
        seed: from which all follows.
    """
    table = read_table(
        mock_table(
            spec,
            rows,
            seed,
        )
    )
    lots = _Lots(seed)
    outputs = max(len(shares), 1)
    scores = _scores(
        table,
        spec,
        outputs,
        lots,
    )
    cells = _labels(
        spec,
        scores,
        shares,
        lots,
    )
    columns: dict[str, tuple[Cell, ...]] = dict(table.columns)
    for place, name in enumerate(spec.label.columns):
        columns[name] = tuple(row[place] for row in cells)
    return Table(columns, table.rows)


def _scores(
    table: Table,
    spec: DataSpec,
    outputs: int,
    lots: _Lots,
) -> FloatArray:
    """Scores float64[n, outputs], each of mean 0 and standard deviation 1."""
    encoded = np.asarray(encode_table(table, spec)[0], dtype=np.float64)
    spread = encoded.std(axis=0)
    kept = encoded[:, spread > 0]
    standard = (kept - kept.mean(axis=0)) / spread[spread > 0]
    scores = standard @ lots.normal("weights", kept.shape[1] * outputs).reshape(-1, outputs)
    made: FloatArray = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    return made


def _labels(
    spec: DataSpec,
    scores: FloatArray,
    shares: Sequence[float],
    lots: _Lots,
) -> list[tuple[str, ...]]:
    """Cells of the label's columns, a tuple a row."""
    task = task_of(spec)
    if not shares:
        signal = PLANTED_R2**0.5 * scores[:, 0]
        latent = signal + (1 - PLANTED_R2) ** 0.5 * lots.normal("errors", len(scores))
        ranks = [_NORMAL.cdf(value) for value in latent.tolist()]
        if isinstance(spec.label, TimeToEventLabel) and spec.label.survival is not None:
            return [_time_cells(spec.label, spec.label.survival, rank) for rank in ranks]
        return [task.mock(rank) for rank in ranks]
    cells = _cells_by_target(spec)
    if len(shares) == 1:
        chance = chances(
            scores[:, 0],
            shares[0],
            PLANTED_AUC,
        )
        drawn = (lots.uniform("outcomes", len(scores)) < chance).astype(int)
    else:
        lot = -np.log(-np.log(lots.uniform("classes", scores.size))).reshape(scores.shape)
        drawn = np.argmax(_CLASS_WEIGHT * scores + _levels(scores, shares) + lot, axis=1)
    return [cells[target] for target in drawn.tolist()]


def _time_cells(
    label: TimeToEventLabel,
    survival: Sequence[Decimal],
    rank: float,
) -> tuple[str, str]:
    """Time and event of a patient of whom this share of all is still without the event: read off
    the published curve, straight between its times.
    """
    edges = [0.0, *map(float, label.edges)]
    shares = [1.0, *map(float, survival)]
    if rank <= shares[-1]:
        return str(label.longest), label.censored[0]
    # interpolation needs rising places, and a curve falls
    time = float(np.interp(-rank, [-share for share in shares], edges))
    return f"{time:.6g}", label.happened[0]


def _levels(scores: FloatArray, shares: Sequence[float]) -> FloatArray:
    """What is added to the classes' scores, float64[k], so that the shares come out."""
    levels: FloatArray = np.log(np.asarray(shares, dtype=np.float64))
    for _ in range(_HALVINGS):
        weights = np.exp(_CLASS_WEIGHT * scores + levels)
        drawn = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0)
        levels = levels + np.log(shares) - np.log(drawn)
    return levels


def _cells_by_target(spec: DataSpec) -> dict[Any, tuple[str, ...]]:
    """Cells that the label reads as each of its targets."""
    task = task_of(spec)
    tried = [task.mock((i + 0.5) / _TRIED) for i in range(_TRIED)]
    columns = {name: tuple(row[i] for row in tried) for i, name in enumerate(spec.label.columns)}
    targets, _ = task.targets(Table(columns, len(tried)))
    return dict(
        zip(
            targets,
            tried,
            strict=True,
        )
    )


def chances(score: FloatArray, share: float, auc: float) -> FloatArray:
    """Chances, float64[n], of a positive outcome: a logistic model of the score, with this share of
    positives on average and this area under its curve.
    """
    low = 0.0
    high = _LARGEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _expected_auc(_logistic(score * middle, share)) < auc:
            low = middle
        else:
            high = middle
    return _logistic(score * high, share)


def _logistic(score: FloatArray, share: float) -> FloatArray:
    """Sigmoid of the scores, moved so that its mean is the share."""
    low = -100.0
    high = 100.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _sigmoid(score + middle).mean() < share:
            low = middle
        else:
            high = middle
    return _sigmoid(score + high)


def _sigmoid(value: FloatArray) -> FloatArray:
    made: FloatArray = 0.5 * (1 + np.tanh(value / 2))
    return made


def _expected_auc(chance: FloatArray) -> float:
    """Area under the curve of outcomes drawn with these chances, ranked by them."""
    rising = np.sort(chance)
    below = np.cumsum(1 - rising) - (1 - rising) / 2
    pairs = float(rising @ below)
    return pairs / float(rising.sum() * (1 - rising).sum())
