"""Who a party is: its keys, its card, and each hospital's own signed list of partners.

Signatures are Ed25519 (RFC 8032). Sealing is HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305; a sealed
payload opens for one reader and one context (``info``) only.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from securefl.errors import MessageError, UnreadableError, UntrustedError
from securefl.signed import dump_signed, open_signed, peek_signed

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["hospital", "researcher", "aggregator"]
_ROLES = ("hospital", "researcher", "aggregator")
_CARD_TYPE = "securefl-card/1"
_CARD_FIELDS = frozenset({"name", "role", "legal_name", "email", "signing_public", "sealing_public"})
_BOOK_TYPE = "securefl-partners/1"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
# no character that a screen obeys instead of showing: the owner compares what is read
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,400}")
MAX_CARD_BYTES = 4096
MAX_BOOK_BYTES = 4 * 1024 * 1024


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class IdentityCard:
    """The public half of a party. Keys are 32 bytes in lower-case hex."""

    name: str
    role: Role
    legal_name: str
    email: str
    signing_public: str
    sealing_public: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over role, name and both keys: what two people compare by telephone."""
        parts = ("securefl-fingerprint/1", self.role, self.name, self.signing_public, self.sealing_public)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def spoken(self) -> str:
        """The fingerprint's first 160 bits as ten groups of four characters."""
        return " ".join(self.fingerprint[i : i + 4] for i in range(0, 40, 4))

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` (64 bytes) over ``message`` is by this card's signing key."""
        return verify(self.signing_public, signature, message)

    def seal(self, payload: bytes, info: bytes) -> bytes:
        """HPKE: only this card's owner opens it, and only under the same ``info``.

        Raises:
            UntrustedError: the card's sealing key is not usable (a point of small order, RFC 7748 section 6.1).
        """
        try:
            key = X25519PublicKey.from_public_bytes(bytes.fromhex(self.sealing_public))
            return _suite().encrypt(payload, key, info=info)
        except ValueError:
            raise UntrustedError(f"The sealing key of {self.name} is not a usable key.", whose=self.name, next_step=f"Ask {self.name} for a new card.") from None

    def fields(self) -> dict[str, str]:
        """The card as plain values."""
        return {k: str(v) for k, v in self.__dict__.items()}


def verify(signing_public: str, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` over ``message`` is by the Ed25519 key ``signing_public`` (hex)."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signing_public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class Identity:
    """A party's private keys; they stay in its ``keys/`` folder, files 0600."""

    def __init__(self, card: IdentityCard, signing_key: Ed25519PrivateKey, sealing_key: X25519PrivateKey) -> None:
        self.card = card
        self._signing = signing_key
        self._sealing = sealing_key

    @classmethod
    def generate(cls, name: str, role: Role, legal_name: str, email: str) -> Self:
        """Fresh keys from the operating system's generator."""
        signing, sealing = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
        card = IdentityCard(
            name, role, legal_name, email,
            signing.public_key().public_bytes_raw().hex(),
            sealing.public_key().public_bytes_raw().hex(),
        )
        return cls(card, signing, sealing)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return self._signing.sign(message)

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """Open an HPKE payload made for this card under ``info``.

        Raises:
            MessageError: it was made for someone else, for another context, or altered.
        """
        try:
            return bytes(_suite().decrypt(sealed, self._sealing, info=info))
        except Exception as error:  # the library raises several kinds for one fact
            raise MessageError("A sealed payload does not open with this party's key.", next_step="Ask the sender to seal it again.") from error

    def save(self, folder: Path) -> None:
        """Write ``card.json``, ``signing.key`` and ``sealing.key`` (0600) into ``folder`` (0700); never overwrites."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        write_secret(folder / "signing.key", self._signing.private_bytes_raw())
        write_secret(folder / "sealing.key", self._sealing.private_bytes_raw())
        (folder / "card.json").write_bytes(self.signed_card())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            UnreadableError: files missing, of the wrong size, readable by others, or keys and card that do not belong together.
        """
        signing = Ed25519PrivateKey.from_private_bytes(read_secret(folder / "signing.key", 32))
        sealing = X25519PrivateKey.from_private_bytes(read_secret(folder / "sealing.key", 32))
        try:
            card = read_card((folder / "card.json").read_bytes())
        except OSError as error:
            raise UnreadableError(f"{folder / 'card.json'} cannot be read: {error.strerror}.", next_step="Restore it from your backup.") from None
        except MessageError as error:
            raise UnreadableError(f"{folder / 'card.json'} was changed: {error.what}", next_step="Restore it from your backup.") from None
        mine = (signing.public_key().public_bytes_raw().hex(), sealing.public_key().public_bytes_raw().hex())
        if (card.signing_public, card.sealing_public) != mine:
            raise UnreadableError(f"The card in {folder} does not belong to the keys beside it.", next_step="Restore the folder from your backup.")
        return cls(card, signing, sealing)

    def signed_card(self) -> bytes:
        """The card as it travels: signed by its own key."""
        return dump_signed({"type": _CARD_TYPE, **self.card.fields()}, self.sign)


