"""Interface of a model family: one flat vector of weights, and what it makes of a row.

What travels, is summed and is hashed is theta, float64[p]. Nothing outside a family knows its
shapes.

Two promises keep one patient's rows from moving another's integers (rule 10), and property tests
hold every registered family to them:

- a row's scores and gradients depend on that row and theta alone, to the last bit, wherever it
  stands and whatever stands beside it. So no batch statistics, no matrix product over rows whose
  terms may be added in another order, no loop whose remainder is computed by other instructions
  (:mod:`securefl.learning.whole_vectors`);
- no figure is read off the data.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from securefl.learning.encoding import column_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.graphs.graph_parts import OwnModel
    from securefl.learning.portable.program import Value
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.learning.tasks.told import Told
    from securefl.study.columns import Column
    from securefl.study.training import ModelSpec
    from securefl.types import FloatArray


class Family(ABC):
    """A model of the family, with its shapes.

    Args:
        section: of the study file.
        inputs: d, features of a row.
        outputs: k, scores of a row, as the task wants.

    Attributes:
        Section: the model's table in the study file, with the family's own keys.
    """

    Section: ClassVar[type[ModelSpec]]
    #: What a hospital's sums say of the model, for its owner.
    moved: ClassVar[str] = "how the model should change"
    #: Packages without which gradients of the family cannot be worked out.
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __init__(self, section: Any, inputs: int, outputs: int) -> None:  # noqa: ANN401 - each family has a section of its own
        """See the class."""

    @classmethod
    def of(
        cls,
        section: Any,  # noqa: ANN401 - as above
        columns: Sequence[Column],
        outputs: int,
    ) -> Self:
        """The model for a study's columns. A family that only counts features leaves it as it is."""
        inputs = sum(len(column_features(column)) for column in columns)
        return cls(section, inputs, outputs)

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Length p of theta."""

    @abstractmethod
    def initial_weights(self, seed: str) -> FloatArray:
        """The first global model, float64[p], from public constants and the study's public seed."""

    @abstractmethod
    def scores(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        """Scores of rows, float64[m, k] of float64[m, d]; m is a multiple of whole vectors, for
        rows of zeros stand behind where there are fewer.
        """

    @abstractmethod
    def gradients(self, task: Task) -> GradientFunction:
        """The function that gives each row's gradient of the task's loss. It may offer ``factors``
        beside (:data:`securefl.learning.steps.FactorFunction`).
        """

    def open_libraries(self) -> None:  # noqa: B027 - most families have none
        """Open what gradients need, which may take seconds; no row is at hand yet. With numpy
        alone there is nothing to open.
        """

    def longest_gradient(self, steepest: float) -> float:
        """Bound on the L2 length of a row's gradient, whatever the row.

        For features in [-1, 1] and weights as large as any use wants; infinite where the family
        knows none. A much longer clip norm is a slip: the noise is in clip norms.

        Args:
            steepest: the largest slope of the task's loss at a score.
        """
        del steepest
        return math.inf

    def rescaled(
        self,
        theta: FloatArray,
        scale: float,
        shift: FloatArray,
    ) -> FloatArray | None:
        """The weights whose scores are ``scale`` times those of theta plus ``shift`` (float64[k]),
        float64[p]; None where the family has none.
        """
        del theta, scale, shift
        return None

    def tensors(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Theta as named tensors, for the model's file."""
        return {"theta": theta}

    def from_tensors(self, tensors: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`tensors`.

        Raises:
            KeyError, ValueError: a tensor is missing, misshapen, or one too many.
        """
        if set(tensors) != {"theta"}:
            raise KeyError("theta")
        return tensors["theta"].reshape(self.parameters)

    def contributions(
        self,
        theta: FloatArray,
        columns: Sequence[Column],
        task: Task,
    ) -> Told | None:
        """What each column adds to a score, in words and pictures, where the model can be read so."""
        del theta, columns, task
        return None

    def curve(self, theta: FloatArray, column: int) -> FloatArray | None:
        """Heights of a column's curve at its knots, float64[k, B], which add to the scores as they
        stand; None where the family draws none for it (:mod:`securefl.learning.curve_edits`).
        """
        del theta, column
        return None

    def with_curve(
        self,
        theta: FloatArray,
        column: int,
        heights: FloatArray,
    ) -> FloatArray:
        """The weights whose :meth:`curve` of that column is ``heights``; all else as in theta.

        Raises:
            NotImplementedError: the family draws no curves.
        """
        del theta, column, heights
        raise NotImplementedError(f"the family {type(self).__name__} draws no curves")

    def portable(self, theta: FloatArray, features: Value) -> Value:
        """:meth:`scores` in steps that other runtimes have (:mod:`securefl.learning.portable`).

        Raises:
            NotImplementedError: the family does not say them.
        """
        del theta, features
        raise NotImplementedError(f"the family {type(self).__name__} does not say its steps")

    @property
    def own(self) -> OwnModel | None:
        """The model operation by operation, where the researcher wrote it and not we."""
        return None

    @abstractmethod
    def words(self, task: Task) -> str:
        """The model in a few words, as "a small neural network": for owners."""
