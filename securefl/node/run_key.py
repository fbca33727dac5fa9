"""Key of one run of a hospital's agent in a study, kept so that an agent that was killed goes on.

It is kept before the ready statement that names it is said (:mod:`securefl.node.instances`), until
the study ends. Two agents that had it would mask alike. So it is good in its place alone: beside
the key stand this machine's id and the number under which the file system knows the file. A copy of
the folder, and one that was put back from a backup, has another; it holds no run that goes on. A
clone of a whole machine has the same: that one is seen by its words in the store, and stands as a
limit in the threat model.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.errors import RoundError, TwoCopiesError
from securefl.files import erase_file, private_folder, read_secret, sync_folder

_FILE: Final = "run.key"
_KEY_BYTES: Final = 32
_SIZE: Final = _KEY_BYTES + hashlib.sha256().digest_size
_MACHINE: Final = Path("/etc/machine-id")


class RunKey:
    """The kept key of one study's run.

    Args:
        folder: the study's folder at the hospital.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def keep(self, key: X25519PrivateKey) -> None:
        """Make the key durable; one that is kept already in its place stays."""
        if self.read() is not None:
            return
        private_folder(self._file.parent)
        erase_file(self._file)
        fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(key.private_bytes_raw() + _place(os.fstat(fd).st_ino))
            file.flush()
            os.fsync(fd)
        sync_folder(self._file.parent)

    def read(self) -> X25519PrivateKey | None:
        """The kept key; None where there is none that is in its place.

        Raises:
            UnreadableError: it is readable by others.
        """
        try:
            inode = self._file.stat().st_ino
        except FileNotFoundError:
            return None
        if self._file.stat().st_size != _SIZE:  # killed before it was whole
            return None
        data = read_secret(self._file, _SIZE)
        if data[_KEY_BYTES:] != _place(inode):
            return None
        return X25519PrivateKey.from_private_bytes(data[:_KEY_BYTES])

    def check_here(self) -> None:
        """Refuse to go on with a run that is not this folder's own.

        Raises:
            RoundError: there is no key, as in a folder that was restored from a backup.
            TwoCopiesError: the key is another folder's: this one was copied or put back.
        """
        if not self._file.exists():
            raise RoundError(
                "This folder was interrupted while the study ran, and holds no run that can go on.",
                whose="this hospital",
                next_step="The study ends here; its budget stays charged.",
            )
        if self.read() is None:
            raise TwoCopiesError(
                "This folder was copied, or put back, while the study ran: the run is another"
                " folder's.",
                next_step=(
                    "If the hospital still runs elsewhere, stop this copy for good. The study ends"
                    " here; its budget stays charged."
                ),
            )

    def erase(self) -> None:
        """Overwrite the key; harmless when it is gone."""
        erase_file(self._file)


def _place(inode: int) -> bytes:
    """Hash of where a key file is good: this machine's id, and the file's number there."""
    try:
        machine = _MACHINE.read_bytes().strip()
    except OSError:  # a container without one
        machine = b""
    return hashlib.sha256(machine + b"/" + str(inode).encode()).digest()
