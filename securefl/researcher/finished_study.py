"""A study after its run: its report, its tables, its rounds added again, its archive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.federation.verifying import verify_round
from securefl.researcher.asking import refuse_if_over, states

if TYPE_CHECKING:
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.verifying import VerifiedRound
    from securefl.learning.stages.stage import FigureRow
    from securefl.learning.stages.stage import Result as StageResult
    from securefl.learning.tasks.told import Told
    from securefl.party.folder import PartyFolder
    from securefl.report.page import Page


class FinishedStudy(ABC):
    """Base of a study of this researcher: what can be asked once it has run.

    Attributes:
        folder: where the study is kept.
    """

    folder: Path

    @property
    @abstractmethod
    def _home(self) -> PartyFolder:
        """The researcher's folder."""

    @property
    @abstractmethod
    def plan(self) -> RoundPlan:
        """The study with what follows from it for its rounds."""

    def report(self) -> dict[str, Any]:
        """Read what a completed run left: figures, extracts, model folder.

        Raises:
            UsageError: it has not run to its end.
            NotApprovedError: it never will: a hospital refused or left.
        """
        from securefl.researcher.results import has_result, read_result
        from securefl.researcher.run_study import was_run

        if not has_result(self.folder) and not was_run(self.folder):
            refuse_if_over(self._home, self.folder, self.plan, states(self._home, self.plan))
        return read_result(self._home, self.folder, self.plan)

    def report_page(self) -> Page:
        """The whole report of a completed study: parties, figures, pictures, privacy, hashes.

        Raises:
            UsageError: it has not run to its end.
        """
        from securefl.report.explain_study import units
        from securefl.report.whole_report import whole_report_page
        from securefl.researcher.kept_report import whole_report

        tables = self.tables(units(self.plan.study))
        found = whole_report(
            self.folder,
            self.plan,
            self.report(),
            tables,
        )
        return whole_report_page(found)

    def tables(self, units: str = "patients") -> list[Told]:
        """Tables of what a completed study's stages found, beside the model; none for most stages.

        Raises:
            UsageError: it has not run to its end.
        """
        return [table for found in self._recalled() for table in found.tables(units)]

    def figure_rows(self) -> list[FigureRow]:
        """The same as numbers. Raises as :meth:`tables`."""
        return [row for found in self._recalled() for row in found.figure_rows()]

    def _recalled(self) -> list[StageResult]:
        """Results of the stages that can be read again from the study's file of results."""
        stages = zip(self.plan.programme.stages, self.report()["stages"], strict=True)
        found = (stage.recalled(record) for stage, record in stages)
        return [result for result in found if result is not None]

    def verify(self, number: int) -> VerifiedRound:
        """Add round ``number`` again from what the hospitals signed.

        Who contributed, and whether the aggregator's sum is the sum of these.

        Raises:
            UsageError: the study has no such round.
            RoundError, MessageError: it does not hold; the error says what and whose.
        """
        return verify_round(self._home.board, self.plan, number)

    def archive(self, folder: str | Path, *, contributions: bool = False) -> Path:
        """Write an archive of the completed study, which others can check offline.

        Args:
            folder: a new one.
            contributions: with the hospitals' encrypted contributions, so that rounds can be added
                again.

        Raises:
            UsageError: the study has no result, or there is something at that place.
        """
        from securefl.researcher.archiving import write_archive

        target = Path(folder)
        write_archive(self._home, self.folder, self.plan, target, contributions=contributions)
        return target
