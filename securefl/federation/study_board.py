"""Slots of one study on a board, beside those of its rounds (:mod:`securefl.federation.round_board`).

Each object of a study has its path and its largest size here, whoever posts or reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.boards.slot import Slot
from securefl.federation import paths
from securefl.federation.checkpoints import MAX_SEALED, handed_path
from securefl.federation.messages import MAX_SMALL
from securefl.federation.questions import MAX_BYTES as MAX_QUESTION
from securefl.study.approval import MAX_BYTES as MAX_APPROVAL
from securefl.study.parse import MAX_BYTES as MAX_TEXT

if TYPE_CHECKING:
    from securefl.boards.board import Board

#: A study has at most thousands of releases of some hundred bytes each.
MAX_EXTRACT: Final = 8 * 1024 * 1024


def studies_on(board: Board) -> list[str]:
    """Digests of the studies that have something on the board; nobody's word yet."""
    return board.names(paths.STUDIES)


def recalls_on(board: Board) -> list[tuple[str, str]]:
    """Study digest and hospital of each recall on the board, by one listing; nobody's word yet."""
    found = []
    for name in board.names(paths.RECALLS):
        digest, _, site = name.partition(".")
        found.append((digest, site))
    return found


@dataclass(frozen=True)
class StudyBoard:
    """The objects of one study.

    Args:
        board: where they lie.
        digest: the study's.
    """

    board: Board
    digest: str

    @property
    def text(self) -> Slot:
        """The sealed study's text."""
        return Slot(self.board, paths.study_file(self.digest), MAX_TEXT)

    @property
    def invitation(self) -> Slot:
        """The coordinator's signed word that the study exists."""
        return Slot(self.board, paths.invitation(self.digest), MAX_SMALL)

    @property
    def request(self) -> Slot:
        """The coordinator's signed word on the text, for hospitals without PySyft."""
        return Slot(self.board, paths.request(self.digest), MAX_SMALL)

    @property
    def call(self) -> Slot:
        """The coordinator's signed word that it is about to begin."""
        return Slot(self.board, paths.call(self.digest), MAX_SMALL)

    @property
    def end(self) -> Slot:
        """The coordinator's signed end of the study."""
        return Slot(self.board, paths.ending(self.digest), MAX_SMALL)

    def approval(self, site: str) -> Slot:
        """One hospital's approval."""
        return Slot(self.board, paths.approval(self.digest, site), MAX_APPROVAL)

    def with_approval(self) -> list[str]:
        """Names under which an approval lies."""
        return self.board.names(paths.approvals(self.digest))

    def ready(self, site: str) -> Slot:
        """One hospital's signed answer to the call."""
        return Slot(self.board, paths.ready(self.digest, site), MAX_SMALL)

    def with_ready(self) -> list[str]:
        """Names under which an answer to the call lies."""
        return self.board.names(paths.ready_folder(self.digest))

    def group_commitment(self, site: str) -> Slot:
        """One hospital's commitment to its nonce, in a study that trains by groups."""
        return Slot(self.board, paths.group_commitment(self.digest, site), MAX_SMALL)

    def with_group_commitment(self) -> list[str]:
        """Names under which a commitment lies."""
        return self.board.names(paths.group_commitments(self.digest))

    def group_nonce(self, site: str) -> Slot:
        """One hospital's nonce."""
        return Slot(self.board, paths.group_nonce(self.digest, site), MAX_SMALL)

    def with_group_nonce(self) -> list[str]:
        """Names under which a nonce lies."""
        return self.board.names(paths.group_nonces(self.digest))

    def question(self, site: str, number: int) -> Slot:
        """One signed question of a hospital's owner."""
        return Slot(self.board, paths.question(self.digest, site, number), MAX_QUESTION)

    def offer(self, site: str) -> Slot:
        """Signed offer of a hospital that refused."""
        return Slot(self.board, paths.offer(self.digest, site), MAX_SMALL)

    def with_questions(self) -> list[str]:
        """Names under which a question lies."""
        return self.board.names(paths.questions(self.digest))

    def reply(self, site: str, number: int) -> Slot:
        """The coordinator's signed answer to it."""
        return Slot(self.board, paths.reply(self.digest, site, number), MAX_QUESTION)

    def status(self, party: str) -> Slot:
        """One party's signed end of its part."""
        return Slot(self.board, paths.status(self.digest, party), MAX_SMALL)

    def with_status(self) -> list[str]:
        """Names under which an end of a part lies."""
        return self.board.names(paths.status_folder(self.digest))

    def returns(self, site: str) -> Slot:
        """One hospital's signed word that it comes back."""
        return Slot(self.board, paths.returns(self.digest, site), MAX_SMALL)

    def with_return(self) -> list[str]:
        """Names under which such a word lies."""
        return self.board.names(paths.return_folder(self.digest))

    def receipt(self, party: str) -> Slot:
        """One party's signed word that it needs nothing more of the study's bytes."""
        return Slot(self.board, paths.receipt(self.digest, party), MAX_SMALL)

    def with_receipt(self) -> list[str]:
        """Names under which such a word lies."""
        return self.board.names(paths.receipts(self.digest))

    def extract(self, site: str) -> Slot:
        """The extract of one hospital's audit, sealed to the researcher."""
        return Slot(self.board, paths.extract(self.digest, site), MAX_EXTRACT)

    def checkpoint(self, site: str, reader: str) -> Slot:
        """One hospital's checkpoint of its ledger, sealed to another participant."""
        return Slot(self.board, handed_path(self.digest, site, reader), MAX_SEALED)

    def recall(self, site: str) -> Slot:
        """One hospital's signed word that the study's model is to be used no more."""
        return Slot(self.board, paths.recall(self.digest, site), MAX_SMALL)

    @property
    def model_statement(self) -> Slot:
        """The coordinator's signed word on the sealed model."""
        return Slot(self.board, paths.model_statement(self.digest), MAX_SMALL)

    def model(self, most: int = 0) -> Slot:
        """The finished model, sealed to its recipients.

        Args:
            most: its size, as the statement says it; posting needs none.
        """
        return Slot(self.board, paths.model_sealed(self.digest), most)
