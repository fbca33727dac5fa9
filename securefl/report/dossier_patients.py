"""Draft of an information for patients, in short plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report import explain_study
from securefl.report.dossier_parts import blank, columns, dates, draft_notice, identity, parties
from securefl.report.page import Quoted, bullets, facts, page, section

if TYPE_CHECKING:
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.page import Page


def patient_information(given: DossierFacts) -> Page:
    """The information: what happens with a record, what it may cost, whom to ask."""
    study = given.study
    return page(
        "Information for patients (draft)",
        draft_notice("an information for patients (GDPR articles 13 and 14)"),
        identity(given),
        section("What it is about", Quoted(study.study.lay_summary)),
        section("Who takes part", parties(given), dates(given)),
        section(
            "What happens with your record",
            "Your record stays in your hospital. A program reads these parts of it there:",
            columns(given),
            "It works out sums over groups of patients, and blurs them with noise. Only these leave.",
            bullets(explain_study.sum_sentences(study)),
        ),
        section(
            "What others may learn about you",
            bullets(explain_study.privacy_sentences(study)),
        ),
        section(
            "What comes of it",
            facts([("Intended use", Quoted(study.outputs.intended_use))]),
            ("Your treatment does not depend on it: ", blank("confirm, or say what changes")),
        ),
        section(
            "Your rights",
            bullets(
                [
                    "You may ask your hospital what it holds about you.",
                    (
                        "Your hospital can take you out. No later sum then contains you. Sums that were"
                        " sent before cannot be called back."
                    ),
                    ("To object, or to ask: ", blank("name, telephone, address")),
                    ("Data protection officer: ", blank("name, contact")),
                    ("Supervisory authority, for complaints: ", blank("name, address")),
                    ("Legal basis: ", blank("as in the record of processing")),
                    ("How long your record is kept: ", blank("period")),
                ]
            ),
        ),
    )
