"""``securefl model versions``: the line of studies that grew from one another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import html_option, json_option, show_page, write_json, write_page
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.learning.model_versions import ModelVersion


@click.command()
@click.argument("what", metavar="STUDY_OR_MODEL")
@click.option(
    "--folder",
    metavar="DIR",
    help="Your folder, a hospital's or a researcher's; else the current one.",
)
@html_option
@json_option
def versions(
    *,
    what: str,
    folder: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Show the versions of a model: the completed studies of your folder of which each started from
    the released model of the one before.

    STUDY_OR_MODEL is a study's name, or the folder of a model. Of each version: when it was
    completed, its released figures, hospitals that joined or left, and whether it expired or was
    recalled. Outside a party's folder a model's folder tells of itself and of what it continues.
    """
    from securefl.report.model_versions import versions_page

    line, asked = _line(what, folder)
    page = versions_page(line, asked)
    if json_file:
        write_json({"asked": asked, "versions": [one.as_json() for one in line]}, json_file)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)


def _line(what: str, folder: str | None) -> tuple[tuple[ModelVersion, ...], str]:
    """The line, and the digest of the study that was asked about."""
    from securefl.learning.artefact import load_model
    from securefl.learning.model_versions import line_of, version_of_model
    from securefl.party.model_signers import party_of
    from securefl.party.study_names import meant_version

    place = Path(folder or ".").expanduser().absolute()
    party = party_of(place)
    role = "" if party is None else party.settings.role
    model = None
    if Path(what).is_dir():
        model = load_model(what)
        what = model.facts.study_digest
    if role not in {"hospital", "researcher"} and model is None:
        raise UsageError(
            f"'{what}' is no folder of a model, and {place} is the folder of no hospital and no"
            " researcher.",
            next_step="Name a model's folder, or your own folder with --folder.",
        )
    known = _known(role, place)
    if model is not None and what not in {version.digest for version in known}:
        known = (*known, version_of_model(model))
    asked = meant_version(what, known).digest
    return line_of(known, asked), asked


def _known(role: str, place: Path) -> tuple[ModelVersion, ...]:
    """All versions that the party of a folder knows."""
    if role == "hospital":
        from securefl.cli.site_folder import open_site
        from securefl.node.owner.model_lines import known_versions

        return known_versions(open_site(str(place)))
    if role == "researcher":
        from securefl.cli.study_folder import open_lab
        from securefl.researcher.model_lines import known_versions as completed

        lab = open_lab(str(place))
        return completed(lab.folder, lab.studies())
    return ()
