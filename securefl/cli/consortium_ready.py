"""``securefl consortium ready``: whose machine can take part in a study, by the parties' own words."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.consortium_party import party_options, required_folder
from securefl.cli.screen import html_option, json_option, show_page, write_json


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--study",
    "study_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The sealed study.",
)
@html_option
@json_option
@party_options
def ready(
    *,
    directory: Path,
    study_file: Path,
    html_file: str | None,
    json_file: str | None,
    site: str | None,
    researcher: str | None,
    aggregator: str | None,
) -> None:
    """Show whose machine can take part in a study.

    Each party makes its own report with `securefl doctor --study FILE --to FOLDER`, where it wants
    to. Signatures are verified with the keys on your own list.
    """
    from securefl.cli.doctor_study import read_study
    from securefl.party.consortium import open_folder
    from securefl.party.machine_report import find_reports
    from securefl.report.machines import MachineLine, MachinesFacts, machines_page

    mine = required_folder(site, researcher, aggregator)
    sealed = read_study(study_file)
    reports = find_reports(open_folder(directory), mine, sealed.digest)
    lines = {
        name: MachineLine(
            vars(one.report) if one.report else None, one.fault.what if one.fault else ""
        )
        for name, one in reports.items()
    }
    found = MachinesFacts(sealed.name, sealed.digest, mine.name, lines)
    if json_file:
        write_json(found.to_json(), json_file)
    if json_file != "-":
        show_page(machines_page(found), html_file)
