"""Inbox, review, and the owner's decisions on a request: approve, refuse, withdraw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from securefl.errors import DataError, NotApprovedError, StoreError, StudyError, UnreadableError
from securefl.node import decisions, policy
from securefl.node.agent import agent_state
from securefl.node.earlier_study import continuation
from securefl.node.other_studies import look_around
from securefl.node.public_side import registered
from securefl.node.questions import sign_thread, thread
from securefl.node.request_ways import intake_of
from securefl.node.requests import find_kept, find_request, kept_requests, kept_study, requests_in
from securefl.node.sealed_words import check_two_agree
from securefl.node.tables import count_rows
from securefl.node.training_look import keep_training_look
from securefl.node.worker_rules import site_isolation
from securefl.party.clock import utc_now
from securefl.report.changes import Earlier
from securefl.report.request import decided_words
from securefl.study.differences import differences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from securefl.errors import SecureFLError
    from securefl.node.other_studies import Others
    from securefl.node.policy import Review
    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState
    from securefl.report.earlier_study import Continued
    from securefl.report.isolation import Isolation
    from securefl.report.questions import Exchange
    from securefl.report.rows import RowCount


class RequestState(StrEnum):
    """State of a request at this hospital.

    The first two are of the request; the others are the states of a study in the ledger.
    """

    WAITING = "waiting"
    REFUSED = "refused"
    APPROVED = "approved"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


#: States in which the study may still run here: what the others decided matters.
_OPEN = frozenset({RequestState.WAITING, RequestState.APPROVED})


@dataclass(frozen=True)
class Elsewhere:
    """Decisions of the other parties on a request, as they signed them.

    ``others`` is None while the store does not answer: nothing can be seen of them.
    """

    others: Others | None


@dataclass(frozen=True)
class InboxRow:
    """One request of the inbox.

    ``elsewhere`` is None where it matters no more, or where the request cannot be read.
    """

    request: KeptRequest
    state: RequestState
    elsewhere: Elsewhere | None


@dataclass(frozen=True)
class InboxPart:
    """Some of the requests, without the others' decisions.

    Attributes:
        rows: the listed ones.
        first: how many come before them.
        total: how many there are.
        waiting: how many of all wait for a decision.
    """

    rows: tuple[InboxRow, ...]
    first: int
    total: int
    waiting: int


@dataclass(frozen=True)
class RequestReview:
    """A request as this hospital checked it.

    Attributes:
        request: as it is kept here.
        found: all checks of this hospital; a study that can start nowhere is among its faults.
        state: what was decided here before.
        elsewhere: what the others decided.
    """

    request: KeptRequest
    found: Review
    state: RequestState
    elsewhere: Elsewhere

    @property
    def faults(self) -> tuple[SecureFLError, ...]:
        """Faults that stand against the request in its state.

        An approved study has its budget reserved, so the budget is no fault of it. A study that
        runs or is over has none.
        """
        if self.state is RequestState.WAITING:
            return self.found.faults
        if self.state is RequestState.APPROVED:
            return self.found.faults_beside_budget
        return ()

    @property
    def may_be_asked(self) -> bool:
        """True when the owner is asked for a yes.

        With too little budget the owner is asked too: the ledger notes its own refusal.
        """
        return not self.found.faults_beside_budget


@dataclass(frozen=True)
class OwnView:
    """Facts of this hospital alone that stand on a request's page.

    Attributes:
        rows: the registered table as counted here; None where it is of no use or not asked for.
        registered: the data set as its owner declared it; None where nothing is registered.
        isolation: what is enforced on this machine.
        earlier: the study that was approved last, with what differs; None where there is none, and
            once this one was decided.
        thread: what the owner asked, and what the researcher answered.
        continued: the earlier study whose model is trained on; None where there is none.
    """

    rows: RowCount | None
    registered: dict[str, Any] | None
    isolation: Isolation
    earlier: Earlier | None = None
    thread: tuple[Exchange, ...] = ()
    continued: Continued | None = None


def take_in_requests(site: Site, say: Callable[[str], None]) -> Site:
    """Exchange requests once where no agent runs that does it; the site as it is now.

    Raises:
        StoreError: the store cannot be used.
        UsageError: it takes requests through PySyft, which is not installed.
    """
    if agent_state(site) is not None:
        return site
    return intake_of(site, looks=None).exchange(site, say)


def inbox(site: Site) -> tuple[InboxRow, ...]:
    """All requests that came in, oldest first."""
    return tuple(_listed(site, request) for request in kept_requests(site))


def inbox_part(site: Site, first: int, count: int) -> InboxPart:
    """Some of the requests: those that wait for a decision first, then the newest.

    Only this machine is asked, so that a store that does not answer keeps nobody waiting, and
    only the listed requests are told.

    Args:
        site: the hospital.
        first: how many come before the first that is listed, 0 or more.
        count: how many are listed at most.
    """
    known = _with_states(site, reversed(kept_requests(site)))
    waiting = [pair for pair in known if pair[0] is RequestState.WAITING]
    decided = [pair for pair in known if pair[0] is not RequestState.WAITING]
    listed = [*waiting, *decided][first : first + count]
    rows = tuple(InboxRow(request, state, None) for state, request in listed)
    return InboxPart(rows, first, len(known), len(waiting))


def newest_requests(site: Site, count: int) -> tuple[str, ...]:
    """Names of the newest requests, at most so many."""
    return tuple(request.short for request in reversed(kept_requests(site)[-count:]))


def request_text(site: Site, name: str) -> bytes:
    """Text of the study that a request asks for.

    Raises:
        UsageError: no request, or several, have that name.
        StudyError, UnreadableError: it cannot be read.
    """
    return find_request(site, name)[1].text


def request_names(folder: Path) -> tuple[str, ...]:
    """Names of the requests in a hospital's folder, the newest first; no key is opened."""
    return tuple(request.short for request in reversed(requests_in(folder)))


