"""Rounds of a study as this hospital sees them, to be verified again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.round_plan import RoundPlan
from securefl.node.requests import kept_requests, kept_study
from securefl.party.rounds_view import RoundsView, choose_view

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.study.study_id import StudyId


def hospital_rounds(site: Site, name: str = "") -> RoundsView:
    """The rounds of a study that was approved here, with what the ledger says was sent.

    Args:
        site: the hospital.
        name: of the study, or its beginning; may be left out where there is one only, or one only
            with rounds that are over.

    Raises:
        UsageError: no study or several fit.
        UnreadableError: what is kept here is not whole.
    """
    booked = site.ledger.state.studies

    def view(study: StudyId) -> RoundsView:
        sent = {number: event.sha256 for (number, _), event in booked[study.digest].sent.items()}
        plan = RoundPlan(kept_study(site, study.digest))
        return RoundsView(study.name, plan, site.board, site.name, sent)

    approved = [request.id for request in kept_requests(site) if request.digest in booked]
    return choose_view(approved, name, view)
