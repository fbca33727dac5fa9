"""Files that a hospital signs for itself: its policy, its notices, its list of people.

Whoever else writes into the folder cannot change what such a file says, only make it unreadable.
Nor can they take it away or put an older one back unnoticed: the ledger names the one in force by
its digest, or says that there is none.

A new content is kept beside the file first (``NAME.next``), then noted in the ledger, then put in
place. Killed in between, the file that the ledger names is there: under one name or the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from securefl.errors import SecureFLError, UnreadableError
from securefl.files import read_file, replace_file
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.node.site import Site

T = TypeVar("T")


@dataclass(frozen=True)
class OwnSigned:
    """One such file.

    Attributes:
        name: below the hospital's folder.
        kind: the word of its form, ``type`` in the signed text.
        field: the key of its content in that text.
        most: its largest size in bytes.
    """

    name: str
    kind: str
    field: str
    most: int

    def path(self, site: Site) -> Path:
        """Its place at this hospital."""
        return site.path / self.name

    def keep(self, site: Site, content: object) -> None:
        """Sign the content and keep it; what was there is replaced."""
        data = self._signed(site, content)
        replace_file(self._next(site), data)
        site.ledger.keep_file(self.name, hashlib.sha256(data).hexdigest())
        replace_file(self.path(site), data)
        self._next(site).unlink(missing_ok=True)

    def names(self, site: Site, content: object) -> bool:
        """True where the ledger says that exactly this content is in force."""
        return self.digest(site) == hashlib.sha256(self._signed(site, content)).hexdigest()

    def drop(self, site: Site) -> bool:
        """Take it away, as the ledger notes; False where there was none."""
        there = site.ledger.state.own_files.get(self.name) is not None or self.path(site).exists()
        if there:
            site.ledger.keep_file(self.name, None)
        for file in (self.path(site), self._next(site)):
            file.unlink(missing_ok=True)
        return there

    def adopt(self, site: Site) -> None:
        """Note a file in the ledger that an earlier version signed without telling it.

        One that this hospital did not sign is left alone: whoever reads it refuses it.
        """
        if self.name in site.ledger.state.own_files:
            return
        try:
            data = read_file(self.path(site), self.most)
            self._opened(site, data)
        except (OSError, SecureFLError):
            return
        site.ledger.keep_file(self.name, hashlib.sha256(data).hexdigest())

    def digest(self, site: Site) -> str | None:
        """Digest (hex) of the file in force, as the ledger has it; None where there is none."""
        return site.ledger.state.own_files.get(self.name)

    def read(
        self,
        site: Site,
        made: Callable[[Any], T],
        *,
        broken: str,
        next_step: str,
    ) -> T | None:
        """Read the content in force by ``made``; None where there is none.

        Args:
            site: the hospital.
            made: reads what was signed.
            broken: said after the file's path where it is not what this hospital signed.
            next_step: for its owner, then.

        Raises:
            UnreadableError: the file is not signed by this hospital's key, or ``made`` refuses it;
                or it is gone, or another than the ledger says is in force.
        """
        files = site.ledger.state.own_files
        path = self.path(site)
        if self.name not in files:
            return self.read_signed(site, made, broken=broken, next_step=next_step)
        wanted = files[self.name]
        if wanted is None:
            return None
        lying = [data for file in (path, self._next(site)) if (data := _bytes(file, self.most))]
        for data in lying:
            if hashlib.sha256(data).hexdigest() == wanted:
                return self._made(site, data, made, broken=broken, next_step=next_step)
        for data in lying:  # one that this hospital never signed is called so
            self._made(site, data, made, broken=broken, next_step=next_step)
        why = "is not the one that the ledger says is in force: an older one was put back."
        if not path.exists():
            why = "is gone, and the ledger says that it is in force: somebody took it away."
        raise UnreadableError(f"{path} {why}", next_step=next_step)

    def read_signed(
        self,
        site: Site,
        made: Callable[[Any], T],
        *,
        broken: str,
        next_step: str,
    ) -> T | None:
        """Read what lies in the folder, by its signature alone: for a thread without the ledger.

        Raises as :meth:`read`, but for a file that is gone or an older one.
        """
        try:
            data = read_file(self.path(site), self.most)
        except FileNotFoundError:
            return None
        except SecureFLError:
            raise UnreadableError(f"{self.path(site)} {broken}", next_step=next_step) from None
        return self._made(site, data, made, broken=broken, next_step=next_step)

    def _made(
        self,
        site: Site,
        data: bytes,
        made: Callable[[Any], T],
        *,
        broken: str,
        next_step: str,
    ) -> T:
        try:
            return made(self._opened(site, data))
        except (SecureFLError, TypeError, ValueError):
            raise UnreadableError(f"{self.path(site)} {broken}", next_step=next_step) from None

    def _opened(self, site: Site, data: bytes) -> Any:  # noqa: ANN401 - what JSON holds
        """Content of a file, its signature checked. Raises :class:`MessageError`."""
        body = open_signed(
            data,
            kind=self.kind,
            fields=frozenset({"site", self.field}),
            verify=site.identity.card.verify_ever,
            sender=site.name,
            max_bytes=self.most,
        )
        return body[self.field]

    def _signed(self, site: Site, content: object) -> bytes:
        body = {"type": self.kind, "site": site.name, self.field: content}
        return dump_signed(body, site.identity.sign)

    def _next(self, site: Site) -> Path:
        return site.path / f"{self.name}.next"


def _bytes(file: Path, most: int) -> bytes | None:
    """Content of a file; None where it is not there. One that is too long is read as far as that."""
    try:
        with file.open("rb") as opened:
            return opened.read(most + 1)
    except OSError:
        return None
