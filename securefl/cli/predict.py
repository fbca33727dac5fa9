"""``securefl predict``: scores for a table, in row order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from securefl.cli.screen import json_option, say, write_json


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
    model_dir: Path, rows: Path, encoding: str, decimal: str, json_file: str | None
) -> None:
    """Score ROWS (a CSV with the model's columns) with the model in MODEL_DIR.

    What stands between the values, a comma, a semicolon, a tab or a bar, is seen in the first line.
    Scores stand in the order of the rows. A row that the model was not made for keeps its place
    without a score (null), and the reason is said: a value outside the declared ranges or levels,
    missing or not a number, or a line with too few or too many values.
    """
    from securefl.learning.artefact import load_model
    from securefl.learning.features import found_for_predict
    from securefl.learning.table import read_in_order
    from securefl.report.rows import found_lines
    from securefl.sources.source import GivenReading, find_source

    model = load_model(model_dir)
    signs: Any = {"point": ".", "comma": ","}
    wanted = [column.name for column in model.data.columns]
    source = find_source(rows, wanted, GivenReading(encoding, decimal=signs[decimal]))
    table = read_in_order(source.content(), source.reading)
    scores, reasons = model.scored(table)
    without = [(number, reason) for number, reason in enumerate(reasons, 1) if reason is not None]
    if json_file:
        values = [
            None if reason else score.tolist()
            for score, reason in zip(scores, reasons, strict=True)
        ]
        write_json(
            {"scores": values, "without_score": [{"row": n, "reason": r} for n, r in without]},
            json_file,
        )
        if json_file == "-":
            return
    else:
        for number, (score, reason) in enumerate(zip(scores, reasons, strict=True), 1):
            said = " ".join(f"{figure:.4f}" for figure in score.reshape(-1))
            say(f"{number}\t{f'no score: {reason}' if reason else said}")
    say(
        f"{len(scores) - len(without)} of {len(scores)} rows scored, in the order of the"
        f" rows{f': {json_file}' if json_file else ''}"
    )
    for reason, count in Counter(reason for _, reason in without).most_common():
        first = next(number for number, why in without if why == reason)
        say(
            f"  {count} without a score: {reason} ({'first in ' if count > 1 else ''}row {first},"
            f" line {table.lines[first - 1]} of the file)"
        )
    for line in found_lines(found_for_predict(table, model.data)):
        say(f"    {line}")
    say(f"The table was read as {source.words}.")
    say(f"Intended use: {model.intended_use}")
