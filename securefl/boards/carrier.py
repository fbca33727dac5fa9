"""Carrier: what keeps the bytes of a board, and the registry that finds one by its URL.

A carrier does what its file system does and nothing else; paths, caps, errors and the marker are
:class:`~securefl.boards.board.CarriedBoard`'s, the same for all.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING, Final

from securefl.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

#: Held around each call of a client that is not made for several threads, whoever calls.
ONE_AT_A_TIME: Final = threading.RLock()
#: Seconds between two looks where each is a request to a server: seven parties that wait for one
#: another at 10 ms take more of a small server than what they send through it.
LOOKS_AT_A_SERVER: Final = 0.1


class Carrier(ABC):
    """Objects by path, at one place.

    Paths are canonical: names joined by ``/``, none of which begins with a dot. Where there is no
    object of a path, a method raises :class:`FileNotFoundError`, :class:`IsADirectoryError` or
    :class:`NotADirectoryError`; it may raise anything else where it fails.

    Attributes:
        many_at_a_time: several threads may call at once.
        comes_and_goes: another place may stand at the URL from one call to the next, as a share
            that is not mounted leaves an empty folder.
        has_root: the place is a folder that may be missing; an object store has only names.
        pace: seconds between two looks for one thing that is waited for, at least. A public figure
            of the kind of place, and no measurement: when a party looks must tell nothing of it.
    """

    many_at_a_time: bool = False
    comes_and_goes: bool = False
    has_root: bool = False
    pace: float = 0.0

    @abstractmethod
    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """Make the object of what ``fill`` writes into a file.

        It is there as a whole or not at all, also when ``fill`` raises; an older one is replaced.
        """

    @abstractmethod
    def open(self, path: str, most: int) -> IO[bytes]:
        """The object as a file; the reader takes at most ``most`` bytes of it."""

    @abstractmethod
    def stamp(self, path: str) -> str | None:
        """A text that is another when the object changed; None where nothing tells."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names directly below a folder (``""``: the top), of objects and folders."""

    @abstractmethod
    def erase(self, path: str) -> None:
        """Remove the object."""

    def shut(self, wanted: Callable[[str], bool]) -> list[str]:  # noqa: ARG002 - most cannot tell
        """Folders, among those ``wanted``, in which this user can write nothing."""
        return []

    def written_at(self, path: str) -> float | None:  # noqa: ARG002 - most cannot tell
        """Seconds since 1970 at which the place says that the object was written; None: unsaid."""
        return None

    def create(self, path: str, fill: Callable[[IO[bytes]], object]) -> bool:
        """Make the object where nothing lies at the path; whether that was so.

        As a whole or not at all, as :meth:`write` does; of several at once one succeeds.

        Raises:
            NotImplementedError: the place has no such write.
        """
        raise NotImplementedError


def exclusive(
    carrier: Carrier,
    path: str,
    fill: Callable[[IO[bytes]], object],
) -> bool | None:
    """:meth:`Carrier.create`; None where the place has no such write."""
    try:
        return carrier.create(path, fill)
    except NotImplementedError:
        return None


#: Makers of carriers by URL scheme; every other scheme is fsspec's.
#: A maker takes the URL, and where a route was set the route.
CARRIERS: Registry[Callable[..., Carrier]] = Registry(
    "carrier",
    {
        "file": "securefl.boards.folder:FolderCarrier",
        "local": "securefl.boards.folder:FolderCarrier",
        "memory": "securefl.boards.memory:MemoryCarrier",
        "fsspec": "securefl.boards.fsspec:at_url",
        "flower": "securefl.boards.flower.carrier:FlowerCarrier",
        "s3": "securefl.boards.s3:S3Carrier",
        "s3a": "securefl.boards.s3:S3Carrier",
        "sftp": "securefl.boards.sftp:SftpCarrier",
        "ssh": "securefl.boards.sftp:SftpCarrier",
        "dav": "securefl.boards.webdav:WebdavCarrier",
        "davs": "securefl.boards.webdav:WebdavCarrier",
        "webdav": "securefl.boards.webdav:WebdavCarrier",
        "webdavs": "securefl.boards.webdav:WebdavCarrier",
    },
)
