"""Which PySyft keys are whose: PySyft knows parties by keys of its own, so a party signs them with
its identity key.

On a plain shared folder anybody can write under any name. A hospital approves a PySyft peer only
when a party that its owner trusts has signed exactly those keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation.party_board import MAX_PYSYFT_KEYS, PartyBoard
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.identity import Identity, IdentityCard

TYPE = "securefl-pysyft-keys/1"
_FIELDS = frozenset({"name", "email", "fingerprint"})


def publish_pysyft_keys(board: Board, identity: Identity, email: str, fingerprint: str) -> None:
    """Say which PySyft keys (SHA-256, hex) are this party's."""
    body = {"type": TYPE, "name": identity.card.name, "email": email, "fingerprint": fingerprint}
    PartyBoard(board, identity.card.name).pysyft_keys.post(dump_signed(body, identity.sign))


def signed_fingerprint(board: Board, card: IdentityCard, email: str) -> str | None:
    """The PySyft keys that the trusted ``card``'s owner signed for this address; None when it has
    said nothing.

    Raises:
        MessageError: the statement is not signed by that card, or is for another address.
    """
    data = PartyBoard(board, card.name).pysyft_keys.read()
    if data is None:
        return None
    body = open_signed(
        data,
        kind=TYPE,
        fields=_FIELDS,
        verify=card.verify,
        sender=card.name,
        max_bytes=MAX_PYSYFT_KEYS,
    )
    if body["name"] != card.name or body["email"] != email:
        raise MessageError(
            f"The PySyft keys of {card.name} were signed for another address.", whose=card.name
        )
    return str(body["fingerprint"])
