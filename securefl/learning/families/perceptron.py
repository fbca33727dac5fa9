"""The perceptron: hidden layers with tanh between features and scores."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from securefl.learning.families.layers import LAYERS_FAULT, Layers
from securefl.study.fields import Fault
from securefl.study.training import ModelSpec


class PerceptronSpec(ModelSpec):
    """A perceptron: ``hidden`` is the width of each hidden layer, from the features on."""

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(max_length=8)] = ()

    @model_validator(mode="after")
    def _has_layers(self) -> Self:
        if not self.hidden:
            raise Fault(LAYERS_FAULT, "hidden")
        return self


class Perceptron(Layers):
    """Linear layers of the stated widths with tanh between them."""

    Section = PerceptronSpec

    def __init__(
        self,
        section: PerceptronSpec,
        inputs: int,
        outputs: int,
    ) -> None:
        super().__init__(section.hidden, inputs, outputs)
