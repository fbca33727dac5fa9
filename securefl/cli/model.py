"""``securefl model``: a trained model shown, edited, for other programs, beside other models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.model_edit import edit, show
from securefl.cli.model_versions import versions
from securefl.cli.predict import say_notices
from securefl.cli.screen import html_option, json_option, say, show_page, write_json
from securefl.errors import RoundError

if TYPE_CHECKING:
    from securefl.learning.reading import DecimalSign

#: Differences up to this are the last bits of sums in another order, in the units of a prediction.
_AGREES = 1e-6

_anyway_option = click.option(
    "--anyway",
    is_flag=True,
    help="Also a model that expired or that its owners recalled; the notices are shown.",
)


@click.group()
def model() -> None:
    """A trained model: show it, its versions, edit its curves, write it for other programs, compare it.

    `securefl predict` scores a table with it.
    """


model.add_command(edit)
model.add_command(show)
model.add_command(versions)


@model.command()
@click.argument("folder", metavar="MODEL", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--to",
    "to",
    required=True,
    metavar="FORMAT",
    help="onnx, torch, safetensors, or lightgbm for boosted trees.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where it goes; by default beside MODEL. Nothing is overwritten.",
)
@_anyway_option
@json_option
def export(
    *,
    folder: Path,
    to: str,
    out: Path | None,
    anyway: bool,
    json_file: str | None,
) -> None:
    """Write MODEL, the folder of a model, for other programs.

    onnx: one file whose inputs are the table's columns by name and whose output is the prediction,
    with the study's encoding inside. torch: a folder with a PyTorch module as Python text, its
    weights, and a page that says what each feature is. safetensors: the weights alone. lightgbm:
    boosted trees as LightGBM's text file.

    What was written is compared with `securefl predict` on 1,000 invented rows.

    A model that expired or was recalled is not written. What was written knows of no later recall.
    """
    from securefl.learning.artefact import load_model
    from securefl.learning.portable.formats import CHECKED_ROWS, FORMATS, export_model

    found = load_model(folder, anyway=anyway)
    notices = found.standing().sentences
    target = out or folder.parent / f"{folder.name}-{FORMATS[to].default}"
    difference = export_model(found, to, target)
    say_notices(notices)
    if json_file:
        write_json(
            {
                "model_digest": found.digest,
                "notices": list(notices),
                "format": to,
                "written": str(target),
                "checked_rows": 0 if difference is None else CHECKED_ROWS,
                "largest_difference": difference,
            },
            json_file,
        )
    if json_file != "-":
        say(f"Wrote {target}")
        say(found.score_words)
    if difference is None:
        say(
            f"It was not compared with `securefl predict`: {FORMATS[to].runtime} is not installed"
            f" here (pip install {FORMATS[to].runtime})."
        )
    elif difference > _AGREES:
        raise RoundError(
            f"{target} does not say what `securefl predict` says: a prediction differs by"
            f" {difference:.2g}.",
            whose="securefl",
            next_step="Do not use the file, and report the fault with the model's card.",
        )
    elif json_file != "-":
        say(
            f"On {CHECKED_ROWS:,} invented rows it says what `securefl predict` says; the largest"
            f" difference is {difference:.1e}."
        )


@model.command()
@click.argument("first", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("second", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--table",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A table of your own or a public one, with the columns of both and of the label.",
)
@click.option("--encoding", default="utf-8", show_default=True, help="How the text is stored.")
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    default="point",
    show_default=True,
    help="The sign in decimal numbers. Never guessed.",
)
@_anyway_option
@html_option
@json_option
def compare(
    *,
    first: Path,
    second: Path,
    table: Path,
    encoding: str,
    decimal: str,
    anyway: bool,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Compare the models FIRST and SECOND on a table that holds the truth.

    Each model's figure and their difference stand there with 95 % intervals. The interval of the
    difference is paired: both models see the same patients.

    A model that expired or was recalled is not compared, unless --anyway is given.
    """
    from securefl.learning.artefact import load_model
    from securefl.learning.comparing import compare_models
    from securefl.party.scoring import rows_of
    from securefl.report.compared_models import comparison_page
    from securefl.sources.source import GivenReading

    signs: dict[str, DecimalSign] = {"point": ".", "comma": ","}
    one, other = (load_model(folder, anyway=anyway) for folder in (first, second))
    needed = [column.name for each in (one, other) for column in each.data.columns]
    rows, _ = rows_of(table, needed, GivenReading(encoding, decimal=signs[decimal]))
    found = compare_models(one, other, rows)
    notices = [
        f"{folder}: {sentence}"
        for folder, each in ((first, one), (second, other))
        for sentence in each.standing().sentences
    ]
    say_notices(notices)
    if json_file:
        figures = {**asdict(found), "verdict": found.verdict, "notices": notices}
        write_json(figures, json_file)
    if json_file != "-":
        show_page(comparison_page(found, str(first), str(second)), html_file)
