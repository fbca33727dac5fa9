"""``securefl doctor``: is this machine fit for its role?"""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.doctor_study import make_report, open_party, read_study, study_checks
from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.errors import ExitCode, SecureFLError, StoreError, UsageError
from securefl.party.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.party.folder import PartyFolder
    from securefl.party.machine_report import MachineReport


@click.command()
@click.option(
    "--folder",
    metavar="DIR",
    help=(
        "A party's folder whose keys and store are checked too; else the current one, if it is one."
    ),
)
@click.option(
    "--study",
    "study_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A sealed study: can this machine take part in it? Its rounds are tried on invented rows.",
)
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="No further round is tried after that.",
)
@click.option(
    "--to",
    "consortium",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Sign the result for the others, into the consortium's folder. You are asked first.",
)
@click.option("--yes", is_flag=True, help="You have read what the others will see.")
@json_option
def doctor(
    *,
    folder: str | None,
    study_file: Path | None,
    seconds: float,
    consortium: Path | None,
    yes: bool,
    json_file: str | None,
) -> None:
    """Check this machine: pinned versions, encryption, isolation, clock, its size; in a party's
    folder its keys and its store's pace too; with a study whether it can take part in it.

    Nothing is sent, and no table of yours is opened.
    """
    from securefl.party.folder import find_folder

    _check_options(study_file, consortium, json_file)
    checks: list[dict[str, str]] = []

    def check(name: str, step: Callable[[], str]) -> None:
        try:
            checks.append({"check": name, "result": "ok", "detail": step()})
        except SecureFLError as error:
            checks.append({"check": name, "result": "FAILED", "detail": str(error)})

    here = find_folder(folder, "SECUREFL_SITE").resolve()
    figures: dict[str, float | None] = {}
    for name, step in {**_machine_checks(here, figures), **_party_checks(here, figures)}.items():
        check(name, step)
    report: MachineReport | None = None
    if study_file is not None:
        mine = open_party(here)
        sealed = read_study(study_file)
        for name, step in study_checks(mine, sealed, seconds, figures).items():
            check(name, step)
        report = make_report(mine, sealed, checks, figures, utc_now())
    if json_file:
        write_json({"checks": checks, "figures": figures}, json_file)
    if json_file != "-":
        _say_checks(checks)
    if consortium is not None and report is not None:
        _hand_on(mine, report, consortium, yes=yes)
    if any(row["result"] != "ok" for row in checks):
        sys.exit(int(ExitCode.CRASH))


def _say_checks(checks: Sequence[Mapping[str, str]]) -> None:
    for row in checks:
        say(f"{row['result']:<7} {row['check']:<11} {row['detail']}")


def _machine_checks(here: Path, figures: dict[str, float | None]) -> dict[str, Callable[[], str]]:
    """Checks that need no party's folder."""
    return {
        "versions": _versions,
        "encryption": _encryption,
        "isolation": lambda: _isolation(here),
        "clock": _clock,
        "machine": lambda: _machine(here, figures),
    }


def _check_options(
    study: Path | None,
    consortium: Path | None,
    json_file: str | None,
) -> None:
    if consortium is None:
        return
    if study is None:
        raise UsageError(
            "A result for the others is about one study.", next_step="Add --study FILE."
        )
    if json_file == "-":
        raise UsageError(
            "The result for the others is shown before it is signed, where the JSON would stand.",
            next_step="Write the JSON to a file: --json FILE.",
        )


def _hand_on(
    mine: PartyFolder,
    report: MachineReport,
    place: Path,
    *,
    yes: bool,
) -> None:
    """Sign the report for the others, once its owner has seen what it says."""
    from securefl.party.consortium import open_folder, own_entry
    from securefl.party.machine_report import write_report

    folder = open_folder(place)
    own_entry(folder.sealed().agreement, mine.name)
    say("The others will see:")
    for name, value in vars(report).items():
        shown = ", ".join(value) or "none" if isinstance(value, tuple) else value
        say(f"  {name}: {shown}")
    confirm("Shall they?", yes=yes, read="the lines above")
    file = write_report(folder, mine, report)
    say(f"Signed: {file}. Give it to every party; it goes into their folder's machines/.")


def _versions() -> str:
    from securefl.environment import code_sha256, software, wrong_versions

    wrong = wrong_versions()
    if wrong:
        raise SecureFLError(
            "; ".join(wrong[:5]) + ".",
            whose="whoever installed securefl",
            next_step="Install from requirements.lock again.",
        )
    mine = software()
    return (
        f"securefl {mine['securefl']}, lock {mine['lock_sha256'][:12]}, code"
        f" {code_sha256()[:12]}: all as pinned"
    )


