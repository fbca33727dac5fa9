"""``securefl site models``: which model is in use at this hospital, since when, and where from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from securefl.cli.screen import html_option, json_option, show_page, write_json, write_page
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from typing import Any

    from securefl.node.owner.model_lines import ModelInUse


@click.command()
@html_option
@json_option
@site_option
def models(
    *,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Show the models that came home: which one is in use, since when, where it is from, and
    whether it expired or was recalled.

    In use is the version that scored a table here last (`securefl site model predict`, `securefl
    predict`). The times stay in your folder.
    """
    from securefl.node.owner.model_lines import models_in_use
    from securefl.report.model_versions import site_models_page

    here = open_site(folder)
    found = models_in_use(here)
    page = site_models_page(found, here.name)
    if json_file:
        write_json({"models": [_json(one) for one in found]}, json_file)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)


def _json(found: ModelInUse) -> dict[str, Any]:
    return {
        **found.version.as_json(),
        "researcher": found.researcher,
        "in_use": found.in_use,
        "first_scored": found.first or None,
        "last_scored": found.last or None,
        "newer": found.newer or None,
    }
