"""Carrier over WebDAV (RFC 4918): a folder of a web server, such as Nextcloud's.

User and password stand in the account's ``~/.netrc``, so that no settings hold them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from securefl.boards.fsspec import FsspecCarrier
from securefl.boards.route import DIRECT

if TYPE_CHECKING:
    from securefl.boards.route import Route

#: Scheme of a store → scheme of its server.
_SERVERS: Final = {"webdav": "http", "dav": "http", "webdavs": "https", "davs": "https"}
#: Seconds until a server that does not answer is an error of the store.
_PATIENCE: Final = 30.0


class WebdavCarrier(FsspecCarrier):
    """Objects below one folder of a web server.

    Args:
        url: ``davs://host/folder``; ``dav://`` without TLS, for a server of this machine.
        route: how the server is reached.
    """

    def __init__(self, url: str, route: Route = DIRECT) -> None:
        import httpx
        from webdav4.fsspec import WebdavFileSystem

        parts = urlsplit(url)
        server = urlunsplit((_SERVERS[parts.scheme], parts.netloc, "", "", ""))
        secrets = Path.home() / ".netrc"
        auth = httpx.NetRCAuth(str(secrets)) if secrets.is_file() else None
        super().__init__(
            WebdavFileSystem(
                server,
                auth=auth,
                timeout=_PATIENCE,
                proxy=route.proxy or None,
                verify=route.authorities() if route.ca_file else True,
            ),
            parts.path.strip("/"),
        )

    def _move(self, part: str, target: str) -> None:
        """Take the place of an older object in one request; fsspec's own move refuses that."""
        if self._fs.isdir(target):
            raise IsADirectoryError(target)
        self._fs.client.move(part, target, overwrite=True)

    def _check_moves_to_new(self) -> None:
        """A move with ``Overwrite: F`` refuses to replace (RFC 4918, 10.6)."""

    def _move_to_new(self, part: str, target: str) -> None:
        """See :class:`FsspecCarrier`."""
        from webdav4.client import ResourceAlreadyExists

        try:
            self._fs.client.move(part, target, overwrite=False)
        except ResourceAlreadyExists:
            raise FileExistsError(target) from None
