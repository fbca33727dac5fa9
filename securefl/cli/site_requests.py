"""``securefl site inbox | review | approve | refuse | withdraw``: requests, and the owner's
decisions on them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import confirm, json_option, say, say_quoted, screen, write_json
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from securefl.node.other_studies import Others
    from securefl.node.policy import Review
    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site
    from securefl.report.rows import RowCount


@click.command()
@json_option
@site_option
def inbox(json_file: str | None, folder: str | None) -> None:
    """List the requests that came in, with what was decided, and those that cannot run any more."""
    from securefl.node.agent import agent_state
    from securefl.node.request_intake import sync_datasite
    from securefl.node.requests import kept_requests

    here = open_site(folder)
    if agent_state(here) is None:
        here = sync_datasite(here, say)
    rows = [_listed(here, kept) for kept in kept_requests(here)]
    if json_file:
        write_json({"requests": rows}, json_file)
        if json_file == "-":
            return
    if not rows:
        say("No request has come in.")
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        say(f"{row['id']:<{width}}  {row['state']:<9}  from {row['sender']}, {row['received']}")
        say_quoted(row["title"])
        if row["others"]:
            say(f"  {row['others']}")
    if any(row["state"] == "waiting" for row in rows):
        say("Next: securefl site review ID")


@click.command()
@click.argument("request_id", metavar="ID")
@site_option
def review(request_id: str, folder: str | None) -> None:
    """Show a request as a page: who asks, for what, what leaves, what it costs, what cannot be
    undone.
    """
    here = open_site(folder)
    _page(here, *_review(here, request_id))


@click.command()
@click.argument("request_id", metavar="ID")
@click.option("--yes", is_flag=True, help="You have read the page.")
@site_option
def approve(request_id: str, yes: bool, folder: str | None) -> None:
    """Approve a request with this hospital's signature, and reserve its budget. Used once, for
    exactly this digest.

    ID is the whole id of the request, or six digits or more of its digest.
    """
    from securefl.node.decisions import approve as sign
    from securefl.privacy.explain import percent
    from securefl.report.rows import rows_warning

    here = open_site(folder)
    undecided = _undecided(here, request_id)
    kept, found, others = _review(here, undecided.digest)
    if not yes:
        _page(here, kept, found, others)
    if not [f for f in found.faults if f.code != "budget"]:
        confirm(f"Approve {kept.short} for {here.name}?", yes=yes, read="the page above")
    quote = sign(here, found)
    say(f"Approved {kept.short}: signed, {percent(quote.asked_share)} of the budget reserved.")
    say(
        "It starts when every hospital has approved and the researcher runs it; until then it costs"
        " nothing. `securefl site status` shows it; `securefl site withdraw` leaves it."
    )
    # counted when the approval is out already: the time it takes tells nobody how many rows there
    # are
    if yes:
        rows = _own_rows(here, found)
        if rows is not None and (warning := rows_warning(rows)):
            say(f"WARNING: {warning}")


@click.command()
@click.argument("request_id", metavar="ID")
@click.option(
    "--reason",
    required=True,
    help="For your own ledger; the researcher sees that you refused, not why.",
)
@site_option
def refuse(request_id: str, reason: str, folder: str | None) -> None:
    """Refuse a request; final for this digest.

    ID is its whole id, or six digits or more of its digest.
    """
    from securefl.node.decisions import refuse as say_no

    here = open_site(folder)
    kept = _undecided(here, request_id)
    say_no(here, kept, reason)
    say(f"Refused {kept.short}. Nothing of it runs here.")


@click.command()
@click.argument("request_id", metavar="ID")
@click.option("--reason", default="", help="For your own ledger.")
@click.option("--yes", is_flag=True, help="You know that the study ends for all.")
@site_option
def withdraw(request_id: str, reason: str, yes: bool, folder: str | None) -> None:
    """Leave a study that you approved: nothing more is sent. Budget that was spent does not come
    back.

    ID is the whole id of the request, or six digits or more of its digest.
    """
    from securefl.node.decisions import withdraw as leave
    from securefl.node.requests import find_kept

    here = open_site(folder)
    kept = find_kept(here, request_id, deciding=True)
    confirm(f"Withdraw from {kept.short}? The study ends for all hospitals.", yes=yes)
    leave(here, kept.digest, reason)
    say(f"{here.name} has left {kept.short}. What was sent before cannot be called back.")


def _listed(here: Site, kept: KeptRequest) -> dict[str, Any]:
    """A request as the inbox lists it."""
    row = _row(here, kept)
    others = ""
    if row["state"] in {"waiting", "approved"}:
        others = _others_words(here, kept)
    return {
        **row,
        "title": kept.title,
        "sender": kept.sender,
        "received": kept.received,
        "others": others,
    }


def _others_words(here: Site, kept: KeptRequest) -> str:
    """What the others decided, in a sentence; empty where the request cannot be read (its review
    says why).
    """
    from securefl.errors import StoreError, StudyError, UnreadableError
    from securefl.node.other_studies import look_around
    from securefl.node.requests import study_text
    from securefl.study.parse import parse_study

    try:
        found = look_around(here, parse_study(study_text(here, kept.digest)), kept.digest)
    except StoreError:
        return _others_said(None)
    except (StudyError, UnreadableError):
        return ""
    return _others_said(found)


def _others_said(found: Others | None) -> str:
    from securefl.report.codes import UNSEEN, cannot_run_sentence, others_sentence

    if found is None:
        return UNSEEN
    return (
        cannot_run_sentence(found.ended)
        if found.ended
        else others_sentence(found.approved, found.waiting)
    )


def _review(here: Site, request_id: str) -> tuple[KeptRequest, Review, Others | None]:
    """The request, this hospital's review of it, and what the others said; None where the store
    does not answer.
    """
    from datetime import UTC, datetime

    from securefl.errors import NotApprovedError, StoreError
    from securefl.node.other_studies import look_around
    from securefl.node.policy import review as check
    from securefl.node.requests import find_request

    kept, text = find_request(here, request_id)
    found = check(here, text, datetime.now(UTC))
    others: Others | None = None
    try:
        others = look_around(here, found.study, found.digest)
        others.check_open()
    except StoreError:
        pass  # the page says so; the approval itself waits in the outbox
    except NotApprovedError as error:
        found = replace(found, faults=(error, *found.faults))
    return kept, found, others


def _undecided(here: Site, request_id: str) -> KeptRequest:
    """The request, if nothing was decided on it. Raises :class:`NotApprovedError` with what was."""
    from securefl.errors import NotApprovedError
    from securefl.node.requests import find_kept
    from securefl.report.request import WAITING, decided_words

    kept = find_kept(here, request_id, deciding=True)
    state = _row(here, kept)["state"]
    if state != WAITING:
        raise NotApprovedError(
            f"{kept.short} was decided here before. {decided_words(state)}",
            next_step="`securefl site inbox` lists what waits for you.",
        )
    return kept


def _own_rows(here: Site, found: Review) -> RowCount | None:
    """The owner's table as counted on this screen; None where there is none that fits the study."""
    from securefl.errors import DataError
    from securefl.node.tables import count_rows

    if found.dataset is None:
        return None
    try:
        return count_rows(here, here.path / found.dataset.path, found.study, found.dataset.reading)
    except DataError:  # a fault of the review says so
        return None


def _page(here: Site, kept: KeptRequest, found: Review, others: Others | None) -> None:
    from securefl.node.isolation import isolation_words
    from securefl.node.public_side import registered
    from securefl.report.request import WAITING, request_page

    state = _row(here, kept)["state"]
    faults = {
        WAITING: found.faults,
        "approved": tuple(f for f in found.faults if f.code != "budget"),
    }.get(state, ())
    rows = _own_rows(here, found) if state in {WAITING, "approved"} else None
    screen().print(
        request_page(
            found.study,
            found.digest,
            site=here.name,
            sender=kept.sender,
            quote=found.quote,
            trusted=found.trusted,
            cards=found.cards,
            faults=faults,
            isolation=isolation_words(),
            rows=rows,
            state=state,
            registered=registered(here, found.study.data.dataset),
            others=_others_said(others),
        )
    )


def _row(here: Site, kept: KeptRequest) -> dict[str, Any]:
    state = here.ledger.state
    if kept.digest in state.studies:
        word: str = state.studies[kept.digest].status
    else:
        word = "refused" if state.declined(kept.digest) else "waiting"
    return {"id": kept.short, "digest": kept.digest, "state": word}
