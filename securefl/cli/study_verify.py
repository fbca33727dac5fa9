"""``securefl study verify``: adding a round's contributions again, as any participant can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.nouns import speak_as_folder
from securefl.cli.screen import (
    html_option,
    json_option,
    screen,
    show_page,
    write_json,
    write_page,
)
from securefl.cli.study_archive import verify_archive
from securefl.errors import MessageError, RoundError, SecureFLError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.federation.verifying import VerifiedRound
    from securefl.party.rounds_view import RoundsView
    from securefl.report.page import Page


def rounds_view(folder: Path, name: str = "") -> RoundsView:
    """The view from a hospital's or a researcher's folder.

    Raises:
        UsageError: another folder; no study or several fit.
        UnreadableError: what is kept there is not whole.
    """
    from securefl.party.folder import FILE_NAMES, PartyFolder

    speak_as_folder(folder)
    if (folder / FILE_NAMES["hospital"]).exists():
        from securefl.node.owner.folder import open_site
        from securefl.node.owner.rounds import hospital_rounds

        return hospital_rounds(open_site(folder), name)
    if (folder / FILE_NAMES["researcher"]).exists():
        from securefl.researcher.rounds import researcher_rounds

        return researcher_rounds(PartyFolder.open(folder, "researcher"), name)
    raise UsageError(
        f"{folder} is neither a hospital's nor a researcher's folder.",
        next_step="Name it: --folder DIR.",
    )


@click.command()
@click.argument("number", metavar="ROUND_OR_ARCHIVE")
@click.option(
    "--study",
    "name",
    default="",
    metavar="NAME",
    help="Which study; may be left out where there is one only.",
)
@click.option(
    "--folder", metavar="DIR", help="A hospital's or the researcher's folder; else the current one."
)
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    metavar="NAME=DIGITS",
    help="Of an archive: a party's fingerprint as that party publishes it; repeat for each.",
)
@html_option
@json_option
def verify(
    *,
    number: str,
    name: str,
    folder: str | None,
    fingerprints: tuple[str, ...],
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Add a round's contributions again and compare: who contributed, and whether the aggregator's
    sum is the sum of these.

    ROUND is a number, `all`, or the folder of an archive that `securefl study archive` made: that is
    checked offline, with nothing but itself and fingerprints.

    Any hospital of the study can do this, and the researcher: it takes
    no key. Exit code 8 or 9 when a round does not hold, as `docs/exit-codes.md` says.
    """
    from securefl.party.folder import find_folder

    if Path(number).is_dir() and not number.isdecimal():
        verify_archive(Path(number), fingerprints, html_file, json_file)
        return
    view = rounds_view(find_folder(folder, "SECUREFL_FOLDER"), name)
    if number != "all" and not number.isdecimal():
        raise UsageError(f"'{number}' is no round.", next_step="Give its number, or `all`.")
    numbers = range(1, view.rounds_over() + 1) if number == "all" else (int(number),)
    found, failed = _checked(view, numbers)
    if json_file:
        write_json(_figures(view, found, failed), json_file)
    if found or len(failed) > 1:
        page = _page(view, found, failed)
        if json_file != "-":
            show_page(page, html_file)
        elif html_file:
            write_page(page, html_file)
    if failed:
        raise next(iter(failed.values()))


def _checked(
    view: RoundsView, numbers: Sequence[int]
) -> tuple[list[VerifiedRound], dict[int, SecureFLError]]:
    """Add the rounds again, with a bar: those that hold, and number → why another does not."""
    from rich.progress import track

    found: list[VerifiedRound] = []
    failed: dict[int, SecureFLError] = {}
    for one in track(
        numbers,
        "adding again",
        console=screen(),
        transient=True,
        disable=len(numbers) == 1 or not screen().is_terminal,
    ):
        try:
            found.append(view.check(one))
        except (RoundError, MessageError) as error:
            failed[one] = error
    return found, failed


def _figures(
    view: RoundsView,
    found: Sequence[VerifiedRound],
    failed: Mapping[int, SecureFLError],
) -> dict[str, Any]:
    """The same for programs."""
    from securefl.party.rounds_view import round_json

    broken = [
        {"round": n, "verified": False, "error": e.what, "whose": e.whose}
        for n, e in failed.items()
    ]
    return {
        "study": view.name,
        "digest": view.plan.digest,
        "verified": not failed,
        "of": view.plan.last_round,
        "rounds": sorted([*map(round_json, found), *broken], key=lambda r: r["round"]),
    }


def _page(
    view: RoundsView,
    found: Sequence[VerifiedRound],
    failed: Mapping[int, SecureFLError],
) -> Page:
    from securefl.report.rounds import RoundLine, rounds_page

    lines = [
        RoundLine(
            f.transcript.round,
            view.plan.step(f.transcript.round).release.words.round,
            tuple(f.transcript.contributions),
            f.absent,
            f.transcript.sum_sha256,
            f.transcript_sha256,
            f.added_again,
        )
        for f in found
    ]
    return rounds_page(
        view.name,
        lines,
        failed,
        rounds=view.plan.last_round,
        site=view.site,
    )
