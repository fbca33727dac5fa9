"""One request: all that a decision needs, and the decision."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from securefl.console.view import Act, View, check_typed
from securefl.errors import SecureFLError, UsageError
from securefl.node.owner import offers, people, requests
from securefl.node.owner.pages import leaving_words, readiness_kinds, review_page
from securefl.node.owner.questions import ask
from securefl.node.owner.readiness import keep_look, keep_shown, readiness
from securefl.node.owner.requests import RequestState
from securefl.node.owner.stopping import stop_cost
from securefl.study.sealed import SealedStudy

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
    waiting = reviewed.state is RequestState.WAITING
    asked_epsilon, asked_until = offers.asked_for(reviewed.found.study)
    return {
        **_two(site, reviewed, waiting=waiting),
        "asked_epsilon": asked_epsilon,
        "asked_until": asked_until,
        "costs": [] if cost is None else leaving_words(cost),
        "can_leave": cost is not None,
        "page": _page(site, reviewed),
        "reviewed": reviewed,
        "waiting": waiting,
    }


def _two(site: Site, reviewed: RequestReview, *, waiting: bool) -> Mapping[str, Any]:
    """Words of two people, where the policy asks two and nothing was decided yet."""
    if not waiting or not people.two_are_asked(site):
        return {"two": False}
    given = people.words_on(site, reviewed.request.digest)
    said = [word.person.name for word in given]
    listed = [person.name for person in people.listed_people(site)]
    may_give: list[str] = []
    may_open: list[str] = []
    if len(given) < people.TWO:
        may_give = [name for name in listed if name not in said]
    else:
        may_open = [word.person.name for word in given if word.word is None]
    yes = [word for word in given if word.word == "yes"]
    return {
        "two": True,
        "words_given": given,
        "may_give": may_give,
        "may_open": may_open,
        "both_yes": len(yes) == people.TWO,
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
    check_typed(asked, reviewed.request.short)
    requests.approve(site, reviewed)
    return f"requests/{digest}"


def _look(site: Site, asked: Asked) -> str:
    """The owner's look at the table beside a request, which an agreement may ask for."""
    digest = asked.parts["digest"]
    text = requests.request_text(site, digest)
    table = SealedStudy.read(text).study.data.dataset
    found = readiness(site, table, text)
    keep_look(site, found, asked.at)
    keep_shown(site, found, readiness_kinds(found))
    return f"data/readiness?table={table}&request={digest}"


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


def _offer(site: Site, asked: Asked) -> str:
    digest = asked.parts["digest"]
    epsilon = asked.form.get("epsilon", "").strip() or None
    until = _day(asked.form.get("until", "").strip())
    plan = offers.plan_offer(site, digest, epsilon, until, asked.now.date())
    check_typed(asked, plan.request.short)
    offers.send_offer(site, plan)
    return f"requests/{digest}"


def _day(text: str) -> date | None:
    """A day as a browser sends it; None for none.

    Raises:
        UsageError: it is no day.
    """
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "The day that you typed is none. Nothing was done.",
            next_step="Write it as year, month and day: 2027-01-31.",
        ) from None


def _give_word(site: Site, asked: Asked) -> str:
    word = asked.form.get("word", "")
    if word not in {"yes", "no"}:
        raise UsageError(
            "No word was chosen. Nothing was done.",
            next_step="Go back, and choose yes or no.",
        )
    return _say_word(site, asked, cast("people.Word", word))


def _open_word(site: Site, asked: Asked) -> str:
    return _say_word(site, asked, None)


def _say_word(site: Site, asked: Asked, word: people.Word | None) -> str:
    digest, person = asked.parts["digest"], asked.form.get("person", "")
    request, _ = people.plan_word(site, digest, person)
    people.say_word(site, request, person, asked.form.get("passphrase", ""), word)
    return f"requests/{digest}#words"


def _withdraw(site: Site, asked: Asked) -> str:
    digest = asked.parts["digest"]
    request = requests.plan_withdrawal(site, digest)
    check_typed(asked, request.short)
    requests.withdraw(site, request, asked.form.get("reason", "").strip())
    return f"requests/{digest}"


VIEWS = (
    View("/requests/{digest}", "request.html", _read),
    View("/requests/{digest}/print", "alone", _read_alone, alone=True),
)
ACTS = (
    Act("/requests/{digest}/approve", _approve, _PLACE),
    Act("/requests/{digest}/ask", _ask, _PLACE),
    Act("/requests/{digest}/look", _look, _PLACE, counts=True),
    Act("/requests/{digest}/refuse", _refuse, _PLACE),
    Act("/requests/{digest}/offer", _offer, _PLACE),
    Act("/requests/{digest}/word", _give_word, _PLACE),
    Act("/requests/{digest}/open-word", _open_word, _PLACE),
    Act("/requests/{digest}/withdraw", _withdraw, _PLACE),
)
