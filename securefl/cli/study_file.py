"""``securefl study check`` and ``plan``: what a study file says, and what it would cost."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import html_option, json_option, say, show_page, write_json
from securefl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from securefl.study.schema import Template


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@html_option
def check(file: Path, html_file: str | None) -> None:
    """Check a protocol or study file and say in plain words what it means; each error names the
    line and the mend.
    """
    from securefl.learning.graphs.graph_template import read_template
    from securefl.privacy.accounting import PldAccountant
    from securefl.report.study import study_page
    from securefl.study.consistency import check_consistency
    from securefl.study.dates import check_not_over
    from securefl.study.sealed import SealedStudy, read_any

    text = read_template(file)
    speak_as_file(text)
    found = read_any(text)
    check_consistency(found.study, PldAccountant(), text.decode())
    check_not_over(found.study, datetime.now(UTC), text.decode())
    digest = found.digest if isinstance(found, SealedStudy) else None
    show_page(study_page(found.study, digest), html_file)
    say("The file is valid and its figures agree.")
    say_unwritten(found.study)


def say_unwritten(study: Template) -> None:
    """Name the texts that nobody has written yet; owners would read the starter's words."""
    from securefl.study.study_gaps import unwritten

    places = unwritten(study)
    if places:
        say(f"Still to be written, and every owner reads it: {', '.join(places)}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--svg",
    "svg_file",
    metavar="FILE",
    help="Also draw epsilon against rounds, as an SVG picture.",
)
@html_option
@json_option
def plan(
    file: Path,
    svg_file: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Show what a protocol or study would cost at every hospital, what its noise does, and what a
    longer one would cost.

    A file that `study check` refuses ends with its exit code, below the page with the faults.
    """
    from securefl.cli.screen import write_page, write_text
    from securefl.learning.graphs.graph_template import read_template
    from securefl.learning.stages.programme import charges_of
    from securefl.privacy.accounting import PldAccountant
    from securefl.report.plan import plan_page, plan_study
    from securefl.report.plan_picture import plan_svg
    from securefl.report.plan_training import TrainedPlan
    from securefl.study.consistency import contradictions
    from securefl.study.parse import parse_any

    text = read_template(file)
    speak_as_file(text)
    found = parse_any(text)
    made = plan_study(
        found, charges_of(found), contradictions(found, PldAccountant(), text.decode())
    )
    if svg_file:
        if not isinstance(made, TrainedPlan):
            raise UsageError(
                f"{made.study} trains no model, so no rounds can be drawn.",
                next_step="Leave out --svg.",
            )
        write_text(plan_svg(made), svg_file)
    if json_file:
        write_json(made.to_json(), json_file)
    if json_file != "-":
        show_page(plan_page(made), html_file)
    elif html_file:
        write_page(plan_page(made), html_file)
    if made.faults:
        sys.exit(int(ExitCode.INVALID))
