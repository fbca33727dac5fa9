"""Decisions of a study's other parties, as far as this hospital may believe them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import NotApprovedError
from securefl.federation.messages import End
from securefl.federation.status_board import status_of
from securefl.federation.study_board import StudyBoard
from securefl.federation.study_request import request_way
from securefl.report.codes import cannot_run_sentence
from securefl.study.approval import open_approval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.identity import IdentityCard
    from securefl.node.site import Site
    from securefl.study.schema import Party, Study


@dataclass(frozen=True)
class Others:
    """Sites that approved, sites that said nothing, party → public code of each that ended its part,
    and sites that take requests without PySyft.

    Only words signed by a card of this hospital's own list count: a researcher could invent a
    hospital, and its no.
    """

    approved: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    ended: Mapping[str, str] = field(default_factory=dict)
    without_pysyft: tuple[str, ...] = ()

    def check_open(self) -> None:
        """Refuse a study that needs every approval and cannot get them any more.

        Raises:
            NotApprovedError: naming who said no.
        """
        if self.ended:
            raise NotApprovedError(
                f"{cannot_run_sentence(self.ended)} An approval would reserve budget for nothing.",
                whose=", ".join(self.ended),
                next_step=(
                    "Refuse it, or leave it as it is: nothing runs. The researcher can make another"
                    " study."
                ),
            )


def look_around(site: Site, study: Study, digest: str) -> Others:
    """Read the others' approvals and last words from the store.

    Raises:
        StoreError: the store cannot be reached.
    """
    cards = site.book.cards()
    approved = []
    waiting = []
    ended = {}
    off_board = []
    for party in study.participants:
        if party.name == site.name:
            continue
        card = _listed(cards, party)
        if card is None:
            waiting.append(party.name)
            continue
        if request_way(site.board, card) is not None:
            off_board.append(party.name)
        said = status_of(site.board, digest, party.name, card.signing_public)
        if said is not None:
            ended[party.name] = said.code
        elif _has_approved(site, digest, card):
            approved.append(party.name)
        else:
            waiting.append(party.name)
    coordinator = _listed(cards, study.coordinator)
    if coordinator is not None and not ended:
        outcome = _outcome(site, digest, coordinator)
        if outcome is not None:
            ended[coordinator.name] = outcome
    return Others(tuple(approved), tuple(waiting), ended, tuple(off_board))


def _listed(cards: Mapping[str, IdentityCard], party: Party) -> IdentityCard | None:
    card = cards.get(party.name)
    if card is None or card.signing_public != party.signing_public:
        return None
    return card


def _has_approved(site: Site, digest: str, card: IdentityCard) -> bool:
    approval = StudyBoard(site.board, digest).approval(card.name)
    read = partial(open_approval, site=card.name, study=digest, verify=card.verify)
    return approval.read_as(read) is not None


def _outcome(site: Site, digest: str, coordinator: IdentityCard) -> str | None:
    read = partial(End.open, study=digest, verify=coordinator.verify)
    end = StudyBoard(site.board, digest).end.read_as(read)
    if end is None:
        return None
    return end.outcome
