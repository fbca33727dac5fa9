"""News for an owner, from the ledger and the requests at home; each once.

Pure: the same ledger, requests and time give the same events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta

    from securefl.node.notices.notice import Kind
    from securefl.node.recalled_models import RecalledModel
    from securefl.node.requests import KeptRequest
    from securefl.privacy.ledger_facts import LedgerState

#: Share of a budget from which on the owner is told.
NEARLY: Final = 0.8


class NoticeEvent(NamedTuple):
    """Something to tell.

    Attributes:
        key: by which it is known to be told already.
        kind: of what happened.
        about: a study's name, or a population's.
    """

    key: str
    kind: Kind
    about: str


def notice_events(
    state: LedgerState,
    requests: Iterable[KeptRequest],
    now: datetime,
    remind_after: timedelta,
    recalled: Iterable[RecalledModel] = (),
) -> Iterator[NoticeEvent]:
    """All that is so now and of which an owner may want to be told.

    Args:
        state: of the ledger.
        requests: that were taken in.
        now: with its time zone.
        remind_after: an undecided request is told once more when it is so old.
        recalled: recalls of models that are here, by other hospitals.
    """
    for request in requests:
        if request.digest in state.studies or state.declined(request.digest):
            continue
        yield NoticeEvent(f"request:{request.digest}", "request", request.short)
        if now - _received(request, now) >= remind_after:
            yield NoticeEvent(f"waiting:{request.digest}", "waiting", request.short)
    for population, budget in state.budgets.items():
        if state.used(population) >= NEARLY * budget.cap:
            yield NoticeEvent(f"budget:{population}:{budget.cap}", "budget", population)
    for study in state.studies.values():
        name = StudyId(study.approval.id, study.digest).name
        if study.status == "failed":
            yield NoticeEvent(f"failure:{study.digest}", "failure", name)
        if study.status == "completed":
            yield NoticeEvent(f"finished:{study.digest}", "finished", name)
    for model in recalled:
        yield NoticeEvent(f"recall:{model.study}:{model.by}", "recall", model.name)


def _received(request: KeptRequest, now: datetime) -> datetime:
    """Time of the request; one that cannot be read is taken for new."""
    try:
        at = type(now).fromisoformat(request.received)
    except ValueError:
        return now
    if at.tzinfo is None:
        return at.replace(tzinfo=now.tzinfo)
    return at
