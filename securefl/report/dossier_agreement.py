"""Draft of a data use agreement, in which what a machine enforces is told from what is promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report import explain_study
from securefl.report.dossier_parts import (
    blank,
    columns,
    dates,
    draft_notice,
    identity,
    parties,
    recipients,
)
from securefl.report.page import Code, Quoted, bullets, facts, page, section
from securefl.study.schema import Study
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.page import Page, Section, Value


def data_use_agreement(given: DossierFacts) -> Page:
    """The agreement's draft: parties, data, use, privacy, results, term, signatures."""
    study = given.study
    return page(
        "Data use agreement (draft)",
        draft_notice("a data use agreement"),
        identity(given),
        section("1. Parties", parties(given), _consortium(given)),
        section(
            "2. Data",
            "The data stay at the hospital that holds them. No party gets a record.",
            columns(given),
            explain_study.use_words(study),
        ),
        section(
            "3. Permitted use",
            facts(
                [
                    ("Purpose", Quoted(study.study.purpose)),
                    *(("Allowed use", explain_study.duo_words(code)) for code in study.study.duo),
                    ("Intended use of results", Quoted(study.outputs.intended_use)),
                ]
            ),
        ),
        section(
            "4. Enforced by each hospital's machine",
            bullets(
                [
                    (
                        "Only the study with the digest above runs, once, after this hospital's"
                        " approval."
                    ),
                    *(item.sentence for item in explain_study.leaving(study)),
                    *explain_study.sum_sentences(study),
                    *explain_study.undone_sentences(),
                ]
            ),
            f"Figures: {explain_study.figure_words(study)}",
        ),
        _promised(given),
        _term(given),
        section(
            "7. Law and signatures",
            facts(
                [
                    ("Governing law and court", blank("law, court")),
                    ("Liability and insurance", blank("terms")),
                    ("Signed for each party", blank("name, office, date, signature")),
                ]
            ),
        ),
    )


def _consortium(given: DossierFacts) -> Value:
    study = given.study
    if isinstance(study, Study) and study.agreement:
        words = ("The study stands under the agreement with the digest ", Code(study.agreement))
        return (*words, ", which each hospital's machine enforces.")
    return ("No agreement of a consortium binds this study: ", blank("any other agreement"))


def _promised(given: DossierFacts) -> Section:
    out = given.study.outputs
    sent = None
    if makes_model(given.study):
        sent = ("Sent the model", Quoted(recipients(given)))
    return section(
        "5. Promised between people, which no program keeps",
        facts(
            [
                ("Owner of the results", Quoted(out.owner)),
                ("Licence", Quoted(out.licence)),
                sent,
                *(("Further", Quoted(note)) for note in out.notes),
            ]
        ),
        bullets(
            [
                "No party tries to find out who a patient is, or whether somebody was in the data.",
                "No party passes the results on for another use than the permitted one.",
                "A party that learns of a breach tells the others at once.",
                blank("period for telling of a breach, and whom"),
                blank("publication, authorship, patents"),
            ]
        ),
    )


def _term(given: DossierFacts) -> Section:
    return section(
        "6. Term and leaving",
        dates(given),
        facts([("How a hospital leaves", Quoted(given.study.exit.notice))]),
        "The study then ends for all; what it spent stays spent.",
        facts([("What holds on afterwards", blank("duties that outlast the study"))]),
    )
