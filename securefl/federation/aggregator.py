"""The aggregator: adds ciphertexts that it cannot open, and signs what it added. It holds no key to the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation.messages import open_announcement
from securefl.identity import verify
from securefl.secagg.frame import write_sum
from securefl.secagg.sum import add_contributions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.federation.rounds import Plan
    from securefl.identity import Identity
    from securefl.secagg.facts import RoundFacts
    from securefl.secagg.frame import Contribution


def announced_facts(plan: Plan, announcement: bytes) -> RoundFacts:
    """The facts of an announced round as a party without data sees them.

    Raises:
        MessageError: the announcement fails its checks or contradicts the study.
    """
    key = plan.study.coordinator.signing_public
    said = open_announcement(announcement, study=plan.digest, verify=lambda s, m: verify(key, s, m))
    facts = plan.facts(said.round, said.attempt, said.public_key_sha256, said.model_sha256)
    if facts.digest() != said.round_digest or said.round > plan.last_round or said.attempt != 1:
        raise MessageError("An announcement contradicts the study.", whose="the coordinator", next_step="Make a new study.")
    return facts


class Aggregator:
    """Adds the contributions of one study's rounds."""

    def __init__(self, plan: Plan, identity: Identity) -> None:
        self.plan = plan
        self._me = identity

    def add(self, announcement: bytes, contributions: Mapping[str, bytes], checked: Mapping[str, Contribution] | None = None) -> bytes:
        """The signed sum of one round.

        Args:
            announcement: the coordinator's signed announcement.
            contributions: site → frame, as found in the store.
            checked: those of them that :meth:`Plan.read_contributions` has read before.

        Raises:
            MessageError: naming the hospital whose frame is refused, or the coordinator.
            RoundError: naming the hospitals that are missing.
        """
        facts = announced_facts(self.plan, announcement)
        total = add_contributions(self.plan.read_contributions(contributions, facts, checked), facts)
        return write_sum(facts, self._me.card.name, total.ciphertext, total.parts, self._me.sign)
