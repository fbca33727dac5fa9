"""Studies of an aggregator for `securefl store clean`, and times at which studies ended by the events
of a party.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import SecureFLError, StoreError
from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_board import StudyBoard, studies_on
from securefl.federation.study_cleaning import EndedStudy
from securefl.party.events import EVENTS, read_events
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from securefl.party.folder import PartyFolder


def ended_by_events(folder: Path) -> dict[str, datetime]:
    """Study digest → when the events in a folder say that it ended."""
    ends = ("ended", "run-ended")
    events = read_events(folder / EVENTS)
    return {event.study: event.at for event in events if event.study and event.event in ends}


def served_studies(here: PartyFolder) -> list[EndedStudy]:
    """Studies in the store that name this aggregator, of coordinators that it trusts.

    Raises:
        StoreError: the store is away.
    """
    trusted = {card.signing_public for card in here.book.cards().values()}
    ended = ended_by_events(here.path)
    found = []
    for digest in studies_on(here.board):
        try:
            text = StudyBoard(here.board, digest).text.read()
            if text is None:
                continue
            plan = RoundPlan(SealedStudy.read(text))
        except StoreError:
            raise
        except SecureFLError:  # what anybody else wrote there is none
            continue
        study = plan.study
        mine = study.aggregator.signing_public == here.identity.card.signing_public
        if mine and plan.digest == digest and study.coordinator.signing_public in trusted:
            found.append(EndedStudy(plan, ended.get(digest)))
    return found
