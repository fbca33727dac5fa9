"""Airlock of a hospital: what leaves must stand in its ledger, and a study that comes in waits for its
owner as a request does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.datasite.address import site_email
from securefl.errors import MessageError
from securefl.node.requests import keep_request
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from securefl.node.site import Site
    from securefl.party.airlock.bundle import CheckedBundle
    from securefl.party.airlock.kinds import Place

#: Kinds that the ledger has an event of, written before they leave.
_CHARGED = frozenset({"contribution", "answer"})


def charged_only(site: Site) -> Callable[[Place, str], None]:
    """Make the check that an object which tells of patients stands in the ledger by its hash."""
    known: set[str] = set()

    def check(at: Place, sha256: str) -> None:
        if at.kind.word not in _CHARGED:
            return
        if not known:
            known.update(_in_ledger(site))
        if sha256 not in known:
            raise MessageError(
                f"{at.path} is not in this hospital's ledger: it was never charged.",
                whose="whoever can write into the store",
                next_step="Nothing was exported. Find out who put it there.",
            )

    return check


def _in_ledger(site: Site) -> Iterator[str]:
    """Hashes of all that the ledger says has left."""
    for study in site.ledger.state.studies.values():
        for sent in study.sent.values():
            yield sent.sha256
        for answer in study.answers.values():
            yield answer.sha256


def take_in_requests(site: Site, bundle: CheckedBundle, now: datetime) -> tuple[str, ...]:
    """Keep the studies of a bundle that are new here, as requests; returns their names."""
    taken = []
    for digest, plan in bundle.plans.items():
        invited = any(at.study == digest and at.kind.word == "invitation" for at in bundle.places)
        new = not (site.study_folder(digest) / "request.json").exists()
        if not invited or not new or site.name not in plan.study.cohort:
            continue
        keep_request(
            site,
            plan.sealed,
            job=f"airlock-{digest[:12]}",
            sender=site_email(plan.study.coordinator.name),
            received=time_text(now),
        )
        taken.append(plan.sealed.name)
    return tuple(taken)
