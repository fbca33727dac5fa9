"""``securefl site inbox | review | approve | refuse | withdraw``: requests, and the owner's
decisions on them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.completion import complete_request
from securefl.cli.screen import (
    confirm,
    html_option,
    json_option,
    say,
    say_quoted,
    show_page,
    write_json,
    write_page,
)
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from securefl.node.owner.folder import Site
    from securefl.node.owner.requests import InboxRow, RequestReview
    from securefl.node.owner.stopping import StopCost


request_argument = click.argument(
    "request_id",
    metavar="ID",
    shell_complete=complete_request,
)


@click.command()
@json_option
@site_option
def inbox(json_file: str | None, folder: str | None) -> None:
    """List the requests that came in, with what was decided, and those that cannot run any more."""
    from securefl.node.owner import requests

    here = requests.take_in_requests(open_site(folder), say)
    rows = [_row(found) for found in requests.inbox(here)]
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
@request_argument
@html_option
@json_option
@site_option
def review(
    request_id: str,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Show a request as a page: who asks, for what, what leaves, what it costs, what cannot be
    undone.
    """
    from securefl.cli.request_json import review_json
    from securefl.node.owner import pages, requests

    here = open_site(folder)
    reviewed = requests.review(here, request_id, datetime.now(UTC))
    own = requests.own_view(here, reviewed)
    if json_file:
        write_json(review_json(reviewed, own), json_file)
    page = pages.review_page(here.name, reviewed, own)
    if json_file != "-":
        show_page(page, html_file)
    elif html_file:
        write_page(page, html_file)


@click.command()
@request_argument
@click.option("--yes", is_flag=True, help="You have read the page.")
@site_option
def approve(request_id: str, yes: bool, folder: str | None) -> None:
    """Approve a request with this hospital's signature, and reserve its budget. Used once, for
    exactly this digest.

    ID is the whole id of the request, or six digits or more of its digest.
    """
    from securefl.node.owner import requests
    from securefl.privacy.explain import percent
    from securefl.report.rows import rows_warning

    here = open_site(folder)
    reviewed = requests.plan_approval(here, request_id, datetime.now(UTC))
    if not yes:
        _show(here, reviewed)
    short = reviewed.request.short
    if reviewed.may_be_asked:
        confirm(f"Approve {short} for {here.name}?", yes=yes, read="the page above")
    reserved = percent(requests.approve(here, reviewed))
    say(f"Approved {short}: signed, {reserved} of the budget reserved.")
    say(
        "It starts when every hospital has approved and the researcher runs it; until then it costs"
        " nothing. `securefl site status` shows it; `securefl site withdraw` leaves it."
    )
    # counted when the approval is out already: the time it takes tells nobody how many rows there
    # are
    if yes:
        rows = requests.own_rows(here, reviewed.found)
        if rows is not None and (warning := rows_warning(rows)):
            say(f"WARNING: {warning}")


@click.command()
@request_argument
@click.argument("question")
@site_option
def ask(request_id: str, question: str, folder: str | None) -> None:
    """Ask the researcher a QUESTION on a request, signed. The answer stands on the request's page.

    Everybody who can read the study's store can read it: name no patient and no figure of yours.
    """
    from securefl.node.owner import questions

    asked = questions.ask(open_site(folder), request_id, question)
    say(f"Asked question {asked.number}. Next: securefl site review {request_id}")


@click.command()
@request_argument
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
    from securefl.node.owner import requests

    refused = requests.refuse(open_site(folder), request_id, reason)
    say(f"Refused {refused.short}. Nothing of it runs here.")


@click.command()
@request_argument
@click.option("--reason", default="", help="For your own ledger.")
@click.option("--yes", is_flag=True, help="You know that the study ends for all.")
@site_option
def withdraw(
    request_id: str,
    reason: str,
    yes: bool,
    folder: str | None,
) -> None:
    """Leave a study that you approved: nothing more is sent. Budget that was spent does not come
    back.

    ID is the whole id of the request, or six digits or more of its digest.
    """
    from securefl.node.owner import requests
    from securefl.node.owner.stopping import stop_cost

    here = open_site(folder)
    request = requests.plan_withdrawal(here, request_id)
    if not yes:
        _say_cost(stop_cost(here, request))
    confirm(
        f"Withdraw from {request.short}? The study ends for all hospitals.",
        yes=yes,
        read="the lines above",
    )
    requests.withdraw(here, request, reason)
    say(f"{here.name} has left {request.short}. What was sent before cannot be called back.")


def _say_cost(cost: StopCost | None) -> None:
    """Say what leaving a study costs; None for one that cannot be left, which is refused later."""
    from securefl.node.owner.pages import leaving_words

    if cost is not None:
        for line in leaving_words(cost):
            say(f"- {line}")


def _row(found: InboxRow) -> dict[str, Any]:
    """A request as the inbox lists it, on the screen and as JSON."""
    from securefl.node.owner.pages import others_words

    return {
        "id": found.request.short,
        "digest": found.request.digest,
        "state": found.state.value,
        "title": found.request.title,
        "sender": found.request.sender,
        "received": found.request.received,
        "others": "" if found.elsewhere is None else others_words(found.elsewhere),
    }


def _show(here: Site, reviewed: RequestReview) -> None:
    """Print the request's page."""
    from securefl.node.owner import pages, requests

    own = requests.own_view(here, reviewed)
    show_page(pages.review_page(here.name, reviewed, own))
