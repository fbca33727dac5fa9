"""Opens a board by its URL: the carrier is the one registered for the URL's scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.boards.board import CarriedBoard
from securefl.boards.carrier import CARRIERS, ONE_AT_A_TIME
from securefl.boards.url import reason, without_password
from securefl.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.carrier import Carrier


def open_board(url: str, marker: str | None = None) -> CarriedBoard:
    """The board at ``url``.

    Args:
        url: ``/a/folder``, ``file:///a/folder``, ``memory://name``, ``s3://bucket/prefix`` and so
            on.
        marker: see :class:`~securefl.boards.board.CarriedBoard`.

    Raises:
        StoreError: the URL cannot be opened.
    """
    shown = without_password(url)
    try:
        with ONE_AT_A_TIME:
            carrier = _maker(url)(url)
    except Exception as error:  # noqa: BLE001 - some file systems connect here, and each has errors of its own
        raise StoreError(
            f"The store {shown} cannot be opened: {reason(error)}.",
            next_step="Check the URL, the network and its fsspec package.",
        ) from None
    return CarriedBoard(shown, carrier, marker)


def _maker(url: str) -> Callable[[str], Carrier]:
    scheme, colon, _ = url.partition("://")
    if not colon:
        return CARRIERS["file"]
    return CARRIERS[scheme if scheme in CARRIERS else "fsspec"]
