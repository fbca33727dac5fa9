"""Trusting cards: the same for every role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.cli.screen import confirm, say, say_quoted, write_json
from securefl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.partners import AddressBook, ListedCard
    from securefl.party.trust import TrustPlan


def trust_cards(
    book: AddressBook,
    cards: tuple[Path, ...],
    *,
    fingerprint: str | None,
    vouch: Path | None,
    yes: bool,
    remove: str | None,
    json_file: str | None = None,
) -> None:
    """Add cards, remove a name, or show the list; the list as it is then goes to ``json_file``.

    Raises:
        UnreadableError, MessageError: a file is not a card.
        UsageError: nobody compared a fingerprint, or one for several cards.
        UntrustedError: another key is trusted under a card's name, or a vouch does not count.
    """
    from securefl.files import read_given
    from securefl.identity import MAX_CARD_BYTES
    from securefl.party.trust import read_given_card
    from securefl.statement import MAX_SMALL

    if remove:
        book.distrust(remove)
        say(f"{remove} is off the list.")
    if remove or (json_file == "-" and not cards):
        _write_list(book, json_file)
        return
    _check_words(cards, fingerprint, vouch, json_file)
    for path in cards:
        card = read_given_card(read_given(path, MAX_CARD_BYTES), str(path))
        if len(cards) > 1 and book.is_own(card):
            # a consortium's folder of cards holds one's own too
            say(f"{card.name}: your own card, left out.")
        elif vouch is not None:
            _trust_vouched(book, card, read_given(vouch, MAX_SMALL), yes=yes)
        else:
            _trust(book, card, fingerprint, yes=yes)
    _write_list(book, json_file)
    listed = book.listed().values()
    names = ", ".join(_short(entry) for entry in listed if not entry.lapsed)
    say(f"Trusted here: {names or 'nobody yet'}.")
    if not cards:
        for entry in listed:
            _say_listed(entry)


def _short(entry: ListedCard) -> str:
    """A card in a line of names."""
    if entry.vouched is not None:
        return f"{entry.card.name} ({entry.card.role}, on the word of {entry.vouched.by})"
    return f"{entry.card.name} ({entry.card.role})"


def _check_words(
    cards: tuple[Path, ...],
    fingerprint: str | None,
    vouch: Path | None,
    json_file: str | None,
) -> None:
    """Refuse options that do not go together. Raises :class:`securefl.errors.UsageError`."""
    if fingerprint and len(cards) != 1:
        raise UsageError(
            "--fingerprint goes with one card.", next_step="Trust the cards one by one."
        )
    if vouch is not None and (fingerprint or len(cards) != 1):
        raise UsageError(
            "--vouch goes with one card, and without --fingerprint.",
            next_step="Trust the cards one by one, each by a call or by a vouch.",
        )
    if cards and json_file == "-":
        raise UsageError(
            "`--json -` prints the list alone.", next_step="Name a file, or leave the cards out."
        )


def _say_listed(entry: ListedCard) -> None:
    """One card of the list, and why it is there."""
    from securefl.report.terms import vouched_words
    from securefl.report.words import day

    card = entry.card
    line = f"  {card.name:<16} {card.spoken}"
    if card.earlier:
        line += f" (new keys since {day(card.earlier[-1].until)[:10]})"
    say(line)
    say_quoted(card.legal_name)
    if entry.lapsed:
        say(f"    trusted no more. {entry.lapsed}")
    elif entry.vouched is not None:
        say(f"    {vouched_words(entry.vouched.by, entry.vouched.until[:10])}")


def _write_list(book: AddressBook, json_file: str | None) -> None:
    """Write everybody on the list, where a program asked for it."""
    if json_file is None:
        return
    entries = book.listed().values()
    trusted = [_listed_json(entry) for entry in entries if not entry.lapsed]
    lapsed = [{**_listed_json(entry), "lapsed": entry.lapsed} for entry in entries if entry.lapsed]
    write_json({"trusted": trusted, "lapsed": lapsed}, json_file)


def _listed_json(entry: ListedCard) -> dict[str, Any]:
    """A card of the list for programs."""
    card = entry.card
    changed = None
    if card.earlier:
        changed = card.earlier[-1].until
    word = None
    if entry.vouched is not None:
        word = {"by": entry.vouched.by, "until": entry.vouched.until}
    return {
        "name": card.name,
        "role": card.role,
        "legal_name": card.legal_name,
        "email": card.email,
        "fingerprint": card.spoken,
        "new_keys_since": changed,
        "vouched": word,
    }


def _trust(
    book: AddressBook,
    card: IdentityCard,
    fingerprint: str | None,
    *,
    yes: bool,
) -> None:
    """Show one card, have its fingerprint compared, and add it."""
    from securefl.party.trust import check_fingerprint, plan_trust, trust

    say(f"{card.role} {card.name}, as the card calls itself:")
    say_quoted(f"{card.legal_name}, {card.email}")
    say(f"  fingerprint  {card.spoken}")
    plan = plan_trust(book, card)
    for line in _takes_over(plan):
        say(line)
    if fingerprint is not None:
        check_fingerprint(card, fingerprint)
    else:
        question = f"Did {card.name} read out the same groups by telephone?"
        confirm(question, yes=yes, read="the lines above")
    trust(book, plan)
    if plan.replaced is not None:
        say(
            f"{card.name}'s new card has replaced the older one here. Studies that name the old"
            " key can no longer begin."
        )


def _trust_vouched(book: AddressBook, card: IdentityCard, vouch: bytes, *, yes: bool) -> None:
    """Show one card with the word of a hospital for it, and add it after a yes."""
    from datetime import UTC, datetime

    from securefl.party.vouch import plan_vouched_trust, trust_vouched

    plan = plan_vouched_trust(book, card, vouch, datetime.now(UTC))
    say(f"{card.role} {card.name}, as the card calls itself:")
    say_quoted(f"{card.legal_name}, {card.email}")
    say(f"  fingerprint  {card.spoken}")
    say(f"  vouched for  by {plan.by}, until {plan.until}")
    say(
        f"Nobody here has compared this card. {plan.by} says that it did, and nothing shows whether"
        f" that is so: if it is not, {card.name} may be anybody."
    )
    confirm(f"Do you take {plan.by}'s word for {card.name}?", yes=yes, read="the lines above")
    trust_vouched(book, plan)
    say(f"Every page says of {card.name} that it was not compared in person.")


def _takes_over(plan: TrustPlan) -> list[str]:
    """Lines to read before trusting a successor; none where the name is new."""
    from securefl.report.words import day

    if plan.replaced is None:
        return []
    name = plan.card.name
    again = plan.changed_again_until
    more = ""
    if again:
        more = f", and changed its keys again until {day(again)}"
    return [
        f"  replaces     {plan.replaced.spoken}, which you trust as {name} until now",
        (
            f"  from         {day(plan.replaced_until)}: the old key itself signed that this one"
            f" comes next{more}"
        ),
        (
            f"  Telephone {name} all the same, on a number you know: whoever stole the old key"
            " could have signed that."
        ),
    ]
