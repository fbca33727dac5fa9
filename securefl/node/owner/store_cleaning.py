"""Studies of a hospital for `securefl store clean`: each with the time at which it ended here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_cleaning import EndedStudy
from securefl.node.requests import kept_study
from securefl.utc_times import read_time

if TYPE_CHECKING:
    from securefl.node.site import Site


def approved_studies(site: Site) -> list[EndedStudy]:
    """All studies that were approved here, in their order.

    Raises:
        UnreadableError: a study's file is broken.
        LedgerAlteredError: the ledger does not hold.
    """
    found = []
    for digest, study in site.ledger.state.studies.items():
        ended = None
        if study.ended and study.ended_at:
            ended = read_time(study.ended_at)
        found.append(EndedStudy(RoundPlan(kept_study(site, digest)), ended))
    return found
