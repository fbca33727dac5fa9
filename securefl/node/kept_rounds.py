"""Rounds of a study as a hospital keeps them: what an agent that was killed goes on from.

In the study's folder, until the study ends::

    accepted/00001, 00001.key   announcement and public key, before the worker is asked
    totals/00001                the total that this hospital verified, before the next round is accepted
    contributions/00001         its contribution, before its mask is used
    said/00001-agreement, ...   what it said after it, before it leaves

From here on a round is answered under this announcement or never (rule 6). A round that was accepted
and has no contribution was paid for, and nothing of it left the worker: it is answered with fresh
noise. One that has is sent again as it is, and nothing is drawn.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from securefl.errors import RoundError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.participant import Accepted
from securefl.files import entries, private_folder, read_file, replace_file
from securefl.node.durable_contribution import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.checked_round import CheckedRound
    from securefl.federation.round_plan import RoundPlan

#: Durable writes of a hospital in one round, in order; ``agreement`` and ``answer`` only where a study
#: goes on after a loss. The ledger notes ``sent`` and ``answer`` before either leaves.
STEPS: Final = ("accepted", "contribution", "sent", "agreement", "answer", "total")
_ACCEPTED: Final = "accepted"


class KeptRounds:
    """Accepted rounds and verified totals of one study.

    Args:
        folder: the study's folder at the hospital.
        plan: the study.
    """

    def __init__(self, folder: Path, plan: RoundPlan) -> None:
        self._folder = folder
        self._plan = plan
        self.totals = KeptTotals(folder / "totals")

    def accept(self, checked: CheckedRound) -> None:
        """Make an accepted round durable; before its budget is used and the worker is asked.

        Raises:
            RoundError: it was accepted before, as it was announced then.
        """
        number = checked.said.round
        folder = private_folder(private_folder(self._folder) / _ACCEPTED)
        file = folder / _name(number)
        if file.exists() and read_file(file) != checked.announced.data:
            raise RoundError(
                f"Round {number} was announced before in other words: this hospital answers those or"
                " none.",
                whose="the coordinator",
                next_step="The study ends here. Tell the other hospitals.",
            )
        if file.exists():
            return  # its time stays: a window counts it once
        replace_file(folder / f"{_name(number)}.key", checked.key)
        replace_file(file, checked.announced.data)

    def accepted_at(self) -> list[datetime]:
        """When each round was accepted."""
        files = entries(self._folder / _ACCEPTED)
        times = [file.stat().st_mtime for file in files if not file.suffix]
        return [datetime.fromtimestamp(time, UTC) for time in times]

    def accepted(self, number: int) -> Accepted:
        """Read the round of that number as it was accepted.

        Raises:
            MessageError: what was kept is no round of this study.
            OSError: it is not there.
        """
        folder = self._folder / _ACCEPTED
        announced = AnnouncedRound.open(self._plan, read_file(folder / _name(number)))
        public = announced.public(read_file(folder / f"{_name(number)}.key"))
        return Accepted(announced.context, public)

    def contributed(self) -> int:
        """Number of the last round with a contribution; 0 before the first."""
        names = [file.name for file in entries(self._folder / FOLDER)]
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def erase(self) -> None:
        """Remove rounds and totals; harmless when they are gone."""
        self.totals.erase()
        shutil.rmtree(self._folder / _ACCEPTED, ignore_errors=True)


def _name(number: int) -> str:
    return f"{number:05d}"
