"""Policy of an owner: which studies may be approved at all, as a file of rules."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from securefl.errors import StudyError
from securefl.study.approve_alone import AloneRule, Word
from securefl.study.fields import DecimalText, Fault, Name, Section, tuples
from securefl.study.worker_walls import (
    ALWAYS_REQUIRED,
    WALLS,
    WITH_A_FIGURE,
    WorkerLimits,
    WorkerRules,
)

#: From when until when, on the hours of a clock in UTC.
Hours = Annotated[
    str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")
]
#: By ISO 3166-1 alpha-2.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Duo = Annotated[str, Field(pattern=r"^DUO:[0-9]{7}$")]
#: A policy is a few lines.
MAX_POLICY_BYTES = 64 * 1024
POLICY_SCHEMA = "securefl-policy/1"


class OwnerPolicy(Section):
    """Rules that a study must keep; one that is left out allows everything.

    Attributes:
        researchers: names, as on their cards, who may ask.
        purposes: codes of the Data Use Ontology; each of a study's must be among them.
        largest_epsilon: of one study, for one patient.
        largest_epsilon_quarter: of all studies on one population, for one patient, in any 92 days.
        largest_share: of a population's budget that one study may take, 0 to 1.
        least_hospitals: that take part.
        tasks: what may be predicted, by the tasks' names.
        families: of models.
        approvers: people who have to agree before this hospital does; with 2 neither sees the
            other's word until both gave it.
        studies_at_once: that run here together; a further one waits until one has ended.
        hours: of the day (UTC) in which rounds may begin here, as "20:00-06:00".
        jurisdictions: countries (ISO 3166-1) in which every party and the store must be.
        store_jurisdiction: country of this hospital's store, as its owner knows it; left out, as
            the agreement says.
        walls: round the worker, without which it is given no table; the network is always one.
        worker_may_have_network: true takes the network out of these.
        memory_gb: that one worker may use, in 10^9 bytes; left out, what the machine has.
        cores: that one worker may use.
        processor_hours: that one worker may use, in a study or for a personal model.
        approve_alone: rules by which the agent approves without asking; none where it is left out.
    """

    schema_: Literal["securefl-policy/1"] = Field(alias="schema")
    researchers: tuple[Name, ...] | None = None
    purposes: tuple[Duo, ...] | None = None
    largest_epsilon: Annotated[DecimalText, Field(gt=0, le=1000)] | None = None
    largest_epsilon_quarter: Annotated[DecimalText, Field(gt=0, le=1000)] | None = None
    largest_share: Annotated[DecimalText, Field(gt=0, le=1)] | None = None
    least_hospitals: Annotated[int, Field(ge=2, le=1000)] | None = None
    tasks: tuple[Word, ...] | None = None
    families: tuple[Word, ...] | None = None
    approvers: Literal[1, 2] | None = None
    studies_at_once: Annotated[int, Field(ge=1, le=100)] | None = None
    hours: Hours | None = None
    jurisdictions: tuple[Country, ...] | None = None
    store_jurisdiction: Country | None = None
    walls: tuple[Word, ...] | None = None
    worker_may_have_network: bool | None = None
    memory_gb: Annotated[int, Field(ge=1, le=100_000)] | None = None
    cores: Annotated[int, Field(ge=1, le=10_000)] | None = None
    processor_hours: Annotated[int, Field(ge=1, le=100_000)] | None = None
    approve_alone: Annotated[tuple[AloneRule, ...], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def _people_or_rules(self) -> Self:
        names = [rule.name for rule in self.approve_alone or ()]
        if names and self.approvers == 2:
            raise Fault(
                "with approvers = 2 two people decide; no rule approves alone beside them",
                "approve_alone",
            )
        if len(set(names)) < len(names):
            raise Fault("two rules have one name; the audit could not tell them", "approve_alone")
        return self

    @model_validator(mode="after")
    def _walls_or_none(self) -> Self:
        walls = self.walls or ()
        odd = next((name for name in walls if name not in WALLS), None)
        if odd is not None:
            raise Fault(f'"{odd}" is no wall; write some of {", ".join(WALLS)}', "walls")
        if self.worker_may_have_network and "network" in walls:
            raise Fault("the network cannot be both required and allowed", "walls")
        limits = self.worker_rules().limits
        for name, figure in WITH_A_FIGURE.items():
            if name in walls and getattr(limits, figure) is None:
                raise Fault(f'the wall "{name}" needs its figure beside it', "walls")
        return self

    @model_validator(mode="after")
    def _quarter_and_places(self) -> Self:
        quarter = self.largest_epsilon_quarter
        if quarter is not None and quarter < (self.largest_epsilon or 0):
            raise Fault("must be at least largest_epsilon", "largest_epsilon_quarter")
        store = self.store_jurisdiction
        if store is not None and store not in (self.jurisdictions or ()):
            raise Fault("must be among jurisdictions", "store_jurisdiction")
        return self

    def worker_rules(self) -> WorkerRules:
        """Conditions for a worker that is given a table."""
        required = frozenset(self.walls or ()) | ALWAYS_REQUIRED
        if self.worker_may_have_network:
            required -= ALWAYS_REQUIRED
        limits = WorkerLimits(
            memory=_times(self.memory_gb, 10**9),
            cores=self.cores,
            seconds=_times(self.processor_hours, 3600),
        )
        return WorkerRules(required, limits)

    def rows(self) -> list[tuple[str, str]]:
        """Each rule as a label and its value."""
        named = [
            ("who may ask", _listed(self.researchers)),
            ("purposes", _listed(self.purposes)),
            ("largest epsilon of a study", _text(self.largest_epsilon)),
            ("largest epsilon a quarter", _text(self.largest_epsilon_quarter)),
            ("largest share of the budget", _text(self.largest_share)),
            ("fewest hospitals", _text(self.least_hospitals)),
            ("what may be predicted", _listed(self.tasks)),
            ("models", _listed(self.families)),
            ("people who must agree", _text(self.approvers)),
            ("studies that run at once", _text(self.studies_at_once)),
            ("hours in which rounds may begin", _hours(self.hours)),
            ("countries of parties and store", _listed(self.jurisdictions)),
            ("country of the store", self.store_jurisdiction),
            ("walls that must hold", _listed(self.walls)),
            ("the worker may have a network", _yes_no(self.worker_may_have_network)),
            ("memory of a worker in GB", _text(self.memory_gb)),
            ("cores of a worker", _text(self.cores)),
            ("processor hours of a worker", _text(self.processor_hours)),
        ]
        found = [(label, value) for label, value in named if value is not None]
        for rule in self.approve_alone or ():
            found += rule.rows()
        return found


def read_policy(text: bytes) -> OwnerPolicy:
    """Read a policy from TOML.

    Raises:
        StudyError: it is none, with the rule that is wrong.
    """
    try:
        return made_policy(tomllib.loads(text.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(str(error)) from None


def made_policy(raw: dict[str, Any]) -> OwnerPolicy:
    """A policy from its values. Raises as :func:`read_policy`."""
    try:
        return OwnerPolicy.model_validate(tuples(raw))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refused(f"{place}: {first['msg']}") from None


def _refused(why: str) -> StudyError:
    return StudyError(
        f"That is no policy: {why}.",
        whose="this hospital's data owner",
        next_step="`securefl site policy --help` names the rules that there are.",
    )


def _listed(names: tuple[str, ...] | None) -> str | None:
    if names is None:
        return None
    return ", ".join(names) or "nobody and nothing"


def _hours(hours: str | None) -> str | None:
    return None if hours is None else f"{hours} UTC"


def _yes_no(value: bool | None) -> str | None:
    if value is None:
        return None
    return "yes: rows could be sent anywhere" if value else "no"


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor


def _text(value: Decimal | int | None) -> str | None:
    if value is None:
        return None
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
