"""A study's life beside its run: how it stands, cancelled before it begins, cloned, looked on at."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from securefl.researcher.study_pages import StudyPages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from securefl.federation.offers import Offer
    from securefl.federation.round_record import RoundRecord
    from securefl.researcher.questions import AskedQuestion
    from securefl.study.differences import Difference


class StudyLife(StudyPages):
    """Base of a study of this researcher: what can be done with it from its making on."""

    @property
    @abstractmethod
    def text(self) -> bytes:
        """The study file's bytes."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The study's id and the first twelve digits of its digest."""

    def questions(self) -> list[AskedQuestion]:
        """What data owners asked about this study, each signed by its hospital.

        Raises:
            StoreError: the store cannot be reached.
        """
        from securefl.researcher.questions import asked_questions

        return asked_questions(self._home, self.plan.sealed)

    def offers(self) -> list[Offer]:
        """Offers of hospitals that refused, each signed by its hospital.

        Raises:
            StoreError: the store cannot be reached.
        """
        from securefl.researcher.offers import offers_of

        return offers_of(self._home, self.plan.sealed)

    def answer(self, site: str, number: int, text: str) -> None:
        """Answer a data owner's question, signed. One answer to a question.

        Raises:
            UsageError: there is no such question, it was answered before, or the text is none.
            StoreError: the store cannot be reached.
        """
        from securefl.researcher.questions import send_answer

        send_answer(self._home, self.plan.sealed, site, number, text)

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

    def start(self, model_folder: Path | None = None) -> None:
        """Run it in a process of its own: the session goes on, and may end, while it runs.

        Raises:
            UsageError: it was run before, is running, was cancelled, or the model's folder exists.
        """
        from securefl.researcher.detached_run import start_detached

        self.place(model_folder)
        start_detached(self._home, self.folder, model_folder)

    def attach(
        self,
        watch: Callable[[RoundRecord], None] | None = None,
        seconds: float = 60.0,
    ) -> dict[str, Any]:
        """Look on at its run, whichever process does it, until it is over; then its report.

        An interrupt ends the look and not the run.

        Args:
            watch: called after each opened sum with its record; prints a line by default, and in a
                notebook moves one.
            seconds: how long a beginning is waited for.

        Raises:
            UsageError: no run has begun.
            RoundError: it stopped without a result.
        """
        from securefl.researcher.detached_run import look_on
        from securefl.researcher.run_progress import progress_of

        look_on(self.folder, watch or progress_of(self.plan, self.folder), seconds)
        return self.report()

    @abstractmethod
    def place(self, model_folder: Path | None = None) -> Path:
        """The folder where a run would put its model."""

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
