"""``securefl predict``: scores for a table, in row order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import json_option, say, write_json

if TYPE_CHECKING:
    from securefl.learning.reading import DecimalSign
    from securefl.party.scoring import ScoredTable


@click.command()
@click.argument("model_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("rows", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--encoding",
    default="utf-8",
    show_default=True,
    help="How the text is stored: cp1252 is that of Windows in western Europe.",
)
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    default="point",
    show_default=True,
    help="The sign in decimal numbers. Never guessed.",
)
@json_option
def predict(
    model_dir: Path,
    rows: Path,
    encoding: str,
    decimal: str,
    json_file: str | None,
) -> None:
    """Score ROWS (a CSV with the model's columns) with the model in MODEL_DIR.

    What stands between the values, a comma, a semicolon, a tab or a bar, is seen in the first line.
    Scores stand in the order of the rows. A row that the model was not made for keeps its place
    without a score (null), and the reason is said: a value outside the declared ranges or levels,
    missing or not a number, or a line with too few or too many values.
    """
    from securefl.party.scoring import score_table
    from securefl.sources.source import GivenReading

    signs: dict[str, DecimalSign] = {"point": ".", "comma": ","}
    print_scores(
        score_table(model_dir, rows, GivenReading(encoding, decimal=signs[decimal])), json_file
    )


def print_scores(found: ScoredTable, json_file: str | None) -> None:
    """Print a table's scores, or write them as JSON."""
    from securefl.report.rows import found_lines

    if json_file:
        write_json(_json(found), json_file)
        if json_file == "-":
            return
    else:
        if found.names:
            say(f"row\t{'  '.join(found.names)}")
        for row, score in enumerate(found.scores, 1):
            figures = "  ".join(f"{figure:.4f}" for figure in score.reshape(-1))
            if row in found.without:
                figures = f"no {found.noun}: {found.without[row]}"
            say(f"{row}\t{figures}")
    where = ""
    if json_file:
        where = f": {json_file}"
    rows = len(found.scores)
    say(f"{rows - len(found.without)} of {rows} rows scored, in the order of the rows{where}")
    for cause in found.causes:
        first = f"row {cause.first_row}, line {cause.first_line} of the file"
        if cause.rows > 1:
            first = f"first in {first}"
        say(f"  {cause.rows} without a {found.noun}: {cause.reason} ({first})")
    for line in found_lines(found.found):
        say(f"    {line}")
    say(f"The table was read as {found.read_as}.")
    say(f"Intended use: {found.intended_use}")


def _json(found: ScoredTable) -> dict[str, Any]:
    scores = [
        None if row in found.without else score.tolist()
        for row, score in enumerate(found.scores, 1)
    ]
    without = [{"row": row, "reason": reason} for row, reason in found.without.items()]
    said: dict[str, Any] = {"scores": scores, "without_score": without}
    if found.names:
        said["names"] = list(found.names)
    return said
