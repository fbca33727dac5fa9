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
from securefl.node.site import Site
from securefl.privacy.ledger_reading import read_chain
from securefl.report.isolation import isolation_spans
from securefl.study.worker_walls import INVENTED_ROWS, WorkerRules

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.mock_rounds import MockPace
    from securefl.sources.source import Source
    from securefl.study.sealed import SealedStudy


def check_isolation() -> str:
    """Refuse a machine on which a worker's network cannot be taken away.

    A hospital's policy is not asked: a machine is looked at before there is one.

    Returns:
        The lines on the request page that say what is enforced here, as one.

    Raises:
        RoundError: with the switch that forbids it.
    """
    usual = WorkerRules()
    found = isolation(usual)
    check_walls(usual, found.walls)
    return "; ".join(span.text for span in isolation_spans(found))


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
