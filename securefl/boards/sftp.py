"""Carrier over SFTP: a folder on a host that ssh reaches, by the account's own keys.

The host's key must stand in ``known_hosts``, as for ssh: who stands in the way of the first
connection is no store. A connection that broke is made again with the next call.
"""

from __future__ import annotations

import hashlib
import stat
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final

from fsspec.implementations.sftp import SFTPFileSystem

from securefl.boards.fsspec import FsspecCarrier
from securefl.boards.route import DIRECT
from securefl.boards.tunnel import tunnel

if TYPE_CHECKING:
    from securefl.boards.route import Route

#: Seconds until a host that does not answer is an error of the store.
_PATIENCE: Final = 30.0
#: Requests that may be under way while a file is read: each is 32 KiB.
_AHEAD: Final = 64
#: Bytes of an object that tell one from another: what we post begins with its signature.
_HEAD: Final = 1024
#: Seconds between two signs of life, so that no firewall forgets an idle connection.
_SIGN_OF_LIFE: Final = 60


class _KnownHost(SFTPFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """File system of a host whose key is known.

    Args:
        host: its name.
        route: may name a proxy.
        words: for paramiko.
    """

    def __init__(self, host: str, route: Route, **words: Any) -> None:  # noqa: ANN401 - paramiko's own
        self._route = route
        super().__init__(host, **words)

    def _connect(self) -> None:
        import paramiko

        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        self.client.connect(
            self.host,
            timeout=_PATIENCE,
            banner_timeout=_PATIENCE,
            auth_timeout=_PATIENCE,
            sock=tunnel(self._route, self.host, self.ssh_kwargs.get("port"), _PATIENCE),
            **self.ssh_kwargs,
        )
        self.client.get_transport().set_keepalive(_SIGN_OF_LIFE)
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(_PATIENCE)

    def connect_again(self) -> None:
        """Connect where the connection is gone."""
        transport = self.client.get_transport()
        if transport is None or not transport.is_active():
            self.client.close()
            self._connect()


class SftpCarrier(FsspecCarrier):
    """Objects below one folder of a host.

    Args:
        url: ``sftp://user@host:port/folder``; the port where it is not 22.
        route: how the host is reached.
    """

    def __init__(self, url: str, route: Route = DIRECT) -> None:
        words = _KnownHost._get_kwargs_from_urls(url)  # noqa: SLF001 - how fsspec itself reads one
        super().__init__(
            _KnownHost(route=route, skip_instance_cache=True, **words),
            _KnownHost._strip_protocol(url),  # noqa: SLF001
        )

    def open(self, path: str, most: int) -> IO[bytes]:
        """See :class:`Carrier`. What is read next is asked for before it is needed."""
        file, facts = self._opened(path)
        file.prefetch(min(facts.st_size, most), _AHEAD)
        opened: IO[bytes] = file
        return opened

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`. The server tells times in whole seconds: the first bytes tell more."""
        file, facts = self._opened(path)
        with file:
            head = hashlib.sha256(file.read(_HEAD)).hexdigest()
        return f"{facts.st_mtime}-{facts.st_size}-{head}"

    def _opened(self, path: str) -> tuple[Any, Any]:
        """A file and what the server says of it. A folder opens, too, and fails when it is read."""
        file = self._fs.ftp.open(self._full(path), "rb")
        facts = file.stat()
        if stat.S_ISDIR(facts.st_mode):
            file.close()
            raise IsADirectoryError(path)
        return file, facts

    def _make_folder(self, folder: str) -> None:
        """Ask for the folder itself first: each folder above it is a journey of its own.

        Where another party makes one of them at the same time the server says "failure" and no
        more: then it is asked again, at most once for each of them.
        """
        for _ in folder.split("/"):
            if self._fs.isdir(folder):
                return
            with suppress(OSError):
                self._fs.makedirs(folder, exist_ok=True)
                return
        self._fs.makedirs(folder, exist_ok=True)

    def _begin(self, part: str) -> IO[bytes]:
        """Send on without waiting for each answer; closing waits for the last."""
        file: Any = self._fs.ftp.open(part, "wb")
        file.set_pipelined(True)
        opened: IO[bytes] = file
        return opened

    def _check_moves_to_new(self) -> None:
        """SFTP's own rename refuses to replace; OpenSSH makes it a link, so that one of two wins."""

    def _move_to_new(self, part: str, target: str) -> None:
        """See :class:`FsspecCarrier`. A refusal says "failure" and no more."""
        try:
            self._fs.ftp.rename(part, target)
        except OSError:
            if self._fs.exists(target):
                raise FileExistsError(target) from None
            raise

    @property
    def _fs(self) -> Any:  # noqa: ANN401 - fsspec ships no types
        self._system.connect_again()
        return self._system

    @_fs.setter
    def _fs(self, system: _KnownHost) -> None:
        self._system = system
