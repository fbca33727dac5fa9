"""A survivor round as a party sees it that holds no share: frames, the proposed survivor set,
signatures, then answers. Pure: it reads and writes nothing.

    COLLECTING ──propose──► PROPOSED ──t signatures──► AGREED ──enough answers──► UNMASKED

The coordinator proposes; aggregator and whoever verifies adopt what it proposed. One attempt has one
proposal: survivors sign once, so a second would find no signatures. An attempt that does not come
through is abandoned, with its CKKS key. Holding no secret, the proposer may be asked anything twice:
a frame or statement that comes again changes nothing, another of the same hospital is refused.
Nothing here is trusted by the hospitals; it is how an honest coordinator comes to the end.

A party that adopts a set may hold another frame of a hospital than the one the survivors signed for,
since anybody can write into the store; :meth:`Proposer.add_named` puts the named one in its place.
"""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import MessageError, RoundError, UsageError
from securefl.secagg.survivors import Survivors, agrees, refused, write_proposal
from securefl.secagg.unmasking import missing_shares, read_answer, unmask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.secagg.key_shares import Dealing
    from securefl.secagg.survivor_contribution import ContributionHead
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.secagg.survivors import VerifyBy
    from securefl.secagg.unmasking import Answer, Unmasking
    from securefl.types import Sign


class Stage(Enum):
    """How far the attempt has come."""

    COLLECTING = "collecting"
    PROPOSED = "proposed"
    AGREED = "agreed"
    UNMASKED = "unmasked"


