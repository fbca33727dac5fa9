"""Options of commands that open a store before a party's settings say how it is reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.route import Route


def route_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--store-proxy`` and ``--store-ca``."""
    options = (
        click.option(
            "--store-proxy",
            default="",
            metavar="URL",
            help="Your house's proxy, where nothing else leads out: http://proxy.example:3128.",
        ),
        click.option(
            "--store-ca",
            default="",
            metavar="FILE",
            help="Certificate (PEM) of your house's own authority, where it signs the store's.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def route_of(store_proxy: str, store_ca: str) -> Route:
    """The route that these options name."""
    from securefl.boards.route import Route

    return Route(store_proxy, str(Path(store_ca).expanduser().absolute()) if store_ca else "")
