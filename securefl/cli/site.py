"""``securefl site``: everything a hospital's data owner does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import confirm, json_option, say, screen, write_json
from securefl.cli.site_backup import backup, restore
from securefl.cli.site_budget import budget
from securefl.cli.site_data import data
from securefl.cli.site_folder import open_site as _open
from securefl.cli.site_folder import site_option as _site_option
from securefl.cli.site_keys import checkpoint, rotate_key

if TYPE_CHECKING:
    from securefl.node.policy import Review
    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site
    from securefl.report.rows import RowCount


@click.group()
def site() -> None:
    """A hospital: keys, data sets, budget, requests, approvals, agent.

    The order of a new hospital: init, exchange cards and `trust` them, `data add`, `budget set`, `start`. Then requests
    arrive: `inbox`, `review`, and `approve` or `refuse`. To stop: `pause`, `withdraw`, `budget revoke`. Now and then
    `backup`. Seldom: `restore`, `rotate-key` for new keys, `checkpoint` when a ledger is doubted.
    """


@site.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Short name, as in studies: letters, digits, '-' and '_'.")
@click.option("--legal-name", required=True, help="The hospital's full name.")
@click.option("--email", required=True, help="A person's address for the card; no mail is sent.")
@click.option("--store", required=True, help="Where messages pass: a folder or any fsspec URL.")
def init(directory: Path, name: str, legal_name: str, email: str, store: str) -> None:
    """Make a hospital's folder: keys (readable by you alone), an empty ledger, a card to give to the others."""
    from securefl.node.site import Site

    directory = directory.absolute()
    made = Site.init(directory, name=name, legal_name=legal_name, email=email, store=store)
    say(f"{directory} is the folder of {name} now. Back up {directory} with `securefl site backup`: nobody can replace its keys.")
    say(f"Give {directory}/keys/card.json to the others and read them its fingerprint by telephone:")
    say(f"  {made.identity.card.spoken}")
    say("Next: securefl site trust CARD, for each card that you were given.")


