"""``securefl store``: what a store keeps, what it lets a party do, and the rule for its operator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import json_option, say, write_json
from securefl.cli.store_clean import clean
from securefl.cli.store_route import route_of, route_options
from securefl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from securefl.party.folder import PartyFolder


@click.group()
def store() -> None:
    """Try a store, print the rule that keeps parties apart in it, take ended studies' bytes away."""


store.add_command(clean)


@store.command()
@click.argument("url", required=False)
@click.option(
    "--folder",
    metavar="DIR",
    help="A party's folder: its store is tried, and the places of its partners.",
)
@route_options
@json_option
def check(
    url: str | None,
    folder: str | None,
    store_proxy: str,
    store_ca: str,
    json_file: str | None,
) -> None:
    """Try to break a store with this party's rights.

    First by which way it is reached: a proxy, whose certificate. Then objects of random names are
    written, replaced and removed: how long that takes, whether news is
    seen at once, whether the store's clock is right, whether it can refuse a second object of one
    name, and whether this party can write where another one should alone. Nothing that lies there is
    touched, and no folder is made. Without URL it is the store of the party's folder, which must
    be the one that it used before.

    Exit codes: 0 nothing FAILED, 10 the store cannot be used.
    """
    from securefl.boards.marker import known_marker
    from securefl.boards.opening import open_board
    from securefl.boards.route import Route
    from securefl.boards.store_check import check_store
    from securefl.boards.url import usable_url

    party = _party(folder, needed=url is None)
    others = () if party is None else _places_of_others(party)
    marker = None
    route = route_of(store_proxy, store_ca)
    if party is not None:
        url = url or party.settings.store
        if usable_url(url) == party.settings.store:
            marker = known_marker(party.path)
            route = Route(
                route.proxy or party.route.proxy,
                route.ca_file or party.route.ca_file,
            )
    board = open_board(usable_url(url or ""), marker, route)
    found = check_store(board, others)
    rows = [{"check": f.check, "result": f.result, "detail": f.detail} for f in found]
    if json_file:
        write_json({"store": board.url, "checks": rows}, json_file)
    if json_file != "-":
        for row in rows:
            say(f"{row['result']:<7} {row['check']}: {row['detail']}")
    if any(row["result"] == "FAILED" for row in rows):
        sys.exit(int(ExitCode.STORE))


@store.command()
@click.argument("url", required=False)
@click.option("--folder", metavar="DIR", help="The party's folder; else the current one.")
@click.option(
    "--user",
    metavar="NAME",
    help="The party's account at the store; else the party's name in lower case.",
)
@json_option
def policy(
    url: str | None,
    folder: str | None,
    user: str | None,
    json_file: str | None,
) -> None:
    """Print the rule of a party: it writes its own places in the store alone.

    For S3 it is a policy of the party's key, for WebDAV a section of Apache's configuration, for
    SFTP and a folder the commands that make its sticky bit hold. Give it to whoever operates the
    store, then try it with `securefl store check`. With --json the places stand in it, too.
    """
    from securefl.party.store_rules import rule_of, written_by

    party = party_of(folder)
    role = party.settings.role
    name = party.name
    where = url or party.settings.store
    try:
        rule = rule_of(where, role, name, user or name.lower())
    except UsageError:
        if not json_file:
            raise
        rule = ""
    if json_file:
        places = list(written_by(role, name))
        write_json(
            {"party": name, "role": role, "store": where, "writes": places, "rule": rule},
            json_file,
        )
    if rule and json_file != "-":
        click.echo(rule)


def _party(folder: str | None, *, needed: bool) -> PartyFolder | None:
    """The party whose folder was named, or in which this runs; None where it is none."""
    from securefl.party.folder import FILE_NAMES, PartyFolder, find_folder

    here = find_folder(folder, "SECUREFL_SITE").resolve()
    for role, file in FILE_NAMES.items():
        if (here / file).exists():
            return PartyFolder.open(here, role)
    if needed or folder is not None:
        raise _no_folder()
    return None


def _no_folder() -> UsageError:
    return UsageError(
        "This is no party's folder.",
        next_step=(
            "Go to a hospital's, a researcher's or an aggregator's folder, or name it with --folder."
        ),
    )


def party_of(folder: str | None) -> PartyFolder:
    """The party whose folder was named, or in which this runs.

    Raises:
        UsageError: it is no party's folder.
    """
    party = _party(folder, needed=True)
    if party is None:
        raise _no_folder()
    return party


def _places_of_others(party: PartyFolder) -> tuple[str, ...]:
    """Folders in which a partner of this party writes alone."""
    from securefl.datasite.address import site_email

    names = sorted(card.name for card in party.book.cards().values() if card.role != "aggregator")
    return tuple(f"datasites/{site_email(name)}" for name in names[:1])
