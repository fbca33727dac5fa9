"""Slots of one round on a board: each object with its path and its largest size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.boards.slot import Slot
from securefl.federation.messages import MAX_ANNOUNCEMENT, MAX_SMALL
from securefl.federation.paths import RoundPaths
from securefl.federation.sealing import sealed_limit
from securefl.federation.shown_opening import opening_limit
from securefl.federation.transcript import MAX_TRANSCRIPT
from securefl.secagg.frame import public_key_bytes
from securefl.secagg.survivors import MAX_AGREEMENT_BYTES, proposal_limit
from securefl.secagg.unmasking import answer_limit

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.secagg.survivors import Survivors


@dataclass(frozen=True)
class RoundBoard:
    """The objects of one round.

    Args:
        board: where they lie.
        at: their paths.
    """

    board: Board
    at: RoundPaths

    @classmethod
    def of(cls, board: Board, context: RoundContext) -> RoundBoard:
        """The objects of the round with these facts."""
        return cls(board, RoundPaths(context.study, context.round))

    @classmethod
    def numbered(
        cls,
        board: Board,
        digest: str,
        number: int,
    ) -> RoundBoard:
        """The objects of a study's round by its number."""
        return cls(board, RoundPaths(digest, number))

    @property
    def announcement(self) -> Slot:
        """The coordinator's signed facts of the round."""
        return Slot(self.board, self.at.announcement, MAX_ANNOUNCEMENT)

    @property
    def key(self) -> Slot:
        """The round's public key."""
        return Slot(self.board, self.at.key, public_key_bytes())

    def model(self, plan: RoundPlan) -> Slot:
        """Slot of what the coordinator sends for the round's release, sealed to the hospitals."""
        most = sealed_limit(plan.public_length(self.at.round), len(plan.study.participants))
        return Slot(self.board, self.at.model, most)

    def contribution(self, site: str, most: int = 0) -> Slot:
        """One hospital's contribution.

        Args:
            site: whose.
            most: its size, which follows from the kind of round; posting needs none.
        """
        return Slot(self.board, self.at.contribution(site), most)

    def there(self) -> list[str]:
        """Names of what lies in the round's folder; nobody's word."""
        return self.board.names(self.at.root)

    def contributors(self) -> list[str]:
        """Names under which a contribution lies."""
        return self.board.names(self.at.contributions)

    def proposal(self, terms: SurvivorTerms) -> Slot:
        """The coordinator's survivor set."""
        return Slot(self.board, self.at.proposal, proposal_limit(terms))

    def agreement(self, site: str) -> Slot:
        """One survivor's signature under it."""
        return Slot(self.board, self.at.agreement(site), MAX_AGREEMENT_BYTES)

    def with_agreement(self) -> list[str]:
        """Names under which a signature lies."""
        return self.board.names(self.at.agreements)

    def complaint(self, site: str) -> Slot:
        """One survivor's complaint, in place of its signature."""
        return Slot(self.board, self.at.complaint(site), MAX_SMALL)

    def answer(self, site: str, survivors: Survivors) -> Slot:
        """One survivor's unmasking answer."""
        return Slot(self.board, self.at.answer(site), answer_limit(survivors, site))

    def with_answer(self) -> list[str]:
        """Names under which an unmasking answer lies."""
        return self.board.names(self.at.answers)

    def sum(self, most: int = 0) -> Slot:
        """The aggregator's sum.

        Args:
            most: its size, which follows from the kind of round; posting needs none.
        """
        return Slot(self.board, self.at.sum, most)

    def opening(self, hospitals: int = 0) -> Slot:
        """The coordinator's opening, sealed to the participants.

        Args:
            hospitals: how many the study has; posting needs none.
        """
        return Slot(self.board, self.at.opening, opening_limit(hospitals))

    @property
    def transcript(self) -> Slot:
        """The coordinator's signed transcript."""
        return Slot(self.board, self.at.transcript, MAX_TRANSCRIPT)
