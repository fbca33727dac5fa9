"""A request and a count of rows as values for programs, as ``--json`` writes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from securefl.node.owner.pages import others_words
from securefl.report.isolation import isolation_sentence, walls_json

if TYPE_CHECKING:
    from securefl.errors import SecureFLError
    from securefl.node.owner.requests import Elsewhere, OwnView, RequestReview
    from securefl.privacy.planning import Quote
    from securefl.report.rows import RowCount


def review_json(reviewed: RequestReview, own: OwnView) -> dict[str, Any]:
    """A request as it was checked here; ``rows`` is for its owner's eyes alone."""
    request = reviewed.request
    found = reviewed.found
    about = found.study.study
    return {
        "id": request.short,
        "digest": request.digest,
        "state": reviewed.state.value,
        "sender": request.sender,
        "received": request.received,
        "title": about.title,
        "purpose": about.purpose,
        "duo": list(about.duo),
        "dataset": found.study.data.dataset,
        "population": found.study.data.population,
        "hospitals": list(found.study.cohort),
        "verified": sorted(found.trusted),
        "vouched": {name: word.by for name, word in sorted(found.vouched.items())},
        "closes": found.study.schedule.closes.isoformat(),
        "can_be_approved": not reviewed.faults,
        "faults": [fault_json(fault) for fault in reviewed.faults],
        "budget": None if found.quote is None else _quote_json(found.quote),
        "others": _others_json(reviewed.elsewhere),
        "others_words": others_words(reviewed.elsewhere),
        "questions": [asdict(exchange) for exchange in own.thread],
        "isolation": isolation_sentence(own.isolation),
        "walls": walls_json(own.isolation),
        "rows": None if own.rows is None else rows_json(own.rows),
    }


def fault_json(fault: SecureFLError) -> dict[str, str]:
    """An error's parts, as its page has them."""
    return {
        "code": fault.code,
        "what": fault.what,
        "whose": fault.whose,
        "next": fault.next_step,
    }


def rows_json(count: RowCount) -> dict[str, Any]:
    """A hospital's own count of its table."""
    return {
        "rows": count.rows,
        "usable": count.usable,
        "outcomes": dict(count.outcomes),
        "set_aside": dict(count.set_aside),
        "notes": list(count.notes),
    }


def _quote_json(quote: Quote) -> dict[str, Any]:
    """Shares of the budget, 0 to 1, and how many more studies like this would fit after it."""
    return {
        "share_used": str(quote.used_share),
        "share_asked": str(quote.asked_share),
        "fits": quote.fits,
        "room_after": max(0, quote.room - 1),
    }


def _others_json(elsewhere: Elsewhere) -> dict[str, Any] | None:
    """Decisions of the others; None while the store does not answer."""
    others = elsewhere.others
    if others is None:
        return None
    return {
        "approved": list(others.approved),
        "waiting": list(others.waiting),
        "ended": dict(others.ended),
    }
