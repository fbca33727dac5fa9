"""Looks at a training that only a simulation can have: exact figures on all held-out rows, and the
share of patients whose gradient is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.learning.models import family_of, predict
from securefl.learning.steps import block_rows
from securefl.learning.tasks import task_of
from securefl.study.counts import EvaluateSection
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.features import Prepared
    from securefl.learning.stages.stage import Rows
    from securefl.study.schema import Template
    from securefl.types import FloatArray, IntArray

#: Patients of one hospital whose gradients are looked at; the rest are taken to be like them.
_MOST_PATIENTS = 2000


@dataclass(frozen=True)
class Probe:
    """The training before one of its rounds, or at its end.

    Attributes:
        round: rounds that were over.
        figure: the study's metric, exact, on the held-out rows of all hospitals together; NaN where
            it is not known.
        calibration: mean distance of predictions from true shares; None where they are none.
        clipped: share of patients whose gradient was longer than the clip norm.
        norm: the median length of a patient's gradient.
        own: all exact figures of the task.
    """

    round: int
    figure: float
    calibration: float | None
    clipped: float
    norm: float
    own: Any


class Prober:
    """Looks at one training.

    Args:
        study: the study.
        rows: of each hospital.
        looks: rounds that are looked at beside the end, evenly spaced.
    """

    def __init__(
        self,
        study: Template,
        rows: Sequence[Rows],
        looks: int,
    ) -> None:
        self._study = study
        self._looks = looks
        self._held_out = [r.held_out.one_row_each(study.privacy.unit) for r in rows]
        self._train = [r.train for r in rows]
        sections = [s for s in study.stages if isinstance(s, EvaluateSection)]
        self._section = sections[-1] if sections else None

    def is_due(
        self,
        turn: int,
        rounds: int,
    ) -> bool:
        """Tell whether round ``turn``, from 0, is looked at."""
        every = -(-rounds // self._looks) if self._looks else rounds + 1
        return self._looks > 0 and turn % every == 0

    def look(
        self,
        turn: int,
        theta: FloatArray,
    ) -> Probe:
        """The figures of ``theta``, float64[p]."""
        section = training_if_any(self._study)
        if section is None:
            raise LookupError("the study trains no model")
        task = task_of(self._study.data)
        family = family_of(section.model, self._study.data)
        figure = float("nan")
        calibration = None
        own = None
        x = np.concatenate([part.X for part in self._held_out])
        y = np.concatenate([part.y for part in self._held_out])
        if self._section is not None and len(y):
            own = task.own_figures(
                predict(
                    theta,
                    family,
                    task,
                    x,
                ),
                y,
                self._section,
            )
            figure = task.exact_figure(own)
            calibration = task.calibration_error(own)
        norms = self._norms(theta)
        clipped = norm = float("nan")
        if norms.size:
            clipped = float(np.mean(norms > float(section.clip_norm)))
            norm = float(np.median(norms))
        return Probe(
            turn,
            figure,
            calibration,
            clipped,
            norm,
            own,
        )

    def _norms(self, theta: FloatArray) -> FloatArray:
        """Length of each patient's gradient: the sum over that patient's rows, float64[n]."""
        section = training_if_any(self._study)
        if section is None:
            raise LookupError("the study trains no model")
        task = task_of(self._study.data)
        gradients = family_of(section.model, self._study.data).gradients(task)
        found = [np.zeros(0)]
        size = block_rows(theta.size)
        for part in self._train:
            units = part.units(self._study.privacy.unit)
            rows = int(np.searchsorted(units, _MOST_PATIENTS))
            for start in range(0, rows, size):
                stop = _end_of_unit(units, min(start + size, rows))
                at = _end_of_unit(units, start)
                if at < stop:
                    found.append(
                        _lengths(
                            gradients,
                            theta,
                            part,
                            units,
                            slice(at, stop),
                        )
                    )
        return np.concatenate(found)


def _end_of_unit(units: IntArray, row: int) -> int:
    """The first row at or after ``row`` that begins a unit, or the end."""
    while 0 < row < len(units) and units[row] == units[row - 1]:
        row += 1
    return row


def _lengths(
    gradients: Any,  # noqa: ANN401 - a gradient function of a family
    theta: FloatArray,
    part: Prepared,
    units: IntArray,
    rows: slice,
) -> FloatArray:
    x = part.X[rows].astype(np.float64)
    of_rows = gradients(theta, x, part.y[rows].astype(np.float64))
    starts = np.flatnonzero(np.diff(units[rows], prepend=-1))
    lengths: FloatArray = np.linalg.norm(np.add.reduceat(of_rows, starts, axis=0), axis=1)
    return lengths
