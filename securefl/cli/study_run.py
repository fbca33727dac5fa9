"""``securefl study run``: the rounds of an approved study, and what it found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import spoken
from securefl.cli.screen import (
    html_option,
    json_option,
    say,
    screen,
    show_page,
    write_json,
    write_page,
)
from securefl.cli.study_folder import folder_hint, open_study, researcher_option
from securefl.errors import ExitCode

if TYPE_CHECKING:
    from securefl.api import Study
    from securefl.federation.round_record import RoundRecord
    from securefl.researcher.results import Result

#: Seconds of a round after which the bar says whom it waits for.
_SILENCE = 3.0


@click.command()
@click.argument("name")
@click.option(
    "--wait",
    "seconds",
    default=0.0,
    show_default=True,
    help="Seconds to wait for missing approvals.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The model's folder; by default 'model' in your folder.",
)
@click.option(
    "--detach",
    is_flag=True,
    help="Come back when the first round begins; `securefl study attach` looks on.",
)
@html_option
@json_option
@researcher_option
def run(
    *,
    name: str,
    seconds: float,
    out: Path | None,
    detach: bool,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Run an approved study: you receive one sum a round, and at the end a model with its audit
    extracts.

    It goes on when its screen is gone (a closed terminal, a closed pipe); what could not be shown
    is in the study's run.log. The first Ctrl-C says what stopping costs; the second within five
    seconds ends the study for all. After a crash, or when the machine was shut down, the same command
    goes on with the run. Exit code 12 when the study's quality rule is not met, or cannot
    be judged on the interval.
    """
    from securefl.cli.steady import steady_screen
    from securefl.researcher.run_study import RUN_LOG

    found = open_study(folder, name)
    found.place(out)  # before anybody waits
    if found.interrupted:
        say(f"The run of {found.name} was interrupted; it goes on from there.")
    if detach:
        _detach(found, seconds=seconds, out=out, folder=folder)
        return
    with steady_screen(found.folder / RUN_LOG):
        _run(
            found,
            seconds=seconds,
            out=out,
            html_file=html_file,
            json_file=json_file,
            hint=folder_hint(folder),
        )


def _detach(
    found: Study,
    *,
    seconds: float,
    out: Path | None,
    folder: str | None,
) -> None:
    """Leave the run to a process of its own."""
    from securefl.cli.background import start_run
    from securefl.party.folder import find_folder
    from securefl.researcher.run_study import is_running

    arguments = ["study", "run", found.name, "--wait", str(seconds)]
    place = find_folder(folder, "SECUREFL_RESEARCHER").absolute()
    arguments += ["--researcher", str(place)]
    if out is not None:
        arguments += ["--out", str(out.absolute())]
    output = found.folder / "run.out"
    start_run(arguments, lambda: is_running(found.folder), output)
    look = f"securefl study attach {found.name}{folder_hint(folder)}"
    say(f"{found.name} runs by itself. Look on with: {look}")


def _run(
    found: Study,
    *,
    seconds: float,
    out: Path | None,
    html_file: str | None,
    json_file: str | None,
    hint: str,
) -> None:
    from securefl.report.page import joined
    from securefl.report.quality import quality_words
    from securefl.researcher.result_pages import found_page, ledgers_page
    from securefl.study.schema import quality_of

    found.wait(seconds=seconds)
    file = found.file
    result = _run_with_bar(found, out)
    made = result.made
    outcome = found_page(result)
    extracts = ledgers_page(result)
    show_page(outcome)
    show_page(extracts)
    say(f"The whole extracts: securefl study report {found.name}{hint}")
    if made is not None and made.model is not None:
        say(f"Next: securefl predict {made.folder} TABLE.csv   (a table with the model's columns)")
    if json_file:
        write_json(found.report(), json_file)
    if html_file:  # last: a file that cannot be written keeps nothing from the screen
        write_page(joined(outcome, extracts), html_file)
    if made is not None and made.quality != "met":
        rule = quality_of(file)
        said = quality_words(made.quality, rule.minimum, rule.minimum_each)
        say(_unmet_words(said, withheld=made.model is None))
        sys.exit(int(ExitCode.QUALITY))


def _unmet_words(said: str, *, withheld: bool) -> str:
    """Last line of a run whose quality rule is not met."""
    if withheld:
        return f"The model is withheld and given to nobody, as the study's rule says: {said}."
    return f"The model is there, and the study's quality rule is not met: {said}."


def _run_with_bar(found: Study, out: Path | None) -> Result:
    """All rounds, with a bar, a line for each, and whom a round waits for."""
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from securefl.researcher.progress import round_lines

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen(),
    )
    with bar:
        task = bar.add_task("rounds", total=found.plan.last_round)
        line = round_lines(found.plan, found.folder)

        def watch(record: RoundRecord) -> None:
            bar.update(task, description="rounds")
            bar.console.print(spoken().say(line(record)), markup=False)
            bar.advance(task)

        return found.run(
            watch=watch,
            model_folder=out,
            warn=lambda text: bar.console.print(spoken().say(text), markup=False),
            waiting=lambda who: bar.update(
                task, description=escape(str(who)) if who.seconds >= _SILENCE else "rounds"
            ),
        )
