"""``service`` of each role: a hardened systemd unit for its process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import json_option, say, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.party.service_unit import Service


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Arguments of ``service``, the same for every role."""
    options = (
        click.argument("directory", type=click.Path(path_type=Path, file_okay=False)),
        click.option(
            "--user",
            help="System user that it runs as; without it one is made, named after the party.",
        ),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def write_service(service: Service, directory: Path, json_file: str | None) -> None:
    """Write the unit and its user into a folder, and say what root does with them.

    Raises:
        UnreadableError: the folder cannot be written.
    """
    from securefl.errors import file_error
    from securefl.files import replace_file
    from securefl.party.service_unit import steps, unit_text, user_text

    directory = directory.absolute()
    unit = directory / f"{service.name}.service"
    user = directory / f"{service.name}.conf"
    try:
        replace_file(unit, unit_text(service).encode(), 0o644)
        replace_file(user, user_text(service).encode(), 0o644)
    except OSError as error:
        raise file_error(error, directory) from None
    todo = steps(service, directory)
    if json_file:
        found = {
            "unit": str(unit),
            "user_file": str(user),
            "user": service.user,
            "folder": str(service.folder),
            "command": [*service.program, *service.command],
            "steps": list(todo),
        }
        write_json(found, json_file)
    if json_file == "-":
        return
    say(f"The unit is {unit}; it runs as {service.user}. Read it. Then, as root:")
    for line in todo:
        say(f"  {line}")
    say(f"What it says: journalctl -u {service.name}")
