"""Which PySyft keys are whose: PySyft knows parties by keys of its own, so a party signs them with
its identity key.

On a plain shared folder anybody can write under any name. A hospital approves a PySyft peer only
when a party that its owner trusts has signed exactly those keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from securefl.errors import MessageError
from securefl.federation.party_board import MAX_PYSYFT_KEYS, PartyBoard
from securefl.statement import Statement

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.identity import Identity, IdentityCard


@dataclass(frozen=True)
class PySyftKeys(Statement):
    """A party's word on which PySyft keys (SHA-256, hex) are its own, under which address."""

    TYPE: ClassVar[str] = "securefl-pysyft-keys/1"
    WHAT: ClassVar[str] = "The statement on PySyft keys"
    MAX_BYTES: ClassVar[int] = MAX_PYSYFT_KEYS

    name: str
    email: str
    fingerprint: str


def publish_pysyft_keys(
    board: Board,
    identity: Identity,
    email: str,
    fingerprint: str,
) -> None:
    """Say which PySyft keys (SHA-256, hex) are this party's."""
    said = PySyftKeys(identity.card.name, email, fingerprint)
    PartyBoard(board, identity.card.name).pysyft_keys.post(said.dump(identity.sign))


def signed_fingerprint(board: Board, card: IdentityCard, email: str) -> str | None:
    """The PySyft keys that the trusted ``card``'s owner signed for this address; None when it has
    said nothing.

    Raises:
        MessageError: the statement is not signed by that card, or is for another address.
    """
    data = PartyBoard(board, card.name).pysyft_keys.read()
    if data is None:
        return None
    said = PySyftKeys.open(data, verify=card.verify, sender=card.name)
    if said.name != card.name or said.email != email:
        raise MessageError(
            f"The PySyft keys of {card.name} were signed for another address.", whose=card.name
        )
    return said.fingerprint
