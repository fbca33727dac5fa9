"""Base of tasks whose evaluation counts: a held-out row adds 1 to a fixed number of counts."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from securefl.learning.counts import row_counts
from securefl.learning.tasks.task import Task

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.types import FloatArray, IntArray


class CountedTask(Task):
    """A task that is judged by a histogram."""

    @abstractmethod
    def place(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: Any,  # noqa: ANN401 - each task has a section of its own
    ) -> IntArray:
        """The place in the histogram in which each row counts, int64[m]; or its places, int64[m, c]
        in rising order, where one row counts in c numbers as the section's ``cells`` says.
        """

    def tally(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: Any,  # noqa: ANN401 - as above
    ) -> IntArray:
        """The rows in each place."""
        places = self.place(predictions, y, evaluation)
        return row_counts(places, self.histogram_size(evaluation))
