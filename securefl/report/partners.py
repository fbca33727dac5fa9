"""Partners of a hospital: their cards, the groups to compare, and what is held of their ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.report.page import (
    Code,
    Moment,
    Page,
    Paragraph,
    Quoted,
    Span,
    Tone,
    facts,
    page,
    section,
    when,
)
from securefl.report.words import day, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.identity import IdentityCard
    from securefl.report.page import Section, Value


class PartnerLine(NamedTuple):
    """A card on the list, and what is held of its ledger.

    ``events``: of the newest checkpoint; None where none is held. ``fault``: why it cannot be
    read, or that it is in doubt. ``vouched``: that the card was not compared in person, and whose
    word it rests on; empty where it was. ``lapsed``: why that word counts no more.
    """

    card: IdentityCard
    events: int | None = None
    head: str = ""
    fault: str = ""
    vouched: str = ""
    lapsed: str = ""


def partners_page(own: IdentityCard, partners: Sequence[PartnerLine]) -> Page:
    """The own card and the list of partners as a page.

    Args:
        own: this hospital's card.
        partners: everybody on its list.
    """
    return page(
        "Partners",
        section(
            "Your own card",
            facts([*_card(own), ("read aloud", Code(own.spoken))]),
            Paragraph(
                "Whoever calls you reads these groups back. Give the card as a file; the groups"
                " only by telephone.",
                Tone.QUIET,
            ),
        ),
        *(_partner(PartnerLine(*line)) for line in partners),
        when(not partners, Paragraph("Nobody yet. Next: `securefl site trust CARD`", Tone.QUIET)),
    )


def _partner(line: PartnerLine) -> Section:
    card = line.card
    rows: list[tuple[str, Value]] = [*_card(card), ("fingerprint", Code(card.spoken))]
    if card.earlier:
        rows.append(("new keys since", day(card.earlier[-1].until)))
    if line.lapsed:
        rows.append(("compared", Span(f"trusted no more. {line.lapsed}", Tone.BAD)))
    elif line.vouched:
        rows.append(("compared", Span(line.vouched, Tone.WARN)))
    rows.append(("its ledger", _held(line)))
    return section(f"{card.name} ({card.role})", facts(rows))


def _card(card: IdentityCard) -> list[tuple[str, Value]]:
    return [("name", Quoted(card.legal_name)), ("write to", Quoted(card.email))]


def _held(line: PartnerLine) -> Span:
    """What is held of a partner's ledger, in words."""
    if line.fault:
        return Span(line.fault, Tone.BAD)
    if line.events is None:
        return Span("no checkpoint is held here yet", Tone.QUIET)
    return Span(f"a checkpoint of {plural(line.events, 'event')}, ending in {line.head[:12]}")


def trust_page(card: IdentityCard, replaced: str, replaced_until: str) -> Page:
    """The page before a card is trusted whose groups were typed as they were heard.

    Args:
        card: that would be trusted.
        replaced: groups of the trusted card that it follows; empty where the name is new.
        replaced_until: day until which that one's key signed.
    """
    rows: list[tuple[str, Value | None]] = [
        ("role", card.role),
        *_card(card),
        ("fingerprint", Code(card.spoken)),
    ]
    if replaced:
        rows += [("replaces", Code(replaced)), ("from", replaced_until)]
    return page(
        f"The card of {card.name}",
        Paragraph("The groups that you typed are those of this card.", Tone.GOOD),
        facts(rows),
        when(
            replaced,
            Paragraph(
                "The old key itself signed that this one comes next. Studies that name the old key"
                " can no longer begin.",
                Tone.WARN,
            ),
        ),
    )


def distrust_page(card: IdentityCard) -> Page:
    """The page before a partner is taken off the list."""
    return page(
        f"{card.name} off the list",
        facts([("role", card.role), *_card(card)]),
        Paragraph(
            "No study in which it takes part can be approved or begin here, until its card is added"
            " again."
        ),
    )


def settling_page(name: str) -> Page:
    """The page before a partner's two pasts are settled, after a telephone call."""
    return page(
        f"The ledger of {name} in doubt",
        Paragraph(
            "It has signed two pasts of its ledger that cannot both be true. Either an older copy"
            " of it is at work again, which has forgotten what was spent since, or two copies of"
            " that hospital run at once.",
            Tone.BAD,
        ),
        Paragraph(
            "Ask by telephone which it was, and that it was ended. Use a number that you know from"
            " elsewhere."
        ),
        Paragraph(
            "If you go on, what is held here of its ledger is put aside, and the next checkpoint"
            " that it hands out counts as its first."
        ),
    )


def excuse_page(
    name: str,
    own: str,
    size: int,
    last_at: str,
) -> Page:
    """The page before studies start without the word of a silent partner.

    Args:
        name: the silent hospital.
        own: this hospital.
        size: events of this hospital's own ledger.
        last_at: time of the last of them, UTC in ISO 8601.
    """
    return page(
        f"Studies without a word of {name}",
        facts(
            [
                ("silent", name),
                ("events of your own ledger", f"{size:,}"),
                ("the last one", Moment(last_at)),
            ]
        ),
        Paragraph(
            f"Before a study starts, {own} waits for {name} to say which checkpoint of this ledger"
            " it holds."
        ),
        Paragraph(
            "Was this folder ever put back from a backup, or copied to another machine? Then"
            f" {name} may know of approvals and spending that it has forgotten, and a study could"
            f" use them a second time: do not go on, but telephone {name}.",
            Tone.WARN,
        ),
        Paragraph(
            "If it is the ledger that has always run here, nothing is lost by going on."
            f" {name} is waited for again once it has answered, and where it takes part itself."
        ),
    )
