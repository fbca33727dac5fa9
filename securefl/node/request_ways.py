"""Ways by which a hospital takes requests: through its PySyft datasite, which is usual, or off the
board without PySyft.

Each is one intake. It carries requests and decides nothing: what runs is decided by the signed
approvals in the ledger.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from securefl.datasite.address import site_email
from securefl.datasite.import_stand_ins import unused_left_out
from securefl.datasite.inbox_probe import waiting
from securefl.errors import UsageError
from securefl.node.board_intake import LOOKS, BoardIntake
from securefl.party.folder import WITH_PYSYFT, WITHOUT_PYSYFT

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.node.site import Site
    from securefl.party.folder import RequestWord


class RequestIntake(Protocol):
    """One way to take in requests."""

    def news(self, site: Site) -> tuple[object, ...]:
        """What an exchange depends on, as far as it can be seen without one.

        Raises:
            StoreError: the board is away.
        """

    def exchange(self, site: Site, say: Callable[[str], None]) -> Site:
        """One exchange; returns the site with its settings as they are now.

        Raises:
            StoreError: the board is away.
        """

    def look_again(self, site: Site, say: Callable[[str], None]) -> None:
        """Look, where no exchange is due, at what may have become a request since.

        Raises:
            StoreError: the board is away.
        """


class PySyftIntake:
    """Intake through the hospital's datasite (:mod:`securefl.node.request_intake`)."""

    def news(self, site: Site) -> tuple[object, ...]:
        """Messages in the datasite's inbox; see :meth:`RequestIntake.news`."""
        return waiting(site.board, site_email(site.name))

    def exchange(self, site: Site, say: Callable[[str], None]) -> Site:
        """One exchange with PySyft; see :meth:`RequestIntake.exchange`.

        Raises:
            UsageError: PySyft is not installed.
        """
        check_installed(WITH_PYSYFT)
        if "syft" not in sys.modules:
            with unused_left_out():
                import_module("securefl.datasite.pysyft")  # takes a second
        from securefl.node.request_intake import sync_datasite

        return sync_datasite(site, say)

    def look_again(self, site: Site, say: Callable[[str], None]) -> None:
        """Nothing: each message is news by itself."""


def intake_of(
    site: Site,
    looks: int | None = LOOKS,
    clock: Callable[[], float] = time.monotonic,
) -> RequestIntake:
    """Make the intake that the hospital's settings name.

    Args:
        site: the hospital.
        looks: studies on the board that one exchange looks at; None for all.
        clock: the monotonic clock, in seconds.
    """
    if site.has_pysyft:
        return PySyftIntake()
    return BoardIntake(looks, clock)


def pysyft_installed() -> bool:
    """True if PySyft can be imported here; nothing of it is."""
    return find_spec("syft") is not None


def check_installed(way: RequestWord) -> None:
    """Refuse the way through PySyft on a machine without it.

    Raises:
        UsageError: PySyft is not installed.
    """
    if way == WITH_PYSYFT and not pysyft_installed():
        raise UsageError(
            "This hospital takes requests through PySyft, and PySyft is not installed here.",
            whose="this machine's operator",
            next_step=(
                "Install all of securefl, or take requests without PySyft: a new folder by"
                f' `securefl site init --without-pysyft`, this one by `requests = "{WITHOUT_PYSYFT}"`'
                " in its site.toml."
            ),
        )
