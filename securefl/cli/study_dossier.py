"""``securefl study dossier``: papers for a privacy officer, filled from a study file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import json_option, say, write_json
from securefl.errors import UsageError
from securefl.files import made_whole, read_given, replace_file

if TYPE_CHECKING:
    from securefl.report.dossier import Dossier


@click.command()
@click.argument("study", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder for the papers; none of them may lie there yet.",
)
@json_option
def dossier(study: Path, folder: Path, json_file: str | None) -> None:
    """Draft the papers of a study: impact assessment, record of processing, ethics summary, data
    use agreement, patient information.

    STUDY is a study or protocol file. Each paper is written as Markdown and as HTML. What the file
    does not say is a marked blank. The drafts are not legal advice.
    """
    text = read_given(study)
    speak_as_file(text)
    made = _filled(text)
    _write(made, folder)
    if json_file:
        write_json(made.to_json(), json_file)
        if json_file == "-":
            return
    for paper in made.papers:
        say(f"{paper.title}: {folder / paper.name}.md, .html; {len(paper.blanks)} to fill in")
    say("These are drafts, not legal advice: have them read by whoever answers for the data.")


def _filled(text: bytes) -> Dossier:
    """The dossier of a study whose figures agree.

    Raises:
        StudyError: the file is no study, or its figures contradict each other.
    """
    from securefl.learning.stages.programme import charges_of
    from securefl.privacy.accounting import PldAccountant
    from securefl.report.dossier import dossier_of
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.plan import plan_study
    from securefl.study.consistency import check_consistency
    from securefl.study.sealed import SealedStudy, read_any

    found = read_any(text)
    check_consistency(found.study, PldAccountant(), text.decode())
    digest = found.digest if isinstance(found, SealedStudy) else None
    plan = plan_study(found.study, charges_of(found.study))
    return dossier_of(DossierFacts(found.study, digest, plan))


def _write(made: Dossier, folder: Path) -> None:
    """Write all papers, or none: what somebody filled in already is never written over."""
    there = [name for name in made.files if (folder / name).exists()]
    if there:
        raise UsageError(
            f"{folder} has {there[0]} already, and somebody may have filled it in.",
            next_step="Name another folder with --to.",
        )
    with made_whole(folder, next(iter(made.files))) as building:
        for name, data in made.files.items():
            replace_file(building / name, data)
