"""Carrier over any file system of fsspec: S3, SFTP, FTP, Azure and so on."""

from __future__ import annotations

import io
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

import fsspec

from securefl.boards.carrier import LOOKS_AT_A_SERVER, Carrier

if TYPE_CHECKING:
    from collections.abc import Callable

#: Object stores: an object appears when its upload is complete, there are no folders to make, and a
#: move is a copy and a removal.
_OBJECT_STORES: Final = frozenset(
    {"abfs", "abfss", "az", "gcs", "gs", "oci", "ocilake", "oss", "s3", "s3a", "tos", "tosfs"}
)
#: Bytes up to which an object of such a store is fetched whole: fsspec's own files ask for the size
#: first, and then for blocks that are longer than this.
_ONE_REQUEST: Final = 16 << 20
#: Schemes of fsspec that are no server.
_HERE: Final = frozenset({"file", "local", "memory"})
#: What file systems call the facts of an object that tell whether it changed.
_CHANGES: Final = (
    "ETag",
    "etag",
    "content_md5",
    "md5Hash",
    "generation",
    "LastModified",
    "last_modified",
    "mtime",
    "modified",
    "updated",
    "created",
)
#: What they call the time at which an object was written.
_WRITTEN: Final = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")


class FsspecCarrier(Carrier):
    """Objects below one folder of an fsspec file system.

    Args:
        fs: the file system.
        root: the folder's path in it.
    """

    def __init__(self, fs: Any, root: str) -> None:  # noqa: ANN401 - fsspec ships no types
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        self._fs = fs
        self._root = root.rstrip("/")
        self._upload_is_whole = not _OBJECT_STORES.isdisjoint(protocols)
        self.has_root = not self._upload_is_whole
        self.many_at_a_time = bool(getattr(fs, "async_impl", False))
        if _HERE.isdisjoint(protocols):
            self.pace = LOOKS_AT_A_SERVER

    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """See :class:`Carrier`.

        Written under a temporary name and moved, except where an upload appears as a whole.
        """
        target = self._full(path)
        if self._upload_is_whole:
            self._upload(target, fill)
        else:
            self._beside(target, fill, self._move)

    def create(self, path: str, fill: Callable[[IO[bytes]], object]) -> bool:
        """See :class:`Carrier`. Of the object stores, those whose package knows the mode."""
        target = self._full(path)
        try:
            if self._upload_is_whole:
                self._upload(target, fill, "xb")
            else:
                self._check_moves_to_new()
                self._beside(target, fill, self._move_to_new)
        except FileExistsError:
            return False
        return True

    def _beside(
        self,
        target: str,
        fill: Callable[[IO[bytes]], object],
        move: Callable[[str, str], None],
    ) -> None:
        """Write under a temporary name, then move."""
        folder = target.rsplit("/", 1)[0]
        part = f"{folder}/.{secrets.token_hex(8)}.part"
        self._make_folder(folder)
        try:
            with self._begin(part) as file:
                fill(file)
            move(part, target)
        except BaseException:
            with suppress(Exception):  # what went wrong before is what the caller should hear
                self._fs.rm_file(part)
            raise

    def _check_moves_to_new(self) -> None:
        """Refuse, before anything is written, where no move refuses to replace.

        Raises:
            NotImplementedError: fsspec's own moves replace.
        """
        raise NotImplementedError

    def _move_to_new(self, part: str, target: str) -> None:
        """Move to where nothing lies.

        Raises:
            FileExistsError: something does.
        """
        raise NotImplementedError

    def _make_folder(self, folder: str) -> None:
        self._fs.makedirs(folder, exist_ok=True)

    def _begin(self, part: str) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(part, "wb")
        return file

    def _move(self, part: str, target: str) -> None:
        if self._fs.isdir(target):  # the move would end inside it
            raise IsADirectoryError(target)
        self._fs.mv(part, target)

    def _upload(
        self,
        target: str,
        fill: Callable[[IO[bytes]], object],
        mode: str = "wb",
    ) -> None:
        try:
            file = self._fs.open(target, mode)
        except ValueError:  # the package does not know the mode
            raise NotImplementedError from None
        try:
            fill(file)
        except BaseException:
            with suppress(Exception):
                file.discard()
            file.closed = True  # closing it, as its end of life does, would complete the upload
            raise
        file.close()

    def open(self, path: str, most: int) -> IO[bytes]:
        """See :class:`Carrier`."""
        self._fs.invalidate_cache()
        if self._upload_is_whole and most <= _ONE_REQUEST:
            return self._fetched(path, most)
        try:
            file: IO[bytes] = self._fs.open(self._full(path), "rb")
        except FileExistsError as error:  # some file systems' word for an object on the way
            raise NotADirectoryError(path) from error
        if getattr(file, "details", {}).get("type") == "directory":  # S3, FTP: opened as empty
            file.close()
            raise IsADirectoryError(path)
        return file

    def _fetched(self, path: str, most: int) -> IO[bytes]:
        """The object by one request, so that it cannot be replaced between two."""
        try:
            return io.BytesIO(self._fs.cat_file(self._full(path), start=0, end=most))
        except FileNotFoundError:
            raise
        except Exception:
            found = self._fs.info(self._full(path))
            if found.get("type") != "directory" and found.get("size") == 0:
                return io.BytesIO()  # it has no first byte to ask for
            raise

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`."""
        self._fs.invalidate_cache()
        info = self._fs.info(self._full(path))
        facts = [f"{name}={info[name]}" for name in _CHANGES if info.get(name)]
        if facts:
            return "-".join([*facts, f"size={info.get('size')}"])
        return None

    def names(self, folder: str) -> list[str]:
        """See :class:`Carrier`."""
        target = self._full(folder)
        self._fs.invalidate_cache()
        found = [str(path).rstrip("/") for path in self._fs.ls(target, detail=False)]
        return [path.rsplit("/", 1)[-1] for path in found if path != target]

    def written_at(self, path: str) -> float | None:
        """See :class:`Carrier`."""
        self._fs.invalidate_cache()
        info = self._fs.info(self._full(path))
        times = (info[name] for name in _WRITTEN if info.get(name))
        for told in times:
            if isinstance(told, datetime):
                return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
            if isinstance(told, int | float):
                return float(told)
        return None

    def erase(self, path: str) -> None:
        """See :class:`Carrier`."""
        full = self._full(path)
        try:
            self._fs.rm_file(full)
        except Exception:
            self._fs.invalidate_cache()
            self._fs.info(full)  # raises FileNotFoundError, where FTP said something else
            raise

    def _full(self, path: str) -> str:
        if path:
            return f"{self._root}/{path}"
        return self._root


def at_url(url: str) -> FsspecCarrier:
    """The carrier of an fsspec URL."""
    fs, root = fsspec.core.url_to_fs(url)
    return FsspecCarrier(fs, str(root))
