"""Draft of a summary for an ethics committee."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report import explain_study
from securefl.report.dossier_parts import blank, columns, dates, draft_notice, identity, parties
from securefl.report.page import Quoted, bullets, facts, page, section

if TYPE_CHECKING:
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.page import Page


def ethics_summary(given: DossierFacts) -> Page:
    """The summary: the question, the patients, the risks, what is asked of the committee."""
    study = given.study
    return page(
        "Summary for the ethics committee (draft)",
        draft_notice("a summary for an ethics committee"),
        identity(given),
        section(
            "The question",
            Quoted(study.study.lay_summary),
            facts(
                [
                    ("Purpose", Quoted(study.study.purpose)),
                    ("Led by", Quoted(study.study.lead)),
                    ("Ethics, as the researcher states it", Quoted(study.study.ethics_ref)),
                    ("Vote of this institution's committee", blank("number and date, or waiver")),
                    ("Funding and interests", blank("who pays, who may gain")),
                ]
            ),
        ),
        section("Who takes part", parties(given), dates(given)),
        section(
            "Patients and data",
            "Records that exist already are used; none leaves its hospital.",
            columns(given),
            explain_study.use_words(study),
            facts(
                [
                    ("Effect on anybody's treatment", blank("none, or which")),
                    ("Consent", blank("given for this use, broad, or waived, and on which ground")),
                    (
                        "Patients who cannot consent",
                        blank("children, others; how they are treated"),
                    ),
                    ("Who may object, and how", blank("contact")),
                ]
            ),
        ),
        section(
            "What a patient risks",
            bullets(explain_study.privacy_sentences(study)),
            section("What cannot be undone", bullets(explain_study.undone_sentences())),
        ),
        section(
            "What comes of it",
            facts(
                [
                    ("Results", Quoted(", ".join(study.outputs.artefacts))),
                    ("Intended use", Quoted(study.outputs.intended_use)),
                    ("Benefit to patients", blank("who gains, and when")),
                    ("Groups for whom it may fail", blank("how this is looked at")),
                    ("Publication", blank("where, and what of negative results")),
                ]
            ),
            explain_study.quality_sentence(study),
        ),
        section("What is asked of the committee", bullets([blank("approval, waiver or advice")])),
    )
