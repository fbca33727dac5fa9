"""Vouch for a card: a hospital's signed word that it compared the fingerprint of a third party.

For two parties who cannot telephone each other and have both compared cards with the same hospital.
A vouch is somebody's word and no comparison; pages say so wherever the card is shown. The rules:

1. only a hospital vouches: whoever collects results, or adds them, could otherwise invent the
   hospitals among which a contribution hides;
2. it vouches for a card whose fingerprint it compared itself, and the reader compared the
   hospital's: a chain is one link long;
3. it names the card by its fingerprint, role, names and address, and ends on a day;
4. it counts while the hospital stands on the reader's list with the key that signed it
   (:class:`securefl.partners.AddressBook`);
5. a hospital and all for whom it vouched count as one that may collude
   (:func:`check_collusion`);
6. it outlasts each study that is approved on it (:func:`check_until`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import StringConstraints

from securefl.agreement.signatures import Moment, PartyName
from securefl.errors import MessageError, SecureFLError, StudyError, UntrustedError, UsageError
from securefl.files import read_given, replace_file
from securefl.identity import Role
from securefl.partners import Vouched
from securefl.party.consortium import check_party
from securefl.signature_check import SignerAmong
from securefl.statement import MAX_SMALL, Hex32, Statement
from securefl.utc_times import read_time, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.partners import AddressBook, ListedCard
    from securefl.party.consortium import ConsortiumFolder
    from securefl.party.folder import PartyFolder
    from securefl.study.schema import Study

VOUCHES: Final = "vouches"
#: Days that a vouch holds, if not said otherwise, and at most.
USUAL_DAYS: Final = 90
MOST_DAYS: Final = 366
#: By so much two clocks may differ.
_AHEAD: Final = timedelta(days=1)

_Line = Annotated[str, StringConstraints(min_length=1, max_length=400)]


@dataclass(frozen=True)
class Vouch(Statement):
    """A hospital's word that it compared the fingerprint of a card with its owner.

    Attributes:
        party: the hospital.
        name: of the card, as are the next three.
        role: its role.
        legal_name: as its owner calls itself.
        email: its owner's address.
        fingerprint: over role, name and keys of the card.
        at: when it was signed.
        until: when it ends.
    """

    TYPE: ClassVar[str] = "securefl-vouch/1"
    WHAT: ClassVar[str] = "The vouch"
    NEXT_STEP: ClassVar[str] = "Ask for a new one: `securefl consortium vouch FOLDER NAME`."

    party: PartyName
    name: PartyName
    role: Role
    legal_name: _Line
    email: _Line
    fingerprint: Hex32
    at: Moment
    until: Moment

    def contradiction(self) -> str:
        """See the base class."""
        if self.party == self.name:
            return "a word about its own card"
        length = read_time(self.until) - read_time(self.at)
        if not timedelta(0) < length <= timedelta(days=MOST_DAYS):
            return f"for no time between now and {MOST_DAYS} days from then"
        return ""


@dataclass(frozen=True)
class VouchPlan:
    """A card and a hospital's word for it, before a person's yes.

    Attributes:
        card: that would be trusted.
        by: the hospital that vouches.
        until: day on which the word ends.
        word: as the list notes it.
    """

    card: IdentityCard
    by: str
    until: str
    word: Vouched


def vouch_file(folder: ConsortiumFolder, by: str, name: str) -> Path:
    """File of a hospital's word for a party."""
    return folder.path / VOUCHES / f"{by}.{name}.vouch"


def plan_vouch(
    mine: PartyFolder,
    folder: ConsortiumFolder,
    name: str,
    days: int,
) -> IdentityCard:
    """Find the card for which this hospital would vouch; nothing is written.

    Raises:
        UsageError: it is no hospital, there is no such party, or it would vouch for itself; or for
            less than a day, or for longer than a vouch may hold.
        UntrustedError: the party stands in the agreement otherwise than on this list, or its card
            was not compared here.
    """
    if mine.settings.role != "hospital":
        raise UsageError(
            f"Only a hospital vouches; {mine.name} is a {mine.settings.role}.",
            next_step="Ask a hospital whose card both have compared.",
        )
    if name == mine.name:
        raise UsageError(
            "Nobody vouches for its own card.", next_step="Read out your groups by telephone."
        )
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(
            f"A vouch holds for 1 to {MOST_DAYS} days.", next_step=f"Give --days {USUAL_DAYS}."
        )
    agreement = folder.sealed().agreement
    party = agreement.party(name)
    if party is None:
        raise UsageError(
            f"{name} is no party of {agreement.consortium.id}.",
            next_step=f"Name one of: {', '.join(agreement.names)}.",
        )
    card = check_party(mine, party)
    if mine.book.listed()[name].vouched is not None:
        raise UntrustedError(
            f"{name}'s card was not compared here: it rests on somebody else's word. A chain is one"
            " link long.",
            next_step=f"Compare {name}'s fingerprint by telephone, trust its card, then vouch.",
        )
    return card


def write_vouch(
    mine: PartyFolder, folder: ConsortiumFolder, card: IdentityCard, days: int, now: datetime
) -> Path:
    """Sign a word for a card that :func:`plan_vouch` found, and write it into the folder.

    Args:
        mine: the hospital.
        folder: the consortium's.
        card: of the third party.
        days: that it holds.
        now: UTC.
    """
    signed = Vouch(
        mine.name,
        card.name,
        card.role,
        card.legal_name,
        card.email,
        card.fingerprint,
        time_text(now),
        time_text(now + timedelta(days=days)),
    ).dump(mine.identity.sign)
    file = vouch_file(folder, mine.name, card.name)
    replace_file(file, signed, mode=0o644)
    return file


