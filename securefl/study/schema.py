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

from securefl.study.cadence import Cadence
from securefl.study.columns import DataSpec
from securefl.study.counts import LARGEST, Positive, check_epsilon
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
from securefl.study.limits import LEAST_DELTA
from securefl.study.recipients import strangers
from securefl.study.roster import check_distinct
from securefl.study.stages import AnyStageSection, check_order, makes_model, unsealed
from securefl.study.warm_start import check_continues, check_sealed_start
from securefl.study.words import USUAL, Words

#: Each stage is read by people, and its releases are charged: a longer list is no study.
MOST_STAGES = 16


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
    """Declarative studies bring no code; a ``model.py`` comes as a graph, in its stage."""

    entrypoint: Literal["declarative", "model.py"]
    sha256: Hex32 | None = None

    @model_validator(mode="after")
    def _declarative_only(self) -> Self:
        if self.entrypoint != "declarative":
            raise Fault(
                "a program is not run at a hospital, whatever its sandbox; a model.py is exported as"
                ' a graph: write entrypoint = "declarative" and, in the stage, kind = "graph" and'
                ' file = "model.py"',
                "entrypoint",
            )
        if self.sha256 is not None:
            raise Fault("a declarative study has no code to hash; remove sha256", "sha256")
        return self


class Software(Section):
    """Version of securefl and SHA-256 of its requirements.lock: both are approved with the study."""

    securefl: Line
    lock_sha256: Hex32


class PrivacySpec(Section):
    """Terms of differential privacy that hold for all stages.

    The unit is a patient with all the rows that are used of that patient, or a single ``record``
    (row) of the table. Each stage states its own noise and its own epsilon. ``epsilon`` is that of
    the whole study for one unit, which may be stated too: of those who train or of those kept
    aside, the larger. It is checked against all stages together.

    ``noise`` says where that noise is whole: ``local``, at each hospital, or ``distributed``, in
    the sum that opens, where each hospital adds a share (:mod:`securefl.study.noise_shares`).
    """

    unit: Literal["patient", "record"]
    neighbouring: Literal["add-remove"]
    epsilon: DecimalText | None = None
    delta: DecimalText
    noise: Literal["local", "distributed"]
    max_attempts: Annotated[int, Field(ge=1, le=1)] = 1

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not LEAST_DELTA <= self.delta <= Decimal("1e-3"):
            raise Fault(
                "must be at least 1e-30 and at most 1e-3: it is the chance that the promise does"
                " not hold",
                "delta",
            )
        if self.epsilon is not None:
            check_epsilon(self.epsilon)
        return self


class SecAggSpec(Section):
    """The encrypted sum: who must be in it, and how many may work together against the rest.

    ``groups``: how the sums of disjoint groups of hospitals are combined in the training; left out,
    all hospitals make one sum (:mod:`securefl.study.groups`).
    """

    min_contributors: Positive
    colluders: Annotated[int, Field(ge=0, le=LARGEST)]
    groups: Literal["median", "trimmed"] | None = None


class Schedule(Section):
    """Times at which the study may run, and the length of a round (seconds).

    Replies leave ``reply_after`` seconds after a round opens. ``cadence``: hours in which rounds
    begin, and how many (:mod:`securefl.study.cadence`); left out, they begin at any time.
    ``old_rounds``: what comes of the contributions of rounds that every hospital has verified
    (:mod:`securefl.federation.old_rounds`); left out, they stay in the store. ``longest_wait``: how
    long a party that is away is waited for (:mod:`securefl.study.longest_wait`); left out, one
    ``round_deadline`` by the coordinator and two by the hospitals.
    """

    opens: datetime
    closes: datetime
    round_deadline: Annotated[int, Field(ge=1, le=7 * 86_400)]
    reply_after: DecimalText
    on_dropout: Literal["fail", "continue"]
    cadence: Cadence | None = None
    old_rounds: Literal["keep", "remove"] = "keep"
    longest_wait: Annotated[int, Field(ge=2, le=366 * 86_400)] | None = None

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
        if self.longest_wait is not None and self.longest_wait < 2 * self.round_deadline:
            raise Fault("must be at least twice round_deadline", "longest_wait")
        return self


