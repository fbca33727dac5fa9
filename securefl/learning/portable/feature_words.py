"""Features of a model in words, for whoever encodes a table in another program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.encoding import column_features
from securefl.learning.tasks import task_of
from securefl.study.columns import BooleanColumn, CategoryColumn, Column, NumericColumn

if TYPE_CHECKING:
    from securefl.learning.artefact import Model


def feature_rows(column: Column) -> list[tuple[str, str]]:
    """Each feature of a column by name, and how it follows from a cell."""
    names = column_features(column)
    flagged = column.missing == "flag"
    if isinstance(column, NumericColumn):
        said = [_place_words(column)]
    elif isinstance(column, BooleanColumn):
        said = [f"1 for {column.true}, 0 for {column.false}"]
    else:
        said = [f"1 for {level}, else 0" for level in _levels(column)]
    if flagged:
        codes = ", ".join(column.missing_codes)
        unrecorded = f"nothing, or one of {codes}, is recorded" if codes else "nothing is recorded"
        said = [f"{words}; 0 where {unrecorded}" for words in said]
        said.append(f"1 where {unrecorded}, else 0")
    return list(zip(names, said, strict=True))


def model_notes(model: Model) -> str:
    """A page (Markdown) on a model that left this program: features, prediction, purpose."""
    task = task_of(model.data)
    facts = model.facts
    lines = [
        f"# {facts.title}",
        "",
        f"Model `{model.digest}` of the study `{facts.study_digest}`.",
        "",
        f"- Intended use: {facts.intended_use}",
        f"- Licence: {facts.licence}",
        *([f"- Not to be used after: {facts.expires[:10]}"] if facts.expires else []),
        "- Its hospitals can recall it; this copy knows of no recall. The folder it came from does.",
        f"- Privacy: {facts.words.say(facts.privacy)}",
        "",
        "## Features, in this order",
        "",
        "| place | feature | from a cell |",
        "|---|---|---|",
    ]
    rows = [row for column in model.data.columns for row in feature_rows(column)]
    lines += [f"| {place} | {name} | {words} |" for place, (name, words) in enumerate(rows)]
    names = ", ".join(task.score_names) or task.noun
    lines += ["", "## Predictions", "", f"Columns: {names}.", "", model.score_words, ""]
    lines += [
        "A row outside the ranges or levels has no prediction: leave it out before the model.",
        "Features are rounded to float32, all further arithmetic is in float64.",
        "",
    ]
    return "\n".join(lines)


def _levels(column: CategoryColumn) -> tuple[str, ...]:
    return column.levels[1:]


def _place_words(column: NumericColumn) -> str:
    low = column.low
    high = column.high
    said = f"2 (x - {low}) / ({high} - {low}) - 1"
    if column.transform == "log":
        said = f"2 log(x / {low}) / log({high} / {low}) - 1"
    if column.outside == "clip":
        said = f"{said}, with x cut to {low} to {high}"
    return said
