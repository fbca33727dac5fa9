"""``securefl site personalize``: a model of this hospital's own, made at home after a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from securefl.cli.screen import html_option, json_option, show_page, write_json, write_page
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from typing import Any

    from securefl.node.owner.personal import PersonalView
    from securefl.report.page import Page


@click.command()
@click.argument("study")
@html_option
@json_option
@site_option
def personalize(
    study: str,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Make a model of your own of STUDY's, compare both, and keep the better one.

    Needs the study's model at home (`securefl site model list`). The study's model, the personal
    one and one of your own rows alone are compared on your held-out patients, and you are warned
    where personalising harms. `securefl predict STUDY ROWS --site FOLDER` then uses the one that is
    kept.

    Nothing leaves the hospital and nothing is charged; the ledger notes that it was done. The
    figures and the personal model have no noise: they are as confidential as the records.
    """
    from securefl.node.owner.personal import personalize as make
    from securefl.party.clock import utc_now

    here = open_site(folder)
    if json_file != "-":
        click.echo("Models are fitted and compared: seconds to minutes.", err=True)
    found = make(here, study, utc_now())
    page = _page(found, str(here.path))
    if json_file:
        write_json(_json(found), json_file)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)


def _page(found: PersonalView, home: str) -> Page:
    from securefl.report.personal_model import PersonalAbout, personal_page

    common = found.personal.common
    return personal_page(
        found.facts,
        PersonalAbout(
            title=common.facts.title,
            name=found.personal.name,
            site=found.site,
            folder=str(found.personal.folder),
            home=home,
            intended_use=common.intended_use,
            units=found.units,
            changed=found.changed,
        ),
    )


def _json(found: PersonalView) -> dict[str, Any]:
    facts = found.facts
    record = found.personal.record
    said = facts.model_dump(mode="json")
    return {
        "study": found.personal.name,
        "digest": record.study,
        "model": record.model,
        "folder": str(found.personal.folder),
        "made_at": record.made_at,
        "table_changed": found.changed,
        "kept": facts.kept,
        "harms": facts.models["personal"].harms,
        **{key: said[key] for key in ("metric", "training", "held_out", "models")},
        **{key: said[key] for key in ("chosen", "tried")},
    }
