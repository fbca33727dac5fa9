"""``securefl study report``: a completed study again."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import json_option, say, say_quoted, show_page, write_json
from securefl.cli.study_folder import open_lab, researcher_option
from securefl.errors import UsageError
from securefl.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.stages.stage import FigureRow

_HEADS = ("name", "group", "figure", "value", "low", "high")


@click.command()
@click.argument("name")
@json_option
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the figures of statistics, one a line with its interval.",
)
@researcher_option
def report(name: str, json_file: str | None, csv_file: Path | None, folder: str | None) -> None:
    """Show a completed study again: figures, model, and each hospital's audit extract."""
    from securefl.report.audit import extract_page
    from securefl.report.explain_study import units
    from securefl.report.told import told_page

    found = open_lab(folder).study(name)
    result = found.report()
    if csv_file:
        _write_csv(found.figure_rows(), csv_file)
    if json_file:
        write_json(result, json_file)
        if json_file == "-":
            return
    say(found.name)
    say_quoted(found.file.study.title)
    _say_figures(result)
    if tables := found.tables(units(found.file)):
        show_page(told_page(tables))
    if csv_file:
        say(f"The figures are in {csv_file}.")
    if not result["extracts"]:
        raise UsageError(
            "No audit extract has come.", next_step="Ask the hospitals whether their agents run."
        )
    for site, extract in result["extracts"].items():
        say(f"\n{site}")
        show_page(extract_page(extract))


def _say_figures(result: dict[str, Any]) -> None:
    from securefl.report.quality import quality_words
    from securefl.report.run import lost_words

    if figure := result.get("figure"):
        say(f"{figure['name']}: {figure['words']}; model in {result['model']}")
    if quality := result.get("quality"):
        say(f"Asked for: {quality_words(quality['verdict'], Decimal(quality['minimum']))}")
    if result.get("lost"):
        say(f"Lost: {lost_words(result['lost'])}")


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
