"""``securefl study list``, ``compare``, ``clone``, ``cancel``: a study's life beside its run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import (
    confirm,
    json_option,
    protocol_out_option,
    say,
    say_quoted,
    write_json,
)
from securefl.cli.study_folder import folder_hint, open_lab, open_study, researcher_option
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.study.sealed import SealedStudy, UnsealedStudy

#: State → what is said of it.
_STATES = {
    "made": "made; not requested yet",
    "requested": "requested",
    "approved": "approved by all; `securefl study run` begins it",
    "running": "running",
    "interrupted": "interrupted; `securefl study run` again goes on with it",
    "completed": "completed",
    "ended": "over; it cannot run any more",
    "cancelled": "cancelled before it began",
    "unknown": "unknown while the store does not answer",
}


@click.command("list")
@json_option
@researcher_option
def list_studies(json_file: str | None, folder: str | None) -> None:
    """List the studies of this folder, and how each stands."""
    lab = open_lab(folder)
    rows = [
        {
            "name": one.name,
            "digest": one.digest,
            "title": one.file.study.title,
            "closes": one.file.schedule.closes.isoformat(),
            **one.standing(),
        }
        for one in lab.studies()
    ]
    if json_file:
        write_json({"studies": rows}, json_file)
        if json_file == "-":
            return
    if not rows:
        say(f"No study is made yet. Next: securefl study new PROTOCOL{folder_hint(folder)}")
    for row in rows:
        counted = ""
        if row["state"] == "requested":
            counted = f", approved by {row['approved']} of {row['hospitals']} hospitals"
        say(f"{row['name']}: {_STATES[row['state']]}{counted}")
        say_quoted(row["title"])


@click.command()
@click.argument("first")
@click.argument("second")
@json_option
@researcher_option
def compare(
    *,
    first: str,
    second: str,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Compare two studies, each a file or the name of a study of this folder, field by field."""
    from securefl.report.study_comparison import compared_lines, headline, meaning
    from securefl.study.differences import differences

    one = _read(first, folder)
    other = _read(second, folder)
    found = differences(one.text, other.text)
    told = headline(one.study, other.study, len(found))
    if json_file:
        write_json(
            {
                "first": first,
                "second": second,
                "summary": told,
                "differences": [
                    {**each._asdict(), "meaning": meaning(each.place)} for each in found
                ],
            },
            json_file,
        )
        if json_file == "-":
            return
    say(told)
    for line in compared_lines(found):
        say_quoted(line)


@click.command()
@click.argument("source")
@click.option(
    "--set",
    "changes",
    metavar="FIELD=VALUE",
    multiple=True,
    help="A change, as stages[0].rounds=20 or schedule.closes=2027-01-31; repeat for each.",
)
@click.option(
    "--offer",
    "sites",
    metavar="SITE",
    multiple=True,
    help="Meet the counter-offer of this hospital; 'all' meets every one.",
)
@click.option("--id", "study_id", help="Id of the new protocol.")
@protocol_out_option("The protocol")
@json_option
@researcher_option
def clone(
    *,
    source: str,
    changes: tuple[str, ...],
    sites: tuple[str, ...],
    study_id: str | None,
    out: Path,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Write a protocol made of SOURCE, a file or a study of this folder, with changes.

    Parties and keys are left out: `securefl study new` adds them again. With --offer the noise is
    raised and the end moved until the offer is met. The result is checked before it is written.
    """
    from securefl.researcher.study_cloning import chosen_offers, clone_text, save_clone

    offers = []
    if sites:
        offers = chosen_offers(open_study(folder, source).offers(), sites)
    text = _read(source, folder).text
    made = clone_text(
        text,
        source=Path(source).name,
        changes=_changes(changes),
        offers=offers,
        study_id=study_id,
    )
    save_clone(out, made)
    if json_file:
        write_json(_cloned(source, out, text, made), json_file)
        if json_file == "-":
            return
    say(f"The protocol is {out}, checked. Next: securefl study compare {source} {out}")
    say("then securefl study new, which makes another study of it.")


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="You know that this study can then never run.")
@json_option
@researcher_option
def cancel(
    *,
    name: str,
    yes: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Cancel a study before its first round, signed for every hospital.

    What hospitals reserved for it is free again. A study that has begun is not cancelled: what
    hospitals paid stays paid.
    """
    found = open_study(folder, name)
    confirm(f"Cancel {found.name} for good?", yes=yes)
    found.cancel()
    if json_file:
        write_json({"name": found.name, "digest": found.digest, **found.standing()}, json_file)
        if json_file == "-":
            return
    say(f"Cancelled {found.name}. Hospitals that approved it free its budget once they read this.")
    say(f"Next: securefl study clone {found.name} --id NAME{folder_hint(folder)}")


def _cloned(
    source: str,
    out: Path,
    text: bytes,
    made: str,
) -> dict[str, Any]:
    """Facts of a clone: its file, its source, and each field that differs from it."""
    from securefl.study.differences import differences

    found = differences(text, made.encode())
    return {
        "file": str(out),
        "source": source,
        "differences": [each._asdict() for each in found],
    }


def _changes(given: tuple[str, ...]) -> dict[str, str]:
    """Field to value.

    Raises:
        UsageError: one has no equals sign.
    """
    for one in given:
        if "=" not in one:
            raise UsageError(
                f"--set {one[:60]} names no value.", next_step="Write --set FIELD=VALUE."
            )
    pairs = (one.partition("=") for one in given)
    return {field.strip(): value.strip() for field, _, value in pairs}


def _read(given: str, folder: str | None) -> SealedStudy | UnsealedStudy:
    """A study file, else a study of the researcher's folder.

    Raises:
        UsageError: it is neither.
        StudyError: the file is no study.
    """
    from securefl.learning.graphs.graph_template import read_template
    from securefl.study.sealed import read_any

    path = Path(given)
    if path.is_file():
        return read_any(read_template(path))
    if path.suffix == ".toml":
        raise UsageError(f"There is no file {given}.", next_step="Name a study file, or a study.")
    return open_study(folder, given).sealed