def _encryption() -> str:
    import numpy as np

    from securefl.secagg.packing import FieldLayout
    from securefl.secagg.ring import add
    from securefl.secagg.seal import CkksIntegers

    cipher = CkksIntegers()
    layout = FieldLayout(16, 2)
    keys = cipher.generate()
    values = np.arange(-500, 500, dtype=np.int64)
    one = cipher.encrypt(keys.public, layout.pack(values), layout)
    total, _ = keys.open_once(
        add(one, cipher.encrypt(keys.public, layout.pack(values), layout)), layout
    )
    opened, canaries = layout.unpack(total, len(values))
    if not np.array_equal(opened, 2 * values) or not (canaries == 2).all():
        raise SecureFLError(
            "A sum of two ciphertexts did not open to the exact integers.",
            whose="whoever installed securefl",
            next_step="Install from requirements.lock again.",
        )
    return "two ciphertexts were added and opened exactly"


def _isolation(here: Path) -> str:
    from securefl.node.owner.machine import check_isolation
    from securefl.party.folder import FILE_NAMES

    hospital = None
    if (here / FILE_NAMES["hospital"]).exists():
        hospital = here
    return check_isolation(hospital).removeprefix("isolation: ")


def _clock() -> str:
    now = datetime.now(UTC)
    if now.year < 2026:
        raise SecureFLError(
            f"The clock says {now:%Y-%m-%d %H:%M} UTC.",
            whose="this machine's operator",
            next_step="Set the clock; ledgers and schedules rest on it.",
        )
    return f"{now:%Y-%m-%d %H:%M:%S} UTC; compare it with a clock you trust"


def _machine(here: Path, figures: dict[str, float | None]) -> str:
    from securefl.party.machine import check_large_enough, gigabytes, look_at_machine

    found = look_at_machine(here)
    figures.update(vars(found))
    check_large_enough(found)
    landlock = "no Landlock"
    if found.landlock:
        landlock = f"Landlock {found.landlock}"
    return (
        f"{found.cores} cores, {gigabytes(found.memory)} of memory and {gigabytes(found.disk)} of"
        f" disk free, {found.open_files:,} open files, {landlock}"
    )


def _party_checks(here: Path, figures: dict[str, float | None]) -> dict[str, Callable[[], str]]:
    from securefl.boards.board import check_writable
    from securefl.boards.marker import known_marker, remember
    from securefl.boards.url import usable_url
    from securefl.node.owner.machine import check_keys, request_way_words
    from securefl.party.folder import FILE_NAMES, PartyFolder
    from securefl.party.machine import store_seconds
    from securefl.party.shut_folders import shut_folders

    role = next((r for r, name in FILE_NAMES.items() if (here / name).exists()), None)
    if role is None:
        return {}

    def keys() -> str:
        party = check_keys(here) if role == "hospital" else PartyFolder.open(here, role)
        party.book.cards()
        if not (party.identity and party.secret):
            return ""
        return (
            f"{role} {party.name}: keys are readable by their owner alone, the list of partners is"
            " intact"
        )

    def store() -> str:
        party = PartyFolder.open(here, role)
        usable_url(party.settings.store)
        check_writable(party.board)
        if known_marker(party.path) is None:  # the mark was forgotten on purpose, or never known
            remember(party.path, party.board)
        shut = shut_folders(party.board, party.name)
        if shut:
            more = f" and {len(shut) - 1} more" if len(shut) > 1 else ""
            raise StoreError(
                f"In the store, {shut[0]}{more} cannot be written by this user: whoever made it"
                " shut the others out.",
                next_step=(
                    "Have whoever operates it give all parties' users one group, then `chgrp -R"
                    " GROUP` and `chmod -R g+rwXs` on the store's folder."
                ),
            )
        seconds = store_seconds(party.board, f"doctor-{secrets.token_hex(8)}")
        figures["store_seconds"] = round(seconds, 4)
        return (
            f"{party.board.url} can be written, read and cleaned, also where this party's"
            f" messages lie; 64 kB there and back in {1000 * seconds:.1f} ms"
        )

    def requests() -> str:
        return request_way_words(PartyFolder.open(here, role))

    checks = {"keys": keys, "store": store}
    if role == "hospital":
        checks["requests"] = requests
    return checks
