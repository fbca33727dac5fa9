"""Draft of a data protection impact assessment (GDPR article 35), by its paragraph 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report import explain_study
from securefl.report.dossier_parts import (
    blank,
    columns,
    dates,
    draft_notice,
    identity,
    leaving,
    parties,
    recipients,
)
from securefl.report.page import Code, Quoted, bullets, facts, page, section
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.page import Page, Section, Value, Words


def impact_assessment(given: DossierFacts) -> Page:
    """The assessment: what is done, whether it is needed, what can go wrong, what limits it."""
    return page(
        "Data protection impact assessment (draft)",
        draft_notice("an impact assessment under GDPR article 35"),
        identity(given),
        _processing(given),
        _necessity(),
        _risks(given),
        _measures(given),
        section(
            "5. Advice and decision (article 35(2), 35(9), 35(11), 36)",
            facts(
                [
                    ("Advice of the data protection officer", blank("advice, name, date")),
                    ("Views of patients or their representatives", blank("views, or why not")),
                    ("Remaining risk", blank("low, medium or high, and why")),
                    ("Prior consultation", blank("needed if the remaining risk is high")),
                    ("Decision", blank("decision, name, date")),
                    ("Next review", blank("date, and what would bring it forward")),
                ]
            ),
        ),
    )


def _processing(given: DossierFacts) -> Section:
    study = given.study
    return section(
        "1. What is done, and for what (article 35(7)(a))",
        facts(
            [
                ("Purpose", Quoted(study.study.purpose)),
                ("Led by", Quoted(study.study.lead)),
                ("Legal basis, as the researcher states it", Quoted(study.study.legal_basis)),
                ("Legal basis of this institution", blank("article 6, and condition of article 9")),
                ("Patients concerned", Quoted(study.data.population)),
                ("Their number", blank("how many, of which group, over which years")),
            ]
        ),
        parties(given),
        dates(given),
        "These columns are read, at the hospital that holds them:",
        columns(given),
        explain_study.use_words(study),
        "This leaves each hospital, and nothing else about patients:",
        leaving(given),
        facts(
            [
                ("Sent the result", Quoted(recipients(given))) if makes_model(study) else None,
                ("How long the source table is kept", blank("period, and under which rule")),
            ]
        ),
    )


def _necessity() -> Section:
    return section(
        "2. Whether it is needed, and in proportion (article 35(7)(b))",
        "Records stay where they are. A row that the study's declaration does not cover is set aside"
        " and not used. No identifier of a patient is sent.",
        facts(
            [
                ("Why these columns", blank("reason for each; leave out what is not needed")),
                ("Why less would not do", blank("fewer patients, fewer columns, invented data")),
                ("How patients are informed", blank("notice, date; a draft is in this dossier")),
                ("How a patient objects", blank("whom to tell; what then happens")),
            ]
        ),
        (
            "A patient whom the hospital takes out (",
            Code("securefl site patient remove"),
            ") is read by no later round. What was released before stays released.",
        ),
    )


def _risk(name: str, limits: Value, remains: Words) -> Section:
    return section(
        name,
        facts(
            [
                ("What limits it", limits),
                ("What remains", remains),
                ("How likely, how severe", blank(f"judgement on: {name.lower()}")),
            ]
        ),
    )


def _risks(given: DossierFacts) -> Section:
    study = given.study
    *limited, several_hospitals = explain_study.privacy_sentences(study)
    return section(
        "3. What can go wrong for patients (article 35(7)(c))",
        _risk(
            "The result shows whether somebody was in the data",
            " ".join(limited),
            several_hospitals,
        ),
        _risk(
            "Somebody reads what one hospital sent",
            "Encryption, and masks that only the complete total takes off. The hospital's noise is"
            " in its numbers before they leave.",
            explain_study.alone_sentence(shared=given.plan.shares > 1),
        ),
        _risk(
            "Another study runs than the one that was read",
            "An approval is a signature on the digest of exactly this study, and is used once.",
            "An approval given without reading. The program cannot judge the purpose.",
        ),
        _risk(
            "Many studies add up",
            "Each hospital's ledger charges a study in full before data is touched, and refuses"
            " what the budget does not cover.",
            "Budgets of two hospitals, or of two populations, are not one budget.",
        ),
        _risk(
            "The result is used wrongly, or fails some patients",
            explain_study.quality_sentence(study),
            ("What people do with a result is a promise between people: ", blank("who watches it")),
        ),
        _risk(
            "A machine or a key is stolen",
            "Keys are readable by one account alone. The process that reads patients has no keys.",
            ("Whoever rules the machine is the hospital: ", blank("how this machine is protected")),
        ),
    )


def _measures(given: DossierFacts) -> Section:
    study = given.study
    return section(
        "4. What is done against it (article 35(7)(d))",
        section("Enforced by the program", bullets(explain_study.sum_sentences(study))),
        f"Figures of privacy: {explain_study.figure_words(study)}",
        section("What cannot be undone", bullets(explain_study.undone_sentences())),
        section(
            "Done by this institution",
            bullets(
                [
                    blank("who may approve; whether two people must"),
                    blank("access to the machine, patches, backups, disk encryption"),
                    blank("training of those who approve"),
                    blank("what happens after a breach, and who tells whom"),
                ]
            ),
        ),
    )
