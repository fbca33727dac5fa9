"""``securefl audit``: what the ledger says, and whether it holds.

Exit 0 intact, 3 altered, 4 not readable.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import folder_option, json_option, say, show_page, write_json
from securefl.errors import (
    ExitCode,
    LedgerAlteredError,
    MessageError,
    SecureFLError,
    StoreError,
    UnreadableError,
    UntrustedError,
    UsageError,
)
from securefl.files import read_file

if TYPE_CHECKING:
    from securefl.identity import IdentityCard
    from securefl.privacy.audit import AuditReport
    from securefl.privacy.ledger_chain import Checkpoint, Head
    from securefl.privacy.ledger_reading import Reading


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
    "--verify", "only_verify", is_flag=True, help="Say only whether the ledger holds, in one line."
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
    from securefl.node.rotation import finish, unfinished
    from securefl.party.folder import FILE_NAMES, find_folder, wrong_folder
    from securefl.privacy.audit import audit as fold

    here, after = find_folder(folder, "SECUREFL_SITE"), None if since is None else _utc(since)
    if not any((here / name).exists() for name in (FILE_NAMES["hospital"], "ledger.sqlite")):
        raise wrong_folder(here, "hospital")
    if unfinished(here):
        with suppress(SecureFLError):  # an audit shows what is there
            finish(here)
    card = _card(here / "keys" / "card.json")
    reading = _read(here / "ledger.sqlite", card)

    known, ignored = (
        _newest_returned(here / "checkpoints" / "returned", card, reading.at)
        if checkpoint is None
        else (_checkpoint(checkpoint, card, reading.at), ())
    )
    report = fold(reading if known is None else reading.against(known), since=after)
    if json_file:
        write_json(report.to_json(), json_file)
    if html_file:
        _write_page(html_file, report, card, since=after, checkpoint=known, detail=detail)
    for line in ignored if json_file != "-" else ():
        say(line)
    if only_verify and json_file != "-":
        say(_verdict(report, known))
    elif json_file != "-":
        from securefl.party.failure_note import reason_of
        from securefl.report.audit import audit_overview

        failed = [
            s["digest"] for d in report.datasets for s in d["studies"] if s["status"] == "failed"
        ]
        show_page(
            audit_overview(
                report,
                detail=detail,
                fingerprint=card.spoken,
                reasons={digest: reason_of(here, digest) for digest in failed},
            )
        )
        if html_file:
            say(f"The page is {html_file}: open it in a browser, or print it.")
    if not report.verified:
        sys.exit(int(ExitCode.LEDGER_ALTERED))


def _verdict(report: AuditReport, known: Checkpoint | None) -> str:
    against = (
        ""
        if known is None
        else f", and it contains the checkpoint of {known.size} events that others hold"
    )
    if report.verified:
        return (
            f"Intact: {report.events} events, unbroken and signed, the last is"
            f" {report.head[:12]}{against}."
        )
    return f"ALTERED: {report.fault} {report.events} events before that hold."


def _newest_returned(
    folder: Path, card: IdentityCard, at: Head
) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """The largest checkpoint of this ledger that other hospitals gave back to its agent, if any,
    and what is to be said of the rest.
    """
    found, ignored = [], []
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            found.append(_own(read_file(file), card, at))
        except (OSError, MessageError):
            continue  # half written
        except UntrustedError as error:
            ignored.append(f"Not counted: {file}. {error.what}")
    return max(found, key=lambda c: c.size, default=None), tuple(ignored)


def _own(data: bytes, card: IdentityCard, at: Head) -> Checkpoint:
    """A checkpoint of this hospital's ledger, also of one that is newer than the ledger that lies
    here.
    """
    from securefl.privacy.ledger_chain import read_checkpoint, read_own

    try:
        return read_own(data, at)
    except MessageError:
        return read_checkpoint(data, site=card.name, verify=card.verify_ever)


def _utc(text: str) -> str:
    """A time on the command line as the ledger compares it: UTC, no zone at the end, so that it is
    not after any time of its second.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time.",
            next_step="Write --since 2026-01-31 or --since 2026-01-31T12:00Z.",
        ) from None
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)).strftime(
        "%Y-%m-%dT%H:%M:%S"
    )


def _bytes(path: Path, next_step: str) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise UnreadableError(
            f"{path} cannot be read: {error.strerror}.", next_step=next_step
        ) from None


def _card(path: Path) -> IdentityCard:
    from securefl.identity import read_card

    data = _bytes(path, "Name the hospital's folder with --site.")
    try:
        return read_card(data)
    except MessageError as error:
        raise UnreadableError(
            f"{path}: {error.what}", next_step="Restore it from your backup."
        ) from None


def _checkpoint(path: Path, card: IdentityCard, at: Head) -> Checkpoint:
    ask = (
        f"Ask the hospital that holds one for the file that `securefl site checkpoint {card.name}"
        " --out FILE` writes there."
    )
    data = _bytes(path, ask)
    try:
        return _own(data, card, at)
    except MessageError:
        raise UnreadableError(
            f"{path} is no checkpoint of {card.name}'s ledger that {card.name} signed.",
            next_step=ask,
        ) from None
    except UntrustedError as error:
        raise UnreadableError(
            f"{path} does not count: {error.what}", whose=error.whose, next_step=error.next_step
        ) from None


def _read(path: Path, card: IdentityCard) -> Reading:
    from securefl.privacy.ledger_reading import read_ledger

    try:
        found = read_ledger(path, card.verify)
        return (
            _before_the_change(path, card) or found if card.earlier and not found.events else found
        )
    except (
        StoreError
    ) as error:  # for an audit a ledger behind a lock or a missing right is one that cannot be read
        raise UnreadableError(error.what, whose=error.whose, next_step=error.next_step) from error


def _before_the_change(path: Path, card: IdentityCard) -> Reading | None:
    """A ledger that the present key has not signed, but an earlier one has: a copy from before the
    change of keys.
    """
    from securefl.privacy.ledger_reading import read_chain

    older = read_chain(path, card.verify_ever)
    if older.fault is not None:
        return None
    fault = LedgerAlteredError(
        f"Event {older.at.size + 1} of the ledger: it is missing. The ledger ends before this"
        f" hospital's change of keys on {card.earlier[-1].until[:10]}: it is an older copy.",
        next_step="Stop this hospital's agent and put the newest ledger back.",
    )
    return replace(older, fault=fault)


def _write_page(
    target: str,
    report: AuditReport,
    card: IdentityCard,
    *,
    since: str | None,
    checkpoint: Checkpoint | None,
    detail: bool,
) -> None:
    from securefl.environment import version
    from securefl.report.audit_page import PageFacts, audit_page

    about = PageFacts(
        made_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version(),
        legal_name=card.legal_name,
        fingerprint=card.spoken,
        since=since,
        checkpoint=None if checkpoint is None else checkpoint.size,
        detail=detail,
    )
    try:
        Path(target).write_text(audit_page(report, about), "utf-8")
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}.", next_step="Name another file."
        ) from None
