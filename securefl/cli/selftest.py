"""``securefl selftest``: does this installation keep what its figures claim? On invented patients
only.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import html_option, json_option, screen, show_page, write_json, write_page
from securefl.errors import ExitCode

if TYPE_CHECKING:
    from securefl.learning.selftest import SelfTest

_EXIT = {"PASS": 0, "FAIL": int(ExitCode.CRASH), "INCONCLUSIVE": int(ExitCode.USAGE)}


@click.group()
def selftest() -> None:
    """Try this installation on invented patients."""


@selftest.command()
@click.option(
    "--trials",
    type=click.IntRange(200, 10_000_000),
    help="How many releases are looked at; by default as many as give a clear answer.",
)
@html_option
@json_option
def privacy(trials: int | None, html_file: str | None, json_file: str | None) -> None:
    """Try to tell from noised steps whether one patient was in them; six broken mechanisms are
    tried beside.

    The worker that trains is asked too, as the process that a study starts: is its noise fresh, who
    is drawn?

    Exit codes: 0 PASS, 1 FAIL, 2 INCONCLUSIVE (too few trials).
    """
    from tempfile import TemporaryDirectory

    from securefl.node.owner.selftest import trial
    from securefl.privacy.float_draws import FloatDraws
    from securefl.privacy.randomness import SystemRandomness
    from securefl.privacy.worker_answers import judge_with_controls
    from securefl.report.selftest import selftest_page

    with (
        TemporaryDirectory() as folder,
        trial(Path(folder)) as ask,
    ):  # they start while the looks are taken
        outcome = _looks(trials, quiet=json_file == "-")
        heard = judge_with_controls(ask(), FloatDraws(SystemRandomness()))
    outcome = outcome.with_worker(heard)
    if json_file:
        write_json(outcome.to_json(), json_file)
    page = selftest_page(outcome)
    if json_file != "-":
        show_page(page, html_file)
    elif html_file:
        write_page(page, html_file)
    sys.exit(_EXIT[outcome.verdict])


def _looks(trials: int | None, *, quiet: bool) -> SelfTest:
    """The looks in this process, with a bar unless ``quiet``."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from securefl.learning.selftest import TRIALS, product, run_selftest
    from securefl.learning.selftest_controls import controls
    from securefl.privacy.randomness import SystemRandomness

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=screen(),
        transient=True,
        disable=quiet,
    )
    with bar:
        task = bar.add_task("trying")
        return run_selftest(
            product(),
            controls(),
            SystemRandomness(),
            trials=trials or TRIALS,
            watch=lambda done, total: bar.update(task, completed=done, total=total),
        )
