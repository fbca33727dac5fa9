"""In a study that goes on after a loss: a hospital's signature under who is left, then its one
unmasking answer, to each round.

Nothing in them depends on the data, nor does their time: they follow from what every party can read
in the store. Each is durable before it leaves, an answer in the ledger too; a paused or withdrawn
study keeps them in the house.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from securefl.errors import LeftOutError, MessageError, NotApprovedError, RoundError
from securefl.federation.messages import Complaint
from securefl.federation.refusal_cache import RefusalCache
from securefl.federation.round_board import RoundBoard
from securefl.files import private_folder, read_file, replace_file
from securefl.secagg.survivor_contribution import head_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.boards.slot import Slot
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.node.site import Site
    from securefl.secagg.holder import Record
    from securefl.secagg.survivor_contribution import ContributionHead
    from securefl.secagg.survivor_terms import SurvivorTerms


@dataclass(frozen=True)
class Outgoing:
    """A signature or an answer that is durable and has not left yet: where it goes, and what it is."""

    slot: Slot
    data: bytes
    what: str


@dataclass
class UnmaskingSender:
    """What one hospital says after its contributions to one study.

    Args:
        site: the hospital.
        plan: the study.
        say: writes a line to the owner's own log.
    """

    site: Site
    plan: RoundPlan
    say: Callable[[str], None]
    word: Outgoing | None = None
    _complained: tuple[int, str] | None = None
    _refused: str = ""
    _refusals: RefusalCache = field(default_factory=RefusalCache)

    def step(self, later: UnmaskingStage | None) -> bool:
        """Say what can be said now in the round that was contributed to last; whether something
        left the house.

        Raises:
            StoreError: the store is away; call again.
            RoundError: the others go on without this hospital.
        """
        if self.word is None and later is not None and not later.answered and not self._held():
            try:
                self.word = self._next(later)
            # anybody can write into the store: what is not signed by whom it should be is not there
            # yet
            except MessageError as error:
                if self._refused != error.what:
                    self._refused = error.what
                    self.say(f"waiting: {error.what}")
                self._complain(later)
            except NotApprovedError:
                if not self._held():
                    # else the owner paused or withdrew while it was made, and it was not said
                    raise
        return self.word is not None and self._let_go(self.word)

    def was_counted(self, later: UnmaskingStage) -> bool:
        """True if the round that was contributed to last was opened with this hospital; False while
        the store does not show it.

        Raises:
            StoreError: the store is away; call again.
            RoundError: it was opened without it.
        """
        if later.survivors is not None:  # this hospital signed that it is among them
            return True
        facts = later.terms.facts
        counted = self._round(later).proposal(later.terms).read_as(later.is_in)
        if counted is None:
            return False
        if not counted:
            raise RoundError(
                f"The others went on without this hospital in round {facts.round}, the last one:"
                " its contribution was not there in time, or was not whole.",
                whose="this hospital",
                next_step=(
                    "The study has ended here; its budget stays charged. What it gave to earlier"
                    " rounds is in the model."
                ),
            )
        return True

    def recall(self, later: UnmaskingStage | None) -> None:
        """Sign once more what this hospital signed before its agent was killed; nothing leaves.

        So a study that ended meanwhile is verified to its end. Where something is not in the store
        any more, nothing is signed.

        Raises:
            StoreError: the store is away; call again.
        """
        if later is None or later.survivors is not None:
            return
        number = later.terms.facts.round
        if not (self._said / f"{number:05d}-signature").exists():
            return
        proposal = self._round(later).proposal(later.terms).read()
        if proposal is not None:
            with suppress(MessageError, RoundError):
                self._sign(later, proposal)

    @property
    def _said(self) -> Path:
        return self.site.study_folder(self.plan.digest) / "said"

    def record(self, terms: SurvivorTerms, record: Record) -> None:
        """Make a signature or an answer durable; see
        :class:`securefl.federation.unmasking_stage.RecordKeeper`.

        Raises:
            RoundError: something else of that kind was made in that round before.
            NotApprovedError: paused, or ended.
        """
        private_folder(self._said.parent)
        folder = private_folder(self._said)
        file = folder / f"{terms.facts.round:05d}-{record.kind}"
        if file.exists() and read_file(file) != record.message:
            raise _another(record.kind, terms.facts.round)
        replace_file(file, record.message)
        if record.kind == "answer":
            self.site.ledger.answer(
                self.plan.digest, round_number=terms.facts.round, payload=record.message
            )

    def _next(self, later: UnmaskingStage) -> Outgoing | None:
        at = self._round(later)
        facts = later.terms.facts
        if later.survivors is None:
            proposal = at.proposal(later.terms).read()
            if proposal is None:
                return None
            return Outgoing(
                at.agreement(self.site.name),
                self._sign(later, proposal),
                f"round {facts.round}: the signature under who is left",
            )
        answer = later.answer(_agreements(later.survivors.names, at))
        if answer is None:
            return None
        return Outgoing(
            at.answer(self.site.name, later.survivors),
            answer,
            f"round {facts.round}: the one unmasking answer",
        )

    def _sign(self, later: UnmaskingStage, proposal: bytes) -> bytes:
        """This hospital's signature under the proposed set, which is durable."""
        at = self._round(later)
        limit = head_limit(later.terms)

        def head_of(site: str) -> ContributionHead:
            slot = at.contribution(site, limit)
            return self._refusals.read(slot, lambda: later.read(site, slot.read_head(limit)))

        try:
            return later.agree(proposal, head_of)
        except LeftOutError:
            # who signed a set is in it: this is a second set, and no loss to come back from
            if (self._said / f"{later.terms.facts.round:05d}-signature").exists():
                raise _another("signature", later.terms.facts.round) from None
            raise

    def _round(self, later: UnmaskingStage) -> RoundBoard:
        return RoundBoard.of(self.site.board, later.terms.facts)

    def _complain(self, later: UnmaskingStage) -> None:
        """Say once in a round whose dealing is why nothing is signed here.

        It tells no more than the missing signature does, but whose fault it is.
        """
        facts = later.terms.facts
        about = later.refused_dealer
        if about in {"", self.site.name} or self._complained == (facts.round, about):
            return
        complaint = Complaint(
            facts.study, facts.round, facts.attempt, later.terms.round_digest, self.site.name, about
        )
        with self.site.deciding():
            if self._held():
                return
            slot = self._round(later).complaint(self.site.name)
            slot.post(complaint.dump(self.site.identity.sign))
        self._complained = (facts.round, about)
        self.say(
            f"round {facts.round}: a complaint left the house: what {about} dealt to this hospital"
            " cannot be used"
        )

    def _let_go(self, word: Outgoing) -> bool:
        with self.site.deciding():
            if self._held():
                return False
            word.slot.post(word.data)
        self.word = None
        self.say(f"{word.what} left the house ({len(word.data)} bytes)")
        return True

    def _held(self) -> bool:
        """True if the owner keeps everything in the house."""
        state = self.site.ledger.state
        return state.paused or state.study(self.plan.digest).ended


def _another(kind: str, number: int) -> RoundError:
    return RoundError(
        f"Another {kind} was made in round {number} before.",
        whose="this hospital",
        next_step="The study ends here; its budget stays charged.",
    )


def _agreements(names: tuple[str, ...], at: RoundBoard) -> dict[str, bytes]:
    """The survivors' statements that are on the board; whether they hold is for the holder to see."""
    there = set(at.with_agreement()).intersection(names)
    found = {site: at.agreement(site).read_as(bytes) for site in sorted(there)}
    return {site: data for site, data in found.items() if data is not None}
