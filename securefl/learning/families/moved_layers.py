"""A perceptron that moves in directions drawn by a public lot: what its families have in common.

Its weights are those it starts from and what was learnt of them since. How few numbers say what was
learnt, and how a gradient is projected onto them, is each family's own.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from securefl.learning.families.family import Family
from securefl.learning.families.layers import Layers

if TYPE_CHECKING:
    from securefl.learning.portable.program import Value
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Widths of the hidden layers, in a study file.
HiddenWidths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1, max_length=8)
]


class MovedLayers(Family):
    """The perceptron; theta is what is learnt of it.

    Args:
        hidden: widths of the hidden layers.
        inputs: features.
        outputs: scores.
    """

    def __init__(
        self,
        hidden: tuple[int, ...],
        inputs: int,
        outputs: int,
    ) -> None:
        self._layers = Layers(hidden, inputs, outputs)
        self._hidden = hidden

    @abstractmethod
    def _weights(self, theta: FloatArray) -> FloatArray:
        """The perceptron's weights, float64[p] of float64[parameters]."""

    def initial_weights(self, seed: str) -> FloatArray:
        """Zeros: the perceptron starts from its own initial weights."""
        del seed
        return np.zeros(self.parameters)

    def scores(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        """See :class:`~securefl.learning.families.family.Family`."""
        return self._layers.scores(self._weights(theta), x)

    def portable(self, theta: FloatArray, features: Value) -> Value:
        """Those of the perceptron: the directions are of training alone."""
        return self._layers.portable(self._weights(theta), features)

    def open_libraries(self) -> None:
        """Those of the perceptron, whose gradients are projected."""
        self._layers.open_libraries()

    def words(self, task: Task) -> str:
        """The network, its size and the directions."""
        del task
        widths = ", ".join(map(str, self._hidden))
        return (
            f"a neural network (hidden layers of {widths}; {self._layers.parameters:,} connections)"
            " that is moved in directions drawn by a public lot,"
        )
