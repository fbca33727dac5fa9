"""A round's announcement, verified once: bytes come in, an object goes on.

    bytes ──open──► AnnouncedRound ──with_payload──► CheckedRound ──open_model──► global model

An announcement is opened by whoever takes part; key and sealed model are checked against it by the
hospitals alone. Whether the round is the *next* one is for the party to see
(:meth:`securefl.federation.participant.Participant.check`), for only it knows what came before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError
from securefl.federation.group_cohort import check_division
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.sealing import open_model
from securefl.secagg.frame import read_public_key
from securefl.secagg.round_context import ATTEMPT

if TYPE_CHECKING:
    from securefl.federation.messages import Announcement
    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext


def announcement_of(
    plan: RoundPlan,
    facts: RoundContext,
    *,
    parameters: int,
    sealed_sha256: str,
    round_digest: str,
) -> Announcement:
    """The announcement of a round.

    Args:
        plan: the study.
        facts: of the round.
        parameters: float64 numbers that are broadcast.
        sealed_sha256: of the sealed model.
        round_digest: of the round.
    """
    said: dict[str, Any] = {
        "study": facts.study,
        "round": facts.round,
        "attempt": facts.attempt,
        "kind": facts.kind,
        "cohort": facts.cohort,
        "instances": facts.instances,
        "length": facts.length,
        "parameters": parameters,
        "model_sha256": facts.model_sha256,
        "sealed_sha256": sealed_sha256,
        "public_key_sha256": facts.public_key_sha256,
        "round_digest": round_digest,
    }
    return round_strategy_of(plan).announcement.of_round(said, facts.groups)


@dataclass(frozen=True)
class Broadcast:
    """Beginning of a round as a coordinator sends it: nothing in it is checked."""

    announcement: bytes
    key: bytes
    model: bytes | bytearray


@dataclass(frozen=True)
class AnnouncedRound:
    """An announcement that the study's coordinator signed. Made by :meth:`open` alone."""

    plan: RoundPlan
    said: Announcement
    #: As it came.
    data: bytes

    @classmethod
    def open(cls, plan: RoundPlan, announcement: bytes) -> AnnouncedRound:
        """Check signature, study and fields of an announcement.

        Raises:
            MessageError: naming the first check that failed.
        """
        kind = round_strategy_of(plan).announcement
        said = kind.open(announcement, study=plan.digest, verify=plan.coordinator)
        return cls(plan, said, announcement)

    @cached_property
    def context(self) -> RoundContext:
        """The announced facts, with those that follow from the study.

        Raises:
            StudyError: they contradict each other.
            MessageError: the groups are none of this study's.
        """
        said = self.said
        check_division(self.plan, said.round, said.division)
        return self.plan.facts(
            said.round,
            said.public_key_sha256,
            said.model_sha256,
            said.cohort,
            instances=said.by_site,
            groups=said.division,
        )

    @property
    def has_own_digest(self) -> bool:
        """True if the announced round digest is that of the announced facts."""
        return round_strategy_of(self.plan).round_digest(self.context) == self.said.round_digest

    def checked_context(self) -> RoundContext:
        """Check the facts as a party takes them that follows no round before this one.

        Aggregator, and whoever verifies.

        Raises:
            MessageError: the announcement contradicts the study.
        """
        said = self.said
        plan = self.plan
        if said.round > plan.last_round or said.attempt != ATTEMPT:
            raise _contradiction("An announcement contradicts the study.")
        if not round_strategy_of(plan).allows(said.cohort, plan.study.cohort):
            raise _contradiction("An announcement names another cohort than the study allows.")
        context = self.context
        if not self.has_own_digest:
            raise _contradiction("An announcement contradicts the study.")
        return context

    def with_payload(self, key: bytes, model: bytes | bytearray) -> CheckedRound:
        """The announced round with its public key and its sealed model.

        Raises:
            MessageError: they are not those that were announced.
        """
        public = self.public(key)
        if hashlib.sha256(model).hexdigest() != self.said.sealed_sha256:
            raise _exchanged("The sealed model is not the one announced.")
        return CheckedRound(self, public, model, key)

    def public(self, key: bytes) -> PublicKey:
        """The round's public key.

        Raises:
            MessageError: it is not the one that was announced.
        """
        said = self.said
        coordinator = self.plan.coordinator
        # The ring follows from the study and the announced cohort, never from the key itself.
        public = read_public_key(
            key,
            study=self.plan.digest,
            round_number=said.round,
            attempt=said.attempt,
            kind=said.kind,
            sender=coordinator.name,
            verify=coordinator,
            ring=self.plan.ring(said.round, len(said.cohort)),
        )
        if public.sha256 != said.public_key_sha256:
            raise _exchanged("The round's public key is not the one announced.")
        return public


@dataclass(frozen=True)
class CheckedRound:
    """Announced round whose key and sealed model are the coordinator's own.

    Made by :meth:`AnnouncedRound.with_payload` alone.
    """

    announced: AnnouncedRound
    public: PublicKey
    sealed: bytes | bytearray
    #: The public key's frame, as it came.
    key: bytes

    @property
    def said(self) -> Announcement:
        """The announcement."""
        return self.announced.said

    @property
    def context(self) -> RoundContext:
        """See :attr:`AnnouncedRound.context`."""
        return self.announced.context

    def open_model(self, reader: Identity) -> bytes:
        """The global model that the round starts from.

        Raises:
            MessageError: it is not sealed to this reader for this round, or is another than the one
                announced to all.
        """
        said = self.said
        under = self.announced.plan.context(said.round)
        model = open_model(self.sealed, reader, under)
        if hashlib.sha256(model).hexdigest() != said.model_sha256:
            raise MessageError(
                "This hospital was given another global model than the one announced to all.",
                whose="the coordinator",
                next_step="Do not go on; tell the other hospitals.",
            )
        return model


def _contradiction(what: str) -> MessageError:
    return MessageError(what, whose="the coordinator", next_step="Make a new study.")


def _exchanged(what: str) -> MessageError:
    return MessageError(
        what, whose="the coordinator or the store's operator", next_step="Make a new study."
    )
