"""``securefl study attach``: look on at a run that another process does."""

from __future__ import annotations

import sys

import click

from securefl.cli.screen import say
from securefl.cli.study_folder import folder_hint, open_study, researcher_option
from securefl.errors import ExitCode, RoundError, UsageError


@click.command()
@click.argument("name")
@researcher_option
def attach(*, name: str, folder: str | None) -> None:
    """Look on at a run: a line for each round that was opened, until the run ends.

    Ctrl-C ends the look and not the run. Exit code 12 when the study's quality rule is not met, or
    cannot be judged on the interval.
    """
    from securefl.researcher.progress import round_lines
    from securefl.researcher.results import has_result
    from securefl.researcher.run_records import follow
    from securefl.researcher.run_study import was_run

    found = open_study(folder, name)
    if not was_run(found.folder):
        raise UsageError(
            f"No run of {found.name} has begun.",
            whose="the researcher",
            next_step=f"`securefl study run {found.name}{folder_hint(folder)}`",
        )
    words = round_lines(found.plan, found.folder)
    for record in follow(found.folder):
        say(words(record))
    if not has_result(found.folder):
        raise RoundError(
            found.run_status(),
            whose="the researcher",
            next_step=f"`securefl study status {found.name}{folder_hint(folder)}` says more.",
        )
    say(found.run_status())
    quality = found.report().get("quality")
    if quality is not None and quality["verdict"] != "met":
        sys.exit(int(ExitCode.QUALITY))
