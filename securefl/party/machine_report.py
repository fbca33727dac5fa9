"""Signed report of a party's machine for one study, in the consortium's folder where its owner says so.

It holds public figures of the machine and the names of checks that failed. How long a restore takes
is not in it: that grows with the hospital's own ledger. Nothing of it was measured on patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, get_args

from pydantic import StringConstraints

from securefl.agreement.signatures import Moment, PartyName
from securefl.errors import SecureFLError
from securefl.files import read_given, replace_file
from securefl.identity import Verifier
from securefl.party.consortium import check_party
from securefl.statement import MAX_SMALL, Count, Hex32, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.party.consortium import ConsortiumFolder
    from securefl.party.folder import PartyFolder

MACHINES: Final = "machines"
#: Checks of ``securefl doctor --study``, in their order.
CheckName = Literal[
    "versions",
    "encryption",
    "isolation",
    "clock",
    "machine",
    "keys",
    "store",
    "party",
    "software",
    "pace",
    "memory",
    "restore",
]
CHECKS: Final[tuple[CheckName, ...]] = get_args(CheckName)
_Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+]{1,40}$")]


@dataclass(frozen=True)
class MachineReport(Statement):
    """A machine beside one study. A figure that was not measured is 0; others are rounded up.

    Attributes:
        study: its digest.
        party: whose machine.
        at: the party's own word on the time.
        failed: checks that did not hold; empty where the machine can take part.
        securefl: version.
        lock: SHA-256 of its list of packages.
        code: SHA-256 of its Python files.
        cores: that a process may run on.
        memory_mb: free, in 10^6 bytes.
        disk_mb: free, in 10^6 bytes.
        open_files: that a process may hold.
        landlock: version of the kernel's interface.
        store_ms: 64 kB to the store and back, in milliseconds.
        round_ms: the slowest answer on invented rows, in milliseconds.
        worker_mb: memory of the worker at most, in 10^6 bytes.
    """

    TYPE: ClassVar[str] = "securefl-machine-report/1"
    WHAT: ClassVar[str] = "The machine's report"
    NEXT_STEP: ClassVar[str] = "Ask for a new one: `securefl doctor --study FILE --to FOLDER`."

    study: Hex32
    party: PartyName
    at: Moment
    failed: tuple[CheckName, ...]
    securefl: _Version
    lock: Hex32
    code: Hex32
    cores: Count
    memory_mb: Count
    disk_mb: Count
    open_files: Count
    landlock: Count
    store_ms: Count
    round_ms: Count
    worker_mb: Count


@dataclass(frozen=True)
class FoundReport:
    """A party's report as another party finds it.

    Attributes:
        report: verified; None where there is none.
        fault: why one that is there does not count.
    """

    report: MachineReport | None = None
    fault: SecureFLError | None = None


def report_file(folder: ConsortiumFolder, party: str) -> Path:
    """File of a party's report."""
    return folder.path / MACHINES / f"{party}.report"


def write_report(
    folder: ConsortiumFolder,
    mine: PartyFolder,
    report: MachineReport,
) -> Path:
    """Sign a report and write it into the consortium's folder."""
    file = report_file(folder, mine.name)
    replace_file(file, report.dump(mine.identity.sign), mode=0o644)
    return file


def find_reports(
    folder: ConsortiumFolder, mine: PartyFolder, study: str
) -> Mapping[str, FoundReport]:
    """Verify every party's report on a study with the keys that this party trusts, by name.

    Raises:
        StudyError, UnreadableError: the agreement cannot be read.
    """
    found = {}
    for party in folder.sealed().agreement.parties:
        file = report_file(folder, party.name)
        if not file.exists():
            found[party.name] = FoundReport()
            continue
        try:
            card = check_party(mine, party)
            report = MachineReport.open(
                read_given(file, MAX_SMALL),
                verify=Verifier(card.name, card.signing_public),
                sender=card.name,
                study=study,
                party=card.name,
            )
        except SecureFLError as error:
            found[party.name] = FoundReport(fault=error)
        else:
            found[party.name] = FoundReport(report)
    return found
