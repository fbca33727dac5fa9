"""What a round of a study must look like: the same facts, derived by every party from the study for
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.identity import IdentityCard, Verifier, verify
from securefl.learning.models import family_of
from securefl.learning.tasks import task_of
from securefl.secagg.layouts import layout_for
from securefl.secagg.neighbours import Neighbours
from securefl.secagg.round_context import RoundContext
from securefl.secagg.survivor_terms import SurvivorTerms
from securefl.study.wire import field_bits, wire_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.study.schema import Participant, Study
    from securefl.study.sealed import SealedStudy


@dataclass(frozen=True)
class RoundPlan:
    """A sealed study and everything about its rounds that follows from it."""

    sealed: SealedStudy

    @property
    def study(self) -> Study:
        """What the study file says."""
        return self.sealed.study

    @property
    def digest(self) -> str:
        """The study's identity, SHA-256 in hex."""
        return self.sealed.digest

    @property
    def last_round(self) -> int:
        """Number of the evaluation round: after the count where there is one, and the training
        rounds.
        """
        return (self.study.preparation is not None) + self.study.training.rounds + 1

    @property
    def parameters(self) -> int:
        """Size of the global model."""
        return family_of(self.study.model, self.study.data).parameters

    @property
    def first_update(self) -> int:
        """Number of the first training round: it starts from the initial weights, like the count
        before it.
        """
        return self.last_round - self.study.training.rounds

    @property
    def longest(self) -> int:
        """The most integers that a hospital sends in any round."""
        return max(self.length(number) for number in (1, self.first_update, self.last_round))

    def kind(self, number: int) -> str:
        """What is summed in that round: ``update``, ``evaluation`` or ``preparation``."""
        if number >= self.last_round:
            return "evaluation"
        return "preparation" if number == 1 and self.study.preparation is not None else "update"

    def length(self, number: int) -> int:
        """Integers each hospital sends in that round."""
        kind = self.kind(number)
        if kind == "update":
            return self.parameters
        task = task_of(self.study.data)
        if kind == "evaluation":
            return task.histogram_size(self.study.evaluation)
        return len(task.strata)

    def bound(self, number: int) -> int:
        """The largest of them before noise that is planned for: a count, or steps of the wire."""
        kind = self.kind(number)
        if kind == "update":
            wire = wire_of(self.study)
            return -(-wire.bound // wire.step)
        spec = self.study.evaluation if kind == "evaluation" else self.study.preparation
        return 0 if spec is None else spec.bound

    def terms(self, facts: RoundContext) -> SurvivorTerms:
        """The terms of a round that survives losses.

        Raises:
            StudyError: numbers with which two sets could be opened.
        """
        s = self.study.secagg
        # whoever may lose all but min_contributors has no use for a sparse graph (decision 0013)
        return SurvivorTerms(
            facts,
            s.min_contributors,
            s.colluders,
            Neighbours.complete(facts.cohort, s.min_contributors),
        )

    def verify(self, name: str, signature: bytes, message: bytes) -> bool:
        """Whether a hospital of the study signed ``message``, by the key that the study names."""
        return verify(self.study.participant(name).signing_public, signature, message)

    def facts(
        self,
        number: int,
        attempt: int,
        public_key_sha256: str,
        model_sha256: str,
        cohort: tuple[str, ...] | None = None,
        *,
        instances: Mapping[str, str],
    ) -> RoundContext:
        """The round's facts as this party sees them; their digest binds the masks. ``cohort``: all
        participants unless said.

        Args:
            number: of the round.
            attempt: of the round.
            public_key_sha256: of the round's CKKS key.
            model_sha256: of the global model that it starts from.
            cohort: who is to contribute.
            instances: hospital → nonce of the run of its agent that may answer.

        Raises:
            StudyError: a hospital has no nonce, or facts contradict each other.
        """
        cohort = self.study.cohort if cohort is None else cohort
        return RoundContext(
            study=self.digest,
            round=number,
            attempt=attempt,
            kind=self.kind(number),
            cohort=cohort,
            instances=tuple(instances.get(site, "") for site in cohort),
            public_key_sha256=public_key_sha256,
            # an update's fields are as the study says, those of counts wide enough to be exact
            layout=layout_for(
                field_bits(self.study, self.kind(number)), len(cohort), self.length(number)
            ),
            length=self.length(number),
            bound=self.bound(number),
            model_sha256=model_sha256,
        )

    def context(self, number: int, attempt: int) -> bytes:
        """What a sealed payload of that round is bound to."""
        return f"{self.digest}/{number}/{attempt}".encode()

    @cached_property
    def coordinator(self) -> Verifier:
        """Checks what the study's coordinator signed."""
        return Verifier(self.study.coordinator.name, self.study.coordinator.signing_public)

    @cached_property
    def aggregator(self) -> Verifier:
        """Checks what the study's aggregator signed."""
        return Verifier(self.study.aggregator.name, self.study.aggregator.signing_public)

    def hospital(self, name: str) -> Verifier:
        """Checks what a hospital of the study signed.

        Raises:
            MessageError: the study has no hospital of that name.
        """
        if name not in self.study.cohort:
            raise MessageError(f"{name} is no hospital of this study.", whose=name)
        return Verifier(name, self.study.participant(name).signing_public)

    def signing_keys(self) -> dict[str, str]:
        """Hospital → Ed25519 public key (hex), from the study."""
        return {p.name: p.signing_public for p in self.study.participants}


def card_of(participant: Participant) -> IdentityCard:
    """A participant's card as the study states it."""
    return IdentityCard(
        participant.name,
        "hospital",
        participant.legal_name,
        participant.email,
        participant.signing_public,
        participant.sealing_public,
    )
