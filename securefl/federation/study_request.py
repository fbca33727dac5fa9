"""Request by the board: the researcher's signed word on a study's text, and a hospital's signed word
that it takes requests there, without PySyft.

The text of a study is parsed only by who has compared its bytes with the signed hash (rule 5).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from securefl.errors import MessageError
from securefl.federation.party_board import MAX_REQUEST_WAY, PartyBoard
from securefl.federation.study_board import StudyBoard
from securefl.signature_check import SignerAmong
from securefl.statement import Hex32, Positive, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.boards.board import Board
    from securefl.identity import IdentityCard


@dataclass(frozen=True)
class StudyRequest(Statement):
    """The coordinator's word that it asks the hospitals of a study, and with which bytes.

    Args:
        study: the study's digest.
        coordinator: who asks.
        text_sha256: SHA-256 of the study's text as it lies on the board.
        text_bytes: its length.
    """

    TYPE: ClassVar[str] = "securefl-study-request/1"
    WHAT: ClassVar[str] = "The request"
    SENDER: ClassVar[str] = "the coordinator"

    study: Hex32
    coordinator: str
    text_sha256: Hex32
    text_bytes: Positive

    @classmethod
    def of(cls, study: str, coordinator: str, text: bytes) -> StudyRequest:
        """Make the request for the study of that digest and text."""
        return cls(study, coordinator, hashlib.sha256(text).hexdigest(), len(text))

    def check_text(self, text: bytes) -> None:
        """Compare a text with the one that was signed; nothing of it is parsed.

        Raises:
            MessageError: it is another one.
        """
        same_length = len(text) == self.text_bytes
        if same_length and hashlib.sha256(text).hexdigest() == self.text_sha256:
            return
        raise MessageError(
            f"The study's text in the store is not the one that {self.coordinator} signed.",
            whose="whoever can write into the store",
            next_step=f"Ask {self.coordinator} to request the study again.",
        )


@dataclass(frozen=True)
class RequestWay(Statement):
    """A hospital's word that it takes requests off the board, without PySyft.

    A hospital with PySyft posts none.

    Args:
        site: whose word it is.
        datasets: names of all data sets whose public side it shows on the board.
    """

    TYPE: ClassVar[str] = "securefl-request-way/1"
    WHAT: ClassVar[str] = "The statement on requests"
    MAX_BYTES: ClassVar[int] = MAX_REQUEST_WAY

    site: str
    datasets: tuple[str, ...]


def read_request(
    board: Board,
    digest: str,
    researchers: Sequence[IdentityCard],
) -> tuple[StudyRequest, IdentityCard] | None:
    """Read the request for a study, if one of these researchers signed it.

    Args:
        board: where it lies.
        digest: the study's.
        researchers: cards that are trusted here.

    Returns:
        The request and its signer's card; None where there is none, or only somebody else's.

    Raises:
        MessageError: one of them signed it, and it is malformed, or about another study.
        StoreError: the board is away.
    """
    try:
        data = StudyBoard(board, digest).request.read()
    except MessageError:  # too long to be one: nobody's word
        return None
    if data is None:
        return None
    signed = SignerAmong(researchers)
    try:
        said = StudyRequest.open(data, verify=signed, study=digest)
    except MessageError:
        if signed.signer is not None:
            raise
        return None
    card = signed.known
    if said.coordinator != card.name:
        raise MessageError(
            f"The request says that it is of {ascii(said.coordinator)[:60]}; {card.name}"
            " signed it.",
            whose=card.name,
            next_step=f"Telephone {card.name}.",
        )
    return said, card


def request_way(board: Board, card: IdentityCard) -> RequestWay | None:
    """Read the word of the card's owner that it takes requests without PySyft.

    None where it said nothing, or what lies there is not by that card: anybody can post.

    Raises:
        StoreError: the board is away.
    """

    def read(data: bytes) -> RequestWay:
        return RequestWay.open(data, verify=card.verify, site=card.name)

    return PartyBoard(board, card.name).request_way.read_as(read)
