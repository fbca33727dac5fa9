"""People of a hospital who decide, each with a signing key of their own.

``people.signed`` lists names and public keys, signed by the hospital. ``people/NAME`` (0600) holds
the person's Ed25519 key, encrypted under their passphrase: scrypt (RFC 7914), then
ChaCha20-Poly1305 (RFC 8439) with the name as associated data. Nobody signs for another without that
passphrase, whatever else they can read.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from securefl.errors import NotApprovedError, UnreadableError, UsageError
from securefl.files import erase_file, private_folder, read_file, write_secret
from securefl.identity import verify
from securefl.node.own_signed import OwnSigned
from securefl.party.folder import NAME_RULE
from securefl.study.fields import NAME

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site

#: Characters of a passphrase, at least.
LEAST_PASSPHRASE: Final = 12
_MOST: Final = 256 * 1024
PEOPLE_FILE: Final = OwnSigned("people.signed", "securefl-people/1", "people", _MOST)
_MOST_PEOPLE: Final = 100
#: Cost of a guess at a passphrase: 32 MiB of memory and about a tenth of a second.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1
_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Person:
    """Somebody who decides at this hospital.

    Args:
        name: short, as a party's.
        signing_public: Ed25519 public key, in hex.
        since: UTC, ISO 8601.
    """

    name: str
    signing_public: str
    since: str

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True if ``signature`` over ``message`` is by this person's key."""
        return verify(self.signing_public, signature, message)


@dataclass(frozen=True)
class PersonKey:
    """A person's opened key; it lives no longer than one command."""

    person: Person
    _key: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Sign as this person."""
        return self._key.sign(message)

    def seal(self, payload: bytes, about: bytes) -> bytes:
        """Encrypt for this person alone, bound to what it is about."""
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher().encrypt(nonce, payload, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Decrypt what :meth:`seal` made.

        Raises:
            UnreadableError: it is another person's, about something else, or was changed.
        """
        try:
            return self._cipher().decrypt(sealed[:12], sealed[12:], about)
        except (InvalidTag, ValueError):
            raise UnreadableError(
                f"What {self.person.name} sealed here was changed.",
                next_step="The study cannot be approved; ask for an edited one.",
            ) from None

    def _cipher(self) -> ChaCha20Poly1305:
        derived = HKDF(SHA256(), 32, salt=None, info=b"securefl/sealed word/1")
        return ChaCha20Poly1305(derived.derive(self._key.private_bytes_raw()))


def people_of(site: Site) -> tuple[Person, ...]:
    """Everybody on the list; none where it was never made.

    Raises:
        UnreadableError: the list is not signed by this hospital's key.
    """
    found = PEOPLE_FILE.read(
        site,
        lambda people: tuple(_read_person(entry) for entry in people),
        broken="is not a list of people that this hospital signed.",
        next_step="Restore it from your backup.",
    )
    return found or ()


def find_person(site: Site, name: str) -> Person:
    """The person of that name. Raises :class:`UsageError` where there is none."""
    for person in people_of(site):
        if person.name == name:
            return person
    raise UsageError(
        f"'{name}' is not on the list of people here.",
        next_step="`securefl site people list` shows it, `securefl site people add` adds to it.",
    )


def add_person(
    site: Site,
    name: str,
    passphrase: str,
    now: str,
) -> Person:
    """Make a key for a person, and put them on the list.

    Raises:
        UsageError: the name is taken or is none, or the passphrase is too short.
    """
    if not re.fullmatch(NAME, name):
        raise UsageError(f"'{name}' cannot be a person's name here.", next_step=NAME_RULE)
    check_passphrase(passphrase)
    with site.deciding():
        people = people_of(site)
        if name in {person.name for person in people} or len(people) >= _MOST_PEOPLE:
            raise UsageError(
                f"'{name}' is on the list already, or the list is full.",
                next_step="`securefl site people list` shows it.",
            )
        key = Ed25519PrivateKey.generate()
        person = Person(name, key.public_key().public_bytes_raw().hex(), now)
        file = _key_file(site, name)
        erase_file(file)
        write_secret(file, _encrypted(key, name, passphrase))
        _keep(site, (*people, person))
    return person


def remove_person(site: Site, name: str) -> None:
    """Take a person off the list and erase their key. What they signed before stays in the audit.

    Raises:
        UsageError: nobody has that name.
    """
    with site.deciding():
        find_person(site, name)
        _keep(site, tuple(person for person in people_of(site) if person.name != name))
        erase_file(_key_file(site, name))


def unlock(site: Site, name: str, passphrase: str) -> PersonKey:
    """Open a person's key.

    Raises:
        UsageError: nobody has that name.
        NotApprovedError: the passphrase is not theirs, or the key is not the one on the list.
    """
    person = find_person(site, name)
    try:
        kept = json.loads(read_file(_key_file(site, name), _MOST))
        salt, nonce, sealed = (bytes.fromhex(kept[part]) for part in ("salt", "nonce", "sealed"))
        raw = _cipher(passphrase, salt).decrypt(nonce, sealed, name.encode())
        key = Ed25519PrivateKey.from_private_bytes(raw)
    except (OSError, ValueError, KeyError, TypeError, InvalidTag):
        key = None
    if key is None or key.public_key().public_bytes_raw().hex() != person.signing_public:
        raise NotApprovedError(
            f"That is not the passphrase of {name}, or their key is gone.",
            whose=name,
            next_step=(
                "Type it again. A forgotten one cannot be found out: the person is removed and"
                " added anew."
            ),
        )
    return PersonKey(person, key)


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that is guessed too soon. Raises :class:`UsageError`."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise UsageError(
            f"The passphrase is shorter than {LEAST_PASSPHRASE} characters.",
            next_step="Take four words, or more characters.",
        )


def _encrypted(key: Ed25519PrivateKey, name: str, passphrase: str) -> bytes:
    salt = secrets.token_bytes(16)
    nonce = secrets.token_bytes(12)
    sealed = _cipher(passphrase, salt).encrypt(nonce, key.private_bytes_raw(), name.encode())
    parts = {"salt": salt.hex(), "nonce": nonce.hex(), "sealed": sealed.hex()}
    return json.dumps({"type": "securefl-person/1", **parts}).encode()


def _cipher(passphrase: str, salt: bytes) -> ChaCha20Poly1305:
    derived = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
    return ChaCha20Poly1305(derived.derive(passphrase.encode()))


def _read_person(entry: dict[str, Any]) -> Person:
    person = Person(**entry)
    if not (re.fullmatch(NAME, person.name) and _HEX_KEY.fullmatch(person.signing_public)):
        raise ValueError("no person")
    return person


def _keep(site: Site, people: tuple[Person, ...]) -> None:
    PEOPLE_FILE.keep(site, [vars(person) for person in people])


def _key_file(site: Site, name: str) -> Path:
    return private_folder(site.path / "people") / name
