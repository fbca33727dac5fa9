"""``securefl demo``."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import json_option, say, screen, write_json


@click.command()
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Fixes who is held out; noise is fresh all the same.")
@click.option("--dir", "folder", default="securefl-demo", show_default=True, type=click.Path(path_type=Path), help="Where the parties' folders are made.")
@click.option("--fresh", is_flag=True, help="Replace an older demonstration in that folder.")
@json_option
def demo(seed: int, folder: Path, fresh: bool, json_file: str | None) -> None:
    """Five hospitals train one model together, on this machine, with published data.

    Everything is real: separate processes, PySyft requests, signed approvals, privacy noise, encryption, audits. Only the
    people are missing: the approvals are given by script, through the command that a person types.
    """
    from securefl.demo.play import play

    figures = play(folder.absolute(), seed=seed, fresh=fresh, say=say, show=screen().print)
    if json_file:
        write_json(figures, json_file)
