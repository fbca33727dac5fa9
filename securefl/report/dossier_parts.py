"""Parts that the papers of a dossier share: the study's facts, marked blanks, what a draft is.

What stands on a paper is read off the study or computed from it. What neither says is a blank: the
institution fills it in, and nobody can overlook it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from securefl.report import explain_columns, explain_study
from securefl.report.page import (
    Code,
    Notice,
    Outside,
    Paragraph,
    Quoted,
    Span,
    Tone,
    bullets,
    facts,
)
from securefl.study.schema import Study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.report.page import Bullets, Facts, Value, Words
    from securefl.report.plan_cost import StudyPlan
    from securefl.study.schema import Template

_BLANK = "[to fill in: "


@dataclass(frozen=True)
class DossierFacts:
    """Facts that papers are filled from.

    Args:
        study: a sealed study, or a protocol (its parties are blanks then).
        digest: 64 hex characters, where the study has one.
        plan: its computed cost (:func:`securefl.report.plan.plan_study`).
    """

    study: Template
    digest: str | None
    plan: StudyPlan


def blank(what: str) -> Span:
    """A gap that the institution fills in, marked as one."""
    return Span(f"{_BLANK}{what}]", Tone.WARN)


def blanks(part: object) -> Iterator[str]:
    """Names of the gaps on a page or a part of one, in order."""
    if isinstance(part, Span):
        if part.text.startswith(_BLANK):
            yield part.text.removeprefix(_BLANK).removesuffix("]")
    elif isinstance(part, tuple):
        for item in part:
            yield from blanks(item)
    elif is_dataclass(part):
        for field in fields(part):
            yield from blanks(getattr(part, field.name))


def draft_notice(kind: str) -> Notice:
    """The head of each paper: a draft, and not legal advice."""
    words = (
        f"This draft of {kind} was filled in by a program from the study file alone. It is not"
        " legal advice. Whoever answers for the data at this institution reads it, fills in what is"
        " marked, changes what does not fit, and signs it."
    )
    stays = (
        "Title, purpose, columns, intended use and all that stands behind a bar are the researcher's"
        " own words. The program's sentences take each figure from the study file."
    )
    return Notice("A draft. Not legal advice.", (Paragraph(words), Paragraph(stays)), Tone.WARN)


def identity(given: DossierFacts) -> Facts:
    """The study that the paper is about, so that nobody takes it for another's."""
    study = given.study
    digest = given.digest
    sealed: Value = "A protocol: it has no parties yet, so no hospital can approve it."
    version: Value | None = None
    if digest is not None:
        sealed = Code(digest)
    if isinstance(study, Study):
        version = f"securefl {study.software.securefl}"
    return facts(
        [
            ("Study", Code(study.study.id)),
            ("Title", Quoted(study.study.title)),
            ("Digest", sealed),
            ("Software", version),
        ]
    )


def parties(given: DossierFacts) -> Bullets:
    """Parties with their role; blanks for a protocol."""
    study = given.study
    if not isinstance(study, Study):
        return bullets([blank("researcher, aggregator and hospitals that take part")])
    named: list[Words] = [_party("asks and coordinates", study.coordinator.legal_name)]
    named += [_party("hospital", party.legal_name) for party in study.participants]
    named.append(_party("adds what it cannot read", study.aggregator.legal_name))
    return bullets(named)


def _party(role: str, name: str) -> Words:
    return (f"{role}: ", Outside(name))


def columns(given: DossierFacts) -> Facts:
    """Columns that are used, by kind."""
    rows = explain_columns.column_rows(given.study)
    return facts((label, Quoted(text)) for label, text in rows)


def leaving(given: DossierFacts) -> Bullets:
    """Everything that leaves a hospital."""
    return bullets(item.sentence for item in explain_study.leaving(given.study))


def dates(given: DossierFacts) -> str:
    """First and last day of the study."""
    schedule = given.study.schedule
    return f"May run from {schedule.opens:%Y-%m-%d} to {schedule.closes:%Y-%m-%d}."


def recipients(given: DossierFacts) -> str:
    """Parties that are sent the model at the end."""
    return ", ".join(given.study.outputs.recipients) or "nobody but the coordinator"


def page_blanks(page: Any) -> list[str]:  # noqa: ANN401 - a page or a part of one
    """Names of the gaps, each once."""
    return list(dict.fromkeys(blanks(page)))
