"""Facts of a bundle for a page and for a program: what leaves, of whom, under which approvals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.learning.stages.programme import charges_of
from securefl.privacy.planning import study_epsilon

if TYPE_CHECKING:
    from securefl.federation.round_plan import RoundPlan
    from securefl.party.airlock.bundle import CheckedBundle


@dataclass(frozen=True)
class CarriedObject:
    """One object of a bundle.

    Attributes:
        path: on the board.
        kind: its word.
        holds: ``signed``, ``ciphertext`` or ``sealed``.
        writer: who made it.
        bytes: its length.
        sha256: its hash.
        context: repeated from outside, so that the others can be checked.
    """

    path: str
    kind: str
    holds: str
    writer: str
    bytes: int
    sha256: str
    context: bool


@dataclass(frozen=True)
class CarriedStudy:
    """A study of which a bundle holds objects.

    Attributes:
        name: its id with the first digits of its digest.
        title: in the researcher's words.
        digest: of the study.
        epsilon: the most that it can cost a patient, over its whole length.
        delta: of that epsilon.
        approved_by: hospitals whose signed approval is in the bundle.
        rounds: numbers of the rounds of which there is something.
        last_round: of the study.
    """

    name: str
    title: str
    digest: str
    epsilon: str
    delta: str
    approved_by: tuple[str, ...]
    rounds: tuple[int, ...]
    last_round: int


@dataclass(frozen=True)
class BundleFacts:
    """A checked bundle, in figures.

    Attributes:
        party: who sends it.
        role: of the sender.
        fingerprint: of the sender's card, as it is read aloud.
        to: for whom it is.
        number: among the sender's bundles to that reader.
        made: when, UTC.
        previous: hash of the list before, empty where this one stands alone.
        manifest_sha256: hash of its list.
        objects: all of them.
        studies: of which they are.
    """

    party: str
    role: str
    fingerprint: str
    to: str
    number: int
    made: str
    previous: str
    manifest_sha256: str
    objects: tuple[CarriedObject, ...]
    studies: tuple[CarriedStudy, ...]

    @property
    def bytes(self) -> int:
        """Length of all objects together."""
        return sum(one.bytes for one in self.objects)


def bundle_facts(found: CheckedBundle) -> BundleFacts:
    """Put a checked bundle into figures."""
    from securefl.party.airlock.bundle import CONTEXT

    said = found.manifest.said
    objects = []
    for at in found.places:
        listed = said.objects[at.path]
        study = None
        if at.study:
            study = found.plans[at.study].study
        writer = at.writer(study)
        objects.append(
            CarriedObject(
                at.path,
                at.kind.word,
                at.kind.holds,
                writer,
                listed.bytes,
                listed.sha256,
                context=at.kind.word in CONTEXT and writer != said.party,
            )
        )
    card = found.manifest.card
    return BundleFacts(
        said.party,
        card.role,
        card.spoken,
        said.to,
        said.number,
        said.made,
        said.previous,
        found.manifest.sha256,
        tuple(objects),
        tuple(_study(found, plan) for plan in found.plans.values()),
    )


def _study(found: CheckedBundle, plan: RoundPlan) -> CarriedStudy:
    privacy = plan.study.privacy
    epsilon = study_epsilon(
        charges_of(plan.study), privacy.max_attempts, privacy.delta, disjoint=True
    )
    mine = [at for at in found.places if at.study == plan.digest]
    return CarriedStudy(
        plan.sealed.name,
        plan.study.study.title,
        plan.digest,
        f"{epsilon:f}",
        f"{privacy.delta:f}",
        tuple(sorted(at.site for at in mine if at.kind.word == "approval")),
        tuple(sorted({at.round for at in mine if at.round})),
        plan.last_round,
    )
