"""``securefl site``: everything a hospital's data owner does."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import (
    card_options,
    html_option,
    json_option,
    say,
    show_page,
    write_json,
    write_page,
)
from securefl.cli.service_unit import service_options, write_service
from securefl.cli.site_backup import backup, restore
from securefl.cli.site_budget import budget
from securefl.cli.site_console import console
from securefl.cli.site_data import data
from securefl.cli.site_folder import open_site as _open
from securefl.cli.site_folder import site_option as _site_option
from securefl.cli.site_keys import checkpoint, rotate_key
from securefl.cli.site_mapping import data_map, data_show, data_unmap
from securefl.cli.site_metrics import metrics
from securefl.cli.site_model import model
from securefl.cli.site_models import models
from securefl.cli.site_notices import notices
from securefl.cli.site_offer import counter_offer
from securefl.cli.site_patient import patient
from securefl.cli.site_people import people, word
from securefl.cli.site_personal import personalize
from securefl.cli.site_policy import policy
from securefl.cli.site_readiness import data_readiness
from securefl.cli.site_requests import approve, ask, inbox, refuse, review, withdraw
from securefl.cli.store_route import route_of, route_options


@click.group()
def site() -> None:
    """A hospital: keys, data sets, budget, requests, approvals, agent.

    The order of a new hospital: init, exchange cards and `trust` them, `data add`, `budget set`,
    `policy set`, `start`. Then requests arrive: `inbox`, `review`, perhaps `ask`,
    and `approve` or `refuse`. After a study:
    `models`, `model`, `personalize`. In a browser: `console`. On a server: `service`. To stop: `pause`,
    `withdraw`, `budget revoke`, `data remove`, `patient remove`. Now and then `backup`.
    Seldom: `restore`, `rotate-key` for new keys, `checkpoint` when a ledger is doubted.
    """


@site.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--name", required=True, help="Short name, as in studies: letters a to z, digits, '-' and '_'."
)
@click.option("--legal-name", required=True, help="The hospital's full name.")
@click.option("--email", required=True, help="A person's address for the card; no mail is sent.")
@click.option("--store", required=True, help="Where messages pass: a folder or any fsspec URL.")
@route_options
@click.option(
    "--without-pysyft",
    is_flag=True,
    help="For a small machine: signed requests come from the store, with no PySyft datasite.",
)
def init(
    *,
    directory: Path,
    name: str,
    legal_name: str,
    email: str,
    store: str,
    store_proxy: str,
    store_ca: str,
    without_pysyft: bool,
) -> None:
    """Make a hospital's folder: keys (readable by you alone), an empty ledger, a card to give to
    the others.
    """
    from securefl.node.owner.folder import make_site
    from securefl.party.folder import WITH_PYSYFT, WITHOUT_PYSYFT

    made = make_site(
        directory,
        name=name,
        legal_name=legal_name,
        email=email,
        store=store,
        route=route_of(store_proxy, store_ca),
        requests=WITHOUT_PYSYFT if without_pysyft else WITH_PYSYFT,
    )
    say(
        f"{made.path} is the folder of {name} now. Back up {made.path} with `securefl site backup`:"
        " nobody can replace its keys."
    )
    say(f"Give {made.card_file} to the others and read them its fingerprint by telephone:")
    say(f"  {made.fingerprint}")
    say("Next: securefl site trust CARD, for each card that you were given.")


@site.command()
@card_options
@_site_option
def trust(
    *,
    cards: tuple[Path, ...],
    fingerprint: str | None,
    vouch: Path | None,
    yes: bool,
    remove: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Add identity cards to this hospital's own signed list; without a card, show the list.

    Only listed hospitals count in a study. Compare the ten groups with the card's owner by
    telephone before you say yes: whoever sends you a card can write any name on it. A partner that
    changed its keys sends a new card; you are shown which one it replaces and from when, and
    compare the new groups in the same way.

    Where you cannot telephone a card's owner, a hospital whose card you compared can vouch for it
    (`securefl consortium vouch`). That is its word and no comparison, and every page says so.
    """
    from securefl.cli.cards import trust_cards

    here = _open(folder)
    trust_cards(
        here.book,
        cards,
        fingerprint=fingerprint,
        vouch=vouch,
        yes=yes,
        remove=remove,
        json_file=json_file,
    )


for _data_command in (data_readiness, data_map, data_unmap, data_show):
    data.add_command(_data_command)
for _command in (
    data,
    budget,
    rotate_key,
    checkpoint,
    backup,
    restore,
    inbox,
    review,
    ask,
    approve,
    refuse,
    counter_offer,
    withdraw,
    models,
    model,
    personalize,
    console,
    policy,
    patient,
    notices,
    metrics,
    people,
    word,
):
    site.add_command(_command)


@site.command()
@click.option("--background", is_flag=True, help="Come back at once; the agent goes on.")
@_site_option
def start(background: bool, folder: str | None) -> None:
    """Start this hospital's agent: it takes in requests and runs what you approved, until `securefl
    site stop`.
    """
    here = _open(folder)
    if background:
        from securefl.cli.background import start_role

        start_role(
            ["site", "start", "--site", str(here.path)],
            here.path,
            "agent",
            here.path / "agent.out",
        )
        say(f"The agent of {here.name} runs. Its log: {here.path / 'agent.log'}")
        return
    from securefl.node.owner.agent import make_agent

    agent = make_agent(here)
    say(
        f"The agent of {here.name} runs; stop it with Ctrl-C or `securefl site stop`. Log:"
        f" {here.path / 'agent.log'}"
    )
    agent.run()


@site.command()
@_site_option
def stop(folder: str | None) -> None:
    """Stop the agent.

    A study that runs waits for this hospital until its round's deadline: start the agent again in
    time, and it goes on. `securefl site withdraw` leaves a study for good.
    """
    from securefl.node.owner.agent import stop_agent

    say("The agent has stopped." if stop_agent(_open(folder)) else "No agent runs here.")


@site.command()
@service_options
@_site_option
def service(
    directory: Path,
    user: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Write a hardened systemd unit for this hospital's agent into DIRECTORY; root installs it.

    The agent then starts with the machine, again after a crash, as a user of its own that can
    write this folder and the store alone. The console gets no unit: its link is for the person at
    the keyboard, and a unit would write it into the journal.
    """
    from securefl.party.service_unit import agent_service

    write_service(agent_service(_open(folder), user), directory, json_file)


@site.command()
@click.option("--resume", is_flag=True, help="End the pause.")
@click.option("--note", default="", help="For your own ledger.")
@_site_option
def pause(resume: bool, note: str, folder: str | None) -> None:
    """Pause: nothing starts and nothing leaves the house until `securefl site pause --resume`."""
    from securefl.node.owner import agent

    here = _open(folder)
    if resume:
        agent.resume(here)
        say("Resumed.")
    else:
        agent.pause(here, note)
        say(
            "Paused: nothing starts and nothing leaves the house. Resume with `securefl site pause"
            " --resume`."
        )


@site.command()
@html_option
@json_option
@_site_option
def status(html_file: str | None, json_file: str | None, folder: str | None) -> None:
    """Show the agent, the data sets, the budgets and the studies of this hospital."""
    from securefl.cli.site_status import status_json
    from securefl.node.owner.pages import status_page
    from securefl.node.owner.status import read_status

    found = read_status(_open(folder))
    if json_file:
        write_json(status_json(found), json_file)
    if json_file != "-":
        show_page(status_page(found), html_file)
    elif html_file:
        write_page(status_page(found), html_file)
