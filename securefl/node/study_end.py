"""Last word on a study that ended here: its extract, or the code that tells the others why.

It is said after the ledger has settled the study and before the study's key is erased. A key that
is still there at the next start therefore means that the agent was killed before it was done, and
that the word may not have been kept for the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import RoundError, StoreError
from securefl.federation import paths
from securefl.federation.study_board import StudyBoard
from securefl.node.extract import publish_extract
from securefl.node.published_approvals import publish_status
from securefl.node.requests import kept_study
from securefl.party.outbox import waits

if TYPE_CHECKING:
    from securefl.node.site import Site


def say_again(site: Site, digest: str) -> None:
    """Say the last word on a study that has ended, where a kill may have swallowed it.

    A code that was said before stays: which one it was, the ledger does not tell.

    Raises:
        SecureFLError: the kept study cannot be read.
    """
    if not site.has_study_key(digest):
        return
    status = site.ledger.state.study(digest).status
    if status == "completed":
        publish_extract(site, digest, kept_study(site, digest).study)
    elif status == "withdrawn":
        publish_status(site, digest, "withdrawn")
    elif not _has_said(site, digest):
        publish_status(site, digest, RoundError.code)


def _has_said(site: Site, digest: str) -> bool:
    """True where a code lies in the store or waits for it."""
    path = paths.status(digest, site.name)
    if waits(site, path):
        return True
    try:
        return StudyBoard(site.board, digest).status(site.name).read() is not None
    except StoreError:
        return False  # said twice is better than never: the others would wait for a deadline
