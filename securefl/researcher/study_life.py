"""A study's life beside its run: how it stands, cancelled before it begins, cloned, looked on at."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from securefl.researcher.finished_study import FinishedStudy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from securefl.federation.offers import Offer
    from securefl.study.differences import Difference


class StudyLife(FinishedStudy):
    """Base of a study of this researcher: what can be done with it from its making on."""

    @property
    @abstractmethod
    def text(self) -> bytes:
        """The study file's bytes."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The study's id and the first twelve digits of its digest."""

    @abstractmethod
    def offers(self) -> list[Offer]:
        """Offers of hospitals that refused."""

    def standing(self) -> dict[str, Any]:
        """How it stands: ``state``, ``approved`` hospitals and ``hospitals`` in all.

        States: ``made``, ``requested``, ``approved``, ``running``, ``interrupted``, ``completed``,
        ``ended``, ``cancelled``; ``unknown`` while the store is away.
        """
        from securefl.researcher.study_standing import standing

        return standing(self._home, self.folder, self.plan)

    def cancel(self) -> None:
        """End it before its first round, signed: hospitals' reservations are free again.

        Raises:
            UsageError: it has begun, or is over; nothing was done.
            StoreError: the store did not take it; cancelling again sends it.
        """
        from securefl.researcher.study_cancelling import cancel_study

        cancel_study(self._home, self.folder, self.plan)

    def compare(self, other: StudyLife) -> tuple[Difference, ...]:
        """Every field in which another study differs from this one."""
        from securefl.study.differences import differences

        return differences(self.text, other.text)

    def clone(
        self,
        path: str | Path,
        changes: Mapping[str, str] | None = None,
        *,
        offers_of: Sequence[str] = (),
        study_id: str | None = None,
    ) -> Path:
        """Write a protocol made of this study, with changes; an existing file is never overwritten.

        Args:
            path: the new file.
            changes: field to value, like ``{"stages[0].rounds": "20"}``.
            offers_of: hospitals whose counter-offers the clone meets; ``"all"`` names each.
            study_id: id of the new protocol.

        Raises:
            UsageError: there is a file, a change fits nowhere, or a hospital offered nothing.
            StudyError: what results contradicts itself; the error names the figure that would fit.
        """
        from securefl.researcher.study_cloning import chosen_offers, clone_text, save_clone

        offers = chosen_offers(self.offers(), offers_of) if offers_of else []
        made = clone_text(
            self.text,
            source=self.name,
            changes=changes or {},
            offers=offers,
            study_id=study_id,
        )
        return save_clone(path, made)
