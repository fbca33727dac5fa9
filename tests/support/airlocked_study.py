"""The whole study of :mod:`whole_study`, in which every hospital and the researcher have stores of
their own: what passes between them is carried by bundles alone.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from whole_study import WholeStudy

from securefl.errors import UsageError
from securefl.node.owner import airlock as owners
from securefl.party.airlock.exporting import Export, export_bundle
from securefl.party.airlock.importing import import_bundle
from securefl.party.folder import PartyFolder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from securefl.party.airlock.bundle import CheckedBundle
    from securefl.party.airlock.importing import Imported

LAB = "researcher"
#: Turns of everybody between two days on which bundles are carried.
_TURNS_A_DAY = 3


def apart(root: Path) -> Any:
    """Gives each hospital a store of its own; researcher and aggregator share theirs."""

    def way_of(name: str) -> Path:
        if name in {LAB, "sums"}:
            return root / "stores" / "hub"
        return root / "stores" / name

    return way_of


def export(mine: PartyFolder, to: str, target: Path, *, whole: bool = False) -> CheckedBundle:
    """As `securefl board export` does it."""
    check = owners.charged_only(mine) if mine.settings.role == "hospital" else lambda *_: None
    try:
        return export_bundle(mine, target, Export(to, datetime.now(UTC), check, whole=whole))
    finally:
        if mine.settings.role == "hospital":
            mine.ledger.close()


class AirlockedStudy(WholeStudy):
    """A study whose every object is carried.

    Attributes:
        carried: every bundle that was made, with its folder.
    """

    def __init__(self, root: Path, *edits: tuple[str, str], patch: pytest.MonkeyPatch) -> None:
        super().__init__(root, *edits, patch=patch, way_of=apart(root))
        self._sticks = root / "sticks"
        self._numbers, self._turned = itertools.count(1), itertools.count(1)
        self.carried: list[tuple[Path, CheckedBundle]] = []

    def party(self, name: str) -> PartyFolder:
        """A fresh look at a folder."""
        if name == LAB:
            return PartyFolder.open(self.consortium.root / LAB, "researcher")
        return self.consortium.site(name)

    def carry(self, giver: str, taker: str) -> Imported | None:
        """One bundle from one place to another; None where nothing is new."""
        stick = self._sticks / f"{next(self._numbers):05d}"
        try:
            made = export(self.party(giver), taker, stick)
        except UsageError:
            return None
        self.carried.append((stick, made))
        mine, now = self.party(taker), datetime.now(UTC)
        done = import_bundle(mine, stick, now)
        if taker != LAB:
            owners.take_in_requests(mine, done.bundle, now)
        return done

    def carry_all(self) -> None:
        """A day: what is new at the hospitals to the researcher, and on to the others."""
        for name in self.consortium.names:
            self.carry(name, LAB)
        for name in self.consortium.names:
            self.carry(LAB, name)

    def request(self) -> None:
        """The study as it is offered, and carried to every hospital."""
        self._offer()
        self.carry_all()

    def _turn(self) -> None:
        super()._turn()
        if next(self._turned) % _TURNS_A_DAY == 0:
            self.carry_all()
