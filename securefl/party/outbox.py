"""Messages that this hospital has decided to send and the store has not taken yet.

Codes, approvals and extracts are kept on disk before they are sent: neither a crash nor a store
that is away swallows them. Contributions do not come here: whether one may still leave is asked
again at the moment it leaves.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from securefl.errors import StoreError
from securefl.files import entries, private_folder, read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.party.folder import PartyFolder


def post(party: PartyFolder, path: str, data: bytes) -> bool:
    """Say ``data`` at ``path``; False when the store did not take it now and the agent has to try
    again.
    """
    private_folder(party.path / "outbox")
    replace_file(_file(party, path), path.encode() + b"\n" + data)
    try:
        deliver(party)
    except StoreError:
        return False
    return True


def waits(party: PartyFolder, path: str) -> bool:
    """True while something for ``path`` waits to be sent."""
    return _file(party, path).exists()


def _file(party: PartyFolder, path: str) -> Path:
    return party.path / "outbox" / hashlib.sha256(path.encode()).hexdigest()


def deliver(party: PartyFolder) -> None:
    """Send what waits; the same object twice is harmless.

    Raises:
        StoreError: the store takes nothing now; all of it stays.
    """
    for file in entries(party.path / "outbox"):
        try:
            path, data = read_file(file).split(b"\n", 1)
        except FileNotFoundError:
            continue  # another process of this hospital sent it
        party.board.post(path.decode(), data)
        file.unlink(missing_ok=True)
