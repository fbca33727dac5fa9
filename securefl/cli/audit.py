"""``securefl audit``: what the ledger says, and whether it holds. Exit 0 intact, 3 altered, 4 not readable."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from securefl.cli.screen import folder_option, json_option, screen, write_json
from securefl.errors import ExitCode, UnreadableError


@click.command()
@click.option("--detail", is_flag=True, help="Every release on a line of its own.")
@click.option("--since", metavar="TIME", help="Leave out what was before this time (ISO 8601, UTC).")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A signed checkpoint that another party holds: the ledger must contain it.")
@json_option
@folder_option("site", "SECUREFL_SITE")
def audit(detail: bool, since: str | None, checkpoint: Path | None, json_file: str | None, folder: str | None) -> None:
    """What a hospital's ledger says, and whether anybody altered it.

    The whole chain is checked at every call: an edited, missing or inserted event is found. A deleted end is found with a
    checkpoint that somebody else holds (--checkpoint). Exit codes: 0 intact, 3 altered, 4 not readable.
    """
    from securefl.identity import read_card
    from securefl.node.folder import find_folder
    from securefl.privacy.audit import audit as fold
    from securefl.privacy.ledger import read_checkpoint, read_ledger
    from securefl.report.audit import audit_tables

    here = find_folder(folder, "SECUREFL_SITE")
    try:
        card = read_card((here / "keys" / "card.json").read_bytes())
    except OSError as error:
        raise UnreadableError(f"{here / 'keys' / 'card.json'} cannot be read: {error.strerror}.", next_step="Name the hospital's folder with --site.") from None
    known = read_checkpoint(checkpoint.read_bytes(), site=card.name, verify=card.verify) if checkpoint else None
    reading = read_ledger(here / "ledger.sqlite", card.verify, known)
    report = fold(reading, since=since)
    if json_file:
        write_json(report.to_json(), json_file)
    if json_file != "-":
        screen().print(audit_tables(report, detail=detail))
    if not report.verified:
        sys.exit(int(ExitCode.LEDGER_ALTERED))
