"""``securefl study report``: a completed study again."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.browser_pictures import write_pictures
from securefl.cli.screen import html_option, json_option, say, show_page, write_json, write_page
from securefl.cli.study_folder import open_study, researcher_option
from securefl.errors import UsageError
from securefl.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.stages.stage import FigureRow
    from securefl.learning.tasks.told import Told

_HEADS = ("name", "group", "figure", "value", "low", "high")


@click.command()
@click.argument("name")
@html_option
@json_option
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the figures of statistics, one a line with its interval.",
)
@click.option(
    "--svg",
    "svg_folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write each picture of the whole report as SVG into this folder.",
)
@click.option(
    "--png",
    "png_folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The same as PNG; Chromium draws them and must be installed.",
)
@researcher_option
def report(
    *,
    name: str,
    html_file: str | None,
    json_file: str | None,
    csv_file: Path | None,
    svg_folder: Path | None,
    png_folder: Path | None,
    folder: str | None,
) -> None:
    """Show a completed study again: figures, model, and each hospital's audit extract; recalls of the
    model that lie in the store are fetched beside it.

    --html writes the whole report: what was asked, who took part, how it learnt, effects with
    intervals, what it cost, what left each hospital, and hashes to check it by.
    """
    from securefl.learning.tasks import task_of
    from securefl.report.explain_study import units
    from securefl.report.study_report import report_page
    from securefl.researcher.kept_report import model_standing

    found = open_study(folder, name)
    result = found.report()
    study = found.file
    page = report_page(
        result,
        study.study.title,
        [*found.tables(units(study)), *_model_tables(result)],
        asks=study.quality is not None and task_of(study.data).asks(study.quality),
        continues=study.continues,
        standing=model_standing(result),
    )
    if csv_file:
        _write_csv(found.figure_rows(), csv_file)
    if json_file:
        write_json(result, json_file)
    if html_file:
        write_page(found.report_page(), html_file)
    if svg_folder or png_folder:
        write_pictures(found.report_page(), svg_folder, png_folder)
    if json_file == "-":
        return
    show_page(page, None)
    if csv_file:
        say(f"The figures are in {csv_file}.")
    if not result["extracts"]:
        raise UsageError(
            "No audit extract has come.", next_step="Ask the hospitals whether their agents run."
        )


def _model_tables(result: Mapping[str, Any]) -> list[Told]:
    """What the model's columns contribute, where it can be read and still lies there."""
    from securefl.researcher.kept_report import model_contributions

    told = model_contributions(result)
    return [] if told is None else [told]


def _write_csv(rows: Sequence[FigureRow], file: Path) -> None:
    if not rows:
        raise UsageError(
            "This study has no statistics to write.",
            next_step="`--json FILE` writes all that it found.",
        )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADS)
    for row in rows:
        value = "" if row.value is None else f"{row.value:.6g}"
        ends = f"{row.low:.6g}", f"{row.high:.6g}"
        writer.writerow((row.name, row.group, row.figure, value, *ends))
    replace_file(file, text.getvalue().encode(), mode=0o600)