@site.command()
@click.argument("cards", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--fingerprint", help="The groups you were read by telephone (one card only).")
@click.option("--yes", is_flag=True, help="You have compared the fingerprints already.")
@click.option("--remove", metavar="NAME", help="Take a name off the list.")
@_site_option
def trust(cards: tuple[Path, ...], fingerprint: str | None, yes: bool, remove: str | None, folder: str | None) -> None:
    """Add identity cards to this hospital's own signed list; without a card, show the list.

    Only listed hospitals count in a study. Compare the ten groups with the card's owner by telephone before you say yes:
    whoever sends you a card can write any name on it. A partner that changed its keys sends a new card; you are shown
    which one it replaces and from when, and compare the new groups in the same way.
    """
    from securefl.cli.cards import trust_cards

    here = _open(folder)
    trust_cards(here.book, cards, fingerprint=fingerprint, yes=yes, remove=remove)


for _command in (data, budget, rotate_key, checkpoint, backup, restore):
    site.add_command(_command)


@site.command()
@click.option("--background", is_flag=True, help="Come back at once; the agent goes on.")
@_site_option
def start(background: bool, folder: str | None) -> None:
    """Start this hospital's agent: it takes in requests and runs what you approved, until `securefl site stop`."""
    here = _open(folder)
    if background:
        from securefl.cli.background import start_role

        start_role(["site", "start", "--site", str(here.path)], here.path, "agent", here.path / "agent.out")
        say(f"The agent of {here.name} runs. Its log: {here.path / 'agent.log'}")
        return
    from securefl.node.agent import Agent

    agent = Agent(here)
    say(f"The agent of {here.name} runs; stop it with Ctrl-C or `securefl site stop`. Log: {here.path / 'agent.log'}")
    agent.run()


@site.command()
@_site_option
def stop(folder: str | None) -> None:
    """Stop the agent.

    A study that runs is over for this hospital and stays charged. It ends for all, or where it says on_dropout = "continue"
    the others go on while enough are left.
    """
    from securefl.node.agent import stop_agent

    say("The agent has stopped." if stop_agent(_open(folder)) else "No agent runs here.")


@site.command()
@click.option("--resume", is_flag=True, help="End the pause.")
@click.option("--note", default="", help="For your own ledger.")
@_site_option
def pause(resume: bool, note: str, folder: str | None) -> None:
    """Pause: nothing starts and nothing leaves the house until `securefl site pause --resume`."""
    here = _open(folder)
    if resume:
        here.ledger.resume()
        say("Resumed.")
    else:
        from securefl.node.approving import pause as hold

        hold(here, note)
        say("Paused: nothing starts and nothing leaves the house. Resume with `securefl site pause --resume`.")


@site.command()
@json_option
@_site_option
def inbox(json_file: str | None, folder: str | None) -> None:
    """List the requests that came in, with what was decided."""
    from securefl.node.agent import agent_state
    from securefl.node.desk import sync_datasite
    from securefl.node.requests import kept_requests

    here = _open(folder)
    if agent_state(here) is None:
        here = sync_datasite(here, say)
    rows = [{**_row(here, r), "title": r.title, "sender": r.sender, "received": r.received} for r in kept_requests(here)]
    if json_file:
        write_json({"requests": rows}, json_file)
        if json_file == "-":
            return
    if not rows:
        say("No request has come in.")
    for row in rows:
        say(f"{row['id']}  {row['state']:<9}  {row['title']}  (from {row['sender']}, {row['received']})")
    if any(r["state"] == "waiting" for r in rows):
        say("Next: securefl site review ID")


@site.command()
@click.argument("request_id", metavar="ID")
@_site_option
def review(request_id: str, folder: str | None) -> None:
    """Show a request as a page: who asks, for what, what leaves, what it costs, what cannot be undone."""
    here = _open(folder)
    _page(here, *_review(here, request_id))


@site.command()
@click.argument("request_id", metavar="ID")
@click.option("--yes", is_flag=True, help="You have read the page.")
@_site_option
def approve(request_id: str, yes: bool, folder: str | None) -> None:
    """Approve a request with this hospital's signature, and reserve its budget. Used once, for exactly this digest."""
    from securefl.node.approving import approve as sign
    from securefl.privacy.words import percent
    from securefl.report.rows import rows_warning

    here = _open(folder)
    _undecided(here, request_id)
    kept, found = _review(here, request_id)
    if not yes:
        _page(here, kept, found)
    if not [f for f in found.faults if f.code != "budget"]:
        confirm(f"Approve {kept.short} for {here.name}?", yes=yes, read="the page above")
    quote = sign(here, found)
    say(f"Approved {kept.short}: signed, {percent(quote.asked_share)} of the budget reserved.")
    say("It starts when every hospital has approved. `securefl site status` shows it; `securefl site withdraw` leaves it.")
    if yes:  # counted when the approval is out already: the time it takes tells nobody how many rows there are
        rows = _own_rows(here, found)
        if rows is not None and (warning := rows_warning(rows)):
            say(f"WARNING: {warning}")


@site.command()
@click.argument("request_id", metavar="ID")
@click.option("--reason", required=True, help="For your own ledger; the researcher sees that you refused, not why.")
@_site_option
def refuse(request_id: str, reason: str, folder: str | None) -> None:
    """Refuse a request; final for this digest."""
    from securefl.node.approving import refuse as say_no

    here = _open(folder)
    kept = _undecided(here, request_id)
    say_no(here, kept, reason)
    say(f"Refused {kept.short}. Nothing of it runs here.")


@site.command()
@click.argument("request_id", metavar="ID")
@click.option("--reason", default="", help="For your own ledger.")
@click.option("--yes", is_flag=True, help="You know that the study ends for all.")
@_site_option
def withdraw(request_id: str, reason: str, yes: bool, folder: str | None) -> None:
    """Leave a study that you approved: nothing more is sent. Budget that was spent does not come back."""
    from securefl.node.approving import withdraw as leave
    from securefl.node.requests import find_kept

    here = _open(folder)
    kept = find_kept(here, request_id)
    confirm(f"Withdraw from {kept.short}? The study ends for all hospitals.", yes=yes)
    leave(here, kept.digest, reason)
    say(f"{here.name} has left {kept.short}. What was sent before cannot be called back.")


@site.command()
@json_option
@_site_option
def status(json_file: str | None, folder: str | None) -> None:
    """Show the agent, the data sets, the budgets and the studies of this hospital."""
    from securefl.cli.site_status import collect_status, status_page

    found = collect_status(_open(folder))
    if json_file:
        write_json(found, json_file)
    if json_file != "-":
        screen().print(status_page(found))


def _review(here: Site, request_id: str) -> tuple[KeptRequest, Review]:
    from datetime import UTC, datetime

    from securefl.node.policy import review as check
    from securefl.node.requests import find_request

    kept, text = find_request(here, request_id)
    return kept, check(here, text, datetime.now(UTC))


def _undecided(here: Site, request_id: str) -> KeptRequest:
    """The request, if nothing was decided on it. Raises :class:`NotApprovedError` with what was."""
    from securefl.errors import NotApprovedError
    from securefl.node.requests import find_kept
    from securefl.report.request import WAITING, decided_words

    kept = find_kept(here, request_id)
    state = _row(here, kept)["state"]
    if state != WAITING:
        raise NotApprovedError(f"{kept.short} was decided here before. {decided_words(state)}", next_step="`securefl site inbox` lists what waits for you.")
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


def _page(here: Site, kept: KeptRequest, found: Review) -> None:
    from securefl.node.isolation import isolation_words
    from securefl.report.request import WAITING, request_page

    state = _row(here, kept)["state"]
    faults = {WAITING: found.faults, "approved": tuple(f for f in found.faults if f.code != "budget")}.get(state, ())
    rows = _own_rows(here, found) if state in {WAITING, "approved"} else None
    screen().print(
        request_page(
            found.study, found.digest, site=here.name, sender=kept.sender, quote=found.quote, trusted=found.trusted, cards=found.cards,
            faults=faults, isolation=isolation_words(), rows=rows, state=state,
        )
    )


def _row(here: Site, kept: KeptRequest) -> dict[str, Any]:
    state = here.ledger.state
    if kept.digest in state.studies:
        word: str = state.studies[kept.digest].status
    else:
        word = "refused" if state.declined(kept.digest) else "waiting"
    return {"id": kept.short, "digest": kept.digest, "state": word}
