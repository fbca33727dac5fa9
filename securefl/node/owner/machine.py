"""Machine of a hospital: what it enforces on the worker, and whether keys and ledger go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import SecureFLError, UnreadableError
from securefl.node.isolation import isolation_words, network_can_be_blocked, userns_advice
from securefl.node.site import Site

if TYPE_CHECKING:
    from pathlib import Path


def check_isolation() -> str:
    """Refuse a machine on which a worker's network cannot be taken away.

    Returns:
        The line on the request page that says what is enforced here.

    Raises:
        SecureFLError: with the switch that forbids it.
    """
    if not network_can_be_blocked():
        raise SecureFLError(
            isolation_words() + ".", whose="this machine's operator", next_step=userns_advice()
        )
    return isolation_words()


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
