"""``securefl site data readiness``: a registered table beside the columns of a study."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import html_option, json_option, show_page, write_json, write_page
from securefl.cli.site_folder import open_site, site_option
from securefl.errors import UsageError
from securefl.files import read_given
from securefl.study.fields import NAME

if TYPE_CHECKING:
    from securefl.node.owner.readiness import Readiness

_FILE: Final = "protocol.toml"


@click.command("readiness")
@click.argument("dataset")
@click.argument("study", metavar="STUDY_OR_TEMPLATE", required=False)
@click.option(
    "--request", metavar="NAME", help="The columns of a request that came in, in place of a file."
)
@click.option("--all", "whole", is_flag=True, help="Figures and pictures also where all is well.")
@html_option
@json_option
@site_option
def data_readiness(
    *,
    dataset: str,
    study: str | None,
    request: str | None,
    whole: bool,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Look at a registered table beside the columns that a study declares, before anybody asks:
    what is there, what looks wrong, how it changed since the last look, and which rows would be
    used.

    STUDY_OR_TEMPLATE is a study file, or the name of a template that comes with securefl; without
    it the columns are those with which the table was registered. Everything is for your screen
    alone. Of each look a summary without any value of the table stays in your folder, so that the
    next one can be compared with it. Where an agreement asks for a look before each approval, this
    is that look.
    """
    from securefl.node.owner.pages import readiness_kinds, readiness_page
    from securefl.node.owner.readiness import keep_look, keep_shown, readiness
    from securefl.node.owner.requests import request_text
    from securefl.party.clock import utc_now

    if study is not None and request is not None:
        raise UsageError("A file and a request are named.", next_step="Name one of them.")
    here = open_site(folder)
    columns = None
    if request is not None:
        columns = request_text(here, request)
    elif study is not None:
        columns = read_given(_declaring(study))
    if columns is not None:
        speak_as_file(columns)
    found = readiness(here, dataset, columns, request or study or "")
    keep_look(here, found, utc_now())
    keep_shown(here, found, readiness_kinds(found))
    if json_file:
        write_json(_json(found), json_file)
    if json_file == "-":
        if html_file:
            write_page(readiness_page(found), html_file)
        return
    if html_file:
        write_page(readiness_page(found), html_file)
    show_page(readiness_page(found, whole=whole))


def _declaring(study: str) -> Path:
    """The file that a person names: a path, or a template that comes with the package."""
    path = Path(study)
    with suppress(OSError):  # a name that no file can have
        if path.is_file():
            return path
    if re.fullmatch(NAME, study):
        inside = resources.files("securefl") / "protocols" / "studies" / study / _FILE
        template = Path(str(inside))
        if template.is_file():
            return template
    raise UsageError(
        f"There is no study file and no template '{study}'.",
        next_step="Name the file that the researcher gave you, or a template's name.",
    )


def _json(found: Readiness) -> dict[str, Any]:
    """The look for programs; for its owner's eyes, as the screen is."""
    from securefl.cli.request_json import fault_json, rows_json
    from securefl.node.owner.pages import readiness_kinds, readiness_troubles

    rows = None
    if found.rows is not None:
        rows = rows_json(found.rows)
    fault = None
    if found.fault is not None:
        fault = fault_json(found.fault)
    return {
        "dataset": found.dataset,
        "study": found.study,
        "mapped": list(found.mapped),
        "troubles": readiness_troubles(found),
        "kinds": sorted(readiness_kinds(found)),
        "rows": rows,
        "fault": fault,
        "doubles": found.look.doubles,
        "columns": [asdict(column) for column in found.look.columns],
        "earlier": found.earlier,
        "drift": [asdict(drift) for drift in found.drift],
    }