def plan_vouched_trust(
    book: AddressBook, card: IdentityCard, data: bytes, now: datetime
) -> VouchPlan:
    """Check a hospital's word for a card; nothing is written.

    Args:
        book: the reader's list.
        card: of the third party, as it came.
        data: the vouch, as it came.
        now: UTC.

    Raises:
        MessageError: by nobody on the list, altered, or about another card.
        UntrustedError: the signer may not vouch, the word is over, or the list does not take the
            card (:meth:`securefl.partners.AddressBook.check_vouched`).
    """
    listed = book.listed()
    signed = SignerAmong(entry.card for entry in listed.values())
    vouch = Vouch.open(
        data,
        verify=signed,
        sender="a hospital that you know",
        name=card.name,
        role=card.role,
        legal_name=card.legal_name,
        email=card.email,
        fingerprint=card.fingerprint,
    )
    card_of_signer = signed.known
    if vouch.party != card_of_signer.name:
        raise MessageError(
            f"The vouch names {vouch.party}, and somebody else signed it.",
            whose=vouch.party,
            next_step=Vouch.NEXT_STEP,
        )
    _check_signer(listed[card_of_signer.name])
    _check_dates(vouch, now)
    book.check_vouched(card)
    word = Vouched(vouch.party, card_of_signer.signing_public, vouch.until)
    return VouchPlan(card, vouch.party, vouch.until[:10], word)


def _check_signer(signer: ListedCard) -> None:
    """Refuse the word of a party that may not vouch here."""
    name = signer.card.name
    if signer.card.role != "hospital":
        raise UntrustedError(
            f"{name} is a {signer.card.role}, and only a hospital's word for a card counts.",
            whose=name,
            next_step="Ask a hospital that you know, or compare the fingerprint by telephone.",
        )
    if signer.vouched is not None:
        raise UntrustedError(
            f"{name}'s own card was never compared here: it rests on the word of"
            f" {signer.vouched.by}. A chain is one link long.",
            whose=name,
            next_step=f"Compare {name}'s fingerprint by telephone first.",
        )


def _check_dates(vouch: Vouch, now: datetime) -> None:
    """Refuse a word that is over, or that was signed in the future."""
    if read_time(vouch.until) <= now:
        raise UntrustedError(
            f"{vouch.party} vouched for {vouch.name} until {vouch.until[:10]}, which is over.",
            whose=vouch.party,
            next_step=Vouch.NEXT_STEP,
        )
    if read_time(vouch.at) > now + _AHEAD:
        raise UntrustedError(
            f"{vouch.party} signed this vouch on {vouch.at[:10]}, which is still to come.",
            whose=f"{vouch.party}, or this machine's operator if its clock is wrong",
            next_step="Compare this machine's clock with one you trust.",
        )


def trust_vouched(book: AddressBook, plan: VouchPlan) -> None:
    """Add a card on a hospital's word, after its owner's yes.

    Raises as :meth:`securefl.partners.AddressBook.trust_vouched`.
    """
    book.trust_vouched(plan.card, plan.word)


def find_vouches(
    mine: PartyFolder,
    folder: ConsortiumFolder,
    card: IdentityCard,
    now: datetime,
) -> tuple[VouchPlan, ...]:
    """Words for a card in the consortium's folder that would count here, by name of the hospital."""
    found = []
    for name in sorted(mine.book.cards()):
        file = vouch_file(folder, name, card.name)
        if not file.exists():
            continue
        try:
            data = read_given(file, MAX_SMALL)
            found.append(plan_vouched_trust(mine.book, card, data, now))
        except SecureFLError:
            continue  # as if it were not there: whoever takes it is told why
    return tuple(found)


def check_until(study: Study, listed: Mapping[str, ListedCard]) -> None:
    """Refuse a study that may outlast the word under which a party of it is trusted.

    A word that ends while a study runs would end the study for all.

    Raises:
        StudyError: naming the party.
    """
    closes = study.schedule.closes
    for name in (*study.cohort, study.coordinator.name):
        entry = listed.get(name)
        if entry is None or entry.vouched is None or entry.lapsed:
            continue
        word = entry.vouched
        if read_time(word.until) < closes:
            raise StudyError(
                f"{word.by} vouched for {name} until {word.until[:10]}, and the study may run until"
                f" {closes:%Y-%m-%d}.",
                whose="the data owner",
                next_step=(
                    f"Compare {name}'s fingerprint by telephone and trust its card anew, or ask"
                    f" {word.by} for a longer word (`securefl consortium vouch --days`)."
                ),
            )


def check_collusion(study: Study, listed: Mapping[str, ListedCard]) -> None:
    """Refuse a study in which one hospital's word stands for more hospitals than may collude.

    A hospital that is not honest could itself be all those for whom it vouched. With them it is one
    party, and the study's ``colluders`` says how many such hospitals a total still hides.

    Raises:
        StudyError: naming the hospital.
    """
    groups: dict[str, set[str]] = {}
    for name in study.cohort:
        entry = listed.get(name)
        if entry is not None and entry.vouched is not None:
            groups.setdefault(entry.vouched.by, set()).add(name)
    for by, names in sorted(groups.items()):
        together = names | ({by} & set(study.cohort))
        # One that was invented is no more than one that is not honest.
        if len(together) > max(1, study.secagg.colluders):
            raise StudyError(
                f"{', '.join(sorted(names))} stand on your list on the word of {by} alone. If that"
                f" is false, {len(together)} hospitals of this study are one, and its totals hide"
                f" your numbers from {study.secagg.colluders} that work together, not from more.",
                whose="the data owner",
                next_step="Compare their fingerprints by telephone, and trust their cards anew.",
            )
