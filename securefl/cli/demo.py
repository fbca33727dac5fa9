"""``securefl demo``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak, spoken
from securefl.cli.screen import json_option, screen, show_page, write_json

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@click.command()
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Fixes who is held out; noise is fresh all the same.",
)
@click.option(
    "--dir",
    "folder",
    default="securefl-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the parties' folders are made.",
)
@click.option(
    "--protocol",
    default="thyroid",
    show_default=True,
    metavar="NAME",
    help=(
        "Which study: thyroid, thyroid-classes, thyroid-number, thyroid-table, thyroid-additive,"
        " thyroid-boost, visits-count, recurrence-curve, fraud, digits-images, heart, heart-additive or"
        " survival."
    ),
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=(
        "Folder of tables that you downloaded: heart and heart-additive need the four UCI files in"
        " its heart/."
    ),
)
@click.option("--fresh", is_flag=True, help="Replace an older demonstration in that folder.")
@json_option
def demo(
    *,
    seed: int,
    folder: Path,
    protocol: str,
    data: Path | None,
    fresh: bool,
    json_file: str | None,
) -> None:
    """Hospitals answer one question together, on this machine, with published data.

    By default five of them train a model that recognises thyroid disease.

    Everything is real: separate processes, PySyft requests, signed approvals, privacy noise,
    encryption, audits. Only the people are missing: the approvals are given by script, through the
    command that a person types.
    """
    from contextlib import nullcontext

    from rich.markup import escape

    from securefl.cli.steady import steady_screen
    from securefl.demo.play import play
    from securefl.demo.protocols import demonstration
    from securefl.public_tables import DATA_VARIABLE

    wanted = demonstration(protocol)
    speak(wanted.study.words)
    if data is not None:
        # The hospitals' processes read it there.
        os.environ[DATA_VARIABLE] = str(data.absolute())
    console = screen()

    def busy(what: str) -> AbstractContextManager[object]:
        if console.is_terminal:
            return console.status(escape(spoken().say(what)))
        return nullcontext()

    with steady_screen(folder.absolute() / "demo.log"):
        figures = play(
            folder.absolute(),
            wanted,
            seed=seed,
            fresh=fresh,
            say=_show_line,
            show=show_page,
            busy=busy,
            wide=console.width,
            coloured=console.is_terminal,
        )
        if json_file:
            write_json(figures, json_file)


def _show_line(line: str) -> None:
    """A line that may hold a page's colours."""
    click.echo(spoken().say(line))
