"""Slots of one party on a board, whatever the study.

Its PySyft keys or its word that it has none, its data sets' public side, the question for its
checkpoints.
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
#: A thousand data sets with long names fit.
MAX_REQUEST_WAY: Final = 64 * 1024
#: Of a data set's signed statement (:mod:`securefl.party.dataset_statement`), and of its mock table.
MAX_DATASET: Final = 1 << 20
MAX_MOCK: Final = 16 * 1024 * 1024


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
    def request_way(self) -> Slot:
        """A hospital's signed word that it takes requests off the board."""
        return Slot(self.board, paths.request_way(self.name), MAX_REQUEST_WAY)

    def dataset_statement(self, dataset: str) -> Slot:
        """Its signed word on one data set."""
        path = paths.shown_dataset(self.name, dataset)
        return Slot(self.board, f"{path}/statement", MAX_DATASET)

    def dataset_mock(self, dataset: str) -> Slot:
        """The mock table of that data set."""
        path = paths.shown_dataset(self.name, dataset)
        return Slot(self.board, f"{path}/mock.csv", MAX_MOCK)

    @property
    def checkpoint_question(self) -> Slot:
        """A hospital's question for the checkpoints of its ledger that others hold."""
        return Slot(self.board, ask_path(self.name), MAX_CHECKPOINT)

    def checkpoint_answer(self, holder: str) -> Slot:
        """One holder's answer to it, sealed to the hospital."""
        return Slot(self.board, held_path(self.name, holder), MAX_SEALED)
