"""Board: objects by path at one place that parties share, trusted with nothing.

:class:`Board` is what parties speak to. :class:`CarriedBoard` makes one of any carrier
(:mod:`securefl.boards.carrier`): canonical paths, a length cap on every read (rule 5), errors in
our words, and the marker that tells one place from another.
"""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import IO, TYPE_CHECKING, Final, Protocol

from securefl.boards.capped import CappedReader, too_long
from securefl.boards.carrier import ONE_AT_A_TIME, exclusive
from securefl.boards.diagnosis import trouble
from securefl.boards.route import DIRECT
from securefl.errors import MessageError, SecureFLError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from securefl.boards.carrier import Carrier
    from securefl.boards.route import Route

#: The object whose text tells one place from another, and what such a text looks like.
MARKER: Final = "securefl-store"
MARKER_FORM: Final = re.compile(r"securefl-store/1 [0-9a-f]{32}")
MARKER_BYTES: Final = 200
#: Bytes that are copied at a time.
_PIECE: Final = 1 << 20
_SAFE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}")
#: What a carrier raises where there is no object of that name.
_NOTHING: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class Board(Protocol):
    """Objects by path. Each is written as a whole: a reader never sees half of one.

    Every method raises :class:`StoreError` where the place cannot be used, and
    :class:`MessageError` at a path that is not canonical.
    """

    @property
    def url(self) -> str:
        """The place, as it may stand on a screen."""

    @property
    def pace(self) -> float:
        """Seconds between two looks for one thing that is waited for, at least."""

    def post(self, path: str, data: bytes | bytearray) -> None:
        """Write an object; replaces an older one as a whole."""

    def post_file(self, path: str, source: IO[bytes]) -> None:
        """Write an object from a file, from where it stands to its end, a piece at a time."""

    def post_first(self, path: str, data: bytes) -> bool:
        """Write an object unless one lies there; whether none did.

        Of writers at once the first one's stays. Where the place has no such write
        (:meth:`Carrier.create`), the last one's may.
        """

    def post_file_first(self, path: str, source: IO[bytes]) -> bool:
        """:meth:`post_first`, from a file, as :meth:`post_file` reads it."""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """The object's bytes, or None where there is none.

        Raises:
            MessageError: the object is longer than ``max_bytes``; nothing of it is kept.
        """

    def read_head(self, path: str, size: int) -> bytes | None:
        """Read the object's first ``size`` bytes, all of it where it is shorter.

        None where there is none.
        """

    def open(self, path: str, max_bytes: int) -> AbstractContextManager[CappedReader | None]:
        """The object to be read piece by piece, or None where there is none.

        What is read may change under the reader's hands.

        Raises:
            MessageError: out of ``read``, more than ``max_bytes`` are there.
        """

    def stamp(self, path: str) -> str | None:
        """Return something cheap that is another when the object changed; None where nothing tells.

        None where there is no object too. Whoever can post can forge it: it saves work, it proves
        nothing.
        """

    def names(self, folder: str = "") -> list[str]:
        """Names of the objects and folders directly below ``folder``, sorted."""

    def erase(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""

    def shut(self, wanted: Callable[[str], bool]) -> list[str]:
        """List folders, among those ``wanted``, in which this user can post nothing.

        None where the place does not tell.
        """


class CarriedBoard:
    """A :class:`Board` on a carrier.

    Args:
        url: the place, without a password.
        carrier: what keeps the objects.
        marker: text that marks the place that this party used before
            (:mod:`securefl.boards.marker`): at a place without it nothing is read and nothing is
            written.
        route: how it is reached, for what is said of a store that is not.
    """

    def __init__(
        self,
        url: str,
        carrier: Carrier,
        marker: str | None = None,
        route: Route = DIRECT,
    ) -> None:
        self.url = url
        self.route = route
        self._carrier = carrier
        self._marker = marker
        self._seen_marker: object = None
        self._turn: AbstractContextManager[object] = (
            nullcontext() if carrier.many_at_a_time else ONE_AT_A_TIME
        )

    @property
    def carrier(self) -> Carrier:
        """What keeps the objects; for checks of the place alone."""
        return self._carrier

    @property
    def pace(self) -> float:
        """See :attr:`Board.pace`."""
        return self._carrier.pace

    def check_there(self) -> None:
        """Refuse a folder that is not there: a name that was mistyped would become a new store.

        Raises:
            StoreError: there is none, or it is not the store that was used before.
        """
        try:
            with self._reading():
                if self._carrier.has_root:
                    self._carrier.names("")
        except _NOTHING:
            raise StoreError(
                f"The store {self.url} is not there: there is no such folder. Nothing was made.",
                next_step="See that the name is right and that the share is mounted.",
            ) from None

    def post(self, path: str, data: bytes | bytearray) -> None:
        """See :meth:`Board.post`."""
        self._write(path, lambda file: file.write(data))

    def post_file(self, path: str, source: IO[bytes]) -> None:
        """See :meth:`Board.post_file`."""
        self._write(path, lambda file: shutil.copyfileobj(source, file, _PIECE))

    def post_first(self, path: str, data: bytes) -> bool:
        """See :meth:`Board.post_first`."""
        return self._write_first(path, lambda file: file.write(data))

    def post_file_first(self, path: str, source: IO[bytes]) -> bool:
        """See :meth:`Board.post_file_first`."""
        begin = source.tell()

        def fill(file: IO[bytes]) -> None:
            source.seek(begin)  # a carrier that has no such write may have read it in vain
            shutil.copyfileobj(source, file, _PIECE)

        return self._write_first(path, fill)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """See :meth:`Board.read`."""
        data = self.read_head(path, max_bytes + 1)
        if data is not None and len(data) > max_bytes:
            raise too_long(path, max_bytes)
        return data

    def read_head(self, path: str, size: int) -> bytes | None:
        """See :meth:`Board.read_head`."""
        check_canonical(path)
        try:
            with self._reading():
                return self._head(path, size)
        except _NOTHING:
            return None

    @contextmanager
    def open(self, path: str, max_bytes: int) -> Iterator[CappedReader | None]:
        """See :meth:`Board.open`."""
        check_canonical(path)
        file: IO[bytes] | None = None
        try:
            with self._reading():
                file = self._carrier.open(path, max_bytes + 1)
        except _NOTHING:
            pass
        try:
            yield (
                None
                if file is None
                else CappedReader(
                    file,
                    path,
                    max_bytes,
                    self._reading,
                )
            )
        finally:
            if file is not None:
                with suppress(StoreError), self._reading():
                    file.close()

    def stamp(self, path: str) -> str | None:
        """See :meth:`Board.stamp`."""
        check_canonical(path)
        try:
            with self._reading():
                return self._carrier.stamp(path)
        except _NOTHING:
            return None

    def names(self, folder: str = "") -> list[str]:
        """See :meth:`Board.names`. Names that no object can have are left out, and the marker."""
        if folder:
            check_canonical(folder)
        try:
            with self._reading():
                found = self._carrier.names(folder)
        except _NOTHING:
            return []
        return sorted(n for n in found if _SAFE.fullmatch(n) and (folder or n != MARKER))

    def erase(self, path: str) -> None:
        """See :meth:`Board.erase`."""
        check_canonical(path)
        with suppress(*_NOTHING), self._calling("written", "Check its permissions."):
            self._carrier.erase(path)

    def shut(self, wanted: Callable[[str], bool]) -> list[str]:
        """See :meth:`Board.shut`."""
        with self._reading():
            return self._carrier.shut(wanted)

    def _write_first(self, path: str, fill: Callable[[IO[bytes]], object]) -> bool:
        check_canonical(path)
        step = "Check its permissions and free space."
        try:
            with self._calling("written", step):
                done = exclusive(self._carrier, path, fill)
        except _NOTHING as error:
            raise self._trouble(error, "written", step) from None
        if done is not None:
            return done
        if self.read_head(path, 1) is not None:
            return False
        self._write(path, fill)
        return True

    def _write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        check_canonical(path)
        step = "Check its permissions and free space."
        try:
            with self._calling("written", step):
                self._carrier.write(path, fill)
        except _NOTHING as error:  # a write that ends with "no such file" is one that failed
            raise self._trouble(error, "written", step) from None

    def _head(self, path: str, size: int) -> bytes:
        with self._carrier.open(path, size) as file:
            return file.read(size)

    def _reading(self) -> AbstractContextManager[None]:
        return self._calling("read", "Check that it is reachable.")

    @contextmanager
    def _calling(self, doing: str, usual: str) -> Iterator[None]:
        """Make one call of the carrier: in its turn, at the right place, its errors in our words.

        "No such file" goes on to the caller, who knows whether that is an error.

        Raises:
            StoreError: everything else that the carrier raises; each kind has errors of its own.
        """
        with self._turn:
            try:
                self._check_marker()
                yield
            except (SecureFLError, *_NOTHING):
                raise
            except Exception as error:  # noqa: BLE001 - botocore, paramiko and ftplib share no base class
                raise self._trouble(error, doing, usual) from None

    def _trouble(
        self,
        error: Exception,
        doing: str,
        usual: str,
    ) -> StoreError:
        what = f"The store {self.url} cannot be {doing}"
        return trouble(error, self.route, what=what, usual=usual)

    def _check_marker(self) -> None:
        """Refuse a place that is not the one used before.

        A share that is not mounted is an empty folder. A place that may come and go is looked at
        each time, another once.
        """
        if self._marker is None:
            return
        try:
            seen = self._carrier.stamp(MARKER) if self._carrier.comes_and_goes else "once"
            if seen is not None and seen == self._seen_marker:
                return
            data = self._head(MARKER, MARKER_BYTES)
        except _NOTHING:
            data = b""
            seen = None
        if data.decode("ascii", "replace").strip() != self._marker:
            raise StoreError(
                f"{self.url} is not the store that was used here"
                f" before{'' if data else ': it has no marker'}. Nothing was written to it.",
                next_step=(
                    "If it is a share or disk, see that it is mounted. If the store has really"
                    " moved, remove the file 'store.id' of your own folder."
                ),
            )
        self._seen_marker = seen


def check_writable(board: Board) -> None:
    """Post, read and erase a small object.

    Raises:
        StoreError: one of the three fails.
    """
    name = f"doctor-{secrets.token_hex(4)}"
    token = secrets.token_bytes(16)
    board.post(name, token)
    if board.read(name, 16) != token:
        raise StoreError(
            f"The store {board.url} does not return what was written.",
            next_step="Check its configuration.",
        )
    board.erase(name)


def check_canonical(path: str) -> None:
    """Refuse a path that leads anywhere but to one place below the board.

    Raises:
        MessageError: it is not canonical.
    """
    if not all(_SAFE.fullmatch(part) and ".." not in part for part in path.split("/")):
        raise MessageError(f"{path!r} is not a canonical path in the store.")
