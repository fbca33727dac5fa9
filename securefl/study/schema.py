"""Schema of the study file, section by section.

A protocol is the template; a study adds parties, weights and the software. Units stand in the
docstrings; rules that need several sections together are in :mod:`securefl.study.consistency`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from securefl.study.columns import DataSpec
from securefl.study.counts import (
    LARGEST,
    EvaluationSpec,
    Positive,
    PreparationSpec,
    check_epsilon,
    check_noise,
)
from securefl.study.fields import (
    NAME,
    AgreementKey,
    DecimalText,
    Fault,
    Hex32,
    Line,
    Name,
    RatioText,
    Section,
    SigningKey,
    Text,
)
from securefl.study.limits import LEAST_DELTA, LEAST_NOISE
from securefl.study.recipients import strangers
from securefl.study.roster import check_distinct


class About(Section):
    """Purpose of the study, in words that a data owner and a patient can read."""

    id: Name
    title: Line
    purpose: Text
    lead: Line
    lay_summary: Text
    ethics_ref: Line
    legal_basis: Line
    duo: tuple[Annotated[str, Field(pattern=r"^DUO:[0-9]{7}$")], ...]


class Party(Section):
    """A coordinator or aggregator: the public keys (hex) that its messages are checked with."""

    name: Name
    legal_name: Line
    email: Line
    signing_public: SigningKey
    sealing_public: AgreementKey


class Participant(Party):
    """A hospital. ``weight`` is its share of the normaliser ("1/5"); shares add up to 1."""

    weight: RatioText
    weight_source: Line

    @model_validator(mode="after")
    def _has_weight(self) -> Self:
        if self.weight <= 0:
            raise Fault('must be above 0, like "1/5"', "weight")
        return self


class Code(Section):
    """Declarative studies bring no code; a ``model.py`` would be named here with its SHA-256."""

    entrypoint: Literal["declarative", "model.py"]
    sha256: Hex32 | None = None

    @model_validator(mode="after")
    def _declarative_only(self) -> Self:
        if self.entrypoint != "declarative":
            raise Fault(
                "a model.py needs the sandbox, which this version does not have; name a declarative"
                " model",
                "entrypoint",
            )
        if self.sha256 is not None:
            raise Fault("a declarative study has no code to hash; remove sha256", "sha256")
        return self


class Software(Section):
    """Version of securefl and SHA-256 of its requirements.lock: both are approved with the study."""

    securefl: Line
    lock_sha256: Hex32


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


class PrivacySpec(Section):
    """Differential privacy of the training: add/remove one unit, Poisson sampling, Gaussian noise.

    The unit is a patient with all the rows that are used of that patient, or a single ``record``
    (row) of the table. ``noise_multiplier`` is sigma over the clip norm; ``normaliser`` is the
    public expected number of patients in a batch over all hospitals together; ``steps`` = rounds x
    local steps.
    """

    unit: Literal["patient", "record"]
    neighbouring: Literal["add-remove"]
    epsilon: DecimalText
    delta: DecimalText
    noise_multiplier: DecimalText
    clip_norm: DecimalText
    sample_rate: RatioText
    steps: Annotated[int, Field(ge=1, le=100_000)]
    normaliser: DecimalText
    normaliser_source: Line
    noise: Literal["local"]
    max_attempts: Annotated[int, Field(ge=1, le=1)] = 1

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name in ("clip_norm", "normaliser"):
            if getattr(self, name) <= 0:
                raise Fault("must be above 0", name)
        check_epsilon(self.epsilon)
        check_noise(self.noise_multiplier, LEAST_NOISE, "with less nobody is hidden")
        if not LEAST_DELTA <= self.delta <= Decimal("1e-3"):
            raise Fault(
                "must be at least 1e-30 and at most 1e-3: it is the chance that the promise does"
                " not hold",
                "delta",
            )
        if not 0 < self.sample_rate <= 1:
            raise Fault("must be above 0 and at most 1", "sample_rate")
        return self


class SecAggSpec(Section):
    """The encrypted sum.

    ``bits`` of a field of an update; ``bound`` is the largest sum of a step before noise that a
    field shows, in clip norms (patients who pull one way): left out, it is
    :func:`securefl.study.wire.usual_bound`.
    """

    bits: Annotated[int, Field(ge=6, le=24)]
    bound: Positive | None = None
    min_contributors: Positive
    colluders: Annotated[int, Field(ge=0, le=LARGEST)]


class TrainingSpec(Section):
    """Rounds of FedAvg (McMahan et al. 2017) with server momentum (Hsu et al. 2019)."""

    algorithm: Literal["fedavg"]
    rounds: Annotated[int, Field(ge=1, le=10_000)]
    local_steps: Annotated[int, Field(ge=1, le=1_000)]
    local_learning_rate: DecimalText
    server_learning_rate: DecimalText
    server_momentum: DecimalText

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        for name in ("local_learning_rate", "server_learning_rate"):
            if getattr(self, name) <= 0:
                raise Fault("must be above 0", name)
        if not 0 <= self.server_momentum < 1:
            raise Fault("must be at least 0 and below 1", "server_momentum")
        return self


class Schedule(Section):
    """Times at which the study may run, and the length of a round (seconds).

    Replies leave ``reply_after`` seconds after a round opens.
    """

    opens: datetime
    closes: datetime
    round_deadline: Annotated[int, Field(ge=1, le=7 * 86_400)]
    reply_after: DecimalText
    on_dropout: Literal["fail", "continue"]

    @model_validator(mode="after")
    def _order(self) -> Self:
        for name in ("opens", "closes"):
            time = getattr(self, name)
            if time.tzinfo is None:
                raise Fault("write the time with its zone, like 2026-01-31T00:00:00Z", name)
            if time.microsecond or not 2000 <= time.year <= 2999:
                # the digest writes whole seconds: a fraction would be an edit that it does not see
                raise Fault("write whole seconds of a year from 2000 to 2999", name)
        if self.opens >= self.closes:
            raise Fault("must lie before closes", "opens")
        if not 0 <= self.reply_after < self.round_deadline:
            raise Fault("must be at least 0 and below round_deadline", "reply_after")
        return self


#: The judgement of a quality rule, as the coordinator signs it at a study's end.
Verdict = Literal["met", "not-met", "cannot-be-judged"]
VERDICTS: frozenset[str] = frozenset(get_args(Verdict))


class Quality(Section):
    """Lowest acceptable AUC, judged on the lower end of the released interval.

    Charged releases only.
    """

    minimum: DecimalText
    stop_rule: Literal["none"]


class Outputs(Section):
    """Outputs of the study: who owns them and who gets them.

    ``recipients`` are sent the model at the end, sealed to each: parties of the study by name, or
    ``participants``, ``coordinator``, ``aggregator``. ``notes`` are promises between people, which
    no program keeps.
    """

    artefacts: tuple[Line, ...]
    owner: Line
    licence: Line
    recipients: tuple[Line, ...]
    intended_use: Text
    notes: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        for place, name in enumerate(self.recipients):
            if not re.fullmatch(NAME, name):
                raise Fault(
                    f'"{name}" is no party: recipients are sent the model, so write "participants",'
                    ' "coordinator", "aggregator" or a party\'s name; what is only a promise'
                    " between people goes into outputs.notes",
                    "recipients",
                    place,
                )
            if name in self.recipients[:place]:
                raise Fault(f'"{name}" stands there twice', "recipients", place)
        return self


class Exit(Section):
    """Exit of a hospital. Spent budget is never returned."""

    notice: Line
    on_withdrawal: Literal["study-ends"]
    spent_budget: Literal["never-returned"]


class Template(Section):
    """Template of a study: question, columns, model, privacy, training.

    No parties, no digest, cannot be requested.
    """

    schema_: Literal["securefl-protocol/1"] = Field(alias="schema")
    study: About
    code: Code
    model: ModelSpec
    data: DataSpec
    privacy: PrivacySpec
    secagg: SecAggSpec
    training: TrainingSpec
    schedule: Schedule
    preparation: PreparationSpec | None = None
    evaluation: EvaluationSpec
    quality: Quality
    outputs: Outputs
    exit: Exit


class Study(Template):
    """Sealed study: a protocol with its parties, initial weights and software.

    This has the digest.
    """

    schema_: Literal["securefl-study/1"] = Field(alias="schema")  # type: ignore[assignment]
    coordinator: Party
    aggregator: Party
    participants: tuple[Participant, ...]
    software: Software

    @model_validator(mode="before")
    @classmethod
    def _says_its_edges(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        if (
            isinstance(raw, Mapping)
            and isinstance(told := raw.get("evaluation"), Mapping)
            and "edges" not in told
        ):
            raise Fault(
                "is missing: a sealed study lists its edges; `securefl study new` works them out",
                "evaluation",
                "edges",
            )
        return raw

    @model_validator(mode="after")
    def _parties(self) -> Self:
        if self.model.initial_sha256 is None:
            raise Fault("a study needs initial_sha256; `securefl study new` computes it", "model")
        if len(self.participants) < 2:
            raise Fault("a study has at least two participants", "participants")
        check_distinct(
            [
                (("coordinator",), self.coordinator),
                (("aggregator",), self.aggregator),
                *((("participants", i), p) for i, p in enumerate(self.participants)),
            ]
        )
        if sum((p.weight for p in self.participants), Fraction(0)) != 1:
            raise Fault(
                "the participants' weights must add up to exactly 1", "participants", 0, "weight"
            )
        if unknown := strangers(self):
            place = self.outputs.recipients.index(unknown[0])
            raise Fault(
                f'"{unknown[0]}" is no party of this study, so it can be sent nothing',
                "outputs",
                "recipients",
                place,
            )
        return self

    @property
    def cohort(self) -> tuple[str, ...]:
        """Site names in sorted order."""
        return tuple(sorted(p.name for p in self.participants))

    def participant(self, site: str) -> Participant:
        """The participant of that name; ``KeyError`` if there is none."""
        for participant in self.participants:
            if participant.name == site:
                return participant
        raise KeyError(site)
