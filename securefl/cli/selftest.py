"""``securefl selftest``: does this installation keep what its figures claim? On invented patients only."""

from __future__ import annotations

import sys

import click

from securefl.cli.screen import json_option, screen, write_json
from securefl.errors import ExitCode

_EXIT = {"PASS": 0, "FAIL": int(ExitCode.CRASH), "INCONCLUSIVE": int(ExitCode.USAGE)}


@click.group()
def selftest() -> None:
    """Try this installation on invented patients."""


@selftest.command()
@click.option("--trials", type=click.IntRange(200, 10_000_000), help="How many releases are looked at; by default as many as give a clear answer.")
@json_option
def privacy(trials: int | None, json_file: str | None) -> None:
    """Try to tell from noised steps whether one patient was in them; six broken mechanisms are tried beside.

    Exit codes: 0 PASS, 1 FAIL, 2 INCONCLUSIVE (too few trials).
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from securefl.learning.selftest import TRIALS, product, run_selftest
    from securefl.learning.selftest_controls import controls
    from securefl.privacy.randomness import SystemRandomness
    from securefl.report.selftest import selftest_page

    bar = Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=screen(), transient=True, disable=json_file == "-")
    with bar:
        task = bar.add_task("trying")
        outcome = run_selftest(
            product(), controls(), SystemRandomness(), trials=trials or TRIALS,
            watch=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json_file:
        write_json(outcome.to_json(), json_file)
    if json_file != "-":
        screen().print(selftest_page(outcome))
    sys.exit(_EXIT[outcome.verdict])
