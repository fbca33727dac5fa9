"""Base of tasks whose evaluation sums: a held-out row adds whole numbers of a bounded length."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from securefl.learning.clipping import within_ball
from securefl.learning.tasks.task import Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.types import FloatArray, IntArray


class SummedTask(Task):
    """A task that is judged by sums. Its evaluation's section says the length, ``units``."""

    @abstractmethod
    def row_numbers(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: Any,  # noqa: ANN401 - each task has a section of its own
    ) -> IntArray:
        """Each row's whole numbers, int64[m, :meth:`histogram_size`]; each row's are what follows
        from it alone, to the last bit.
        """

    def tally(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: Any,  # noqa: ANN401 - as above
    ) -> IntArray:
        """Their sum over the rows. A row longer than the units is shortened, in exact integers:
        whatever a task says, the noise is large enough.
        """
        rows = self.row_numbers(predictions, y, evaluation)
        found: IntArray = within_ball(rows, evaluation.units).sum(axis=0)
        return found
