"""Slots of one party on a board, whatever the study.

Its PySyft keys, the question for its checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.boards.slot import Slot
from securefl.federation import paths
from securefl.federation.checkpoints import MAX_CHECKPOINT, MAX_SEALED, ask_path, held_path

if TYPE_CHECKING:
    from securefl.boards.board import Board

MAX_PYSYFT_KEYS: Final = 2048


@dataclass(frozen=True)
class PartyBoard:
    """The objects of one party.

    Args:
        board: where they lie.
        name: the party's.
    """

    board: Board
    name: str

    @property
    def pysyft_keys(self) -> Slot:
        """The party's signed word which PySyft keys are its own."""
        return Slot(self.board, paths.pysyft_keys(self.name), MAX_PYSYFT_KEYS)

    @property
    def checkpoint_question(self) -> Slot:
        """A hospital's question for the checkpoints of its ledger that others hold."""
        return Slot(self.board, ask_path(self.name), MAX_CHECKPOINT)

    def checkpoint_answer(self, holder: str) -> Slot:
        """One holder's answer to it, sealed to the hospital."""
        return Slot(self.board, held_path(self.name, holder), MAX_SEALED)
