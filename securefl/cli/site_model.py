"""``securefl site model``: the models of completed studies that came home to a hospital."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.predict import predict as score
from securefl.cli.screen import json_option, say, show_page, write_json
from securefl.cli.site_folder import open_site as _open
from securefl.cli.site_folder import site_option as _site_option
from securefl.errors import SecureFLError

if TYPE_CHECKING:
    from securefl.learning.tasks.binary.own_figures import OwnFigures
    from securefl.node.site import Site
    from securefl.study.schema import Study


@click.group()
def model() -> None:
    """Models of completed studies that were sent to this hospital: list, show, predict.

    The agent fetches a model after its study's end, and keeps it only if it is what the last
    round's sum makes of the model before, and its figures follow from the released histogram.
    """


@model.command(name="list")
@json_option
@_site_option
def list_(json_file: str | None, folder: str | None) -> None:
    """List the models that are here, and those that are looked for, were refused or never came."""
    from securefl.node.models import list_models

    rows = list_models(_open(folder))
    if json_file:
        listed = [
            {
                "model": r.name,
                "study": r.digest,
                "state": r.state,
                "folder": str(r.folder or ""),
                "said": r.said,
            }
            for r in rows
        ]
        write_json({"models": listed}, json_file)
        if json_file == "-":
            return
    for row in rows:
        say(f"{row.name}  {row.state:<10}  {row.folder or row.said}".rstrip())
    if not rows:
        say(
            "No model has come home: the studies of this hospital are not over, or name it as no"
            " recipient."
        )


@model.command()
@click.argument("name")
@json_option
@_site_option
def show(name: str, json_file: str | None, folder: str | None) -> None:
    """Show a model: what was released, and its exact figures on your own held-out patients.

    The exact figures are worked out here and now, stand on this screen, and never leave. They have
    no noise: do not pass them on.
    """
    from securefl.node.models import find_model
    from securefl.node.requests import kept_study
    from securefl.report.explain_study import units
    from securefl.report.own_model import own_model_page

    here = _open(folder)
    row, found = find_model(here, name)
    study = kept_study(here, row.digest).study
    figures, why_not = _figures(here, name, study)
    if json_file:
        own = {k: _plain(v) for k, v in asdict(figures).items()} if figures else None
        write_json(
            {
                "model": row.name,
                "digest": found.digest,
                "released": found.facts.figures,
                "own": own,
                "why_not": why_not,
            },
            json_file,
        )
        if json_file == "-":
            return
    show_page(own_model_page(found, str(row.folder), figures, why_not=why_not, units=units(study)))
    say(f"Next: securefl site model predict {row.name} TABLE.csv")


@model.command()
@click.argument("name")
@click.argument("rows", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
@_site_option
@click.pass_context
def predict(
    ctx: click.Context, name: str, rows: Path, json_file: str | None, folder: str | None
) -> None:
    """Score ROWS (a table with the model's columns) with a model that came home; as `securefl
    predict`.
    """
    from securefl.node.models import find_model

    row, _ = find_model(_open(folder), name)
    ctx.invoke(score, model_dir=row.folder, rows=rows, json_file=json_file)


def _figures(here: Site, name: str, study: Study) -> tuple[OwnFigures | None, str]:
    """The exact figures, or why there are none: a table that was moved does not hide the model."""
    from securefl.node.model_figures import own_figures
    from securefl.node.models import find_model

    try:
        return own_figures(here, find_model(here, name)[1], study), ""
    except SecureFLError as error:
        return None, f"They cannot be worked out: {error}"


def _plain(value: object) -> object:
    """JSON values; a figure that there is not is null."""
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