#: The judgement of a quality rule, as the coordinator signs it at a study's end.
Verdict = Literal["met", "not-met", "cannot-be-judged"]
VERDICTS: frozenset[str] = frozenset(get_args(Verdict))


class Quality(Section):
    """Lowest acceptable figure of the model, judged on the lower end of the released interval.

    Charged releases only. A study that makes no model has no such rule.

    ``minimum_each`` is the lowest acceptable figure of any hospital; the evaluation must then show
    each hospital's. ``stop_rule`` says what comes of a model of which it is not shown that the rule
    is met: with ``none`` it is released all the same; with ``withhold`` it is given to nobody, and
    where further evaluations are to follow the study ends before them.
    """

    minimum: DecimalText
    stop_rule: Literal["none", "withhold"]
    minimum_each: DecimalText | None = None

    def withholds(self, verdict: str) -> bool:
        """Tell whether a model is withheld that was judged so."""
        return self.stop_rule == "withhold" and verdict != "met"


class Outputs(Section):
    """Outputs of the study: who owns them and who gets them.

    ``recipients`` are sent the model at the end, sealed to each: parties of the study by name, or
    ``participants``, ``coordinator``, ``aggregator``. ``notes`` are promises between people, which
    no program keeps. ``expires``: after it `securefl predict` does not score with the model.
    """

    artefacts: tuple[Line, ...]
    owner: Line
    licence: Line
    recipients: tuple[Line, ...]
    intended_use: Text
    notes: tuple[Line, ...] = ()
    expires: datetime | None = None

    @model_validator(mode="after")
    def _expiry(self) -> Self:
        time = self.expires
        if time is None:
            return self
        if time.tzinfo is None or time.microsecond or not 2000 <= time.year <= 2999:
            raise Fault("write whole seconds with the zone, like 2027-01-31T00:00:00Z", "expires")
        return self

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
    """Template of a study: question, columns, privacy, stages.

    No parties, no digest, cannot be requested. ``continues`` is the digest of an earlier study,
    whose released model the training starts from (:mod:`securefl.study.warm_start`).
    """

    schema_: Literal["securefl-protocol/2"] = Field(alias="schema")
    continues: Hex32 | None = None
    study: About
    words: Words = USUAL
    code: Code
    data: DataSpec
    privacy: PrivacySpec
    stages: Annotated[tuple[AnyStageSection, ...], Field(min_length=1, max_length=MOST_STAGES)]
    secagg: SecAggSpec
    schedule: Schedule
    quality: Quality | None = None
    outputs: Outputs
    exit: Exit

    @model_validator(mode="after")
    def _stages_in_order(self) -> Self:
        check_order(self.stages)
        check_continues(self)
        return self

    @model_validator(mode="after")
    def _model_or_none(self) -> Self:
        """What is asked of a model, and who is sent it, stands where there is one."""
        if makes_model(self):
            if self.quality is None:
                raise Fault("is missing (add the table [quality]): a model is judged", "quality")
            for fault in self.data.label.model_faults():
                raise Fault(str(fault), "data", "label", *fault.path)
            return self
        if self.quality is not None:
            raise Fault("asks something of a model, and no stage makes one; delete it", "quality")
        if self.outputs.recipients:
            raise Fault(
                "names who is sent the model, and no stage makes one; write recipients = []",
                "outputs",
                "recipients",
            )
        return self


def quality_of(study: Template) -> Quality:
    """The rule by which the study's model is judged.

    Raises:
        LookupError: the study makes no model.
    """
    if study.quality is None:
        raise LookupError("the study judges no model")
    return study.quality


class Study(Template):
    """Sealed study: a protocol with its parties, initial weights and software.

    This has the digest. ``agreement`` is the digest of the consortium's agreement under which it is
    made (:mod:`securefl.agreement`); a hospital that is bound by one refuses any other study.
    """

    schema_: Literal["securefl-study/2"] = Field(alias="schema")  # type: ignore[assignment]
    agreement: Hex32 | None = None
    coordinator: Party
    aggregator: Party
    participants: tuple[Participant, ...]
    software: Software

    @model_validator(mode="before")
    @classmethod
    def _is_sealed(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        if isinstance(raw, Mapping):
            for fault in unsealed(raw.get("stages")):
                raise fault
        return raw

    @model_validator(mode="after")
    def _parties(self) -> Self:
        check_sealed_start(self)
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
