"""``securefl predict``: scores for a table, in row order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import json_option, say, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.reading import DecimalSign
    from securefl.node.owner.folder import Site
    from securefl.party.scoring import ScoredTable
    from securefl.sources.source import GivenReading


@click.command()
@click.argument("model")
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
@click.option(
    "--site",
    "site",
    metavar="DIR",
    help="A hospital's folder: MODEL is a study, and the model that is kept there scores.",
)
@click.option(
    "--anyway",
    is_flag=True,
    help="Score with a model that expired or that its owners recalled; the notices are shown.",
)
@json_option
def predict(
    model: str,
    rows: Path,
    *,
    encoding: str,
    decimal: str,
    site: str | None,
    anyway: bool,
    json_file: str | None,
) -> None:
    """Score ROWS (a CSV or Parquet file with the model's columns) with MODEL, a model's folder.

    With --site MODEL is the name of a study for which `securefl site personalize` was run: the
    hospital's personal model scores, where it is the one that is kept, else the study's.

    What stands between the values, a comma, a semicolon, a tab or a bar, is seen in the first line.
    Scores stand in the order of the rows. A row that the model was not made for keeps its place
    without a score (null), and the reason is said: a value outside the declared ranges or levels,
    missing or not a number, or a line with too few or too many values.

    Given in a hospital's folder, or with a model that lies in one, the hospital's own notices and
    its table at the approval count as well: it says when columns are distributed otherwise.

    A model that expired, or that more than half of its hospitals recalled, does not score: their
    signed notices lie in the folder `notices` beside its files. A recall by fewer is a warning.
    """
    from securefl.party.scoring import score_table
    from securefl.sources.source import GivenReading

    signs: dict[str, DecimalSign] = {"point": ".", "comma": ","}
    given = GivenReading(encoding, decimal=signs[decimal])
    if site is not None:
        _predict_at_home(
            site,
            model,
            rows,
            given,
            json_file,
            anyway=anyway,
        )
        return
    place = _folder(model)
    here = _hospital_here(place)
    if here is None:
        found = score_table(place, rows, given, anyway=anyway)
    else:
        from securefl.node.owner.models import score_folder

        found = score_folder(here, place, rows, given, anyway=anyway)
    print_scores(found, json_file)


def _hospital_here(model: Path) -> Site | None:
    """The hospital in whose folder the model lies, or in whose folder the command is given.

    None elsewhere: what only a hospital knows of a model is told at that hospital.
    """
    from securefl.cli.site_folder import open_site
    from securefl.party.folder import FILE_NAMES, find_folder

    around = (*model.absolute().parents[1:2], find_folder(None, "SECUREFL_SITE"))
    for folder in around:
        if (folder / FILE_NAMES["hospital"]).is_file():
            return open_site(str(folder))
    return None


def _folder(model: str) -> Path:
    folder = Path(model)
    if not folder.is_dir():
        raise click.BadParameter(
            f"There is no folder '{model}'. A study's name needs --site.", param_hint="MODEL"
        )
    return folder


def _predict_at_home(
    site: str,
    study: str,
    rows: Path,
    given: GivenReading,
    json_file: str | None,
    *,
    anyway: bool,
) -> None:
    from securefl.cli.site_folder import open_site
    from securefl.node.owner.personal import score_at_home

    found = score_at_home(
        open_site(site),
        study,
        rows,
        given,
        anyway=anyway,
    )
    print_scores(found.scored, json_file, model="personal" if found.personal else "global")
    if json_file == "-":
        return
    if found.personal:
        say(
            f"Scored with the personal model of {found.name}: its scores, like itself, are for this"
            " hospital alone."
        )
    else:
        say(
            f"Scored with the model of the study {found.name}: the personal one did no better here."
        )


def say_notices(notices: Sequence[str]) -> None:
    """Notices go to the other stream, so that they are seen where scores go into a file."""
    from securefl.report.characters import shown

    for notice in notices:
        click.echo(f"ATTENTION: {shown(notice)}", err=True)


def _say_moved(moved: Sequence[str], day: str) -> None:
    """Say that columns are not distributed as when the study was approved.

    No figure, and on the stream that goes into no file of scores.
    """
    from securefl.report.characters import shown
    from securefl.report.rows_drift import moved_words

    if moved:
        names = shown(", ".join(moved))
        click.echo(f"ATTENTION: {moved_words(len(moved), day)} Moved: {names}.", err=True)
        click.echo("How far, for your screen: securefl site model drift STUDY ROWS", err=True)


def print_scores(found: ScoredTable, json_file: str | None, *, model: str = "") -> None:
    """Print a table's scores, or write them as JSON.

    Args:
        found: the scores.
        json_file: where JSON is written, as every command's option says.
        model: which of a hospital's two models made them; empty where there is one.
    """
    from securefl.report.rows import found_lines

    say_notices(found.notices)
    _say_moved(found.moved, found.moved_on)
    if json_file:
        write_json(_json(found) | ({"model": model} if model else {}), json_file)
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
    say(found.meaning)
    say(f"Intended use: {found.intended_use}")


def _json(found: ScoredTable) -> dict[str, Any]:
    scores = [
        None if row in found.without else score.tolist()
        for row, score in enumerate(found.scores, 1)
    ]
    without = [{"row": row, "reason": reason} for row, reason in found.without.items()]
    said: dict[str, Any] = {"scores": scores, "without_score": without, "meaning": found.meaning}
    if found.notices:
        said["notices"] = list(found.notices)
    if found.names:
        said["names"] = list(found.names)
    return said