class Proposer:
    """One attempt at one round.

    Args:
        terms: its terms.
        verify: with the rostered key of the named hospital (name, signature, message).
    """

    def __init__(self, terms: SurvivorTerms, verify: VerifyBy) -> None:
        self.terms = terms
        self._verify = verify
        self._heads: dict[str, ContributionHead] = {}
        self._survivors: Survivors | None = None
        self._agreed: dict[str, bytes] = {}
        self._answers: dict[str, Answer] = {}

    @property
    def stage(self) -> Stage:
        """How far the attempt has come."""
        if self._survivors is None:
            return Stage.COLLECTING
        if not self.agreed:
            return Stage.PROPOSED
        if self.unmasked:
            return Stage.UNMASKED
        return Stage.AGREED

    @property
    def heads(self) -> Mapping[str, ContributionHead]:
        """Hospital → the head of its frame, of those that came."""
        return self._heads

    @property
    def answers(self) -> Mapping[str, Answer]:
        """Survivor → its checked answer."""
        return self._answers

    @property
    def dealings(self) -> dict[str, Dealing]:
        """Hospital → what its frame deals to the others."""
        return {dealer: head.dealing for dealer, head in self._heads.items()}

    @property
    def proposed(self) -> bool:
        """True if there is a survivor set."""
        return self._survivors is not None

    @property
    def agreed(self) -> bool:
        """True if enough survivors signed the set."""
        return len(self._agreed) >= self.terms.min_contributors

    @property
    def unmasked(self) -> bool:
        """True if the answers are enough to take the masks off."""
        return not missing_shares(self.survivors, self._answers.values())

    @property
    def survivors(self) -> Survivors:
        """The proposed set.

        Raises:
            UsageError: nothing is proposed yet.
        """
        if self._survivors is None:
            raise UsageError("No survivor set is proposed yet.", next_step="Propose one.")
        return self._survivors

    @property
    def agreements(self) -> dict[str, bytes]:
        """The valid signatures under the proposed set, by name."""
        return dict(self._agreed)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Whose frame, signature or answer has not come, in the present stage."""
        if self._survivors is None:
            return tuple(name for name in self.terms.cohort if name not in self._heads)
        if self.unmasked:
            return ()
        came = self._answers if self.agreed else self._agreed
        return tuple(name for name in self._survivors.names if name not in came)

    def waits_for_frame_of(self, name: str) -> bool:
        """True if the frame of ``name`` that counts is not here: before a set its first, after it
        the one that the set names.
        """
        head = self._heads.get(name)
        if self._survivors is None or head is None:
            return head is None
        return self._survivors.frames.get(name, head.sha256) != head.sha256

    def add_contribution(self, head: ContributionHead) -> None:
        """A whole frame was checked, and this is its head.

        Raises:
            MessageError: a second, different frame of that hospital, or one to other terms.
            UsageError: survivors were proposed already.
        """
        if self._survivors is not None:
            raise UsageError(
                "The survivors are proposed; later frames are not in the sum.",
                next_step="Leave them out.",
            )
        known = self._heads.get(head.sender)
        if head.dealing.terms.round_digest != self.terms.round_digest or (
            known is not None and known.sha256 != head.sha256
        ):
            raise refused(head.sender, "its frame is a second one, or one to another attempt")
        self._heads[head.sender] = head

    def add_named(self, head: ContributionHead) -> None:
        """A whole frame was checked that the survivor set names; it takes the place of another.

        Raises:
            MessageError: the set names another frame of that hospital.
        """
        self.check_named(head)
        self._heads[head.sender] = head

    def check_named(self, head: ContributionHead) -> None:
        """Refuse a frame in whose place the survivor set names another.

        Raises:
            MessageError: naming its hospital.
        """
        if self.survivors.frames.get(head.sender, head.sha256) != head.sha256:
            raise exchanged(head.sender)

    def check_frames(self) -> None:
        """That the frames here are those that the survivors signed.

        Raises:
            MessageError: naming the hospital whose frame is not.
        """
        for name, digest in self.survivors.frames.items():
            if name not in self._heads or self._heads[name].sha256 != digest:
                raise exchanged(name)

    def adopt(self, survivors: Survivors) -> None:
        """The survivors that the coordinator proposed, at a party that read its proposal."""
        self._survivors = survivors

    def quarrels(self) -> list[tuple[str, str]]:
        """Pairs of neighbours whose frames commit to different pair seeds: only one of the two can
        be in the sum.
        """
        found = []
        for name, head in sorted(self._heads.items()):
            for other in self.terms.neighbours.of(name):
                if name < other and other in self._heads:
                    one = head.dealing
                    two = self._heads[other].dealing
                    if one.seed_commitment(one.seed_index(other)) != two.seed_commitment(
                        two.seed_index(name)
                    ):
                        found.append((name, other))
        return found

    def propose(
        self,
        sender: str,
        sign: Sign,
        *,
        without: frozenset[str] = frozenset(),
    ) -> bytes:
        """Propose everybody whose frame came, ``without`` those that are to be left out; the same
        proposal when asked again.

        Raises:
            RoundError: too few are left, or two of them quarrel; it names them.
        """
        if self._survivors is None:
            quarrels = [pair for pair in self.quarrels() if not without.intersection(pair)]
            if quarrels:
                one, two = quarrels[0]
                raise RoundError(
                    f"{one} and {two} hold different pair seeds: a sum with both would not open.",
                    whose=f"{one} or {two}",
                    next_step=(
                        "Let them compare their study keys; propose without one of the two if"
                        " enough are left."
                    ),
                )
            frames = {
                name: head.sha256 for name, head in self._heads.items() if name not in without
            }
            self._survivors = Survivors(self.terms, frames)
        return write_proposal(self._survivors, sender, sign)

    def add_agreement(self, name: str, data: bytes) -> None:
        """A survivor's signature came.

        Raises:
            MessageError: it is no valid signature of that survivor under the proposed set.
        """
        survivors = self.survivors
        if name not in survivors.frames or not agrees(
            data, survivors, name, partial(self._verify, name)
        ):
            raise refused(name, "it signs another set, or is no survivor")
        self._agreed[name] = data

    def add_answer(self, name: str, data: bytes) -> None:
        """A survivor's answer came.

        Raises:
            MessageError: naming the holder and the first check that failed.
        """
        self._answers[name] = read_answer(
            data, self.survivors, name, self.dealings, partial(self._verify, name)
        )

    def unmasking(self) -> Unmasking:
        """What comes off the sum.

        Raises:
            RoundError: too few answers so far.
            MessageError: naming a dealer whose shares do not give the seeds it committed to.
        """
        return unmask(self.survivors, self._answers, self.dealings)


def exchanged(name: str) -> MessageError:
    """The error about a frame that is not the one in the survivor set."""
    return MessageError(
        f"The frame of {name} that is here is not the one in the survivor set.",
        whose=f"{name} or the store's operator",
        next_step="Ask the store's operator who wrote it; the round cannot be added.",
    )
