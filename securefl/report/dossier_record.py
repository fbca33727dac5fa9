"""Draft of an entry in the record of processing activities (GDPR article 30(1))."""

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
from securefl.report.page import Quoted, bullets, facts, page, section
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from securefl.report.dossier_parts import DossierFacts
    from securefl.report.page import Page, Section


def processing_record(given: DossierFacts) -> Page:
    """The entry, by the letters of article 30(1)."""
    study = given.study
    return page(
        "Record of processing (draft)",
        draft_notice("an entry under GDPR article 30"),
        identity(given),
        section(
            "(a) Who is responsible",
            facts(
                [
                    ("Controller", blank("institution, address, contact")),
                    ("Data protection officer", blank("name, contact")),
                    ("Joint controllers", blank("which of these, under which arrangement")),
                ]
            ),
            parties(given),
        ),
        section(
            "(b) Purposes",
            facts(
                [
                    ("Purpose", Quoted(study.study.purpose)),
                    *(("Allowed use", explain_study.duo_words(code)) for code in study.study.duo),
                ]
            ),
        ),
        section(
            "(c) People and data concerned",
            facts([("Patients", Quoted(study.data.population))]),
            columns(given),
        ),
        section(
            "(d) Recipients",
            "No record leaves the hospital. This does:",
            leaving(given),
            bullets(explain_study.sum_sentences(study)),
            facts([("Sent the model", Quoted(recipients(given)))]) if makes_model(study) else None,
        ),
        _transfers(),
        section(
            "(f) Time limits",
            dates(given),
            facts([("Erasure of the source table", blank("period"))]),
            "The ledger and the audit are kept; they hold no record of a patient. What was released"
            " cannot be called back.",
        ),
        section(
            "(g) Measures (article 32)",
            bullets(explain_study.privacy_sentences(study)),
            facts([("Measures of this institution", blank("a reference to its security policy"))]),
        ),
    )


def _transfers() -> Section:
    return section(
        "(e) Transfers to third countries",
        facts(
            [
                ("Countries of the parties", blank("countries")),
                ("Where the store stands", blank("country and operator of the store")),
                ("Safeguard", blank("article 45, 46 or 49, where one is needed")),
            ]
        ),
    )
