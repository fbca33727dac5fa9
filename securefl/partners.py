"""Partners of a party: its own list of those whom it trusts, after a telephone call."""

from __future__ import annotations

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
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

_BOOK_TYPE = "securefl-partners/1"
MAX_BOOK_BYTES = 4 * 1024 * 1024


class AddressBook:
    """List of partners, signed by the party's own key: names that it compared fingerprints with.

    Args:
        path: the file.
        owner: whose list it is.
        alone: held while the list is read, changed and written, so that two processes lose no card
            of one another.
    """

    def __init__(
        self,
        path: Path,
        owner: Identity,
        alone: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._path = path
        self._owner = owner
        self._alone = alone
        #: The bytes whose signature this object found good last, and what they say. An agent asks
        #: several times a second for what changes once a year.
        self._verified: tuple[bytes, dict[str, IdentityCard]] | None = None

    def cards(self) -> dict[str, IdentityCard]:
        """Read the trusted cards by name.

        Raises:
            UnreadableError: the file is not a list signed by this party's key.
        """
        if not self._path.exists():
            return {}
        try:
            data = read_file(self._path, MAX_BOOK_BYTES)
        except OSError as error:
            raise file_error(error, self._path) from None
        if self._verified is None or data != self._verified[0]:
            self._verified = (data, self._open(data))
        return dict(self._verified[1])

    def _open(self, data: bytes) -> dict[str, IdentityCard]:
        """Check the signature, then parse."""
        try:
            body = open_signed(
                data,
                kind=_BOOK_TYPE,
                fields=frozenset({"cards"}),
                verify=self._owner.card.verify,
                sender=self._owner.card.name,
                max_bytes=MAX_BOOK_BYTES,
            )
        except MessageError:
            raise UnreadableError(
                f"{self._path} is not a list signed by this party's key: somebody else changed it.",
                next_step="Restore it, or compare the fingerprints again and trust the cards anew.",
            ) from None
        return {c["name"]: _card(c) for c in body["cards"]}

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

    def trust(self, card: IdentityCard) -> None:
        """Add a card whose fingerprint was compared out of band.

        It replaces the one that its earlier key signed for it.

        Raises:
            UntrustedError: see :meth:`check`.
        """
        with self._alone():
            self.check(card)
            _write(self._path, self._owner, {**self.cards(), card.name: card})

    def sign_anew(self, path: Path, owner: Identity) -> None:
        """Write the same list at ``path``, signed by this party's new keys (``owner``).

        Raises:
            UnreadableError: see :meth:`cards`.
        """
        _write(path, owner, self.cards())

    def distrust(self, name: str) -> None:
        """Remove a name from the list.

        Raises:
            UntrustedError: it is not there.
        """
        with self._alone():
            cards = self.cards()
            if name not in cards:
                raise UntrustedError(
                    f"{name} is not in this party's list.",
                    next_step="`trust` without a card shows the list.",
                )
            _write(self._path, self._owner, {n: c for n, c in cards.items() if n != name})

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
        card = self.cards().get(name)
        if card is None:
            raise UntrustedError(
                f"{name} is not in this party's own list of partners.",
                whose=name,
                next_step=(
                    f"Get {name}'s card, compare its fingerprint by telephone, then `securefl site"
                    " trust CARD`."
                ),
            )
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


def _write(path: Path, owner: Identity, cards: dict[str, IdentityCard]) -> None:
    """Write the list, signed by its owner's key."""
    body = {"type": _BOOK_TYPE, "cards": [_entry(cards[n]) for n in sorted(cards)]}
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
