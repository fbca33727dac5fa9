"""Carrier over S3 and what speaks it, by s3fs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsspec

from securefl.boards.fsspec import FsspecCarrier
from securefl.boards.route import DIRECT

if TYPE_CHECKING:
    from securefl.boards.route import Route


class S3Carrier(FsspecCarrier):
    """Objects below one prefix of a bucket.

    Args:
        url: ``s3://bucket/prefix``.
        route: how the server is reached.
    """

    def __init__(self, url: str, route: Route = DIRECT) -> None:
        fs, root = fsspec.core.url_to_fs(url, **_options(route))
        super().__init__(fs, str(root))


def _options(route: Route) -> dict[str, Any]:
    """Arguments of s3fs for the route; none of them where it is straight."""
    found: dict[str, Any] = {}
    if route.proxy:
        found["config_kwargs"] = {"proxies": {"http": route.proxy, "https": route.proxy}}
    if route.ca_file:
        found["client_kwargs"] = {"verify": route.ca_file}
    return found
