"""The hospital's desk at PySyft: show data sets, approve trusted peers, take in requests, show
their states.

PySyft carries requests and shows states; it decides nothing. What runs is decided by the signed
approvals in the ledger.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from securefl.datasite.address import site_email, site_name
from securefl.datasite.site import open_datasite
from securefl.errors import SecureFLError, StudyError, UsageError
from securefl.files import replace_file
from securefl.node.public_side import sign_public
from securefl.node.requests import keep_request, kept_requests
from securefl.party.pysyft_keys import publish_pysyft_keys, signed_fingerprint
from securefl.party.shown_datasets import take_off_board
from securefl.report.characters import quoted_lines
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.datasite.models import Request, Status
    from securefl.datasite.site import Datasite
    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState

#: Beside the mark of a line that goes on, on a screen of 80.
_LOG_COLUMNS = 72
#: A state in our ledger → the states that PySyft shows on the way there, in order.
_SHOWN: dict[str, tuple[Status, ...]] = {
    "approved": ("approved",),
    "running": ("approved", "running"),
    "completed": ("approved", "running", "done"),
    "failed": ("approved", "failed"),
    "withdrawn": ("approved", "failed"),
}
_NOTES = {
    "approved": "Approved by this hospital's signature on the digest.",
    "running": "Running.",
    "completed": "Completed; the budget stays charged.",
    "failed": "Ended before it was complete.",
    "withdrawn": "The data owner withdrew.",
}


def sync_datasite(site: Site, say: Callable[[str], None]) -> Site:
    """One exchange with PySyft; returns the site with its settings as they are now.

    Raises:
        StoreError: the store cannot be used.
    """
    site = site.refreshed()
    email = site_email(site.name)
    with open_datasite(site.board, email, site.datasite, "hospital") as desk:
        publish_pysyft_keys(site.board, site.identity, email, desk.fingerprint)
        take_off_board(site.board, site.identity)  # of a time without PySyft
        _publish(site, desk, email)
        for refused in desk.sync().quarantined:
            say(f"a message of {site_name(refused.sender)} was set aside: {refused.reason}")
        changed = _approve_peers(site, desk, say)
        requests = desk.requests()
        for request in requests:
            changed |= _take_in(site, desk, request, say)
        changed |= _show_states(site, desk, requests)
        if changed:
            desk.sync()
        replace_file(
            site.path / "desk.json",
            json.dumps(
                {"peers": len(desk.peers()), "quarantined": len(desk.quarantined())}
            ).encode(),
        )
    return site


def _publish(site: Site, desk: Datasite, email: str) -> None:
    """Show the registered data sets, and no other."""
    names = {entry.name for entry in site.settings.datasets}
    for shown in desk.datasets():
        if shown.owner == email and shown.name not in names:
            desk.withdraw_dataset(shown.name)
    for entry in site.settings.datasets:
        signed = sign_public(site, entry.name)
        if signed is not None:
            statement, mock = signed
            summary = f"{entry.name}: patients of {entry.population}; mock data only"
            desk.publish_dataset(entry.name, mock, statement, summary)


def _approve_peers(site: Site, desk: Datasite, say: Callable[[str], None]) -> bool:
    """A peer is approved when the owner trusts its card as a researcher's and that card signed its
    PySyft keys.
    """
    cards = site.book.cards()
    changed = False
    for peer in desk.peers():
        card = cards.get(site_name(peer.email))
        if peer.state != "requested-by-peer" or card is None or card.role != "researcher":
            continue
        try:
            signed = signed_fingerprint(site.board, card, peer.email)
            if signed is not None:
                desk.approve_peer(peer.email, signed)
                say(f"{card.name} may now see the data sets' public side and send requests")
                changed = True
        except SecureFLError as error:
            say(f"{card.name} is not approved as a peer: {error.what}")
    return changed


def _take_in(
    site: Site,
    desk: Datasite,
    request: Request,
    say: Callable[[str], None],
) -> bool:
    if request.status != "pending" or any(k.job == request.job for k in kept_requests(site)):
        return False
    text = request.files.get("study.toml", b"")
    try:
        sealed = SealedStudy.read(text)
        study = sealed.study
        if site_email(study.coordinator.name) != request.sender:
            raise StudyError(
                f"{site_name(request.sender)} sent a study whose coordinator is"
                f" {study.coordinator.name}."
            )
        kept = keep_request(
            site,
            sealed,
            job=request.job,
            sender=request.sender,
            received=request.received,
        )
        if kept.job != request.job:
            desk.set_status(
                request.job, "rejected", "The same study was requested before; that request stands."
            )
            return True
    except (SecureFLError, ValueError) as error:
        desk.set_status(
            request.job,
            "rejected",
            "The study file breaks the contract; run 'securefl study check' on it.",
        )
        # the reason may repeat the file's own words: none of them begins a line of the log, however
        # wide the screen
        why = "\n".join(quoted_lines(str(error), _LOG_COLUMNS, fill=False))
        say(f"the request {request.job} was refused:\n{why}")
        return True
    desk.attach_note(
        request.job,
        f"Waits for the data owner: securefl site review {kept.short}, then approve or refuse."
        " Approving in PySyft alone runs nothing.",
    )
    say(f"a request came in: {kept.short}")
    return True


def _show_states(site: Site, desk: Datasite, requests: tuple[Request, ...]) -> bool:
    state = site.ledger.state
    changed = False
    digests = {k.job: k.digest for k in kept_requests(site)}
    for request in requests:
        digest = digests.get(request.job)
        if digest is None:
            continue
        for status, note in _wanted(state, digest, request.status):
            try:
                desk.set_status(request.job, status, note)
                changed = True
            except UsageError:
                continue  # PySyft shows a later state already
    return changed


def _wanted(state: LedgerState, digest: str, shown: str) -> list[tuple[Status, str]]:
    if digest in state.studies:
        status = state.studies[digest].status
        path = _SHOWN[status]
        ahead = path
        if shown in path:
            ahead = path[path.index(shown) + 1 :]
        return [(s, _NOTES[status]) for s in ahead]
    if state.declined(digest) and shown != "rejected":
        return [("rejected", "Refused by the data owner.")]
    return []
