"""Machine of a hospital: what it enforces on the worker, and whether keys and ledger go together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from securefl.errors import UnreadableError, file_error
from securefl.files import file_sha256
from securefl.node.backup import kept_files
from securefl.node.isolation import check_walls, isolation
from securefl.node.launcher import Worker
from securefl.node.mock_rounds import mock_pace
from securefl.node.request_ways import check_installed
from securefl.node.site import Site
from securefl.node.worker_rules import worker_rules
from securefl.privacy.ledger_reading import read_chain
from securefl.report.codes import WITH_PYSYFT, WITHOUT_PYSYFT
from securefl.report.isolation import isolation_spans
from securefl.study.worker_walls import ALWAYS_REQUIRED, INVENTED_ROWS, WorkerRules

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.mock_rounds import MockPace
    from securefl.party.folder import PartyFolder
    from securefl.sources.source import Source
    from securefl.study.sealed import SealedStudy


def check_isolation(folder: Path | None) -> str:
    """Refuse a machine that cannot put up the walls which a worker must have.

    Args:
        folder: of a hospital, whose policy says which walls those are; None before there is one:
            then the network's.

    Returns:
        The lines on the request page that say what is enforced here, as one.

    Raises:
        RoundError: with the wall, and the switch that forbids it.
        UnreadableError: the policy is not the one that this hospital signed.
    """
    rules = WorkerRules()
    if folder is not None:
        rules = worker_rules(Site.at(folder))
    found = isolation(rules)
    check_walls(rules, found.walls)
    lines = [span.text for span in isolation_spans(found)]
    more = sorted(rules.required - ALWAYS_REQUIRED)
    if more:
        lines.append(f"required by this hospital's policy: {', '.join(more)}")
    return "; ".join(lines)


def check_keys(folder: Path) -> Site:
    """Open a hospital's folder, and refuse keys that do not sign its ledger.

    Raises:
        UnreadableError: another key signs the ledger now.
        SecureFLError: as :func:`securefl.node.owner.folder.open_site`.
    """
    site = Site.at(folder)
    site.book.cards()
    if site.ledger.state.key != site.identity.card.signing_public:
        raise UnreadableError(
            "These keys are not the ones that sign the ledger now.",
            whose="the data owner",
            next_step=(
                "Put back the backup of `keys` that was made after `securefl site rotate-key`."
            ),
        )
    return site


def request_way_words(site: PartyFolder) -> str:
    """How a hospital takes requests, in words; refuse a machine on which that way is not installed.

    Raises:
        UsageError: it takes them through PySyft, which is not installed.
    """
    check_installed(site.settings.requests)
    if site.has_pysyft:
        return WITH_PYSYFT
    return WITHOUT_PYSYFT


def rounds_on_mock_data(
    sealed: SealedStudy,
    site: str,
    folder: Path,
    seconds: float,
) -> MockPace:
    """Run rounds of a study on invented rows, by a worker behind its walls.

    Args:
        sealed: the study.
        site: a hospital of it.
        folder: an empty one.
        seconds: after which no further round begins.

    Raises:
        DataError, RoundError: the worker failed.
    """

    def start(source: Source, longest: int, log: Path) -> Worker:
        return Worker(source, max_bytes=longest, log=log, rules=INVENTED_ROWS)

    return mock_pace(sealed, site, folder, seconds, start)


def seconds_to_check_folder(folder: Path) -> tuple[float, int]:
    """Seconds in which all that a backup holds is read and verified, and how many files it is.

    Nothing is copied: no second copy of the keys lies anywhere.

    Raises:
        UnreadableError, LedgerAlteredError: a file cannot be read, or the ledger does not hold.
    """
    site = Site.at(folder)
    began = time.monotonic()
    names = list(kept_files(folder))
    try:
        for name in names:
            file_sha256(folder / name)
    except OSError as error:
        raise file_error(error, folder) from None
    read_chain(site.ledger_path, site.identity.card.verify_ever).require()
    return time.monotonic() - began, len(names)
