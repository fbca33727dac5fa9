"""Plan of a study's rounds: the same facts, derived by every party from the study for itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from securefl.errors import MessageError, StudyError
from securefl.identity import IdentityCard, Verifier, verify
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import moves_model
from securefl.learning.stages.train import Train
from securefl.secagg.layouts import cipher_layout_of, layout_for
from securefl.secagg.round_context import ATTEMPT, RoundContext
from securefl.secagg.survivor_terms import SurvivorTerms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.stages.programme import Step
    from securefl.secagg.cipher_ring import CipherRing
    from securefl.secagg.group_draw import Groups
    from securefl.secagg.layouts import Layout
    from securefl.study.schema import Participant, Study
    from securefl.study.sealed import SealedStudy


@dataclass(frozen=True)
class RoundPlan:
    """A sealed study and everything about its rounds that follows from it."""

    sealed: SealedStudy

    @property
    def study(self) -> Study:
        """Contents of the study file."""
        return self.sealed.study

    @property
    def digest(self) -> str:
        """The study's identity, SHA-256 in hex."""
        return self.sealed.digest

    @cached_property
    def programme(self) -> Programme:
        """The study's stages, and which round is which release."""
        return Programme(self.study)

    @property
    def last_round(self) -> int:
        """Number of rounds of the study."""
        return self.programme.last_round

    @property
    def parameters(self) -> int:
        """Size of the global model; 0 where the study makes none."""
        return sum(stage.parameters for stage in self.programme.stages_of(Train))

    @property
    def longest(self) -> int:
        """The most integers that a hospital sends in any round."""
        return max(release.length for _, release in self.programme.releases)

    def step(self, number: int) -> Step:
        """The round of that number: its stage and its release.

        Raises:
            StudyError: the study has no such round.
        """
        try:
            return self.programme.at(number)
        except LookupError:
            raise StudyError(
                f"The study has the rounds 1 to {self.last_round}, and no round {number}.",
                whose="whoever named it",
                next_step="Name one of them.",
            ) from None

    def kind(self, number: int) -> str:
        """Kind of the release that is summed in that round."""
        return self.step(number).release.kind

    def length(self, number: int) -> int:
        """Integers each hospital sends in that round."""
        return self.step(number).release.length

    def ring(self, number: int, contributors: int) -> CipherRing:
        """Ring of that round's ciphertexts and keys, where so many hospitals contribute."""
        return cipher_layout_of(self._layout(number, contributors)).ring

    def _layout(self, number: int, contributors: int) -> Layout:
        """Packing of that round's numbers from so many hospitals."""
        release = self.step(number).release
        return layout_for(release.bits, contributors, release.length)

    def public_length(self, number: int) -> int:
        """Float64 numbers that the round's broadcast holds."""
        return self.step(number).stage.public_length

    def starts_from(self, number: int) -> str | None:
        """SHA-256 of what the round broadcasts, where the study fixes it."""
        step = self.step(number)
        if step.first:
            return step.stage.starts_from
        return None

    @property
    def draws_groups(self) -> bool:
        """True where the hospitals draw groups for the training."""
        return self.study.secagg.groups is not None

    @property
    def survives_losses(self) -> bool:
        """True if a round goes on without a hospital that is lost.

        A transcript then names the hash of a part of each frame.
        """
        return self.study.schedule.on_dropout == "continue"

    def by_groups(self, number: int) -> bool:
        """True for a round whose hospitals are summed by groups."""
        return self.draws_groups and moves_model(self.step(number))

    def terms(self, facts: RoundContext) -> SurvivorTerms:
        """The terms of a round that survives losses.

        Raises:
            StudyError: numbers with which two sets could be opened.
        """
        s = self.study.secagg
        return SurvivorTerms(facts, s.min_contributors, s.colluders)

    def verify(
        self,
        name: str,
        signature: bytes,
        message: bytes,
    ) -> bool:
        """True if a hospital of the study signed ``message``, by the key that the study names."""
        return verify(self.study.participant(name).signing_public, signature, message)

    def facts(
        self,
        number: int,
        public_key_sha256: str,
        model_sha256: str,
        cohort: tuple[str, ...] | None = None,
        *,
        instances: Mapping[str, str],
        groups: Groups = (),
    ) -> RoundContext:
        """Derive the round's facts as this party sees them; their digest binds the masks.

        ``cohort``: all participants unless said.

        Args:
            number: of the round.
            public_key_sha256: of the round's CKKS key.
            model_sha256: of the global model that it starts from.
            cohort: who is to contribute.
            instances: hospital → nonce of the run of its agent that may answer.
            groups: that are summed each by itself.

        Raises:
            StudyError: a hospital has no nonce, or facts contradict each other.
        """
        cohort = self.study.cohort if cohort is None else cohort
        release = self.step(number).release
        return RoundContext(
            study=self.digest,
            round=number,
            attempt=ATTEMPT,
            kind=release.kind,
            cohort=cohort,
            instances=tuple(instances.get(site, "") for site in cohort),
            public_key_sha256=public_key_sha256,
            layout=self._layout(number, len(cohort)),
            length=release.length,
            bound=release.bound,
            model_sha256=model_sha256,
            groups=groups,
        )

    def context(self, number: int) -> bytes:
        """Context that a sealed payload of that round is bound to."""
        return f"{self.digest}/{number}/{ATTEMPT}".encode()

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
