"""Agreement of a consortium on a page: its articles, its parties, who signed, what is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from securefl.report.explain_study import duo_words
from securefl.report.page import (
    Code,
    Gap,
    Outside,
    Page,
    Paragraph,
    Quoted,
    Span,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.agreement.schema import Agreement
    from securefl.report.page import Section, Value

_USE: Final = re.compile(r"DUO:[0-9]{7}")


class PartyLine(NamedTuple):
    """A party as one reader sees it.

    ``fault`` says why its signature or its entry does not count; empty where nothing does.
    ``vouched`` says that its card was not compared in person; empty where it was, or is not known.
    """

    name: str
    role: str
    legal_name: str
    country: str
    fingerprint: str
    signed: bool
    fault: str
    vouched: str = ""


@dataclass(frozen=True)
class AgreementFacts:
    """An agreement as one party finds it.

    Attributes:
        agreement: its values.
        digest: SHA-256 (hex).
        reader: name of the party that checked; empty where nobody's keys were at hand.
        parties: in the agreement's order.
        missing: who has to sign still, a line each.
        bound: populations that it binds at the reader's own machine; None where the reader is no
            hospital.
        prose_fault: why the prose is not the agreed one; empty where it is.
        study: name of a study that was held against it; empty without one.
        breaches: what in that study goes beyond an article, a sentence each.
    """

    agreement: Agreement
    digest: str
    reader: str
    parties: Sequence[PartyLine]
    missing: Sequence[str]
    bound: Sequence[str] | None
    prose_fault: str = ""
    study: str = ""
    breaches: Sequence[str] = ()

    @property
    def complete(self) -> bool:
        """True if every signature is there that this reader needs."""
        return bool(self.reader) and not self.missing and not self.prose_fault

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        about = self.agreement.consortium
        return {
            "schema": "securefl-consortium-check/1",
            "consortium": about.id,
            "version": about.version,
            "digest": self.digest,
            "supersedes": about.supersedes,
            "populations": list(about.populations),
            "reader": self.reader or None,
            "complete": self.complete,
            "missing": list(self.missing),
            "bound": None if self.bound is None else list(self.bound),
            "prose_fault": self.prose_fault or None,
            "parties": [line._asdict() for line in self.parties],
            "study": self.study or None,
            "breaches": list(self.breaches),
        }


def agreement_page(found: AgreementFacts) -> Page:
    """The agreement as a page."""
    about = found.agreement.consortium
    return page(
        ("Agreement of ", Outside(about.id), f", version {about.version}"),
        _verdict(found),
        Quoted(about.title),
        facts(
            [
                ("for the patients of", ", ".join(about.populations)),
                ("digest", Code(found.digest)),
                ("follows on", Code(about.supersedes) if about.supersedes else None),
            ]
        ),
        when(found.prose_fault, Paragraph(found.prose_fault, Tone.BAD)),
        section("Parties", *_parties(found)),
        *(
            section(
                f"Article {article.number}: {article.title}",
                bullets(map(_with_words, article.clauses())),
            )
            for article in found.agreement.articles
        ),
        Paragraph(
            "The articles are held by every hospital's machine. agreement.md holds the promises"
            " between people; its hash stands in the agreement.",
            Tone.QUIET,
        ),
        _study(found),
    )


def _with_words(clause: str) -> str:
    """A clause with the meaning behind each code of a use."""
    return _USE.sub(lambda found: duo_words(found[0]), clause)


def _verdict(found: AgreementFacts) -> Paragraph:
    if found.bound:
        populations = ", ".join(found.bound)
        return Paragraph(f"In force on this machine, for the patients of {populations}.", Tone.GOOD)
    if not found.reader:
        words = "Signatures were not checked: say whose folder is yours, with --site FOLDER."
        return Paragraph(words, Tone.WARN)
    if found.missing:
        return Paragraph(
            f"Still to sign, as {found.reader} sees it: {'; '.join(found.missing)}.", Tone.WARN
        )
    if found.bound is None:
        return Paragraph("Every signature that is needed is there.", Tone.GOOD)
    words = "Every signature that is needed is there. `securefl consortium enforce` puts it in force here."
    return Paragraph(words, Tone.GOOD)


def _parties(found: AgreementFacts) -> list[Value]:
    parts: list[Value] = []
    for line in found.parties:
        parts += [
            (Span(line.name, Tone.STRONG), f", {line.role}, {line.country}"),
            facts(
                [
                    ("calls itself", Quoted(line.legal_name)),
                    ("fingerprint", line.fingerprint),
                    ("compared", Span(line.vouched, Tone.WARN) if line.vouched else None),
                    ("signature", _signature(line, found)),
                ]
            ),
            Gap(),
        ]
    return parts[:-1]


def _signature(line: PartyLine, found: AgreementFacts) -> Span | None:
    if not found.reader:
        return None
    if line.fault:
        return Span(line.fault, Tone.BAD)
    if line.signed:
        return Span("signed", Tone.GOOD)
    return Span("not yet", Tone.WARN)


def _study(found: AgreementFacts) -> Section | None:
    if not found.study:
        return None
    if not found.breaches:
        words = Span("nothing in it goes beyond an article that this machine can judge", Tone.GOOD)
        return section(f"The study {found.study}", words)
    return section(f"The study {found.study} goes beyond", bullets(found.breaches))
