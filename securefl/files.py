"""Files of a party: read only regular ones, keep secrets to their owner, make folders whole.

Every function raises :class:`OSError` with path and reason where the file system refuses, or one of
our errors where there is more to say.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING, Final

from securefl.errors import SecureFLError, UnreadableError, UsageError, file_error
from securefl.undumpable import make_undumpable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

#: What fsync(2) of a folder gives where the file system has no such thing (CIFS, some FUSE): its
#: names are as durable as they get.
_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF})
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_file(path: Path, max_bytes: int | None = None) -> bytes:
    """The bytes of a regular file, of at most ``max_bytes + 1`` of them.

    A pipe in the place of a file would be waited for without end: the kind is looked at before
    anything is read.

    Raises:
        OSError: there is no such file, it is something else, or it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(fd).st_mode, path)
        with os.fdopen(fd, "rb", closefd=False) as file:
            if max_bytes is None:
                return file.read()
            return file.read(max_bytes + 1)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        os.close(fd)


def read_given(path: Path, max_bytes: int | None = None) -> bytes:
    """:func:`read_file` of a file that a user named; what goes wrong is an error of ours.

    Raises:
        UnreadableError: path, reason, next step.
    """
    try:
        return read_file(path, max_bytes)
    except OSError as error:
        raise file_error(error, path) from None


def check_regular(mode: int, path: Path) -> None:
    """Raise :class:`OSError` unless a file of this mode is a regular one.

    The text says what it is instead.
    """
    if stat.S_ISREG(mode):
        return
    kind = next((words for test, words in _KINDS if test(mode)), "no file")
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(number, f"It is {kind}, and a file is needed here", str(path))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the file system can.

    fsync(2): a file's own does not.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            error.filename = str(folder)
            raise
    finally:
        os.close(fd)


def check_kept_to_owner(path: Path) -> None:
    """See that what was made for its owner alone is closed to others, as it was asked for.

    A Windows drive under WSL, CIFS without `unix` extensions and exFAT give every file one mode,
    and chmod(2) changes nothing.

    Raises:
        UnreadableError: others may read it.
    """
    if kept_mode(path) & 0o077:
        raise UnreadableError(
            f"The file system of {path} keeps no permissions (mode {kept_mode(path):o} whatever is"
            " asked for): everybody on this machine could read the keys.",
            whose="this machine's operator",
            next_step=(
                "Choose a folder on a disk of this machine's own, such as your home directory; a"
                " Windows drive under WSL, CIFS or exFAT will not do."
            ),
        )


def kept_mode(path: Path) -> int:
    """The permission bits that a path has now."""
    return stat.S_IMODE(path.stat().st_mode)


