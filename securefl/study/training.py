"""Section of the study file for a stage that trains a model: the model, its strategy, its privacy
and how its updates travel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SerializeAsAny,
    StringConstraints,
    model_validator,
)

from securefl.study.counts import Positive, check_epsilon, check_noise
from securefl.study.fields import DecimalText, Fault, Hex32, Line, RatioText, Section, tuples
from securefl.study.limits import LEAST_NOISE
from securefl.study.looks import LooksSection
from securefl.study.registries import FAMILIES, STRATEGIES
from securefl.study.stages import StageSection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from securefl.study.schema import Template


#: Words of a study file whose family has another name.
_FAMILY_OF_KIND: Final = {
    "logistic-regression": "linear",
    "regression": "linear",
    "mlp": "perceptron",
}

#: Base64 of little-endian float64; :data:`securefl.study.warm_start.MOST_WEIGHTS` of them at most.
Weights = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=220_000),
]


class ModelSpec(Section):
    """A declarative model. Its family adds keys of its own: it is read by the family's section.

    ``initial_seed`` (public text) and ``initial_sha256`` fix the first global model.
    """

    kind: str
    initial_seed: Line
    initial_sha256: Hex32 | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _by_family(cls, raw: Any, parse: ModelWrapValidatorHandler[Self]) -> Any:  # noqa: ANN401 - whatever stood in the file
        if cls is not ModelSpec or not isinstance(raw, Mapping) or "kind" not in raw:
            return parse(raw)
        name = _family(raw["kind"])
        if name not in FAMILIES:
            known = _listed(model_kinds())
            raise Fault(f"{ascii(raw['kind'])[:60]} is no model; write {known}", "kind")
        return FAMILIES[name].Section.model_validate(tuples(raw))

    @property
    def family(self) -> str:
        """Name of the model's family."""
        return _family(self.kind)


def model_kinds() -> dict[str, str]:
    """Words that a study file can have for its model → their families."""
    renamed = _FAMILY_OF_KIND.values()
    own_name = {name: name for name in FAMILIES.names() if name not in renamed}
    return {**_FAMILY_OF_KIND, **own_name}


def _family(kind: Any) -> str:  # noqa: ANN401 - whatever stood in the file
    return _FAMILY_OF_KIND.get(kind, kind) if isinstance(kind, str) else ""


def _listed(names: Iterable[str]) -> str:
    return " or ".join(f'"{name}"' for name in names)


class TrainSection(StageSection):
    """Rounds of noised steps. Add or remove one unit, Poisson sampling of units, Gaussian noise.
    The strategy adds keys of its own: the table is read by the strategy's section.

    ``epsilon`` is what the training costs by itself at the study's delta. ``noise_multiplier`` is
    sigma over the clip norm; ``normaliser`` is the public expected number of patients in a batch
    over all hospitals together; ``steps`` = rounds x local steps. ``bits`` are those of a field of
    an update; ``bound`` is the largest sum of a step before noise that a field shows, in clip norms
    (patients who pull one way): left out, it is :func:`securefl.study.wire.usual_bound`.
    ``start_weights`` is the model of the study that this one continues
    (:mod:`securefl.study.warm_start`); it takes the place of the model's ``initial_seed``.
    ``looks`` are evaluations on the way (:mod:`securefl.study.looks`).
    """

    makes_model = True

    strategy: str
    rounds: Annotated[int, Field(ge=1, le=10_000)]
    local_steps: Annotated[int, Field(ge=1, le=1_000)]
    epsilon: DecimalText
    noise_multiplier: DecimalText
    clip_norm: DecimalText
    sample_rate: RatioText
    steps: Annotated[int, Field(ge=1, le=100_000)]
    normaliser: DecimalText
    normaliser_source: Line
    bits: Annotated[int, Field(ge=6, le=24)]
    bound: Positive | None = None
    start_weights: Weights | None = None
    looks: LooksSection | None = None
    model: SerializeAsAny[ModelSpec]

    @model_validator(mode="wrap")
    @classmethod
    def _by_strategy(cls, raw: Any, parse: ModelWrapValidatorHandler[Self]) -> Any:  # noqa: ANN401 - whatever stood in the file
        if cls is not TrainSection or not isinstance(raw, Mapping):
            return parse(raw)
        known = _listed(STRATEGIES.names())
        if "strategy" not in raw:
            raise Fault(f"is missing: a training has a strategy, {known}", "strategy")
        name = raw["strategy"]
        if not isinstance(name, str) or name not in STRATEGIES:
            raise Fault(f"{ascii(name)[:60]} is no strategy; write {known}", "strategy")
        return STRATEGIES[name].Section.model_validate(raw)

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name in ("clip_norm", "normaliser"):
            if getattr(self, name) <= 0:
                raise Fault("must be above 0", name)
        check_epsilon(self.epsilon)
        check_noise(self.noise_multiplier, LEAST_NOISE, "with less nobody is hidden")
        if not 0 < self.sample_rate <= 1:
            raise Fault("must be above 0 and at most 1", "sample_rate")
        return self

    def fewer(self) -> Mapping[str, int]:
        """Hospitals that take fewer local steps than ``local_steps``, and how many."""
        return {}

    def steps_at(self, site: str) -> int:
        """Local steps that this hospital takes in a round."""
        return self.fewer().get(site, self.local_steps)

    @property
    def spread(self) -> float:
        """Largest standard deviation of a round's noise in what a hospital sends, as a multiple of
        one step's.

        The sum of k steps has the root of k; where fewer steps are taken than ``local_steps``, it
        is scaled to as many.
        """
        least = min(self.fewer().values(), default=self.local_steps)
        return self.local_steps / math.sqrt(least)

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        """The initial weights' hash."""
        model = raw.get("model")
        if isinstance(model, Mapping) and "initial_sha256" not in model:
            yield Fault("a study needs initial_sha256; `securefl study new` computes it", "model")


def training_if_any(study: Template) -> TrainSection | None:
    """The section of the stage that trains the study's model; None where nothing is trained."""
    found = (section for section in study.stages if isinstance(section, TrainSection))
    return next(found, None)


def training_of(study: Template) -> TrainSection:
    """The section of the stage that trains the study's model.

    Raises:
        LookupError: nothing is trained.
    """
    found = training_if_any(study)
    if found is None:
        raise LookupError("the study trains no model")
    return found
