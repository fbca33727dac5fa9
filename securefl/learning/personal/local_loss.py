"""Loss of a model on a hospital's own rows, with its gradient, and its least value near a start.

Plain sums without noise: what is fitted to them knows the patients, and stays at home.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.learning.steps import block_rows
from securefl.learning.whole_vectors import padded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from securefl.learning.clipping import Factors
    from securefl.learning.families.family import Family
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Rows scored at a time.
_ROWS_AT_ONCE: Final = 256
#: Steps of the optimiser, at most; a convex loss is at its least long before.
_MOST_STEPS: Final = 200


class LocalLoss:
    """The task's loss on some rows of one hospital.

    Args:
        family: the model's shapes.
        task: with its loss.
        x: float[n, d] features.
        y: the task's targets[n].
    """

    def __init__(
        self,
        family: Family,
        task: Task,
        x: npt.NDArray[np.floating],
        y: npt.NDArray[Any],
    ) -> None:
        self.family = family
        self.task = task
        self._x = x.astype(np.float64)
        self._y = y.astype(np.float64)
        self._gradients = family.gradients(task)
        self._factors = getattr(self._gradients, "factors", None)

    @property
    def rows(self) -> int:
        """Rows n."""
        return len(self._y)

    def scores(self, theta: FloatArray) -> FloatArray:
        """Scores of the rows, float64[n, k]."""
        parts = [
            self.family.scores(theta, padded(self._x[some]))[: len(self._y[some])]
            for some in self._blocks(_ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)

    def of_scores(self, scores: FloatArray) -> FloatArray:
        """The loss of each row at these scores, float64[n]."""
        return self.task.loss(scores, self._y)

    def slope_of_scores(self, scores: FloatArray) -> FloatArray:
        """Its gradient with respect to the scores, float64[n, k]."""
        return self.task.loss_gradient(padded(scores), padded(self._y))[: self.rows]

    def of_rows(self, theta: FloatArray) -> FloatArray:
        """The loss of each row, float64[n]."""
        return self.of_scores(self.scores(theta))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """The gradient of the loss of all rows together, float64[p]."""
        total = np.zeros(theta.size)
        for some in self._blocks(block_rows(theta.size)):
            if self._factors is None:
                total += self._gradients(theta, self._x[some], self._y[some]).sum(axis=0)
            else:
                total += _summed(self._factors(theta, self._x[some], self._y[some]))
        return total

    def _blocks(self, size: int) -> Iterator[slice]:
        for start in range(0, self.rows, size):
            yield slice(start, start + size)


def least(
    value: Callable[[FloatArray], float],
    slope: Callable[[FloatArray], FloatArray],
    start: FloatArray,
) -> FloatArray:
    """The place of the least value that L-BFGS finds from ``start`` (Byrd, Lu, Nocedal and Zhu
    1995), float64[p]; no learning rate is to be chosen, and the same figures come again.
    """
    from scipy.optimize import minimize

    found = minimize(
        value,
        start,
        jac=slope,
        method="L-BFGS-B",
        options={"maxiter": _MOST_STEPS, "ftol": 1e-7, "gtol": 1e-4},
    )
    return np.asarray(found.x, dtype=np.float64)


def _summed(layers: Sequence[Factors]) -> FloatArray:
    """The sum over rows of the gradients that these are factors of, float64[p]."""
    parts = []
    for activations, backprops in layers:
        parts.append((backprops.T @ activations).reshape(-1))
        parts.append(backprops.sum(axis=0))
    return np.concatenate(parts)
