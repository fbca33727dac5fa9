"""Parties on the page of a request, each marked as verified here or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report import explain_study, terms
from securefl.report.page import (
    Outside,
    Paragraph,
    Quoted,
    Section,
    Span,
    Table,
    Tone,
    facts,
    section,
    when,
)
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from securefl.identity import IdentityCard
    from securefl.partners import Vouched
    from securefl.report.page import Row, Words
    from securefl.study.schema import Study

VERIFIED: Final = "verified here"
#: PySyft knows people by e-mail address; ours end in a domain that never receives mail (RFC 2606,
#: section 2).
_NO_MAIL = ".invalid"


def who_asks(
    study: Study,
    sender: str,
    known: Collection[str],
    cards: Mapping[str, IdentityCard],
    vouched: Mapping[str, Vouched],
) -> Section:
    """The researcher, with the fingerprint to compare.

    Args:
        study: what is asked for.
        sender: by whom the request was delivered.
        known: names of the parties that are verified here.
        cards: this hospital's own cards of them; the study's own words stand there only where no
            card does, and are marked as such.
        vouched: parties in ``known`` whose cards were not compared here.
    """
    who = study.coordinator
    own = cards.get(who.name)
    claimed = " (says the study)"
    if own:
        claimed = ""
    compare = "Compare these groups by telephone, with a number you know from elsewhere."
    fingerprint = explain_study.card(who, "researcher").spoken
    return section(
        "Who asks",
        facts(
            [
                (
                    "researcher",
                    (Outside(who.name, Tone.STRONG), " — ", _mark(who.name, known, vouched)),
                ),
                (f"organisation{claimed}", Quoted((own or who).legal_name)),
                ("lead", Quoted(study.study.lead)),
                (f"e-mail{claimed}", Quoted((own or who).email)),
                ("key fingerprint", Span(fingerprint, Tone.STRONG)),
                ("", Span(compare, Tone.QUIET)),
                ("delivered by", _delivered(sender, who.name, (own or who).email)),
            ]
        ),
    )


def _delivered(sender: str, name: str, mail: str) -> Words:
    ours = sender.partition("@")[0] == name and sender.endswith(_NO_MAIL)
    if ours or sender in {name, mail}:
        return Outside(sender)
    warning = " is NOT the researcher whom the study names; telephone before you decide"
    return (Outside(sender, Tone.BAD), Span(warning, Tone.BAD))


def who_takes_part(
    study: Study,
    site: str,
    known: Collection[str],
    cards: Mapping[str, IdentityCard],
    vouched: Mapping[str, Vouched],
    *,
    without_pysyft: Collection[str] = (),
) -> Section:
    """The hospitals and the aggregator; a warning above them where some are not verified, and a
    sentence on those without PySyft.
    """
    # our own mark stands before the party's own words, in a column that those cannot reach
    rows: list[Row] = [
        (
            Outside(p.name, Tone.STRONG),
            "this hospital" if p.name == site else _mark(p.name, known, vouched),
            Quoted(cards.get(p.name, p).legal_name),
        )
        for p in study.participants
    ]
    adds = study.aggregator
    rows.append(
        (
            Outside(adds.name, Tone.STRONG),
            "adds, holds no key",
            Quoted(cards.get(adds.name, adds).legal_name),
        )
    )
    hospitals = len(study.participants)
    strangers = sum(p.name != site and p.name not in known for p in study.participants)
    return section(
        f"Who takes part ({plural(hospitals, 'hospital')})",
        when(strangers, Paragraph(terms.strangers_sentence(strangers, hospitals), Tone.BAD)),
        Table((), tuple(rows)),
        when(without_pysyft, terms.without_pysyft_sentence(sorted(without_pysyft))),
    )


def _mark(name: str, known: Collection[str], vouched: Mapping[str, Vouched]) -> Span:
    if name in known and name in vouched:
        word = vouched[name]
        return Span(terms.vouched_words(word.by, word.until[:10]), Tone.WARN)
    if name in known:
        return Span(VERIFIED, Tone.GOOD)
    return Span(terms.NOT_LISTED, Tone.BAD)
