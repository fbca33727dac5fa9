"""Thread of the agent that ends a study's worker as soon as its owner withdraws.

The agent's own thread may be waiting for a slow store just then. Nothing of a withdrawn study leaves
in any case, since the ledger is asked first; this thread sees to it that training stops too. It
reads no ledger: the owner's command leaves a mark in the study's folder.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from securefl.files import private_folder, replace_file
from securefl.node.site import WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from securefl.node.site import Site
    from securefl.node.study_run import StudyRun

#: Seconds between two looks.
LOOK_SECONDS: Final = 0.5


def mark_withdrawn(site: Site, digest: str) -> None:
    """Leave the mark: from now on the study's worker is ended wherever it is seen at work."""
    replace_file(private_folder(site.study_folder(digest)) / WITHDRAWN, b"")


class WithdrawalWatch:
    """Looks for marks while an agent works.

    Args:
        site: the hospital.
        runs: the studies at work, by digest.
    """

    def __init__(self, site: Site, runs: Callable[[], Iterable[tuple[str, StudyRun]]]) -> None:
        self._site = site
        self._runs = runs
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="withdrawals", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; harmless when repeated."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """End the workers of studies that were withdrawn."""
        for digest, run in self._runs():
            if (self._site.study_folder(digest) / WITHDRAWN).exists():
                run.interrupt()

    def _work(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with suppress(OSError):  # a disk that is away for a moment, a worker that is gone
                self.look()
