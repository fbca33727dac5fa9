"""Hospitals with one store, to each of which the same model came home; no round is run.

Keys, folders, store and the model's files are real; its weights are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from model_facts import DETAILS
from small_study import SPEC, protocol

from securefl.federation.study_board import StudyBoard
from securefl.learning.artefact import load_model, save_model
from securefl.learning.model_notices import Recall
from securefl.node.recall_watch import RecallWatch
from securefl.node.site import Site
from securefl.study.training import training_of

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.artefact import Model

AT = "2026-05-30T12:00:00Z"
WHY = "The laboratory changed its scale."
STUDY = "ab" * 32
NAME = f"small-{STUDY[:12]}"


class Hospitals:
    """Hospitals of one released model.

    Args:
        root: an empty folder.
        names: of the hospitals.
    """

    def __init__(self, root: Path, names: tuple[str, ...] = ("Nord", "Mitte", "West")) -> None:
        self.store = root / "store"
        self.names = names
        self.sites = {
            name: Site.init(
                root / name,
                name=name,
                legal_name=f"Hospital {name}",
                email="a@b.example",
                store=str(self.store),
            )
            for name in names
        }
        keys = {name: site.identity.card.signing_public for name, site in self.sites.items()}
        details = {"study_digest": STUDY, "participants": names, "owners": keys}
        facts = DETAILS.model_copy(update=details)
        spec = training_of(protocol()).model
        for site in self.sites.values():
            folder = site.path / "models" / NAME
            save_model(folder, np.linspace(-1, 1, 7), spec, SPEC, facts)
        self.now = 1000.0
        self.lines: list[str] = []
        self.watches = {name: self.watch() for name in names}

    def watch(self) -> RecallWatch:
        """The watch of an agent that was just started."""
        return RecallWatch(self.lines.append, lambda: self.now)

    def folder(self, name: str) -> Path:
        return self.sites[name].path / "models" / NAME

    def model(self, name: str) -> Model:
        return load_model(self.folder(name), own=name)

    def signed(self, name: str, **fields: str) -> bytes:
        """A recall by that hospital, or what it would have signed with other fields."""
        given = {"study": STUDY, "model": self.model(name).digest, "site": name}
        said = Recall(**{**given, "reason": WHY, "at": AT, **fields})
        return said.dump(self.sites[name].identity.sign)

    def slot(self, name: str):
        """Place of that hospital's recall in the store."""
        return StudyBoard(self.sites[name].board, STUDY).recall(name)

    def turn(self, seconds: float = 61.0) -> None:
        """Time passes, and each hospital's agent looks."""
        self.now += seconds
        for name, watch in self.watches.items():
            watch.turn(self.sites[name])

    def recalled_at(self, name: str) -> list[str]:
        """Hospitals whose recall lies beside that one's model."""
        return [said.site for said in self.model(name).standing().recalls]

    def close(self) -> None:
        for site in self.sites.values():
            site.ledger.close()
