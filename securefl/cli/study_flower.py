"""``securefl study flower``: the app for ``flwr run`` whose ServerApp carries the store."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import json_option, say, write_json


@click.command("flower")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--store-file",
    default="/srv/securefl/store.db",
    show_default=True,
    help="File on the SuperLink's machine in which the ServerApp keeps what parties post.",
)
@json_option
def study_flower(directory: Path, store_file: str, json_file: str | None) -> None:
    """Write the app that carries a consortium's objects over Flower into DIRECTORY.

    Whoever runs the SuperLink starts it with `flwr run`. It knows no study and holds no key: one
    app serves all studies of the consortium.
    """
    from securefl.boards.flower.flower_app import write_app
    from securefl.boards.flower.flower_version import flower_version

    directory = directory.absolute()
    version = flower_version()
    write_app(directory, store_file)
    if json_file:
        write_json({"app": str(directory), "store": store_file, "flwr": version}, json_file)
        return
    say(f"{directory} is a Flower app; its ServerApp keeps what is posted in {store_file}.")
    say(f"Start it on the SuperLink's machine, where securefl is installed: flwr run {directory}")
