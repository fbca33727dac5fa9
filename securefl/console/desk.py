"""Desk of the console: one thread with the hospital's folder open.

A ledger's connection stays in the thread that opened it. The console has two desks. One reads for
pages, which may count the owner's rows; the other decides. So an approval never waits for a count,
whose time follows from the number of rows.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from securefl.node.owner.folder import Site, open_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Desk:
    """The folder as one thread sees it; settings and keys are those of now at each call.

    Args:
        folder: the hospital's.
        name: of the thread.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._site: Site | None = None
        self._keys: object = None

    async def ask(self, work: Callable[[Site], T]) -> T:
        """Do something with the folder; calls wait for one another.

        Raises whatever ``work`` raises, and as :func:`securefl.node.owner.folder.open_site`.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._do, work)

    def close(self) -> None:
        """Close the ledger, after what is under way."""
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _do(self, work: Callable[[Site], T]) -> T:
        keys = (self._folder / "keys" / "card.json").stat().st_mtime_ns
        if self._site is None or keys != self._keys:
            self._close()
            self._site = open_site(self._folder)
            self._keys = keys
        self._site = self._site.refreshed()
        return work(self._site)

    def _close(self) -> None:
        if self._site is not None and "ledger" in vars(self._site):
            self._site.ledger.close()
        self._site = None
