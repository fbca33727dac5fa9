"""Files that a hospital signs for itself: its policy, its notices, its list of people.

Whoever else writes into the folder cannot change what such a file says, only make it unreadable.
"""

from __future__ import annotations

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
        body = {"type": self.kind, "site": site.name, self.field: content}
        replace_file(self.path(site), dump_signed(body, site.identity.sign))

    def drop(self, site: Site) -> bool:
        """Take it away; False where there was none."""
        there = self.path(site).exists()
        self.path(site).unlink(missing_ok=True)
        return there

    def read(
        self, site: Site, made: Callable[[Any], T], *, broken: str, next_step: str
    ) -> T | None:
        """Read the content by ``made``; None where there is no file.

        Args:
            site: the hospital.
            made: reads what was signed.
            broken: said after the file's path where it is not what this hospital signed.
            next_step: for its owner, then.

        Raises:
            UnreadableError: the file is not signed by this hospital's key, or ``made`` refuses it.
        """
        path = self.path(site)
        try:
            data = read_file(path, self.most)
        except FileNotFoundError:
            return None
        try:
            body = open_signed(
                data,
                kind=self.kind,
                fields=frozenset({"site", self.field}),
                verify=site.identity.card.verify_ever,
                sender=site.name,
                max_bytes=self.most,
            )
            return made(body[self.field])
        except (SecureFLError, TypeError, ValueError):
            raise UnreadableError(f"{path} {broken}", next_step=next_step) from None
