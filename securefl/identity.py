"""Identity of a party: its keys and its card.

Whom it trusts stands in :mod:`securefl.partners`. Signatures are Ed25519 (RFC 8032). Sealing is
HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305; a sealed payload opens for one
reader and one context (``info``) only.

A party that changes its keys has its old signing key say which one comes next. Its new card carries
these words, so that a partner sees a successor and not a stranger. Whether it is the right one is
for a telephone call to say all the same: whoever stole the old key could have written them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from securefl.curve25519 import is_agreement_key, is_signing_key
from securefl.errors import MessageError, UnreadableError, UntrustedError
from securefl.files import read_file, read_secret, replace_file, write_secret
from securefl.signed import dump_signed, peek_signed
from securefl.undumpable import make_undumpable

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["hospital", "researcher", "aggregator"]
_ROLES = ("hospital", "researcher", "aggregator")
_CARD_TYPE = "securefl-card/1"
_SUCCESSOR_TYPE = "securefl-card/2"
_FIELDS = ("name", "role", "legal_name", "email", "signing_public", "sealing_public")
_CARD_FORMS = {_CARD_TYPE: frozenset(_FIELDS), _SUCCESSOR_TYPE: frozenset({*_FIELDS, "earlier"})}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
#: No character that a screen obeys instead of showing: the owner compares what is read.
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,400}")
_HEX_KEY = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MAX_CARD_BYTES = 8192
#: How many earlier keys a card carries. A partner that missed more changes than this trusts the
#: card as a stranger's.
MAX_EARLIER = 8


def _suite() -> Suite:
    """Return the one HPKE suite in use: a payload cannot name a weaker one."""
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class EarlierKey:
    """Signing key that a party had before, with its own signature under the one that comes next.

    Args:
        signing_public: Ed25519 public key, 32 bytes in hex.
        until: when the next key took over, UTC in ISO 8601.
        signature: 64 bytes in hex, over :func:`succession_message`.
    """

    signing_public: str
    until: str
    signature: str


def succession_message(
    role: str,
    name: str,
    old: str,
    new: str,
    until: str,
) -> bytes:
    """Return the bytes that an old signing key signs for the new one (both in hex)."""
    return f"securefl-succession/1\n{role}\n{name}\n{old}\n{new}\n{until}".encode()


@dataclass(frozen=True)
class IdentityCard:
    """Public half of a party.

    Keys are 32 bytes in lower-case hex. ``earlier``: its keys before, the oldest first.
    """

    name: str
    role: Role
    legal_name: str
    email: str
    signing_public: str
    sealing_public: str
    earlier: tuple[EarlierKey, ...] = field(default=(), compare=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over role, name and both keys, for two people to compare by telephone."""
        parts = (
            "securefl-fingerprint/1",
            self.role,
            self.name,
            self.signing_public,
            self.sealing_public,
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def spoken(self) -> str:
        """First 160 bits of the fingerprint as ten groups of four characters."""
        return " ".join(self.fingerprint[i : i + 4] for i in range(0, 40, 4))

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True if ``signature`` (64 bytes) over ``message`` is by this card's signing key."""
        return verify(self.signing_public, signature, message)

    def verify_ever(self, signature: bytes, message: bytes) -> bool:
        """As :meth:`verify`, or by a key that this one took over from.

        For what was signed before the change.
        """
        keys = [self.signing_public, *(earlier.signing_public for earlier in self.earlier)]
        return any(verify(key, signature, message) for key in keys)

    def seal(self, payload: bytes, info: bytes) -> bytes:
        """Seal by HPKE: only this card's owner opens it, and only under the same ``info``.

        Raises:
            UntrustedError: the card's sealing key is not usable (a point of small order, RFC 7748
                section 6.1).
        """
        try:
            if is_agreement_key(self.sealing_public):
                key = X25519PublicKey.from_public_bytes(bytes.fromhex(self.sealing_public))
                return _suite().encrypt(payload, key, info=info)
        except ValueError:
            pass
        raise UntrustedError(
            f"The sealing key of {self.name} is not a usable key.",
            whose=self.name,
            next_step=f"Ask {self.name} for a new card.",
        )

    def fields(self) -> dict[str, str]:
        """Return the card as plain values, without the earlier keys."""
        return {k: str(getattr(self, k)) for k in _FIELDS}


def verify(signing_public: str, signature: bytes, message: bytes) -> bool:
    """True if ``signature`` over ``message`` is by the Ed25519 key ``signing_public`` (hex).

    False under an unsound key: one signature would verify under every message
    (:mod:`securefl.curve25519`).
    """
    if not is_signing_key(signing_public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signing_public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Verifier:
    """Checks the signatures of one named party, by the key that is trusted for it here.

    Args:
        name: of the party, for the words of a refusal.
        signing_public: its Ed25519 public key, 32 bytes in hex.
    """

    name: str
    signing_public: str

    def __call__(self, signature: bytes, message: bytes) -> bool:
        """True if ``signature`` (64 bytes) over ``message`` is by that key."""
        return verify(self.signing_public, signature, message)


class Identity:
    """Private keys of a party; they stay in its ``keys/`` folder, files 0600."""

    def __init__(
        self,
        card: IdentityCard,
        signing_key: Ed25519PrivateKey,
        sealing_key: X25519PrivateKey,
    ) -> None:
        self.card = card
        self._signing = signing_key
        self._sealing = sealing_key

    @classmethod
    def generate(
        cls,
        name: str,
        role: Role,
        legal_name: str,
        email: str,
    ) -> Self:
        """Generate fresh keys from the operating system's generator."""
        # Before there is a key in memory that a core file could hold.
        make_undumpable()
        signing = Ed25519PrivateKey.generate()
        sealing = X25519PrivateKey.generate()
        card = IdentityCard(
            name,
            role,
            legal_name,
            email,
            signing.public_key().public_bytes_raw().hex(),
            sealing.public_key().public_bytes_raw().hex(),
        )
        return cls(card, signing, sealing)

    def successor(self, at: str) -> Identity:
        """Generate fresh keys for the same party, which this one's signing key names as the next.

        ``at``: now, UTC in ISO 8601.
        """
        card = self.card
        new = Identity.generate(card.name, card.role, card.legal_name, card.email)
        message = succession_message(
            card.role, card.name, card.signing_public, new.card.signing_public, at
        )
        mine = EarlierKey(card.signing_public, at, self.sign(message).hex())
        # The oldest drop out: a card stays small, and partners have seen those changes.
        earlier = (*card.earlier, mine)[-MAX_EARLIER:]
        return Identity(replace(new.card, earlier=earlier), new._signing, new._sealing)  # noqa: SLF001 - its own class

    def sign(self, message: bytes) -> bytes:
        """Sign with Ed25519: 64 bytes."""
        return self._signing.sign(message)

    def with_sealing_key(self, key: X25519PrivateKey) -> Identity:
        """The same party with another sealing key, as that of one run of its agent."""
        public = key.public_key().public_bytes_raw().hex()
        return Identity(replace(self.card, sealing_public=public), self._signing, key)

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """Open an HPKE payload made for this card under ``info``.

        Raises:
            MessageError: it was made for someone else, for another context, or altered.
        """
        try:
            return bytes(_suite().decrypt(sealed, self._sealing, info=info))
        # The library raises several kinds for one fact, and which of them is nobody's business.
        except Exception as error:
            raise MessageError(
                "A sealed payload does not open with this party's key.",
                next_step="Ask the sender to seal it again.",
            ) from error

    def save(self, folder: Path) -> None:
        """Write ``card.json``, ``signing.key`` and ``sealing.key``; never overwrite.

        Keys 0600, the folder 0700.

        Raises:
            UnreadableError: a key is there already, or the file system keeps no permissions.
        """
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        write_secret(folder / "signing.key", self._signing.private_bytes_raw())
        write_secret(folder / "sealing.key", self._sealing.private_bytes_raw())
        replace_file(folder / "card.json", self.signed_card())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            UnreadableError: files missing, of the wrong size, readable by others, or keys and card
                that do not belong together.
        """
        signing = Ed25519PrivateKey.from_private_bytes(read_secret(folder / "signing.key", 32))
        sealing = X25519PrivateKey.from_private_bytes(read_secret(folder / "sealing.key", 32))
        try:
            card = read_card(read_file(folder / "card.json", MAX_CARD_BYTES))
        except OSError as error:
            raise UnreadableError(
                f"{folder / 'card.json'} cannot be read: {error.strerror}.",
                next_step="Restore it from your backup.",
            ) from None
        except MessageError as error:
            raise UnreadableError(
                f"{folder / 'card.json'} was changed: {error.what}",
                next_step="Restore it from your backup.",
            ) from None
        # Others seal for the card: with other keys beside it, nothing they send could be opened.
        mine = (
            signing.public_key().public_bytes_raw().hex(),
            sealing.public_key().public_bytes_raw().hex(),
        )
        if (card.signing_public, card.sealing_public) != mine:
            raise UnreadableError(
                f"The card in {folder} does not belong to the keys beside it.",
                next_step="Restore the folder from your backup.",
            )
        return cls(card, signing, sealing)

    def signed_card(self) -> bytes:
        """Write the card as it travels: signed by its own key."""
        if self.card.earlier:
            earlier = [dict(e.__dict__) for e in self.card.earlier]
            body = {"type": _SUCCESSOR_TYPE, **self.card.fields(), "earlier": earlier}
            return dump_signed(body, self.sign)
        return dump_signed({"type": _CARD_TYPE, **self.card.fields()}, self.sign)


def as_it_was_sent(data: bytes) -> bytes:
    """Take off a card what mail programs and editors add.

    A byte order mark, line ends of Windows, empty lines at the end. Nothing of it can belong to a
    card: its two lines hold neither. The signature is checked afterwards, as ever.
    """
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").rstrip(b"\r\n \t")


def read_card(data: bytes) -> IdentityCard:
    """Check and read a card.

    That it is signed by its own key shows possession, not who its owner is: compare the
    fingerprint.

    Raises:
        MessageError: too long, not a card, unknown fields, a signature fails, or an earlier key did
            not name the next one.
    """
    sender = "the card's owner"
    body, signature, signed = peek_signed(
        data, forms=_CARD_FORMS, sender=sender, max_bytes=MAX_CARD_BYTES
    )
    bad = MessageError(
        "This is not an identity card.", next_step="Ask its owner to send card.json again."
    )
    earlier: tuple[EarlierKey, ...] | None = ()
    if "earlier" in body:
        earlier = read_earlier(body.pop("earlier"))
    if earlier is None or not all(isinstance(v, str) and _LINE.fullmatch(v) for v in body.values()):
        raise bad
    card = IdentityCard(**body, earlier=earlier)
    keys_are_hex = all(
        _HEX_KEY.fullmatch(key) for key in (card.signing_public, card.sealing_public)
    )
    if card.role not in _ROLES or not _NAME.fullmatch(card.name) or not keys_are_hex:
        raise bad
    # The key is judged before its signature: under an unsound one, one signature fits every text.
    _check_keys(card)
    if not card.verify(signature, signed):
        raise MessageError(
            f"The card of {card.name} is not signed by its own key.",
            whose=card.name,
            next_step="Ask its owner to send card.json again.",
        )
    if not _follows(card):
        raise MessageError(
            f"The card of {card.name} names an earlier key that did not sign for the next one.",
            whose=card.name,
            next_step=f"Do not trust it; telephone {card.name}.",
        )
    return card


def read_earlier(value: object) -> tuple[EarlierKey, ...] | None:
    """Read the earlier keys of a card from their JSON form; None for what is not that form.

    Signatures are not checked here.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_EARLIER:
        return None
    found = []
    for entry in value:
        key = _read_earlier_key(entry)
        if key is None:
            return None
        found.append(key)
    return tuple(found)


def _read_earlier_key(entry: object) -> EarlierKey | None:
    """Read one earlier key; None for what has not its form."""
    if not isinstance(entry, dict) or set(entry) != set(EarlierKey.__dataclass_fields__):
        return None
    if not all(isinstance(v, str) for v in entry.values()):
        return None
    key = EarlierKey(**entry)
    if not is_signing_key(key.signing_public) or not _TIME.fullmatch(key.until):
        return None
    if not _SIGNATURE.fullmatch(key.signature):
        return None
    return key


def _follows(card: IdentityCard) -> bool:
    """True if each earlier key signed for the next one, up to the card's own; none comes twice."""
    keys = [*(e.signing_public for e in card.earlier), card.signing_public]
    # A key that came back would let whoever stole it speak again.
    if len(set(keys)) != len(keys):
        return False
    for earlier, new in zip(card.earlier, keys[1:], strict=True):
        old = earlier.signing_public
        message = succession_message(card.role, card.name, old, new, earlier.until)
        if not verify(old, bytes.fromhex(earlier.signature), message):
            return False
    return True


def _check_keys(card: IdentityCard) -> None:
    """Refuse a card unless both keys are sound (:mod:`securefl.curve25519`).

    Raises:
        MessageError: naming the party and the key.
    """
    unsound = []
    if not is_signing_key(card.signing_public):
        unsound.append("signing key")
    if not is_agreement_key(card.sealing_public):
        unsound.append("sealing key")
    if unsound:
        raise MessageError(
            f"The card of {card.name} is refused: its {' and its '.join(unsound)} is no sound"
            " public key (32 bytes in hex, canonical, not of small or mixed order).",
            whose=card.name,
            next_step=(
                f"Do not trust it; telephone {card.name}. Keys that securefl makes are always"
                " sound."
            ),
        )
