"""Section of the study file for a stage that trains a model: the model, its strategy, its privacy
and how its updates travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from securefl.study.counts import Positive, check_epsilon, check_noise
from securefl.study.fields import DecimalText, Fault, Hex32, Line, RatioText, Section
from securefl.study.limits import LEAST_NOISE
from securefl.study.registries import STRATEGIES
from securefl.study.stages import StageSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study.schema import Template


class ModelSpec(Section):
    """A declarative model.

    ``initial_seed`` (public text) and ``initial_sha256`` fix the first global model.
    """

    kind: Literal["logistic-regression", "mlp"]
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(max_length=8)] = ()
    initial_seed: Line
    initial_sha256: Hex32 | None = None

    @model_validator(mode="after")
    def _hidden_fits(self) -> Self:
        if (self.kind == "mlp") != bool(self.hidden):
            raise Fault(
                'an "mlp" names its hidden layer sizes; a "logistic-regression" has none', "hidden"
            )
        return self

    @property
    def family(self) -> str:
        """Name of the model's family."""
        return {"logistic-regression": "linear", "mlp": "perceptron"}[self.kind]


class TrainSection(StageSection):
    """Rounds of noised steps. Add or remove one unit, Poisson sampling of units, Gaussian noise.

    ``epsilon`` is what the training costs by itself at the study's delta. ``noise_multiplier`` is
    sigma over the clip norm; ``normaliser`` is the public expected number of patients in a batch
    over all hospitals together; ``steps`` = rounds x local steps. ``bits`` are those of a field of
    an update; ``bound`` is the largest sum of a step before noise that a field shows, in clip norms
    (patients who pull one way): left out, it is :func:`securefl.study.wire.usual_bound`.
    """

    makes_model = True

    strategy: str
    rounds: Annotated[int, Field(ge=1, le=10_000)]
    local_steps: Annotated[int, Field(ge=1, le=1_000)]
    local_learning_rate: DecimalText
    server_learning_rate: DecimalText
    server_momentum: DecimalText
    epsilon: DecimalText
    noise_multiplier: DecimalText
    clip_norm: DecimalText
    sample_rate: RatioText
    steps: Annotated[int, Field(ge=1, le=100_000)]
    normaliser: DecimalText
    normaliser_source: Line
    bits: Annotated[int, Field(ge=6, le=24)]
    bound: Positive | None = None
    model: ModelSpec

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.strategy not in STRATEGIES:
            known = ", ".join(f'"{name}"' for name in STRATEGIES.names())
            raise Fault(f'"{self.strategy}" is no strategy; write one of {known}', "strategy")
        for name in ("local_learning_rate", "server_learning_rate", "clip_norm", "normaliser"):
            if getattr(self, name) <= 0:
                raise Fault("must be above 0", name)
        if not 0 <= self.server_momentum < 1:
            raise Fault("must be at least 0 and below 1", "server_momentum")
        check_epsilon(self.epsilon)
        check_noise(self.noise_multiplier, LEAST_NOISE, "with less nobody is hidden")
        if not 0 < self.sample_rate <= 1:
            raise Fault("must be above 0 and at most 1", "sample_rate")
        return self

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        """The initial weights' hash."""
        model = raw.get("model")
        if isinstance(model, Mapping) and "initial_sha256" not in model:
            yield Fault("a study needs initial_sha256; `securefl study new` computes it", "model")


def training_of(study: Template) -> TrainSection:
    """The section of the stage that makes the study's model.

    Raises:
        LookupError: the study has none.
    """
    found = [section for section in study.stages if isinstance(section, TrainSection)]
    return found[0]
