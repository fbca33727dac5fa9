"""``securefl audit``: what the ledger says, and whether it holds.

Exit 0 intact, 3 altered, 4 not readable.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak_as_folder
from securefl.cli.screen import folder_option, json_option, say, show_page, write_json, write_page
from securefl.errors import ExitCode

if TYPE_CHECKING:
    from securefl.node.owner.audit import Audit
    from securefl.privacy.audit import AuditReport
    from securefl.privacy.ledger_chain import Checkpoint


@click.command()
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    help="Also write the audit as a page to read, print and hand on: one file, no network.",
)
@json_option
@click.option(
    "--since",
    metavar="TIME",
    help="Leave out what was before this time: 2026-01-31 or 2026-01-31T12:00Z (UTC).",
)
@click.option("--detail", is_flag=True, help="Every release on a line of its own, on paper too.")
@click.option(
    "--verify",
    "only_verify",
    is_flag=True,
    help="Say only whether the ledger holds, in one line.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help=(
        "A checkpoint of this ledger that another hospital wrote with `securefl site checkpoint`:"
        " the ledger must contain it."
    ),
)
@folder_option("site", "SECUREFL_SITE")
def audit(
    *,
    html_file: str | None,
    json_file: str | None,
    since: str | None,
    detail: bool,
    only_verify: bool,
    checkpoint: Path | None,
    folder: str | None,
) -> None:
    """What a hospital's ledger says, and whether anybody altered it.

    The whole chain is checked at every call: an edited, missing or inserted event is found. A
    deleted end is found with the witness that lies beside the ledger, and with a checkpoint that
    somebody else holds (--checkpoint; without it, with the newest that other hospitals gave back).
    Exit codes: 0 intact, 3 altered, 4 not readable. An altered ledger is still shown as far as it
    holds.
    """
    from securefl.node.owner.audit import read_audit, read_since
    from securefl.node.owner.pages import whole_audit_page
    from securefl.party.clock import utc_now
    from securefl.party.folder import find_folder

    after = None
    if since is not None:
        after = read_since(since)
    place = find_folder(folder, "SECUREFL_SITE")
    speak_as_folder(place)
    found = read_audit(place, since=after, checkpoint=checkpoint)
    report = found.report
    if json_file:
        write_json(report.to_json(), json_file)
    if html_file:
        write_page(whole_audit_page(found, utc_now(), since=after, detail=detail), html_file)
    if json_file != "-":
        for ignored in found.ignored:
            say(f"Not counted: {ignored.file}. {ignored.why}")
        if only_verify:
            say(_verdict(report, found.checkpoint))
        else:
            _show(found, html_file, detail=detail)
    if not report.verified:
        sys.exit(int(ExitCode.LEDGER_ALTERED))


def _show(found: Audit, html_file: str | None, *, detail: bool) -> None:
    from securefl.node.owner.pages import audit_overview_page

    show_page(audit_overview_page(found, detail=detail))
    if html_file:
        say(f"The page is {html_file}: open it in a browser, or print it.")


def _verdict(report: AuditReport, known: Checkpoint | None) -> str:
    if not report.verified:
        return f"ALTERED: {report.fault} {report.events} events before that hold."
    head = report.head[:12]
    verdict = f"Intact: {report.events} events, unbroken and signed, the last is {head}"
    if known is None:
        return f"{verdict}."
    return f"{verdict}, and it contains the checkpoint of {known.size} events that others hold."
