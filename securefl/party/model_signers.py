"""Signers of a model's edits: which key signs, and whether a signer is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.party.folder import FILE_NAMES, PartyFolder

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.edit_statement import CurveEdit

#: A signer, where no folder was named.
NOT_LOOKED_UP: Final = "not looked up: compare the fingerprint by telephone"


def party_of(folder: Path) -> PartyFolder | None:
    """The party whose folder it is; None where it is none's.

    Raises:
        UnreadableError: its settings are broken.
    """
    for role, name in FILE_NAMES.items():
        if (folder / name).is_file():
            return PartyFolder.open(folder, role)
    return None


def signer_words(edit: CurveEdit, party: PartyFolder | None) -> str:
    """A signer as this party knows it, in a sentence.

    Args:
        edit: whose signature holds under the key that it names.
        party: who asks; None where nobody's partners can be looked up.
    """
    if party is None:
        return NOT_LOOKED_UP
    known = [party.identity.card, *party.book.cards().values()]
    keys = set()
    for card in known:
        if (card.name, card.role) != (edit.party, edit.role):
            continue
        keys.add(card.signing_public)
        keys.update(earlier.signing_public for earlier in card.earlier)
    if edit.signing_public in keys:
        if edit.signing_public == party.identity.card.signing_public:
            return "your own key"
        return "a partner's key that you trust"
    return "a key that is not among your partners: compare the fingerprint by telephone"
