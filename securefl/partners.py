"""Partners of a party: its own list of those whom it trusts.

A card is on it for one of two reasons. Its fingerprint was compared with its owner, or a hospital
whose card was compared vouched for it (:mod:`securefl.party.vouch`). The second is one link long:
a card that is there by a vouch supports no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError, UnreadableError, UntrustedError, file_error
from securefl.files import read_file, replace_file
from securefl.identity import (
    MAX_EARLIER,
    EarlierKey,
    Identity,
    IdentityCard,
    Role,
    read_earlier,
)
from securefl.signed import dump_signed, open_signed_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

_BOOK_TYPE = "securefl-partners/1"
#: A list with vouches. An earlier version of securefl, which would take them for comparisons, cannot
#: read it.
_VOUCHED_TYPE = "securefl-partners/2"
_FORMS = {_BOOK_TYPE: frozenset({"cards"}), _VOUCHED_TYPE: frozenset({"cards", "vouched"})}
MAX_BOOK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Vouched:
    """A hospital's word under which a card is on the list that was not compared in person.

    Attributes:
        by: name of the hospital that vouched.
        key: its signing key when it did, 32 bytes in hex.
        until: UTC in ISO 8601; the card counts until then.
    """

    by: str
    key: str
    until: str


@dataclass(frozen=True)
class ListedCard:
    """A card on a party's list.

    Attributes:
        card: the card.
        vouched: the word that it rests on; None where its fingerprint was compared with its owner.
        lapsed: why that word counts no more, a sentence; empty while the card is trusted.
    """

    card: IdentityCard
    vouched: Vouched | None = None
    lapsed: str = ""


@dataclass(frozen=True)
class _Book:
    """A list as it was read: cards by name, and the words that some of them rest on."""

    cards: Mapping[str, IdentityCard] = field(default_factory=dict)
    vouched: Mapping[str, Vouched] = field(default_factory=dict)

    def lapsed(self, name: str, now: str) -> str:
        """Say why the word behind a card counts no more; empty while the card is trusted."""
        word = self.vouched.get(name)
        if word is None:
            return ""
        if now >= word.until:
            return f"{word.by} vouched for {name} until {word.until[:10]}, which is over."
        voucher = self.cards.get(word.by)
        if voucher is None or word.by in self.vouched:
            return f"{word.by} vouched for {name}, and {word.by} itself is compared here no more."
        # A key that was changed may have been changed because it was stolen.
        if voucher.signing_public != word.key:
            return f"{word.by} vouched for {name} with a key that it has replaced since."
        return ""

    def with_card(self, card: IdentityCard, word: Vouched | None) -> _Book:
        """The list with a card, which replaces the one of its name."""
        vouched = {name: old for name, old in self.vouched.items() if name != card.name}
        if word is not None:
            vouched[card.name] = word
        return _Book({**self.cards, card.name: card}, vouched)

    def without(self, name: str) -> _Book:
        """The list without a name."""
        return _Book(
            {n: card for n, card in self.cards.items() if n != name},
            {n: word for n, word in self.vouched.items() if n != name},
        )


class AddressBook:
    """List of partners, signed by the party's own key.

    Args:
        path: the file.
        owner: whose list it is.
        alone: held while the list is read, changed and written, so that two processes lose no card
            of one another.
        now: the time, UTC in ISO 8601: a vouch ends.
    """

    def __init__(
        self,
        path: Path,
        owner: Identity,
        alone: Callable[[], AbstractContextManager[None]],
        now: Callable[[], str],
    ) -> None:
        self._path = path
        self._owner = owner
        self._alone = alone
        self._now = now
        #: The bytes whose signature this object found good last, and what they say. An agent asks
        #: several times a second for what changes once a year.
        self._verified: tuple[bytes, _Book] | None = None

    def cards(self) -> dict[str, IdentityCard]:
        """Read the trusted cards by name; a card whose vouch is over is none.

        Raises:
            UnreadableError: the file is not a list signed by this party's key.
        """
        return {name: entry.card for name, entry in self.listed().items() if not entry.lapsed}

    def listed(self) -> dict[str, ListedCard]:
        """Read everybody on the list by name, with the reason why each is there.

        Raises:
            UnreadableError: see :meth:`cards`.
        """
        book, now = self._read(), self._now()
        return {
            name: ListedCard(card, book.vouched.get(name), book.lapsed(name, now))
            for name, card in book.cards.items()
        }

    def _read(self) -> _Book:
        if not self._path.exists():
            return _Book()
        try:
            data = read_file(self._path, MAX_BOOK_BYTES)
        except OSError as error:
            raise file_error(error, self._path) from None
        if self._verified is None or data != self._verified[0]:
            self._verified = (data, self._open(data))
        return self._verified[1]

    def _open(self, data: bytes) -> _Book:
        """Check the signature, then parse."""
        try:
            body = open_signed_form(
                data,
                forms=_FORMS,
                verify=self._owner.card.verify,
                sender=self._owner.card.name,
                max_bytes=MAX_BOOK_BYTES,
            )
        except MessageError:
            raise UnreadableError(
                f"{self._path} is not a list signed by this party's key: somebody else changed it.",
                next_step="Restore it, or compare the fingerprints again and trust the cards anew.",
            ) from None
        cards = {c["name"]: _card(c) for c in body["cards"]}
        words = {v["name"]: Vouched(v["by"], v["key"], v["until"]) for v in body.get("vouched", ())}
        return _Book(cards, words)

    def is_own(self, card: IdentityCard) -> bool:
        """True for exactly this party's own card."""
        return card == self._owner.card

    def replaced(self, card: IdentityCard) -> IdentityCard | None:
        """Return the trusted card of this name whose key says that ``card`` is next, or None."""
        known = self.cards().get(card.name)
        if known is None or known.role != card.role:
            return None
        if any(e.signing_public == known.signing_public for e in card.earlier):
            return known
        return None

    def check(self, card: IdentityCard) -> None:
        """Check that :meth:`trust` would take this card.

        Raises:
            UntrustedError: another key is trusted under this name that did not name this one as the
                next, an older card than the trusted one, one that leaves earlier keys out, or this
                party's own.
        """
        known = self.cards().get(card.name)
        own = self._owner.card
        if card.name == own.name or card.signing_public == own.signing_public:
            raise UntrustedError(
                f"The card of {card.name} has this party's own name or key.",
                next_step="Trust the cards of the others only.",
            )
        if known is None:
            return
        if known == card or self.replaced(card) is not None:
            if _succeeds(known, card):
                return
            raise UntrustedError(
                f"This card of {card.name} leaves out earlier keys that the card trusted here"
                " names: what those keys signed could no longer be checked.",
                whose=card.name,
                next_step=(
                    f"Keep the trusted card, and ask {card.name} for its `card.json` as it is now."
                ),
            )
        until = next(
            (e.until for e in known.earlier if e.signing_public == card.signing_public), None
        )
        if until is not None:
            raise UntrustedError(
                f"This is an older card of {card.name}: its key was replaced on {until[:10]}, and"
                " the newer card is trusted here.",
                whose=card.name,
                next_step="Nothing needs to be done; throw the older card away.",
            )
        raise UntrustedError(
            f"Another card is already trusted as {card.name} (fingerprint {known.spoken}), and its"
            " key did not sign for this one.",
            whose=card.name,
            next_step=(
                f"Telephone {card.name}. If its keys really are others now, take the old card off"
                f" your list with `trust --remove {card.name}`, then trust the new one."
            ),
        )

    def check_vouched(self, card: IdentityCard) -> None:
        """Check that :meth:`trust_vouched` would take this card.

        Raises:
            UntrustedError: see :meth:`check`; or a card of this name was compared in person, which
                is never given up for somebody else's word.
        """
        self.check(card)
        known = self.listed().get(card.name)
        if known is None or known.vouched is not None:
            return
        if known.card == card:
            raise UntrustedError(
                f"The card of {card.name} is trusted here already: its fingerprint was compared.",
                next_step="Nothing needs to be done.",
            )
        raise UntrustedError(
            f"The card of {card.name} that is trusted here was compared with its owner; a new one"
            " is not taken on the word of somebody else.",
            whose=card.name,
            next_step=f"Telephone {card.name}, and trust its new card without a vouch.",
        )

    def trust(self, card: IdentityCard) -> None:
        """Add a card whose fingerprint was compared out of band.

        It replaces the one that its earlier key signed for it.

        Raises:
            UntrustedError: see :meth:`check`.
        """
        with self._alone():
            self.check(card)
            _write(self._path, self._owner, self._read().with_card(card, None))

    def trust_vouched(self, card: IdentityCard, word: Vouched) -> None:
        """Add a card on a hospital's word, which :mod:`securefl.party.vouch` has checked.

        Raises:
            UntrustedError: see :meth:`check_vouched`.
        """
        with self._alone():
            self.check_vouched(card)
            _write(self._path, self._owner, self._read().with_card(card, word))

    def sign_anew(self, path: Path, owner: Identity) -> None:
        """Write the same list at ``path``, signed by this party's new keys (``owner``).

        Raises:
            UnreadableError: see :meth:`cards`.
        """
        _write(path, owner, self._read())

    def distrust(self, name: str) -> None:
        """Remove a name from the list.

        Raises:
            UntrustedError: it is not there.
        """
        with self._alone():
            book = self._read()
            if name not in book.cards:
                raise UntrustedError(
                    f"{name} is not in this party's list.",
                    next_step="`trust` without a card shows the list.",
                )
            _write(self._path, self._owner, book.without(name))

    def require(
        self,
        name: str,
        signing_public: str,
        sealing_public: str,
        *,
        role: Role = "hospital",
    ) -> IdentityCard:
        """Return the trusted card of ``name`` if it holds exactly these keys and this role.

        The role counts: a researcher's card that is trusted as a researcher does not make a
        hospital of it.

        Raises:
            UntrustedError: unknown name, other keys, or another role.
        """
        entry = self.listed().get(name)
        if entry is None:
            raise UntrustedError(
                f"{name} is not in this party's own list of partners.",
                whose=name,
                next_step=(
                    f"Get {name}'s card, compare its fingerprint by telephone, then `securefl site"
                    " trust CARD`."
                ),
            )
        if entry.lapsed:
            raise UntrustedError(
                f"{name} is trusted here no more. {entry.lapsed}",
                whose=name,
                next_step=(
                    f"Compare {name}'s fingerprint by telephone, then `securefl site trust CARD`;"
                    " or ask for a new vouch."
                ),
            )
        card = entry.card
        until = next((e.until for e in card.earlier if e.signing_public == signing_public), None)
        if until is not None:
            raise UntrustedError(
                f"The study names the keys that {name} had before {until[:10]}.",
                whose="the researcher",
                next_step=f"Ask for the study again, made with {name}'s new card.",
            )
        if (card.signing_public, card.sealing_public) != (signing_public, sealing_public):
            raise UntrustedError(
                f"The study names other keys for {name} than the card that is trusted here.",
                whose=name,
                next_step=(
                    f"Telephone {name}. If its keys are new, trust its new card; if not, do not"
                    " approve."
                ),
            )
        if card.role != role:
            raise UntrustedError(
                f"{name} is trusted here as a {card.role}, but the study names it as a {role}.",
                whose=name,
                next_step=f"Ask the researcher to name a {role}; nobody takes part in two roles.",
            )
        return card


