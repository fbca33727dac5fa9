"""Publication of what a hospital decided: its approvals and the codes of its ends; and the reading
of all hospitals' approvals.

The agent says these for months; what a decision itself needs stands in
:mod:`securefl.node.decisions`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from securefl.errors import MessageError, NotApprovedError
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.federation.study_board import StudyBoard
from securefl.files import read_file
from securefl.party.outbox import post
from securefl.study.approval import Approval, open_approval

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.node.site import Site


def publish_approval(site: Site, digest: str) -> None:
    """Put the kept approval into the store; safe to repeat. When the store takes nothing now, the
    agent sends it later.

    Raises:
        NotApprovedError: as :func:`kept_approval`.
    """
    post(site, paths.approval(digest, site.name), kept_approval(site, digest))


def kept_approval(site: Site, digest: str) -> bytes:
    """The approval that this hospital signed.

    Raises:
        NotApprovedError: it is gone, or not the one that the ledger knows.
    """
    try:
        signed = read_file(approval_file(site, digest))
    except OSError:
        signed = b""
    if hashlib.sha256(signed).hexdigest() != site.ledger.state.study(digest).approval.statement:
        raise NotApprovedError(
            "The kept approval is not the one in the ledger.",
            next_step="Do not run this study; ask the researcher for a new one.",
        )
    return signed


def publish_status(
    site: Site,
    digest: str,
    code: str,
    cause: tuple[str, str] = ("", ""),
) -> None:
    """Say a public code to the others, signed; kept until the store takes it.

    Args:
        site: this hospital.
        digest: the study.
        code: the public code.
        cause: the party that this hospital follows, and that one's code; empty where it is the
            first to end.
    """
    state = site.ledger.state
    sent = state.studies[digest].sent if digest in state.studies else {}
    status = Status(digest, site.name, max((r for r, _ in sent), default=0), code, *cause)
    post(site, paths.status(digest, site.name), status.dump(site.identity.sign))


def all_approvals(
    site: Site,
    plan: RoundPlan,
    not_there: Callable[[str, MessageError], None],
) -> dict[str, Approval] | None:
    """Every hospital's approval, checked with the keys this hospital trusts; None while one is
    missing or not by its hospital.

    Args:
        site: this hospital.
        plan: the study.
        not_there: told of a hospital's name under which something else lies: anybody can write into
            the store.

    Raises:
        NotApprovedError: a hospital is no longer in this hospital's list.
    """
    found = {}
    on_board = StudyBoard(site.board, plan.digest)
    listed = site.book.listed()
    cards = {name: entry.card for name, entry in listed.items() if not entry.lapsed}
    cards[site.name] = site.identity.card
    for name in plan.study.cohort:
        if name not in cards:
            why = f"{name} is no longer in this hospital's list."
            if name in listed:
                why = f"{name} is trusted here no more. {listed[name].lapsed}"
            raise NotApprovedError(
                why,
                whose=name,
                next_step="Trust its card again, then ask for a new study.",
            )
        try:
            data = (
                on_board.approval(name).read()
                if name != site.name
                else kept_approval(site, plan.digest)
            )
            if data is None:
                return None
            found[name] = open_approval(
                data, site=name, study=plan.digest, verify=cards[name].verify
            )
        except MessageError as error:
            not_there(name, error)
            return None
    return found


def approval_file(site: Site, digest: str) -> Path:
    """Path of the signed approval."""
    return site.study_folder(digest) / "approval"
