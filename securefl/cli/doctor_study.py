"""Checks of ``securefl doctor --study``, and the signed report that its owner may hand on."""

from __future__ import annotations

import math
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from securefl.errors import SecureFLError, StudyError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.party.folder import PartyFolder
    from securefl.party.machine_report import MachineReport
    from securefl.study.sealed import SealedStudy

Figures = dict[str, float | None]


def read_study(file: Path) -> SealedStudy:
    """Read a sealed study.

    Raises:
        StudyError, UnreadableError: it is none.
    """
    from securefl.files import read_given
    from securefl.study.sealed import SealedStudy

    return SealedStudy.read(read_given(file))


def open_party(here: Path) -> PartyFolder:
    """Open the party's folder that these checks need.

    Raises:
        UsageError: there is none.
    """
    from securefl.errors import UsageError
    from securefl.party.folder import FILE_NAMES, PartyFolder

    for role, name in FILE_NAMES.items():
        if not (here / name).exists():
            continue
        if role == "hospital":
            from securefl.node.owner.folder import open_site

            return open_site(here)
        return PartyFolder.open(here, role)
    raise UsageError(
        "A study is held against a party's own machine, and no party's folder is here.",
        next_step="Name it: securefl doctor --folder DIR --study FILE",
    )


def study_checks(
    mine: PartyFolder,
    sealed: SealedStudy,
    seconds: float,
    figures: Figures,
) -> dict[str, Callable[[], str]]:
    """Checks of a party's machine for one study, by name; figures go into ``figures``."""
    found: dict[str, Callable[[], str]] = {
        "party": partial(_party, mine, sealed),
        "software": partial(_software, sealed),
    }
    if mine.settings.role == "hospital":
        found["pace"] = partial(_pace, mine, sealed, seconds, figures)
        found["memory"] = partial(_memory, figures)
        found["restore"] = partial(_restore, mine, figures)
    return found


def _party(mine: PartyFolder, sealed: SealedStudy) -> str:
    study = sealed.study
    parties = {p.name: p for p in (*study.participants, study.coordinator, study.aggregator)}
    named = parties.get(mine.name)
    card = mine.identity.card
    if named is None:
        raise UntrustedError(
            f"The study does not name {mine.name}.",
            whose="the researcher",
            next_step="Ask for the study that this party is to take part in.",
        )
    if named.signing_public != card.signing_public:
        raise UntrustedError(
            f"The study names other keys for {mine.name} than its own.",
            whose="the researcher",
            next_step="Send your card again, and ask for a study made with it.",
        )
    return f"the study {sealed.name} names {mine.name} with its own keys"


def _software(sealed: SealedStudy) -> str:
    from securefl.environment import software

    wanted = sealed.study.software
    here = software()
    if (wanted.securefl, wanted.lock_sha256) == (here["securefl"], here["lock_sha256"]):
        return "version and list of packages are the study's"
    raise StudyError(
        f"The study was made with securefl {wanted.securefl} and lock {wanted.lock_sha256[:12]};"
        f" here are {here['securefl']} and {here['lock_sha256'][:12]}.",
        whose="the parties together",
        next_step="All parties of a study run one version: docs/operation.md, upgrading.",
    )


def _pace(
    mine: PartyFolder,
    sealed: SealedStudy,
    seconds: float,
    figures: Figures,
) -> str:
    from securefl.node.owner.machine import rounds_on_mock_data

    with tempfile.TemporaryDirectory() as folder:
        pace = rounds_on_mock_data(sealed, mine.name, Path(folder), seconds)
    figures["mock_rows"] = pace.rows
    figures["mock_rounds"] = pace.rounds
    figures["round_seconds"] = round(pace.slowest, 4)
    figures["first_round_seconds"] = round(pace.first, 4)
    figures["worker_memory"] = pace.memory
    allowed = float(sealed.study.schedule.reply_after)
    words = (
        f"{pace.rounds} of {pace.of} rounds on {pace.rows:,} invented rows: at most"
        f" {pace.slowest:.2f} s an answer, the first {pace.first:.2f} s; answers leave after"
        f" {allowed:g} s"
    )
    # Zero means that answers leave when they are ready; such a study says so on its page.
    if allowed and pace.slowest > allowed:
        raise SecureFLError(
            f"Too slow for this study: {words}.",
            whose="this machine's operator",
            next_step="Take a faster machine, or ask for a study with a longer reply_after.",
        )
    return words


def _memory(figures: Figures) -> str:
    from securefl.party.machine import gigabytes

    needed = figures.get("worker_memory")
    there = figures.get("memory")
    if needed is None or there is None:
        return "not measured here"
    words = f"the worker took {gigabytes(int(needed))}, {gigabytes(int(there))} were free"
    if needed > there:
        raise SecureFLError(
            f"Too little memory for this study: {words}.",
            whose="this machine's operator",
            next_step="Free memory, or take a larger machine.",
        )
    return words


def _restore(mine: PartyFolder, figures: Figures) -> str:
    from securefl.node.owner.machine import seconds_to_check_folder

    taken, files = seconds_to_check_folder(mine.path)
    figures["restore_seconds"] = round(taken, 4)
    return (
        f"to read and verify all {files} files that a backup holds, and the ledger, takes"
        f" {taken:.2f} s; a restore also copies them"
    )


def make_report(
    mine: PartyFolder,
    sealed: SealedStudy,
    checks: Sequence[Mapping[str, str]],
    figures: Mapping[str, float | None],
    at: str,
) -> MachineReport:
    """Put together what the owner may hand on; it says less than the screen."""
    from securefl.environment import code_sha256, software
    from securefl.party.machine_report import CHECKS, MachineReport

    failed = {row["check"] for row in checks if row["result"] != "ok"}
    here = software()
    return MachineReport(
        study=sealed.digest,
        party=mine.name,
        at=at,
        failed=tuple(name for name in CHECKS if name in failed),
        securefl=here["securefl"],
        lock=here["lock_sha256"],
        code=code_sha256(),
        cores=_whole(figures, "cores"),
        memory_mb=_whole(figures, "memory", 1e-6),
        disk_mb=_whole(figures, "disk", 1e-6),
        open_files=_whole(figures, "open_files"),
        landlock=_whole(figures, "landlock"),
        store_ms=_whole(figures, "store_seconds", 1e3),
        round_ms=_whole(figures, "round_seconds", 1e3),
        worker_mb=_whole(figures, "worker_memory", 1e-6),
    )


def _whole(figures: Mapping[str, float | None], name: str, scale: float = 1) -> int:
    """A figure as a whole number of its unit in the report; 0 where it was not measured."""
    value = figures.get(name)
    if value is None:
        return 0
    # Rounded up: half a millisecond was measured, and 0 says that nothing was.
    whole = math.ceil(value * scale)
    # A limit of the system may be "none", written as a very large or a negative number.
    return min(max(whole, 0), (1 << 31) - 1)
