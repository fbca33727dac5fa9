"""The coordinator in one attempt: collect frames, propose who is left, collect signatures, then
answers.

    COLLECTING ──propose──► PROPOSED ──t signatures──► AGREED ──enough answers──► UNMASKED

One attempt has one proposal: survivors sign once, so a second would find no signatures. An attempt
that does not come through is abandoned, with its CKKS key; a new attempt has new terms, and
hospitals that have answered already do not answer in it. Holding no secret, the proposer may be
asked anything twice: a frame or statement that comes again changes nothing, another of the same
hospital is refused. Nothing here is trusted by the hospitals; it is how an honest coordinator comes
to the end.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from securefl.errors import RoundError, UsageError
from securefl.secagg.survivors import Survivors, agrees, refused, write_proposal
from securefl.secagg.unmasking import missing_shares, read_answer, unmask

if TYPE_CHECKING:
    from securefl.secagg.envelope import Sign
    from securefl.secagg.survivor_contribution import ContributionHead
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.secagg.survivors import VerifyBy
    from securefl.secagg.unmasking import Answer, Unmasking


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
        if len(self._agreed) < self.terms.min_contributors:
            return Stage.PROPOSED
        return (
            Stage.AGREED
            if missing_shares(self._survivors, self._answers.values())
            else Stage.UNMASKED
        )

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
        came = self._agreed if self.stage is Stage.PROPOSED else self._answers
        return (
            ()
            if self.stage is Stage.UNMASKED
            else tuple(name for name in self._survivors.names if name not in came)
        )

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

    def quarrels(self) -> list[tuple[str, str]]:
        """Pairs of neighbours whose frames commit to different pair seeds: only one of the two can
        be in the sum.
        """
        found = []
        for name, head in sorted(self._heads.items()):
            for other in self.terms.neighbours.of(name):
                if name < other and other in self._heads:
                    one, two = head.dealing, self._heads[other].dealing
                    if one.seed_commitment(one.seed_index(other)) != two.seed_commitment(
                        two.seed_index(name)
                    ):
                        found.append((name, other))
        return found

    def propose(self, sender: str, sign: Sign, *, without: frozenset[str] = frozenset()) -> bytes:
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
            data, survivors, name, lambda s, m: self._verify(name, s, m)
        ):
            raise refused(name, "it signs another set, or is no survivor")
        self._agreed[name] = data

    def add_answer(self, name: str, data: bytes) -> None:
        """A survivor's answer came.

        Raises:
            MessageError: naming the holder and the first check that failed.
        """
        dealings = {dealer: head.dealing for dealer, head in self._heads.items()}
        self._answers[name] = read_answer(
            data, self.survivors, name, dealings, lambda s, m: self._verify(name, s, m)
        )

    def unmasking(self) -> Unmasking:
        """What comes off the sum.

        Raises:
            RoundError: too few answers so far.
            MessageError: naming a dealer whose shares do not give the seeds it committed to.
        """
        return unmask(
            self.survivors,
            self._answers,
            {dealer: head.dealing for dealer, head in self._heads.items()},
        )
