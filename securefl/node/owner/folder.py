"""Opening a hospital's folder, and making one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.boards.route import DIRECT
from securefl.node.request_ways import check_installed
from securefl.node.site import Site
from securefl.party.folder import WITH_PYSYFT

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.boards.route import Route
    from securefl.party.folder import RequestWord

__all__ = ["MadeSite", "Site", "make_site", "open_site"]


@dataclass(frozen=True)
class MadeSite:
    """A new hospital: its folder, its name, the card to hand out, and the groups to read aloud."""

    path: Path
    name: str
    card_file: Path
    fingerprint: str


def open_site(path: Path) -> Site:
    """Open a hospital's folder. Raises as :meth:`Site.at`."""
    return Site.at(path)


def make_site(
    path: Path,
    *,
    name: str,
    legal_name: str,
    email: str,
    store: str,
    requests: RequestWord = WITH_PYSYFT,
    route: Route = DIRECT,
) -> MadeSite:
    """Make a hospital's folder: keys, settings, an empty ledger.

    Raises as :meth:`Site.init`, and :class:`UsageError` where requests are to come through PySyft and
    it is not installed.
    """
    check_installed(requests)
    path = path.absolute()
    made = Site.init(
        path,
        name=name,
        legal_name=legal_name,
        email=email,
        store=store,
        requests=requests,
        route=route,
    )
    return MadeSite(path, name, path / "keys" / "card.json", made.identity.card.spoken)
