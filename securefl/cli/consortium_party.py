"""Whose folder a command of ``securefl consortium`` works in: a hospital's, a researcher's, an
aggregator's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.party.folder import PartyFolder

_VARIABLES = {
    "hospital": "SECUREFL_SITE",
    "researcher": "SECUREFL_RESEARCHER",
    "aggregator": "SECUREFL_AGGREGATOR",
}


def party_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--site``, ``--researcher``, ``--aggregator``: your own folder, whichever role you have."""
    for name in ("aggregator", "researcher", "site"):
        command = click.option(f"--{name}", metavar="DIR", help=f"Your folder, as a {name}.")(
            command
        )
    return command


def own_folder(
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> PartyFolder | None:
    """The party's folder as named, else by the environment, else the current one; None where none
    is there.

    Raises:
        UsageError: several are named, or the one named is no such folder.
    """
    from securefl.party.folder import FILE_NAMES

    named = {"hospital": site, "researcher": researcher, "aggregator": aggregator}
    given = {role: folder for role, folder in named.items() if folder}
    if len(given) > 1:
        raise UsageError("Several folders are named.", next_step="Name one of them.")
    if not given:
        given = {role: os.environ[v] for role, v in _VARIABLES.items() if os.environ.get(v)}
        if len(given) > 1:
            given = {}
    if not given:
        given = {role: "." for role, file in FILE_NAMES.items() if Path(file).exists()}
    for role, folder in given.items():
        return _open(role, Path(folder).expanduser().absolute())
    return None


def required_folder(
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> PartyFolder:
    """As :func:`own_folder`, where there has to be one.

    Raises:
        UsageError: none is named, and none is here.
    """
    mine = own_folder(site, researcher, aggregator)
    if mine is None:
        raise UsageError(
            "It is not said whose folder is yours.",
            next_step="Add --site DIR, --researcher DIR or --aggregator DIR.",
        )
    return mine


def _open(role: str, path: Path) -> PartyFolder:
    from securefl.cli.nouns import speak_as_folder

    speak_as_folder(path)
    if role == "hospital":
        from securefl.node.owner.folder import open_site

        return open_site(path)
    from securefl.party.folder import PartyFolder

    if role == "researcher":
        return PartyFolder.open(path, "researcher")
    return PartyFolder.open(path, "aggregator")


def option_of(mine: PartyFolder) -> str:
    """The option that names this party's folder in a next command, with a space before it; nothing
    where it is the folder that one stands in.
    """
    name = {"hospital": "site"}.get(mine.settings.role, mine.settings.role)
    here = Path.cwd()
    if mine.path == here:
        return ""
    if mine.path.is_relative_to(here):
        return f" --{name} {mine.path.relative_to(here)}"
    return f" --{name} {mine.path}"
