"""The perceptron: hidden layers with tanh between features and scores."""

from __future__ import annotations

from typing import Protocol

from securefl.learning.families.layers import Layers


class PerceptronFigures(Protocol):
    """Figures of the study file."""

    @property
    def hidden(self) -> tuple[int, ...]:
        """Width of each hidden layer, from the features on."""


class Perceptron(Layers):
    """Linear layers of the stated widths with tanh between them."""

    def __init__(
        self,
        section: PerceptronFigures,
        inputs: int,
        outputs: int,
    ) -> None:
        super().__init__(section.hidden, inputs, outputs)