def request_state(site: Site, digest: str) -> RequestState:
    """State of a request, by the ledger."""
    state = site.ledger.state
    return _state_in(state, state.declined_studies, digest)


def waiting_requests(site: Site) -> tuple[KeptRequest, ...]:
    """Requests on which nothing was decided yet."""
    known = _with_states(site, kept_requests(site))
    return tuple(request for state, request in known if state is RequestState.WAITING)


def _with_states(
    site: Site,
    listed: Iterable[KeptRequest],
) -> list[tuple[RequestState, KeptRequest]]:
    """Requests with their states, all by the ledger as it is at one moment."""
    state = site.ledger.state
    declined = state.declined_studies
    return [(_state_in(state, declined, r.digest), r) for r in listed]


def _state_in(state: LedgerState, declined: Collection[str], digest: str) -> RequestState:
    if digest in state.studies:
        return RequestState(state.studies[digest].status)
    if digest in declined:
        return RequestState.REFUSED
    return RequestState.WAITING


def review(site: Site, name: str, now: datetime) -> RequestReview:
    """Check a request: this hospital's own checks, and what the others signed.

    Args:
        site: the hospital.
        name: the request's id or the beginning of its digest.
        now: UTC; a study has an opening and a closing time.

    Raises:
        UsageError: no request, or several, have that name.
        StudyError, UnreadableError: there is nothing to show.
    """
    request, sealed = find_request(site, name)
    found = policy.review(site, sealed, now)
    others: Others | None = None
    try:
        others = look_around(site, found.study, found.digest)
        others.check_open()
    except StoreError:
        pass  # the page says so; an approval waits in the outbox
    except NotApprovedError as error:
        found = replace(found, faults=(error, *found.faults))
    state = request_state(site, request.digest)
    return RequestReview(request, found, state, Elsewhere(others))


def own_view(site: Site, reviewed: RequestReview) -> OwnView:
    """Collect what only this hospital knows of a request, for its owner's screen."""
    return OwnView(
        own_rows(site, reviewed.found) if reviewed.state in _OPEN else None,
        registered(site, reviewed.found.study.data.dataset),
        site_isolation(site),
        last_approved(site, reviewed) if reviewed.state is RequestState.WAITING else None,
        thread(site, reviewed.found.study, reviewed.found.digest),
        continuation(site, reviewed.found.sealed),
    )


