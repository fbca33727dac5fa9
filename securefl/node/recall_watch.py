"""Agent's watch for recalls of models that came home to this hospital.

One listing of the board tells of all recalls of all studies. An object is read where its name says
that it is on a model that lies here and by one of that model's hospitals, and where no valid notice
of that hospital lies beside the model. It is verified before it is parsed, and kept there for good:
each use of the model heeds it (:mod:`securefl.learning.model_notices`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from securefl.backoff import Backoff
from securefl.errors import MessageError, SecureFLError
from securefl.federation.study_board import StudyBoard, recalls_on
from securefl.files import entries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.learning.model_notices import Recall
    from securefl.node.site import Site

#: Seconds between two listings, at least and at most, and as a part of the time without a recall.
_OFTEN, _SELDOM, _SHARE = 1.0, 60.0, 0.05
#: Digits of a study's digest at the end of a model's folder name.
_DIGITS: Final = 12


class RecallWatch:
    """Watch for recalls; the agent calls :meth:`turn`.

    Args:
        say: writes a line to the owner's own log.
        clock: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._pace = Backoff(_OFTEN, _SELDOM, share=_SHARE, clock=clock)
        #: Recalls that were kept, by study and hospital.
        self._settled: set[tuple[str, str]] = set()
        #: Stamps of objects that were refused: each is read once.
        self._refused: dict[tuple[str, str], str] = {}
        #: Study digest and hospitals of each model for which something lies on the board, by its
        #: folder: names that fit neither are passed over without reading the model again.
        self._known: dict[Path, tuple[str, frozenset[str]]] = {}

    def turn(self, site: Site) -> None:
        """List the recalls where it is time, and keep what is new.

        Raises:
            StoreError: the board is away; call again.
        """
        if not self._pace.ready:
            return
        self._pace.failed()
        folders = _model_folders(site)
        if not folders:
            return
        for digest, name in recalls_on(site.board):
            if (digest, name) in self._settled:
                continue
            for folder in folders.get(digest[:_DIGITS], ()):
                self._look(site, folder, digest, name)

    def _look(
        self,
        site: Site,
        folder: Path,
        digest: str,
        name: str,
    ) -> None:
        """Read one hospital's recall of a model that lies in ``folder``, if it is one."""
        if folder in self._known:
            study, owners = self._known[folder]
            if digest != study or name not in owners:
                return
        stamp = StudyBoard(site.board, digest).recall(name).stamp() or ""
        if stamp and self._refused.get((digest, name)) == stamp:
            return
        try:
            found = self._take(site, folder, digest, name)
        except MessageError as error:
            if (digest, name) not in self._refused:
                self._say(f"what lies in the store as a recall by {name} is not heeded: {error}")
            self._refused[digest, name] = stamp
            return
        if found is not None:
            self._pace.reset()
            self._say(f"{name} recalled the model in {folder}: {found.reason}")

    def _take(
        self,
        site: Site,
        folder: Path,
        digest: str,
        name: str,
    ) -> Recall | None:
        """Keep the recall; None where it was kept before, or is by none of this model's hospitals."""
        # what reads a model is imported where something was recalled, and not for months of waiting
        from securefl.learning.artefact import load_model
        from securefl.learning.model_notices import kept_recall
        from securefl.party.model_recalls import take_recall

        try:
            model = load_model(folder)
        except SecureFLError:
            return None  # an altered folder is told where it is used
        owners = frozenset(model.facts.owners)
        self._known[folder] = (model.facts.study_digest, owners)
        if model.facts.study_digest != digest or name not in owners:
            return None
        found = take_recall(site.board, model, name)
        if kept_recall(folder, model, name) is not None:
            self._settled.add((digest, name))
        return found


def _model_folders(site: Site) -> dict[str, list[Path]]:
    """Models here by the first digits of their studies' digests; who makes studies can make two of
    the same first digits.
    """
    found: dict[str, list[Path]] = {}
    for folder in entries(site.path / "models"):
        digits = folder.name.rpartition("-")[2]
        if len(digits) == _DIGITS:
            found.setdefault(digits, []).append(folder)
    return found
