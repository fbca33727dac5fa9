"""``securefl study service``: a systemd unit that runs one approved study to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from securefl.cli.service_unit import service_options, write_service
from securefl.cli.study_folder import open_study, researcher_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("name")
@service_options
@click.option(
    "--wait",
    "seconds",
    default=0.0,
    show_default=True,
    help="Seconds to wait for missing approvals.",
)
@researcher_option
def service(
    *,
    name: str,
    directory: Path,
    user: str | None,
    seconds: float,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Write a hardened systemd unit that runs the study NAME into DIRECTORY; root installs it.

    The run starts with the machine, goes on after a crash, and ends with the study. `systemctl
    stop` interrupts it; the study goes on when the unit starts again before its deadline.
    """
    from securefl.party.folder import PartyFolder, find_folder
    from securefl.party.service_unit import run_service

    found = open_study(folder, name)
    party = PartyFolder.open(find_folder(folder, "SECUREFL_RESEARCHER"), "researcher")
    write_service(run_service(party, found.name, seconds, user), directory, json_file)