def last_approved(site: Site, reviewed: RequestReview) -> Earlier | None:
    """Compare a request with the last study approved here: of the same id, else of the same
    researcher on the same data set. None where there is none, or its text is gone.
    """
    study = reviewed.found.study
    earlier = [s for s in site.ledger.state.studies.values() if s.digest != reviewed.found.digest]
    same_id = [s for s in earlier if s.approval.id == study.study.id]
    named = (study.coordinator.name, study.data.dataset)
    alike = [s for s in earlier if (s.approval.researcher, s.reservation.dataset) == named]
    found = [*alike, *same_id]
    if not found:
        return None
    last = found[-1]
    try:
        before = kept_study(site, last.digest)
    except (StudyError, UnreadableError):
        return None
    return Earlier(
        before.id.name,
        last.approval.at,
        bool(same_id),
        differences(before.text, reviewed.found.sealed.text),
    )


def own_rows(site: Site, found: Review) -> RowCount | None:
    """Count the rows of the own table; None where there is no table that fits the study.

    The time that it takes tells how many rows there are. Never count between the owner's yes and
    the signed approval, which others see come in.
    """
    if found.dataset is None:
        return None
    study = found.study
    try:
        source = site.table(found.dataset.name)
        return count_rows(site, source, study.data, study.privacy.unit)
    except (DataError, UnreadableError):  # a fault of the review says so
        return None


def plan_approval(site: Site, name: str, now: datetime) -> RequestReview:
    """Review a request on which nothing was decided, for the owner's yes.

    Args:
        site: the hospital.
        name: the whole id, or six digits or more of the digest.
        now: UTC.

    Raises:
        UsageError: no request, or several, have that name.
        NotApprovedError: it was decided before, or the policy asks two people who have not agreed.
        StudyError, UnreadableError: there is nothing to show.
    """
    request = check_undecided(site, name)
    check_two_agree(site, request.digest)
    return review(site, request.digest, now)


def approve(site: Site, reviewed: RequestReview) -> Decimal:
    """Sign the approval, reserve the budget, publish the approval.

    Returns:
        The share of the budget that is reserved.

    Raises:
        NotApprovedError: it was decided before, or can start nowhere.
        BudgetError: more than is left; the refusal is in the ledger.
        SecureFLError: the first fault of the review.
    """
    asked = decisions.approve(site, reviewed.found).asked_share
    sign_thread(site, reviewed.found.digest, "approved")
    # the approval is published: how long the table is tells nobody anything
    keep_training_look(site, reviewed.found.digest, reviewed.found.study, utc_now())
    return asked


def refuse(site: Site, name: str, reason: str) -> KeptRequest:
    """Refuse a request, for good. The reason stays in the ledger here; others see the code.

    Raises:
        UsageError: no request, or several, have that name.
        NotApprovedError: it was decided before.
    """
    request = check_undecided(site, name)
    decisions.refuse(site, request, reason)
    sign_thread(site, request.digest, "refused")
    return request


def plan_withdrawal(site: Site, name: str) -> KeptRequest:
    """Find the study that is to be left.

    Raises:
        UsageError: no request, or several, have that name.
    """
    return find_kept(site, name, deciding=True)


def withdraw(site: Site, request: KeptRequest, reason: str) -> None:
    """Leave a study that was approved: nothing more is sent, and what was spent stays spent.

    Raises:
        NotApprovedError: it was not approved here, or has ended.
    """
    decisions.withdraw(site, request.digest, reason)


def check_undecided(site: Site, name: str) -> KeptRequest:
    """Find a request on which nothing was decided.

    Raises:
        UsageError: no request, or several, have that name.
        NotApprovedError: with what was decided.
    """
    request = find_kept(site, name, deciding=True)
    state = request_state(site, request.digest)
    if state is not RequestState.WAITING:
        raise NotApprovedError(
            f"{request.short} was decided here before. {decided_words(state)}",
            next_step="`securefl site inbox` lists what waits for you.",
        )
    return request


def _listed(site: Site, request: KeptRequest) -> InboxRow:
    state = request_state(site, request.digest)
    elsewhere = None
    if state in _OPEN:
        elsewhere = _elsewhere(site, request)
    return InboxRow(request, state, elsewhere)


def _elsewhere(site: Site, request: KeptRequest) -> Elsewhere | None:
    """Decisions of the others; None where the request cannot be read: its review says why."""
    try:
        study = kept_study(site, request.digest).study
        return Elsewhere(look_around(site, study, request.digest))
    except StoreError:
        return Elsewhere(None)
    except (StudyError, UnreadableError):
        return None
