"""What others have left for a site in the store and it may not have taken in: a look that costs a
few listings, without PySyft.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.datasite.layout import datasite

if TYPE_CHECKING:
    from securefl.store import Store


def waiting(store: Store, email: str) -> tuple[str, ...]:
    """Names of the messages in a datasite's inbox and of the parties that ask to be its peers. They
    are nobody's word yet.

    Raises:
        StoreError: the store is away.
    """
    inbox = datasite(email, "inbox")
    messages = (
        f"{sender}/{name}"
        for sender in store.list(inbox)
        for name in store.list(f"{inbox}/{sender}")
    )
    return (*store.list(datasite(email, "peers")), *messages)
