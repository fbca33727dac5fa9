"""Opens a board by its URL: the carrier is the one registered for the URL's scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.boards.board import CarriedBoard
from securefl.boards.carrier import CARRIERS, ONE_AT_A_TIME
from securefl.boards.diagnosis import trouble
from securefl.boards.route import DIRECT, scheme_of
from securefl.boards.url import without_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.carrier import Carrier
    from securefl.boards.route import Route


def open_board(
    url: str,
    marker: str | None = None,
    route: Route = DIRECT,
) -> CarriedBoard:
    """The board at ``url``.

    Args:
        url: ``/a/folder``, ``file:///a/folder``, ``memory://name``, ``s3://bucket/prefix`` and so
            on.
        marker: see :class:`~securefl.boards.board.CarriedBoard`.
        route: how a store on a server is reached.

    Raises:
        UsageError: the route is none that a store of this kind takes.
        StoreError: the URL cannot be opened.
    """
    shown = without_password(url)
    route.check(url)
    routed = () if route == DIRECT else (route,)
    try:
        with ONE_AT_A_TIME:
            carrier = _maker(url)(url, *routed)
    except Exception as error:  # noqa: BLE001 - some file systems connect here, and each has errors of its own
        raise trouble(
            error,
            route,
            what=f"The store {shown} cannot be opened",
            usual="Check the URL, the network and its fsspec package.",
        ) from None
    return CarriedBoard(shown, carrier, marker, route)


def _maker(url: str) -> Callable[..., Carrier]:
    scheme = scheme_of(url)
    return CARRIERS[scheme if scheme in CARRIERS else "fsspec"]
