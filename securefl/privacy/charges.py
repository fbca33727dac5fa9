"""Charges of a study: each kind of release with its mechanism, and the terms the figures rest on.

Every release is charged for all its steps and for every attempt the study allows, before any of
them runs (rule 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
)

from securefl.errors import UsageError
from securefl.privacy.accounting import rdp_cost
from securefl.privacy.mechanisms import Mechanism, mechanism_from_json
from securefl.registry import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Kind of a release. The word is open, so that an old ledger stays readable whatever stages there
#: are; a stage that nobody knows is refused where the study is read.
Purpose = Annotated[str, StringConstraints(pattern=rf"^{NAME.pattern}$")]


@dataclass(frozen=True)
class Charge:
    """One kind of release and everything of it that a study may do in one attempt.

    Attributes:
        purpose: kind of the release.
        mechanism: noise, sampling and number of all of them.
        aside: whether it is about patients kept aside from training.
        label: its name for people; the purpose where none is given.
    """

    purpose: Purpose
    mechanism: Mechanism
    aside: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.purpose):
            raise UsageError(
                f"{self.purpose!r} is no kind of release.",
                next_step="Name it in lower-case letters and hyphens, 40 at most.",
            )


class Priced(Protocol):
    """A charge, or one with its cost beside it."""

    @property
    def purpose(self) -> Purpose:
        """What kind of release."""

    @property
    def mechanism(self) -> Mechanism:
        """Everything of it in one attempt."""


def total_cost(charges: Iterable[Priced], order: int, attempts: int) -> int:
    """Rényi cost of all ``charges`` in every one of ``attempts``, in nano units at ``order``,
    rounded up.
    """
    return attempts * sum(rdp_cost(c.mechanism, order) for c in charges)


def all_attempts(charges: Iterable[Priced], attempts: int) -> tuple[Mechanism, ...]:
    """The mechanisms of ``charges`` over ``attempts``, for the accountants."""
    return tuple(c.mechanism.with_count(c.mechanism.count * attempts) for c in charges)


def _read_mechanism(value: object) -> Mechanism:
    try:
        return mechanism_from_json(value)  # type: ignore[arg-type]
    except (UsageError, AttributeError, TypeError) as error:
        raise ValueError(str(error)) from error


#: A mechanism inside an event: an object on paper, a :data:`~securefl.privacy.mechanisms.Mechanism`
#: in memory.
MechanismField = Annotated[
    Mechanism,
    PlainValidator(lambda v: v if hasattr(v, "to_json") else _read_mechanism(v)),
    PlainSerializer(lambda m: m.to_json()),
]


class ChargeTerms(BaseModel):
    """What the figures of a reservation rest on, for an auditor who wants to repeat them. Texts,
    all public.

    ``noise_source`` names sampler and generator; ``code`` is the hash of the code that runs.
    ``epsilon_if_masks_fail`` is the study's own figure against whoever sees this hospital's numbers
    alone, where its noise is a share; it stands in no other reservation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    unit: Literal["patient", "record"] = "patient"
    neighbouring: Literal["add-remove"] = "add-remove"
    sampling: Literal["poisson"] = "poisson"
    #: Whether training and evaluation draw on different patients (a keyed hash of the patient
    #: decides).
    split: Literal["disjoint-patients", "same-patients"] = "disjoint-patients"
    rows_per_patient: Annotated[int, Field(ge=1, le=1000)] = 1
    clip_norm: str
    normaliser: str
    noise_source: str
    code: str
    epsilon_if_masks_fail: Annotated[str | None, Field(exclude_if=lambda v: v is None)] = None