def _succeeds(known: IdentityCard, card: IdentityCard) -> bool:
    """True if ``card`` names every earlier key that ``known`` does, with the same words.

    A full card may drop the oldest.
    """
    # The earlier keys that a successor shares with the trusted card stand before that card's key.
    before = card.earlier
    if known != card:
        keys = [e.signing_public for e in card.earlier]
        before = card.earlier[: keys.index(known.signing_public)]
    # Compared from the newest back, for the oldest may be gone.
    same = all(a == b for a, b in zip(reversed(before), reversed(known.earlier), strict=False))
    complete = len(before) >= len(known.earlier)
    full = known != card and len(card.earlier) == MAX_EARLIER
    return same and (complete or full)


def _write(path: Path, owner: Identity, book: _Book) -> None:
    """Write the list, signed by its owner's key."""
    body: dict[str, Any] = {
        "type": _BOOK_TYPE,
        "cards": [_entry(book.cards[name]) for name in sorted(book.cards)],
    }
    if book.vouched:
        body["type"] = _VOUCHED_TYPE
        body["vouched"] = [
            {"name": name, "by": word.by, "key": word.key, "until": word.until}
            for name, word in sorted(book.vouched.items())
        ]
    replace_file(path, dump_signed(body, owner.sign))


def _entry(card: IdentityCard) -> dict[str, Any]:
    """Write a card as an entry of the list."""
    entry: dict[str, Any] = dict(card.fields())
    if card.earlier:
        entry["earlier"] = [dict(e.__dict__) for e in card.earlier]
    return entry


def _card(entry: dict[str, Any]) -> IdentityCard:
    """Read an entry that this party signed.

    The signatures of earlier keys were checked when the card was trusted.
    """
    earlier: tuple[EarlierKey, ...] | None = ()
    if "earlier" in entry:
        earlier = read_earlier(entry["earlier"])
    fields = {k: v for k, v in entry.items() if k != "earlier"}
    return IdentityCard(**fields, earlier=earlier or ())
