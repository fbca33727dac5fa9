"""``securefl study archive`` and the check of one: a study that others can verify offline."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import say, show_page, write_json, write_page
from securefl.cli.study_folder import open_study, researcher_option
from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("name")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--contributions",
    is_flag=True,
    help="Also the hospitals' encrypted contributions, so that rounds can be added again.",
)
@researcher_option
def archive(
    *,
    name: str,
    directory: Path,
    contributions: bool,
    folder: str | None,
) -> None:
    """Write an archive of a completed study into the new folder DIRECTORY.

    It holds the study, all approvals, the transcripts of all rounds, each hospital's audit extract,
    the opened sums, the model and its figures. Anybody can check it offline with `securefl study
    verify DIRECTORY`. It holds the model: give it to those only whom the study allows to have it.
    """
    found = open_study(folder, name)
    found.archive(directory, contributions=contributions)
    say(f"{directory} holds the archive of {found.name}.")
    say(f"Whoever has it checks it with: securefl study verify {directory}")


def verify_archive(
    folder: Path,
    fingerprints: Sequence[str],
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Check an archive and show what it proves.

    Raises:
        UsageError: a fingerprint is not given as NAME=DIGITS.
    """
    from securefl.party.study_archive import check_archive
    from securefl.report.study_archive import archive_page

    given: dict[str, str] = {}
    for one in fingerprints:
        party, sign, digits = one.partition("=")
        if not sign or not digits.strip():
            raise UsageError(
                f"'{one}' is no fingerprint of a party.",
                next_step="Write --fingerprint NAME=DIGITS, as `--fingerprint SVI=3f0a…`.",
            )
        given[party] = digits
    found = check_archive(folder, given)
    if json_file:
        write_json({"verified": True, **asdict(found)}, json_file)
    if json_file != "-":
        show_page(archive_page(found), html_file)
    elif html_file:
        write_page(archive_page(found), html_file)