def private_folder(path: Path) -> Path:
    """``path`` as a folder that only its owner enters (0700)."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    check_kept_to_owner(path)
    return path


def entries(folder: Path) -> list[Path]:
    """Files and folders in ``folder``, by name; none where it is not there.

    Hidden ones are left out: so begins the name of what a killed process had not finished.
    """
    return [folder / name for name in names_in(folder)]


def names_in(folder: Path) -> list[str]:
    """Names of :func:`entries`, where thousands of paths would take time."""
    if not folder.is_dir():
        return []
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208 - names, and not paths


def files_below(
    folder: Path,
    most: int,
    refused: Callable[[str], SecureFLError],
) -> set[str]:
    """Names, relative to ``folder``, of all files in it and below; hidden ones too.

    For folders that another party made: a link could lead out of it.

    Args:
        folder: where to look.
        most: files that may be there.
        refused: the error for a reason.

    Raises:
        SecureFLError: what ``refused`` makes, where something is neither file nor folder, or there are
            too many files.
    """
    found: set[str] = set()
    for above, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(above, name)  # noqa: PTH118 - as os.walk gives it
            if os.path.islink(path) or not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH112, PTH113, PTH114 - as above
                raise refused(f"{os.path.relpath(path, folder)!r} is no file")
        found.update(os.path.relpath(os.path.join(above, name), folder) for name in names)  # noqa: PTH118 - as above
        if len(found) > most:
            raise refused("it holds too many files")
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_secret(path: Path, data: bytes) -> None:
    """Create ``path`` with mode 0600, never overwriting, and make it durable."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UnreadableError(
            f"{path} exists already; keys are never overwritten.",
            next_step="Choose another folder, or move the old keys away yourself.",
        ) from None

    def fill(file: BinaryIO) -> None:
        check_kept_to_owner(path)
        file.write(data)

    try:
        _write_through(fd, fill)
    except BaseException:  # half a key is none
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write_through(fd: int, write: Callable[[BinaryIO], object]) -> None:
    with os.fdopen(fd, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def erase_file(path: Path) -> None:
    """Overwrite a secret in place, then remove it; harmless when it is gone.

    On disks that write elsewhere (SSD, snapshots) the old bytes may live on.
    """
    try:
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return


def read_secret(path: Path, size: int) -> bytes:
    """Read a key file of exactly ``size`` bytes that only its owner may read.

    Raises:
        UnreadableError: missing, readable by others, or of another size.
    """
    data = _read_closed(path, size)
    if len(data) != size:
        raise UnreadableError(
            f"{path} is not a key of {size} bytes.", next_step="Restore it from your backup."
        )
    return data


def read_password(path: Path) -> str:
    """Read the first line of a file that only its owner may read.

    Raises:
        UnreadableError: missing, readable by others, empty or no text.
    """
    line = _read_closed(path, 4096).split(b"\n")[0].rstrip(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise UnreadableError(
            f"{path} holds no password.", next_step="Write the password into its first line."
        )
    return text


def _read_closed(path: Path, size: int) -> bytes:
    """At most ``size + 1`` bytes of a file that only its owner may read. Raises as the callers."""
    make_undumpable()
    try:
        mode = kept_mode(path)
        data = read_file(path, size)
    except OSError as error:
        raise UnreadableError(
            f"{path} cannot be read: {error.strerror}.", next_step="Restore it from your backup."
        ) from None
    if mode & 0o077:
        raise UnreadableError(
            f"{path} is readable by others (mode {mode:o}).", next_step=_close_it(path)
        )
    return data


def _close_it(path: Path) -> str:
    return (
        f"chmod 600 {path}. Where that changes nothing (a Windows drive, CIFS, exFAT), move the"
        " folder to a disk of this machine's own."
    )


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write ``data`` beside ``path``, make it durable, then move it into place.

    A reader sees the old or the new file.
    """
    write_file(path, lambda file: file.write(data), mode)


def write_file(path: Path, write: Callable[[BinaryIO], object], mode: int = 0o600) -> None:
    """:func:`replace_file` of what ``write`` writes into the file it is given.

    Where it fails, nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        _write_through(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), write)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def made_whole(path: Path, last: str) -> Iterator[Path]:
    """Make a folder that stands at ``path`` complete when the block ends, or not at all.

    It is filled beside ``path`` under a hidden name and renamed. A folder that stands at ``path``
    already stays the same one, for somebody may work in it: what is made is filled inside, and its
    entries are moved up one by one, ``last``, which makes the folder what it is, at the end.

    Args:
        path: where it will stand; missing, empty, or with entries of other names.
        last: the name of the entry that is moved last.

    Raises:
        UsageError: ``path`` is no folder, or has an entry of a name that is to be made.
        UnreadableError: the file system refuses.
    """
    # inside, a mounted volume is one file system and no right to write beside it is needed
    around = path if path.is_dir() else path.parent
    building = around / f".{path.name}.{secrets.token_hex(8)}.part"
    try:
        around.mkdir(parents=True, exist_ok=True)
        building.mkdir(mode=0o700)
        yield building
        _put_in_place(building, path, last)
        sync_folder(path.parent)
    except SecureFLError as error:  # the hidden name says nothing to anybody
        error.what = error.what.replace(str(building), str(path))
        raise
    except OSError as error:
        if error.filename is not None:
            error.filename = str(error.filename).replace(str(building), str(path))
        raise file_error(error, path) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _put_in_place(building: Path, path: Path, last: str) -> None:
    if not path.exists():
        building.rename(path)
        return
    names = sorted((p.name for p in building.iterdir()), key=lambda n: n == last)
    taken = [n for n in names if os.path.lexists(path / n)]
    if taken:
        raise UsageError(
            f"{path} has {', '.join(taken)} already.",
            next_step=(
                "Choose another folder, or move that away yourself; keys are never overwritten."
            ),
        )
    path.chmod(0o700)
    moved: list[str] = []
    try:
        for name in names:
            (building / name).rename(path / name)
            moved.append(name)
    except OSError:
        for name in reversed(moved):
            (path / name).rename(building / name)
        raise
    sync_folder(path)
