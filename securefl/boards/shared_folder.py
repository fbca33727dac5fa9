"""Folder that others write to as well: reached name by name from its root.

No link below the root is ever followed. What is made below the root takes the root's rights and
group: parties that write as different users would otherwise shut one another out of the folders
that each of them happens to make first (umask 022 is everywhere).

A link in the place of a folder would lead a party's reads and writes to wherever that party may
read and write. The root itself may be reached by links: its path is the party's own.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: To walk through a folder takes less than to read it; not every system tells the two apart.
_WALK: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
#: A file system's words for "no such thing as a second name of a file" (exFAT, some shares).
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: How often what is in the way is set aside for one write; whoever puts something there as often
#: again stops it.
_TRIES: Final = 4


class SharedFolder:
    """Files below ``root`` by the names on the way to them.

    The root is looked up anew each time: it may come and go. Every method raises :class:`OSError`
    where the file system does, :class:`FileNotFoundError` or :class:`NotADirectoryError` where
    there is nothing, or a link, on the way.
    """

    def __init__(self, root: str) -> None:
        self._root = root or "/"

    def open(self, names: Sequence[str]) -> IO[bytes]:
        """A regular file to read. A pipe would block for ever, a link could lead anywhere.

        Raises:
            FileNotFoundError: there is no such file, or it is something else.
        """
        with self._parent(names) as folder:
            try:
                fd = os.open(names[-1], _READ, dir_fd=folder)
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENXIO}:
                    raise FileNotFoundError(names[-1]) from None
                raise
        if not stat.S_ISREG(
            os.fstat(fd).st_mode
        ):  # before fdopen, which refuses a folder and leaves it open
            os.close(fd)
            raise FileNotFoundError(names[-1])
        return os.fdopen(fd, "rb")

    def write(self, names: Sequence[str], fill: Callable[[IO[bytes]], object]) -> None:
        """Write beside, then rename; folders on the way are made.

        What is there and is no file (on the way: no folder) is set aside under a hidden name. Not
        synced: a power cut may lose an object, and then its signature check fails.
        """
        with self._parent(names, make=True) as folder:
            rights = Path(self._root).stat()
            part = f".{secrets.token_hex(8)}.part"
            try:
                with os.fdopen(os.open(part, _NEW, 0o666, dir_fd=folder), "wb") as file:
                    _as_root(file.fileno(), rights, rights.st_mode & 0o666)
                    fill(file)
                _move(folder, part, names[-1])
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part, dir_fd=folder)
                raise

    def stat(self, names: Sequence[str]) -> os.stat_result:
        """The facts of a file or folder of that name, a link's own where it is one."""
        with self._parent(names) as folder:
            return os.stat(names[-1], dir_fd=folder, follow_symlinks=False)

    def shut(self, wanted: Callable[[str], bool], most: int = 5000) -> list[str]:
        """List folders below the root in which this user can make no files.

        As far as ``wanted`` takes them; at most ``most`` are looked at.
        """
        found = []
        for path, below, _ in itertools.islice(os.walk(self._root), most):
            inside = os.path.relpath(path, self._root)
            below[:] = sorted(n for n in below if not n.startswith("."))
            if (
                inside != "."
                and wanted(inside)
                and not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)
            ):
                found.append(inside)
        return found

    def list(self, names: Sequence[str]) -> list[str]:
        """List the regular files and folders in that folder.

        What :meth:`open` opens, and where it looks.
        """
        with self._folder(names) as walked:
            fd = os.open(".", _LIST, dir_fd=walked)
        try:
            with os.scandir(fd) as entries:
                return [
                    e.name
                    for e in entries
                    if e.is_file(follow_symlinks=False) or e.is_dir(follow_symlinks=False)
                ]
        finally:
            os.close(fd)

    def create(self, names: Sequence[str], fill: Callable[[IO[bytes]], object]) -> bool:
        """Make a file where nothing has its name; whether that was so.

        Written beside, then linked, so that nobody reads half of it. Where the file system knows no
        links an empty file takes the name first: one of several gets it.
        """
        with self._parent(names, make=True) as folder:
            rights = Path(self._root).stat()
            part = f".{secrets.token_hex(8)}.part"
            try:
                _fill_new(folder, part, fill, rights)
                return _take_name(folder, part, names[-1], rights)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(part, dir_fd=folder)

    def remove(self, names: Sequence[str]) -> None:
        """Remove what lies there, a link itself and not what it names.

        Raises:
            FileNotFoundError: there is nothing, or a folder.
        """
        with self._parent(names) as folder:
            try:
                os.unlink(names[-1], dir_fd=folder)
            except OSError:
                if stat.S_ISDIR(os.stat(names[-1], dir_fd=folder, follow_symlinks=False).st_mode):
                    raise FileNotFoundError(names[-1]) from None
                raise

    def _parent(
        self, names: Sequence[str], *, make: bool = False
    ) -> contextlib.AbstractContextManager[int]:
        return self._folder(names[:-1], make=make)

    @contextlib.contextmanager
    def _folder(self, names: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder that ``names`` lead to."""
        if make:
            Path(self._root).mkdir(parents=True, exist_ok=True)
        fd = os.open(self._root, _WALK & ~os.O_NOFOLLOW)
        try:
            rights = os.fstat(fd)
            for name in names:
                deeper = _make_and_enter(fd, name, rights) if make else _enter(fd, name)
                os.close(fd)
                fd = deeper
            yield fd
        finally:
            os.close(fd)


def _enter(folder: int, name: str) -> int:
    try:
        return os.open(name, _WALK, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:  # some systems' word for a link that is not to be followed
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name) from None
        raise


def _as_root(fd: int, rights: os.stat_result, mode: int) -> None:
    """Give what this process has just made the root's group and rights.

    A file system that keeps neither is none of our business.
    """
    with contextlib.suppress(OSError):
        if os.fstat(fd).st_gid != rights.st_gid:
            os.fchown(fd, -1, rights.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(fd, mode)


def _make_and_enter(folder: int, name: str, rights: os.stat_result) -> int:
    for _ in range(_TRIES):
        try:
            return _enter(folder, name)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=folder)
                made = os.open(name, _LIST, dir_fd=folder)
                try:
                    _as_root(made, rights, rights.st_mode & 0o3777)
                finally:
                    os.close(made)
        except NotADirectoryError:
            _set_aside(folder, name, unless=stat.S_ISDIR)
    return _enter(folder, name)


def _fill_new(
    folder: int,
    name: str,
    fill: Callable[[IO[bytes]], object],
    rights: os.stat_result,
) -> None:
    """Make a file that was not there, with the root's rights."""
    with os.fdopen(os.open(name, _NEW, 0o666, dir_fd=folder), "wb") as file:
        _as_root(file.fileno(), rights, rights.st_mode & 0o666)
        fill(file)


def _take_name(
    folder: int,
    part: str,
    name: str,
    rights: os.stat_result,
) -> bool:
    """Give a file a name that nothing has; whether that was so."""
    try:
        os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return True
    try:
        _fill_new(folder, name, lambda _: None, rights)
    except FileExistsError:
        return False
    os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def _move(folder: int, part: str, name: str) -> None:
    """Rename; a link or a pipe of that name is replaced, a folder set aside."""
    for _ in range(_TRIES):
        try:
            os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            _set_aside(folder, name, unless=stat.S_ISREG)
        else:
            return
    os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)


def _set_aside(folder: int, name: str, *, unless: Callable[[int], bool]) -> None:
    """Hide what is in the way, unless somebody else put there by now what belongs there."""
    with contextlib.suppress(FileNotFoundError):
        if not unless(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.rename(
                name,
                f".{secrets.token_hex(8)}.aside",
                src_dir_fd=folder,
                dst_dir_fd=folder,
            )
