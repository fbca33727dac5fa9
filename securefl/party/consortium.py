"""Folder of a consortium, which the parties hand round: the agreement, its prose, cards, signatures
and notices of leaving.

Nothing in it is trusted for lying there. A signature counts when it verifies under the key that
this party's own signed list has for its signer, and the agreement names that key; it is verified
before it is parsed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.agreement.sealed import SealedAgreement
from securefl.agreement.signatures import AgreementSignature, LeavingNotice
from securefl.errors import MessageError, SecureFLError, UnreadableError, UntrustedError, UsageError
from securefl.files import read_given, replace_file
from securefl.identity import Verifier
from securefl.statement import MAX_SMALL
from securefl.study.parse import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from securefl.agreement.parties import AgreedParty
    from securefl.agreement.schema import Agreement
    from securefl.identity import IdentityCard
    from securefl.party.folder import PartyFolder

AGREEMENT: Final = "agreement.toml"
PROSE: Final = "agreement.md"
CARDS: Final = "cards"
SIGNATURES: Final = "signatures"
LEAVING: Final = "leaving"
#: Versions before, a folder each, named by their digests.
EARLIER: Final = "earlier"
#: Everybody may read a consortium's folder: nothing in it is a secret.
FOLDER_MODE: Final = 0o755
#: The prose is read by people, like a study.
MAX_PROSE: Final = MAX_BYTES


@dataclass(frozen=True)
class ConsortiumFolder:
    """A consortium's folder, or that of an earlier version in it."""

    path: Path

    def text(self) -> bytes:
        """The bytes of the agreement.

        Raises:
            UnreadableError: it is not there, or longer than any agreement.
        """
        return read_given(self.path / AGREEMENT, MAX_BYTES)

    def sealed(self) -> SealedAgreement:
        """The agreement, checked.

        Raises:
            UnreadableError: it is not there.
            StudyError: it is no valid agreement.
        """
        return SealedAgreement.read(self.text())

    def prose(self) -> bytes:
        """The bytes of the prose. Raises :class:`UnreadableError` where it is not there."""
        return read_given(self.path / PROSE, MAX_PROSE)

    def checked_prose(self, agreement: Agreement) -> bytes:
        """The prose, if it is the one that the agreement names.

        Raises:
            UntrustedError: it is another text.
        """
        found = self.prose()
        if hashlib.sha256(found).hexdigest() == agreement.consortium.text_sha256:
            return found
        raise UntrustedError(
            f"{self.path / PROSE} is not the text that the agreement names: it was changed"
            " afterwards.",
            whose="whoever gathers the consortium",
            next_step=(
                "Before anybody signed, `securefl consortium invite` takes the text as it is now."
                " Afterwards ask for the text that was signed."
            ),
        )

    def signature_file(self, name: str) -> Path:
        """File of a party's signature."""
        return self.path / SIGNATURES / f"{name}.signature"

    def notice_file(self, name: str) -> Path:
        """File of a party's notice of leaving."""
        return self.path / LEAVING / f"{name}.leaving"

    def earlier(self, digest: str) -> ConsortiumFolder:
        """Folder of an earlier version."""
        return ConsortiumFolder(self.path / EARLIER / digest)

    def before(self, agreement: Agreement) -> SealedAgreement | None:
        """The version that this one supersedes, where the folder holds exactly that one."""
        digest = agreement.consortium.supersedes
        if digest is None or not (self.earlier(digest).path / AGREEMENT).exists():
            return None
        found = self.earlier(digest).sealed()
        if found.digest != digest:
            return None
        return found


@dataclass(frozen=True)
class Signed:
    """Signatures of a version as one party finds them.

    Attributes:
        parties: names whose signature holds.
        faults: name → why its signature, or its entry in the agreement, does not count.
    """

    parties: frozenset[str]
    faults: Mapping[str, SecureFLError]


def check_party(mine: PartyFolder, party: AgreedParty) -> IdentityCard:
    """Check that a party of an agreement is who this party knows under that name.

    Returns:
        The card: its own, or the one on its own signed list.

    Raises:
        UntrustedError: not on the list, or with other keys, another role or another name.
    """
    own = mine.identity.card
    if party.name == own.name:
        card = own
        if (party.signing_public, party.sealing_public) != (own.signing_public, own.sealing_public):
            raise UntrustedError(
                f"The agreement names other keys for {own.name} than its own.",
                whose="whoever gathers the consortium",
                next_step="Send your card again; `securefl consortium invite` takes it in.",
            )
    else:
        card = mine.book.require(
            party.name,
            party.signing_public,
            party.sealing_public,
            role=party.role,
        )
    if (card.role, card.legal_name, card.email) != (party.role, party.legal_name, party.email):
        raise UntrustedError(
            f"The agreement calls {party.name} '{party.legal_name}' ({party.role}, {party.email});"
            f" its own card says '{card.legal_name}' ({card.role}, {card.email}).",
            whose="whoever gathers the consortium",
            next_step=f"Take {party.name}'s card in again: `securefl consortium invite`.",
        )
    return card


def find_signatures(
    folder: ConsortiumFolder,
    sealed: SealedAgreement,
    mine: PartyFolder,
) -> Signed:
    """Verify every signature under a version with the keys that this party trusts."""
    parties: set[str] = set()
    faults: dict[str, SecureFLError] = {}
    for party in sealed.agreement.parties:
        try:
            card = check_party(mine, party)
            if _signature(folder, sealed, card) is not None:
                parties.add(party.name)
        except SecureFLError as error:
            faults[party.name] = error
    return Signed(frozenset(parties), faults)