def read_card(data: bytes) -> IdentityCard:
    """Check and read a card. That it is signed by its own key shows possession, not who its owner is: compare the fingerprint.

    Raises:
        MessageError: too long, not a card, unknown fields, or the signature fails.
    """
    sender = "the card's owner"
    body, signature, signed = peek_signed(data, kind=_CARD_TYPE, fields=_CARD_FIELDS, sender=sender, max_bytes=MAX_CARD_BYTES)
    bad = MessageError("This is not an identity card.", next_step="Ask its owner to send card.json again.")
    if not all(isinstance(v, str) and _LINE.fullmatch(v) for v in body.values()):
        raise bad
    card = IdentityCard(**body)
    if card.role not in _ROLES or not _NAME.fullmatch(card.name) or not _is_key(card.sealing_public) or not _is_key(card.signing_public):
        raise bad
    if not card.verify(signature, signed):
        raise MessageError(f"The card of {card.name} is not signed by its own key.", whose=card.name, next_step="Ask its owner to send card.json again.")
    return card


def _is_key(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


class AddressBook:
    """A party's own list of partners, signed by its own key: names it has compared fingerprints with (design: hospitals know each other)."""

    def __init__(self, path: Path, owner: Identity) -> None:
        self._path = path
        self._owner = owner

    def cards(self) -> dict[str, IdentityCard]:
        """Trusted cards by name.

        Raises:
            UnreadableError: the file is not a list signed by this party's key.
        """
        if not self._path.exists():
            return {}
        try:
            body = open_signed(
                self._path.read_bytes(), kind=_BOOK_TYPE, fields=frozenset({"cards"}), verify=self._owner.card.verify,
                sender=self._owner.card.name, max_bytes=MAX_BOOK_BYTES,
            )
        except (OSError, MessageError):
            raise UnreadableError(
                f"{self._path} is not a list signed by this party's key: somebody else changed it.",
                next_step="Restore it, or compare the fingerprints again and trust the cards anew.",
            ) from None
        cards = [IdentityCard(**c) for c in body["cards"]]
        return {c.name: c for c in cards}

    def trust(self, card: IdentityCard) -> None:
        """Add a card whose fingerprint was compared out of band; a changed key for a known name is refused.

        Raises:
            UntrustedError: another key is already trusted under this name, or it is this party's own card.
        """
        cards = self.cards()
        known = cards.get(card.name)
        if card.name == self._owner.card.name or card.signing_public == self._owner.card.signing_public:
            raise UntrustedError(f"The card of {card.name} has this party's own name or key.", next_step="Trust the cards of the others only.")
        if known is not None and known != card:
            raise UntrustedError(
                f"Another card is already trusted as {card.name} (fingerprint {known.spoken}).",
                whose=card.name,
                next_step=f"Telephone {card.name}. If the keys really changed, run `securefl site distrust {card.name}` first.",
            )
        self._write({**cards, card.name: card})

    def distrust(self, name: str) -> None:
        """Remove a name; unknown names are an :class:`UntrustedError`."""
        cards = self.cards()
        if name not in cards:
            raise UntrustedError(f"{name} is not in this party's list.", next_step="`trust` without a card shows the list.")
        self._write({n: c for n, c in cards.items() if n != name})

    def require(self, name: str, signing_public: str, sealing_public: str, *, role: Role = "hospital") -> IdentityCard:
        """The trusted card of ``name`` if it holds exactly these keys and this role.

        The role counts: a researcher's card that is trusted as a researcher does not make a hospital of it.

        Raises:
            UntrustedError: unknown name, other keys, or another role.
        """
        card = self.cards().get(name)
        if card is None:
            raise UntrustedError(
                f"{name} is not in this party's own list of partners.", whose=name,
                next_step=f"Get {name}'s card, compare its fingerprint by telephone, then `securefl site trust CARD`.",
            )
        if (card.signing_public, card.sealing_public) != (signing_public, sealing_public):
            raise UntrustedError(
                f"The study names other keys for {name} than the card that is trusted here.", whose=name,
                next_step=f"Telephone {name}; do not approve until the fingerprints agree.",
            )
        if card.role != role:
            raise UntrustedError(
                f"{name} is trusted here as a {card.role}, but the study names it as a {role}.", whose=name,
                next_step=f"Ask the researcher to name a {role}; nobody takes part in two roles.",
            )
        return card

    def _write(self, cards: dict[str, IdentityCard]) -> None:
        body = {"type": _BOOK_TYPE, "cards": [cards[n].fields() for n in sorted(cards)]}
        data = dump_signed(body, self._owner.sign)
        replace_file(self._path, data)


def write_secret(path: Path, data: bytes) -> None:
    """Create ``path`` with mode 0600, never overwriting, and make it durable."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UnreadableError(f"{path} exists already; keys are never overwritten.", next_step="Choose another folder, or move the old keys away yourself.") from None
    _write_through(fd, data)
    _sync_folder(path.parent)


def _write_through(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # the name is durable only when its folder is (fsync(2))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_secret(path: Path, size: int) -> bytes:
    """Read a key file of exactly ``size`` bytes that only its owner may read.

    Raises:
        UnreadableError: missing, readable by others, or of another size.
    """
    try:
        mode = path.stat().st_mode & 0o777
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.", next_step="Restore it from your backup.") from None
    if mode & 0o077:
        raise UnreadableError(f"{path} is readable by others (mode {mode:o}).", next_step=f"chmod 600 {path}")
    if len(data) != size:
        raise UnreadableError(f"{path} is not a key of {size} bytes.", next_step="Restore it from your backup.")
    return data


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write ``data`` beside ``path``, make it durable, then move it into place: a reader sees the old or the new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        _write_through(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
