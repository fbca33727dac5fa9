"""Offers of hospitals that refused a study, as its researcher reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.offers import Offer
from securefl.federation.study_board import StudyBoard

if TYPE_CHECKING:
    from securefl.identity import IdentityCard
    from securefl.party.folder import PartyFolder
    from securefl.study.sealed import SealedStudy


def offers_of(folder: PartyFolder, sealed: SealedStudy) -> list[Offer]:
    """All offers that hospitals of the study signed; whatever else lies there is passed over.

    Raises:
        StoreError: the store cannot be reached.
    """
    board = StudyBoard(folder.board, sealed.digest)
    cards = folder.book.cards()
    found = []
    for party in sealed.study.participants:
        card = cards.get(party.name)
        if card is None or card.signing_public != party.signing_public:
            continue
        offer = _offer(board, card)
        if offer is not None:
            found.append(offer)
    return found


def _offer(board: StudyBoard, card: IdentityCard) -> Offer | None:
    def checked(data: bytes) -> Offer:
        return Offer.open(data, verify=card.verify, study=board.digest, site=card.name)

    return board.offer(card.name).read_as(checked)
