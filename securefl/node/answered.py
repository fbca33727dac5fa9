"""Record of questions that this hospital has answered: each is answered once.

Whoever puts it back into the store, also after a restart. A question is signed by its asker and
says nothing of when it was asked, so whoever recorded old ones could put them into the store in
turn, without any key, and see at each how soon this agent answers. What was answered is therefore
remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import UnreadableError
from securefl.files import private_folder, replace_file

if TYPE_CHECKING:
    from pathlib import Path

#: Questions of one hospital that are remembered: one for each start of its agent. Beyond them the
#: oldest is forgotten.
MOST = 20_000
_LINE = 65  # 64 hexadecimal digits and the line's end


class Answered:
    """Nonces of answered questions, a file for each asker.

    Args:
        folder: the hospital's own folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "questions"
        self._known: dict[str, dict[str, None]] = {}

    def has(self, name: str, nonce: str) -> bool:
        """True when a question of that hospital was answered.

        Raises:
            UnreadableError: the file cannot be read; then nothing is known, and nothing should be
                answered.
        """
        return nonce in self._of(name)

    def has_mark(self, name: str, digits: str) -> bool:
        """True when a question of that hospital was answered whose nonce begins with the digits.

        Raises:
            UnreadableError: as :meth:`has`.
        """
        return any(nonce.startswith(digits) for nonce in self._of(name))

    def add(self, name: str, nonce: str) -> None:
        """Remember it, durably."""
        known = self._of(name)
        known[nonce] = None
        while len(known) > MOST:
            del known[next(iter(known))]
        replace_file(private_folder(self._folder) / name, "".join(f"{n}\n" for n in known).encode())

    def _of(self, name: str) -> dict[str, None]:
        if name not in self._known:
            try:
                with (self._folder / name).open("rb") as file:
                    data = file.read(MOST * _LINE)
            except FileNotFoundError:
                data = b""
            except OSError as error:
                raise UnreadableError(
                    f"{self._folder / name} cannot be read: {error.strerror}.",
                    whose="this machine's operator",
                    next_step="Mend the file's rights or its disk, or move it away.",
                ) from None
            self._known[name] = dict.fromkeys(data.decode("ascii", errors="replace").split())
        return self._known[name]
