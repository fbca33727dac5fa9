"""The store: one fsspec location under both carriers (PySyft's and the rounds'). It is trusted with
nothing.

Every object is written under a temporary name and moved, so that a reader never sees half of one;
every read has a length cap, so that a hostile operator cannot fill our memory (rule 5).
"""

from __future__ import annotations

import contextlib
import io
import re
import secrets
import shutil
import stat
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import fsspec

from securefl.capped import CappedReader, too_long
from securefl.errors import MessageError, SecureFLError, StoreError
from securefl.shared_folder import SharedFolder
from securefl.store_url import reason, without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

#: Bytes that are copied at a time.
_PIECE: Final = 1 << 20
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
#: Seconds between two tries at a store that is away: the first, and at most.
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
#: The object whose words tell one store from another, and what one looks like.
MARKER: Final = "securefl-store"
MARKER_FORM: Final = re.compile(r"securefl-store/1 [0-9a-f]{32}")
#: File systems whose clients are not made for several threads get one call at a time, whoever asks.
_ONE_AT_A_TIME: Final = threading.RLock()
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}")


class Store:
    """Objects by path below one fsspec URL; a plain path means a folder.

    Args:
        url: ``/a/folder``, ``file:///a/folder``, ``memory://name``, ``s3://bucket/prefix`` and so
            on.
        marker: what marks the store that this party used before (:mod:`securefl.store_marker`): at
            a store without it nothing is read and nothing is written.

    Raises:
        StoreError: the URL cannot be opened.
    """

    def __init__(self, url: str, marker: str | None = None) -> None:
        self.url = without_password(url)
        self.marker = marker
        self._seen_marker: object = None
        try:
            with _ONE_AT_A_TIME:
                fs, root = fsspec.core.url_to_fs(url)
        except Exception as error:  # noqa: BLE001 - some file systems connect here, and each has errors of its own
            raise StoreError(
                f"The store {self.url} cannot be opened: {reason(error)}.",
                next_step="Check the URL, the network and its fsspec package.",
            ) from None
        self._fs: Any = fs
        self._root: str = str(root).rstrip("/")
        self._local = "file" in _protocols(fs)
        self._folder = SharedFolder(self._root)
        self._memory = "memory" in _protocols(fs)
        self.folder = self._folder if self._local else None
        alone = self._local or self._memory or getattr(fs, "async_impl", False)
        self._turn: contextlib.AbstractContextManager[Any] = (
            contextlib.nullcontext() if alone else _ONE_AT_A_TIME
        )

    def put(self, path: str, data: bytes | bytearray) -> None:
        """Write an object; replaces an older one as a whole.

        Raises:
            StoreError: the store cannot be written.
        """
        target, part = self._place(path)
        with self._writing(target):
            if self._local:
                self._folder.write(path.split("/"), lambda file: file.write(data))
            elif (
                self._memory
            ):  # one assignment; a move would end inside a folder of the target's name
                self._fs.pipe_file(target, data)
            else:
                self._fs.pipe_file(part, data)
                self._fs.mv(part, target)

    def put_file(self, path: str, source: IO[bytes]) -> None:
        """Write an object from a file, from where it stands to its end, a piece at a time; replaces
        an older one as a whole.

        Raises:
            StoreError: the store cannot be written.
        """
        target, part = self._place(path)
        with self._writing(target):
            if self._local:
                self._folder.write(
                    path.split("/"), lambda file: shutil.copyfileobj(source, file, _PIECE)
                )
            elif self._memory:
                self._fs.pipe_file(target, source.read())
            else:
                with self._fs.open(part, "wb") as file:
                    shutil.copyfileobj(source, file, _PIECE)
                self._fs.mv(part, target)

    def get(self, path: str, max_bytes: int) -> bytes | None:
        """The object's bytes, or None where there is none. In a folder only regular files are
        objects: no pipe, no link.

        Raises:
            MessageError: the object is longer than ``max_bytes``; nothing of it is kept.
            StoreError: the store cannot be read.
        """
        data = self.get_head(path, max_bytes + 1)
        if data is not None and len(data) > max_bytes:
            raise too_long(path, max_bytes)
        return data

    def get_head(self, path: str, size: int) -> bytes | None:
        """The object's first ``size`` bytes, all of it where it is shorter; None where there is
        none.

        Raises:
            StoreError: the store cannot be read.
        """
        target = self._full(path)
        try:
            with self._reading():
                if self._memory:  # its open files share one position between threads
                    data: bytes = self._fs.cat_file(target, 0, size)
                else:
                    with self._opened(path) as file:
                        data = file.read(size)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return data

    @contextlib.contextmanager
    def open(self, path: str, max_bytes: int) -> Iterator[CappedReader | None]:
        """The object to be read piece by piece, or None where there is none: ``with store.open(…)
        as file``.

        What is read may change under the reader's hands, as all that lies in a store.

        Raises:
            MessageError: out of ``read``, more than ``max_bytes`` are there.
            StoreError: the store cannot be read.
        """
        target = self._full(path)
        file: IO[bytes] | None = None
        try:
            with self._reading():
                if self._memory:  # as in get_head
                    file = io.BytesIO(self._fs.cat_file(target, 0, max_bytes + 1))
                else:
                    file = self._opened(path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            pass
        try:
            yield None if file is None else CappedReader(file, path, max_bytes, self._reading)
        finally:
            if file is not None:
                with contextlib.suppress(StoreError), self._reading():
                    file.close()

    def stamp(self, path: str) -> str | None:
        """Something cheap that is another when the object changed; None where there is none, or
        nothing tells.

        Whoever writes to the store can forge it: it saves work, it proves nothing.

        Raises:
            StoreError: the store cannot be read.
        """
        target = self._full(path)
        try:
            with self._reading():
                if self._local:
                    found = self._folder.stat(path.split("/"))
                    return (
                        f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}"
                        if stat.S_ISREG(found.st_mode)
                        else None
                    )
                self._fs.invalidate_cache()
                info = self._fs.info(target)
        except (FileNotFoundError, NotADirectoryError):
            return None
        facts = [f"{name}={info[name]}" for name in _CHANGES if info.get(name)]
        return "-".join([*facts, f"size={info.get('size')}"]) if facts else None

    def exists(self, path: str) -> bool:
        """Whether there is an object or a folder of that name; in a folder, a pipe or a link is
        neither.

        Raises:
            StoreError: the store cannot be read.
        """
        target = self._full(path)
        try:
            with self._reading():
                if self._local:
                    mode = self._folder.stat(path.split("/")).st_mode
                    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
                self._fs.invalidate_cache()
                return bool(self._fs.exists(target))
        except (FileNotFoundError, NotADirectoryError):
            return False

    def list(self, prefix: str = "") -> list[str]:
        """Names of the objects and folders directly below ``prefix``, sorted; temporary files,
        links and pipes are left out.
        """
        target = self._full(prefix) if prefix else self._root
        try:
            with self._reading():
                if self._local:
                    found = self._folder.list(prefix.split("/") if prefix else ())
                else:
                    self._fs.invalidate_cache()
                    found = self._fs.ls(target, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = (
            str(p).rstrip("/").rsplit("/", 1)[-1] for p in found if str(p).rstrip("/") != target
        )
        return sorted(n for n in names if _SAFE.fullmatch(n) and (prefix or n != MARKER))

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""
        target = self._full(path)
        try:
            with self._calling("written", "Check its permissions."):
                if self._local:
                    self._folder.remove(path.split("/"))
                else:
                    self._fs.rm_file(target)
        except (FileNotFoundError, NotADirectoryError):
            return

    def check_writable(self) -> None:
        """Write, read and remove a small object.

        Raises:
            StoreError: one of the three fails.
        """
        name, token = f"doctor-{secrets.token_hex(4)}", secrets.token_bytes(16)
        self.put(name, token)
        if self.get(name, 16) != token:
            raise StoreError(
                f"The store {self.url} does not return what was written.",
                next_step="Check its configuration.",
            )
        self.delete(name)

    def mark(self, text: str) -> str:
        """Mark the store with ``text`` unless it is marked already; returns what marks it.

        Raises:
            StoreError: it cannot be written, or what lies in the marker's place is none.
        """
        found = self._read_marker()
        if found is None:
            self.put(MARKER, text.encode())
            found = self._read_marker()
        if found is None or not MARKER_FORM.fullmatch(found):
            raise StoreError(
                f"The store {self.url} has an object '{MARKER}' that marks no store.",
                next_step="Remove it, or name another store.",
            )
        return found

    def _read_marker(self) -> str | None:
        data = self.get(MARKER, 200)
        return None if data is None else data.decode("ascii", "replace").strip()

    def _reading(self) -> contextlib.AbstractContextManager[None]:
        return self._calling("read", "Check that it is reachable.")

    @contextlib.contextmanager
    def _writing(self, target: str) -> Iterator[None]:
        step = "Check its permissions and free space."
        try:
            with self._calling("written", step):
                if not self._local:
                    self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                yield
        except OSError as error:  # a write that ends with "no such file" is one that failed
            raise self._trouble(error, "written", step) from None

    @contextlib.contextmanager
    def _calling(self, doing: str, next_step: str) -> Iterator[None]:
        """One call of the file system: in its turn, at the right store, and with its errors in our
        words.

        "No such file" goes on to the caller, who knows whether that is an error.

        Raises:
            StoreError: everything else that the file system raises; each kind has errors of its
                own.
        """
        with self._turn:
            try:
                self._check_marker()
                yield
            except (SecureFLError, FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise
            except Exception as error:  # noqa: BLE001 - botocore, paramiko and ftplib share no base class
                raise self._trouble(error, doing, next_step) from None

    def _trouble(self, error: Exception, doing: str, next_step: str) -> StoreError:
        return StoreError(
            f"The store {self.url} cannot be {doing}: {reason(error)}.", next_step=next_step
        )

    def _check_marker(self) -> None:
        """Nothing is read or written at another store than the one used before: a share that is not
        mounted is an empty folder.

        A folder is looked at each time, for mounts come and go; another store once.
        """
        if self.marker is None:
            return
        try:
            if self._local:
                facts = self._folder.stat((MARKER,))
                seen: object = (facts.st_dev, facts.st_ino, facts.st_mtime_ns)
            else:
                seen = True
            if seen == self._seen_marker:
                return
            if self._memory:
                data = self._fs.cat_file(self._full(MARKER), 0, 200)
            else:
                with self._opened(MARKER) as file:
                    data = file.read(200)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            data = b""
            seen = None
        if data.decode("ascii", "replace").strip() != self.marker:
            raise StoreError(
                f"{self.url} is not the store that was used here"
                f" before{'' if data else ': it has no marker'}. Nothing was written to it.",
                next_step=(
                    "If it is a share or disk, see that it is mounted. If the store has really"
                    " moved, remove the file 'store.id' of your own folder."
                ),
            )
        self._seen_marker = seen

    def _opened(self, path: str) -> Any:  # noqa: ANN401 - fsspec ships no types
        return (
            self._folder.open(path.split("/"))
            if self._local
            else self._fs.open(self._full(path), "rb")
        )

    def _place(self, path: str) -> tuple[str, str]:
        """Where the object lies, and the temporary name beside it."""
        target = self._full(path)
        return target, f"{target.rsplit('/', 1)[0]}/.{secrets.token_hex(8)}.part"

    def _full(self, path: str) -> str:
        parts = path.split("/")
        if not all(_SAFE.fullmatch(p) and ".." not in p for p in parts):
            raise MessageError(f"{path!r} is not a canonical path in the store.")
        return "/".join((self._root, *parts))


def _protocols(fs: Any) -> tuple[str, ...]:  # noqa: ANN401 - fsspec ships no types
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def persist(
    work: Callable[[], T], seconds: float, told: Callable[[StoreError], None] | None = None
) -> T:
    """Do ``work``, and while the store is away do it again, less and less often, for ``seconds``.

    Every party rides out a passing store error with this: what one of them cannot write for some
    seconds is no reason to end a study for all. ``work`` must be harmless when repeated, as reads
    and whole writes of a store are.

    Args:
        work: what is done; called at least once.
        seconds: how long it may be tried, at most: the deadline of what is being done.
        told: hears of the first failure, when it will be tried again.

    Raises:
        StoreError: the last one, when the time is over.
    """
    end = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            return work()
        except StoreError as error:
            left = end - time.monotonic()
            if left <= 0:
                raise
            if told is not None and pause == _FIRST_PAUSE:
                told(error)
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)


def poll(
    found: Callable[[], Any],
    *,
    seconds: float,
    first: float = 0.005,
    longest: float = 0.1,
    told: Callable[[StoreError], None] | None = None,
) -> Iterator[Any]:
    """Ask ``found`` until it returns something other than None or ``seconds`` have passed; yields
    that one result, or nothing.

    Raises:
        StoreError: the time is over and the store is away (:func:`persist`).
    """
    end, pause = time.monotonic() + seconds, first
    while True:
        result = persist(found, end - time.monotonic(), told)
        if result is not None:
            yield result
            return
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)