def _signature(
    folder: ConsortiumFolder,
    sealed: SealedAgreement,
    card: IdentityCard,
) -> AgreementSignature | None:
    """A party's signature, verified; None where it has not signed."""
    file = folder.signature_file(card.name)
    if not file.exists():
        return None
    return AgreementSignature.open(
        read_given(file, MAX_SMALL),
        verify=Verifier(card.name, card.signing_public),
        sender=card.name,
        agreement=sealed.digest,
        party=card.name,
    )


def earlier_signers(
    folder: ConsortiumFolder,
    sealed: SealedAgreement,
    before: Agreement,
    mine: PartyFolder,
) -> frozenset[str]:
    """Parties of the version before that are in the new one no more, and signed it all the same.

    They count among the signatures that an amendment needs.
    """
    found: set[str] = set()
    for party in before.parties:
        if sealed.agreement.party(party.name) is not None:
            continue
        try:
            if _signature(folder, sealed, check_party(mine, party)) is not None:
                found.add(party.name)
        except SecureFLError:
            continue
    return frozenset(found)


def sign(folder: ConsortiumFolder, mine: PartyFolder, at: str) -> SealedAgreement:
    """Write this party's signature under the agreement into the folder.

    Args:
        folder: the consortium's.
        mine: the party that signs.
        at: now, UTC in ISO 8601.

    Raises:
        UntrustedError: the agreement does not name this party as its card does, or the prose is
            another one.
    """
    sealed = plan_signature(folder, mine)
    write_signature(folder, mine, sealed.digest, at)
    return sealed


def write_signature(
    folder: ConsortiumFolder,
    mine: PartyFolder,
    digest: str,
    at: str,
) -> None:
    """Write this party's signature under the agreement ``digest``, which a person has read."""
    signed = AgreementSignature(digest, mine.name, at).dump(mine.identity.sign)
    replace_file(folder.signature_file(mine.name), signed, mode=0o644)


def plan_signature(folder: ConsortiumFolder, mine: PartyFolder) -> SealedAgreement:
    """Check that this party could sign; nothing is written. Raises as :func:`sign`."""
    sealed = folder.sealed()
    folder.checked_prose(sealed.agreement)
    check_party(mine, own_entry(sealed.agreement, mine.name))
    return sealed


def own_entry(agreement: Agreement, name: str) -> AgreedParty:
    """Find a party in an agreement.

    Raises:
        UntrustedError: it is not named.
    """
    party = agreement.party(name)
    if party is None:
        raise UntrustedError(
            f"The agreement does not name {name} among its parties.",
            whose="whoever gathers the consortium",
            next_step="Send your card; `securefl consortium invite` takes it in.",
        )
    return party


def write_notice(
    folder: ConsortiumFolder,
    mine: PartyFolder,
    digest: str,
    at: str,
) -> None:
    """Write this party's signed notice of leaving the agreement ``digest`` into the folder."""
    signed = LeavingNotice(digest, mine.name, at).dump(mine.identity.sign)
    replace_file(folder.notice_file(mine.name), signed, mode=0o644)


def find_notices(
    folder: ConsortiumFolder,
    sealed: SealedAgreement,
    mine: PartyFolder,
) -> tuple[str, ...]:
    """Other parties whose signed notice of leaving this version lies in the folder, sorted.

    Raises:
        MessageError, UntrustedError: a notice that its party did not sign.
    """
    found = []
    for party in sealed.agreement.parties:
        file = folder.notice_file(party.name)
        if party.name == mine.name or not file.exists():
            continue
        card = check_party(mine, party)
        try:
            LeavingNotice.open(
                read_given(file, MAX_SMALL),
                verify=Verifier(card.name, card.signing_public),
                sender=card.name,
                agreement=sealed.digest,
                party=card.name,
            )
        except MessageError as error:
            if "about another agreement" not in error.what:
                raise
            continue  # of an earlier version, which this one has replaced
        found.append(party.name)
    return tuple(sorted(found))


def known_keys(mine: PartyFolder, agreement: Agreement) -> dict[str, frozenset[str]]:
    """Signing keys (hex) of parties on the cards that this party trusts, and on its own: the
    present ones, and those before them.
    """
    cards = {**mine.book.cards(), mine.name: mine.identity.card}
    found: dict[str, frozenset[str]] = {}
    for party in agreement.parties:
        card = cards.get(party.name)
        if card is not None and card.role == party.role:
            earlier = (key.signing_public for key in card.earlier)
            found[party.name] = frozenset({card.signing_public, *earlier})
    return found


def check_trust(mine: PartyFolder, parties: Iterable[AgreedParty]) -> dict[str, SecureFLError]:
    """Why parties are not who this party knows, by name; empty where all are."""
    faults: dict[str, SecureFLError] = {}
    for party in parties:
        try:
            check_party(mine, party)
        except SecureFLError as error:
            faults[party.name] = error
    return faults


def no_folder(path: Path) -> UsageError:
    """The error for a folder that is no consortium's."""
    return UsageError(
        f"{path} has no {AGREEMENT}: it is no consortium's folder.",
        next_step="Name the folder that `securefl consortium new` or `join` made.",
    )


def open_folder(path: Path) -> ConsortiumFolder:
    """Open a consortium's folder.

    Raises:
        UsageError: it is none.
        UnreadableError: the agreement there is no file.
    """
    if not (path / AGREEMENT).exists():
        raise no_folder(path)
    if not (path / AGREEMENT).is_file():
        raise UnreadableError(
            f"{path / AGREEMENT} is no file.", next_step="Ask for the consortium's folder again."
        )
    return ConsortiumFolder(path)
