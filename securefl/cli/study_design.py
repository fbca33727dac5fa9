"""``securefl study design``: a study file from public facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import (
    html_option,
    json_option,
    protocol_out_option,
    say,
    show_page,
    write_json,
    write_page,
    write_text,
)
from securefl.errors import UsageError
from securefl.files import read_given

if TYPE_CHECKING:
    from securefl.designing import Design


@click.command("design")
@click.argument(
    "file",
    type=click.Path(
        path_type=Path,
        exists=True,
        dir_okay=False,
    ),
)
@click.option(
    "--label",
    help="What is predicted: 'died = yes', 'HbA1c >= 6.5', 'stage', 'days until status = dead by 365,"
    " 730'; else the data set's own.",
)
@click.option(
    "--kind",
    type=click.Choice(("linear", "boosted-trees", "survival-curve")),
    help="What is made: a model of few weights, boosted trees for a yes or no, or survival curves and"
    " no model.  [default: linear]",
)
@click.option("--by", metavar="COLUMN", help="Survival curves for each level of this column.")
@click.option("--epsilon", help="Of the whole study, for one patient.  [default: 1]")
@click.option(
    "--patients",
    metavar="N",
    help="Published number in all hospitals, or the JSON report of a first study that was run.",
)
@click.option(
    "--share",
    help="Published share of positives, like 0.08; of each class, 0.5,0.3,0.2; without the event at"
    " each time, 0.97,0.92.",
)
@click.option("--source", help="Where these sizes were published.")
@click.option(
    "--hospitals",
    type=int,
    help="How many take part.  [default: 5]",
)
@click.option("--title", help="Title of the study.")
@protocol_out_option("The study file")
@click.option(
    "--what-if",
    "compare",
    is_flag=True,
    help="Also simulate other epsilons.",
)
@click.option(
    "--svg",
    "svg_file",
    metavar="FILE",
    help="With --what-if: write the picture.",
)
@html_option
@json_option
def study_design(
    *,
    file: Path,
    label: str | None,
    kind: str | None,
    by: str | None,
    epsilon: str | None,
    patients: str | None,
    share: str | None,
    source: str | None,
    hospitals: int | None,
    title: str | None,
    out: Path,
    compare: bool,
    svg_file: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Write a complete study file from public facts; every figure has its reason beside it.

    FILE says which columns there are: what `securefl study datasets --json FILE` wrote, a study
    file, or a CSV table that you may see. Where no sizes are published, leave them out: the study
    is then a cheap count or survival curve, and its report gives them.
    """
    from securefl.designing import design
    from securefl.report.page import joined

    if svg_file and not compare:
        raise UsageError("--svg draws what --what-if compares.", next_step="Add --what-if.")
    if file.suffix == ".toml":
        speak_as_file(read_given(file))
    made = design(
        file,
        label,
        epsilon=epsilon,
        patients=_patients(patients),
        share=share,
        source=source,
        hospitals=hospitals,
        title=title,
        kind=kind,
        by=by,
    )
    made.save(out)
    found: dict[str, Any] = {"file": str(out), **made.to_dict()}
    page = made.page()
    if compare:
        compared = _compared(made)
        page = joined(page, compared.page())
        found["what_if"] = compared.to_dict()
        if svg_file:
            write_text(compared.picture(), svg_file)
    if json_file:
        write_json(found, json_file)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)
    say(f"The study file is {out}. Next: securefl study check {out}")


def _patients(given: str | None) -> Any:  # noqa: ANN401 - a number, or the report of a count
    """A number as typed, or what a count's report says.

    Raises:
        UsageError: it is neither.
    """
    if given is None:
        return None
    plain = given.replace(",", "").strip()
    if plain.isascii() and plain.isdigit():
        return int(plain)
    try:
        return json.loads(read_given(Path(given)))
    except ValueError:
        raise UsageError(
            f"{given} is neither a number nor the report of a count.",
            next_step="Write a number, or a file of `securefl study report NAME --json FILE`.",
        ) from None


def _compared(made: Design) -> Any:  # noqa: ANN401 - see ComparedDesigns
    """Other epsilons, with a bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.disable = not bar.console.is_terminal
    task = bar.add_task("epsilons", total=None)
    with bar:
        return made.what_if(
            watch=lambda done, due: bar.update(
                task,
                completed=done,
                total=due,
            )
        )
