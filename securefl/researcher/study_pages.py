"""Pages of a study in a Python session: a notebook draws each in a frame, a terminal as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.researcher.asking import causes, states, without_pysyft
from securefl.researcher.finished_study import FinishedStudy

if TYPE_CHECKING:
    from securefl.report.page import Page


class StudyPages(FinishedStudy):
    """Base of a study of this researcher: what is asked, what it costs, who agreed, what left."""

    def page(self) -> Page:
        """The study in plain words, as `securefl study check` shows it."""
        from securefl.report.study import study_page

        return study_page(self.plan.study, self.plan.digest)

    def plan_page(self) -> Page:
        """Its price at every hospital and what its noise does, as `securefl study plan` shows it."""
        from securefl.learning.stages.programme import charges_of
        from securefl.report.plan import plan_page, plan_study

        study = self.plan.study
        return plan_page(plan_study(study, charges_of(study)))

    def approvals_page(self) -> Page:
        """Each hospital's signed answer to the request.

        Raises:
            StoreError: the store cannot be reached.
        """
        from securefl.report.approvals import approvals_page

        lab, plan = self._home, self.plan
        off_board = without_pysyft(lab, plan)
        return approvals_page(self.folder.name, states(lab, plan), causes(lab, plan), off_board)

    def extract_pages(self) -> dict[str, Page]:
        """Hospital to the extract of its audit: what its ledger charged, and what left it.

        Raises:
            UsageError: the study has not run to its end.
        """
        from securefl.report.audit import extract_page

        extracts = self.report()["extracts"]
        return {site: extract_page(extract) for site, extract in extracts.items()}
