"""Dossier of a study: papers that a privacy officer, a committee and patients are given.

Drafts. Each figure is the study's own or computed from it; the rest is a marked blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.report.dossier_agreement import data_use_agreement
from securefl.report.dossier_ethics import ethics_summary
from securefl.report.dossier_impact import impact_assessment
from securefl.report.dossier_parts import page_blanks
from securefl.report.dossier_patients import patient_information
from securefl.report.dossier_record import processing_record
from securefl.report.html import html_page
from securefl.report.markdown import markdown
from securefl.report.page import spans
from securefl.report.wording import in_words

if TYPE_CHECKING:
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.page import Page

#: Papers by the name of their file, in the order in which they are read.
PAPERS = {
    "impact-assessment": impact_assessment,
    "processing-record": processing_record,
    "ethics-summary": ethics_summary,
    "data-use-agreement": data_use_agreement,
    "patient-information": patient_information,
}


@dataclass(frozen=True)
class Paper:
    """One paper: the name of its files, and the page."""

    name: str
    page: Page

    @property
    def title(self) -> str:
        """The page's first line."""
        return "".join(span.text for span in spans(self.page.title))

    @property
    def blanks(self) -> list[str]:
        """Gaps that the institution fills in, each once."""
        return page_blanks(self.page)

    @property
    def files(self) -> dict[str, bytes]:
        """The paper as Markdown, to be edited, and as HTML, to be read and printed."""
        return {
            f"{self.name}.md": markdown(self.page).encode(),
            f"{self.name}.html": html_page(self.page).encode(),
        }


@dataclass(frozen=True)
class Dossier:
    """All papers of a study; :meth:`to_json` gives their list to programs."""

    given: DossierFacts
    papers: tuple[Paper, ...]

    @property
    def files(self) -> dict[str, bytes]:
        """Contents by file name."""
        return {name: data for paper in self.papers for name, data in paper.files.items()}

    def to_json(self) -> dict[str, Any]:
        """Figures, papers, and the gaps in each."""
        return {
            "study": self.given.study.study.id,
            "digest": self.given.digest,
            "legal_advice": False,
            "papers": [
                {
                    "name": paper.name,
                    "title": paper.title,
                    "files": list(paper.files),
                    "blanks": paper.blanks,
                }
                for paper in self.papers
            ],
            "figures": self.given.plan.to_json(),
        }


def dossier_of(given: DossierFacts) -> Dossier:
    """Fill in every paper, in the nouns of the study."""
    words = given.study.words
    papers = [Paper(name, in_words(draw(given), words)) for name, draw in PAPERS.items()]
    return Dossier(given, tuple(papers))
