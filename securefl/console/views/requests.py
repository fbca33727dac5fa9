"""One request: all that a decision needs, and the decision."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from securefl.console.view import Act, View
from securefl.errors import SecureFLError, UsageError
from securefl.node.owner import requests
from securefl.node.owner.pages import leaving_words, review_page
from securefl.node.owner.questions import ask
from securefl.node.owner.requests import RequestState
from securefl.node.owner.stopping import stop_cost

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site
    from securefl.node.owner.requests import RequestReview
    from securefl.report.page import Page

_PLACE = "requests/{digest}"


def _read(site: Site, asked: Asked) -> Mapping[str, Any]:
    reviewed = requests.review(site, asked.parts["digest"], asked.now)
    cost = stop_cost(site, reviewed.request)
    return {
        "costs": [] if cost is None else leaving_words(cost),
        "can_leave": cost is not None,
        "page": _page(site, reviewed),
        "reviewed": reviewed,
        "waiting": reviewed.state is RequestState.WAITING,
    }


def _read_alone(site: Site, asked: Asked) -> Mapping[str, Any]:
    return {"page": _page(site, requests.review(site, asked.parts["digest"], asked.now))}


def _page(site: Site, reviewed: RequestReview) -> Page:
    return review_page(site.name, reviewed, requests.own_view(site, reviewed), commands=False)


def read_ahead(site: Site, now: datetime) -> None:
    """Read the newest request that waits: what its page needs is in memory when it is asked for.

    A fault of it is for its page to tell.
    """
    with suppress(SecureFLError):
        for request in requests.inbox_part(site, 0, 1).rows:
            _page(site, requests.review(site, request.request.digest, now))


def _approve(site: Site, asked: Asked) -> str:
    digest = asked.parts["digest"]
    # checked again: hours may lie between the page and the yes
    reviewed = requests.plan_approval(site, digest, asked.now)
    _check_typed(asked, reviewed.request.short)
    requests.approve(site, reviewed)
    return f"requests/{digest}"


def _ask(site: Site, asked: Asked) -> str:
    digest = asked.parts["digest"]
    ask(site, digest, asked.form.get("question", ""))
    return f"requests/{digest}"


def _refuse(site: Site, asked: Asked) -> str:
    digest = asked.parts["digest"]
    reason = asked.form.get("reason", "").strip()
    if not reason:
        raise UsageError(
            "A refusal needs a reason. Nothing was done.",
            next_step="Write one: it stays in your own ledger.",
        )
    requests.refuse(site, digest, reason)
    return f"requests/{digest}"


def _withdraw(site: Site, asked: Asked) -> str:
    digest = asked.parts["digest"]
    request = requests.plan_withdrawal(site, digest)
    _check_typed(asked, request.short)
    requests.withdraw(site, request, asked.form.get("reason", "").strip())
    return f"requests/{digest}"


def _check_typed(asked: Asked, short: str) -> None:
    """Refuse a decision whose study was not named: nobody signs by a slip of the hand.

    Raises:
        UsageError: another name was typed.
    """
    typed = asked.form.get("typed", "").strip()
    if typed != short:
        raise UsageError(
            f"What you typed is not the name of this study, {short}. Nothing was done.",
            next_step="Go back, and type the name as it stands above the field.",
        )


VIEWS = (
    View("/requests/{digest}", "request.html", _read),
    View("/requests/{digest}/print", "alone", _read_alone, alone=True),
)
ACTS = (
    Act("/requests/{digest}/approve", _approve, _PLACE),
    Act("/requests/{digest}/ask", _ask, _PLACE),
    Act("/requests/{digest}/refuse", _refuse, _PLACE),
    Act("/requests/{digest}/withdraw", _withdraw, _PLACE),
)
