"""``securefl predict``: scores for a table, in row order."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import json_option, say, write_json


@click.command()
@click.argument("model_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("rows", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def predict(model_dir: Path, rows: Path, json_file: str | None) -> None:
    """Score ROWS (a CSV with the model's columns) with the model in MODEL_DIR.

    A row outside the declared ranges gets no score (null): the model was never meant for it.
    """
    from securefl.learning.artefact import load_model
    from securefl.learning.table import read_table

    model = load_model(model_dir)
    scores = model.scores(read_table(rows))
    outside = sum(score is None for score in scores)
    if json_file:
        write_json({"scores": scores}, json_file)
        if json_file != "-":
            say(f"{len(scores)} rows scored, {outside} of them outside the declared ranges (null): {json_file}")
    else:
        for number, score in enumerate(scores, 1):
            say(f"{number}\t{'outside the declared ranges' if score is None else f'{score:.4f}'}")
    if json_file != "-":
        say(f"Intended use: {model.intended_use}")
