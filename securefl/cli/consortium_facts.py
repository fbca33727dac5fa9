"""Facts of an agreement for its page, as one party finds them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.agreement.article import Case
from securefl.agreement.checking import check_study
from securefl.agreement.signatures import needed
from securefl.errors import SecureFLError
from securefl.files import read_given
from securefl.identity import IdentityCard
from securefl.party.consortium import earlier_signers, find_signatures, known_keys
from securefl.report.agreement import AgreementFacts, PartyLine
from securefl.report.terms import vouched_words
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.agreement.parties import AgreedParty
    from securefl.agreement.sealed import SealedAgreement
    from securefl.party.consortium import ConsortiumFolder
    from securefl.party.folder import PartyFolder


def agreement_facts(
    folder: ConsortiumFolder,
    mine: PartyFolder | None,
    study: Path | None,
) -> AgreementFacts:
    """Collect what a party sees of an agreement.

    Args:
        folder: the consortium's.
        mine: the party whose list of trusted cards decides; None where nobody's is at hand.
        study: a sealed study to hold against it.

    Raises:
        StudyError: the agreement or the study is not valid.
        UnreadableError: a file cannot be read.
    """
    sealed = folder.sealed()
    signed: frozenset[str] = frozenset()
    faults: Mapping[str, SecureFLError] = {}
    missing: tuple[str, ...] = ()
    bound: tuple[str, ...] | None = None
    reader = ""
    words: Mapping[str, str] = {}
    if mine is not None:
        reader = mine.name
        words = _vouched(mine)
        found = find_signatures(folder, sealed, mine)
        signed = found.parties
        faults = found.faults
        missing = _missing(folder, sealed, mine, signed)
        bound = _bound(sealed, mine)
    name, breaches = _against(sealed, mine, study)
    return AgreementFacts(
        sealed.agreement,
        sealed.digest,
        reader,
        tuple(_line(party, signed, faults, words) for party in sealed.agreement.parties),
        missing,
        bound,
        _prose_fault(folder, sealed),
        name,
        breaches,
    )


def card_of(party: AgreedParty) -> IdentityCard:
    """The card that an agreement names; nobody has compared its fingerprint for that."""
    return IdentityCard(
        party.name,
        party.role,
        party.legal_name,
        party.email,
        party.signing_public,
        party.sealing_public,
    )


def _line(
    party: AgreedParty,
    signed: frozenset[str],
    faults: Mapping[str, SecureFLError],
    words: Mapping[str, str],
) -> PartyLine:
    fault = ""
    if party.name in faults:
        fault = faults[party.name].what
    return PartyLine(
        party.name,
        party.role,
        party.legal_name,
        party.jurisdiction,
        card_of(party).spoken,
        party.name in signed,
        fault,
        words.get(party.name, ""),
    )


def _vouched(mine: PartyFolder) -> dict[str, str]:
    """Words for each card on the own list that was not compared in person."""
    return {
        name: vouched_words(entry.vouched.by, entry.vouched.until[:10])
        for name, entry in mine.book.listed().items()
        if entry.vouched is not None and not entry.lapsed
    }


def _missing(
    folder: ConsortiumFolder,
    sealed: SealedAgreement,
    mine: PartyFolder,
    signed: frozenset[str],
) -> tuple[str, ...]:
    """Who has to sign still, by the version before that lies in the folder."""
    earlier = folder.before(sealed.agreement)
    before = None
    if earlier is not None and earlier.agreement.party(mine.name) is not None:
        before = earlier.agreement
        signed |= earlier_signers(folder, sealed, before, mine)
    return needed(sealed.agreement, before, mine.name).missing(signed)


def _bound(sealed: SealedAgreement, mine: PartyFolder) -> tuple[str, ...] | None:
    """Populations that the agreement binds at a hospital; None for other roles."""
    from securefl.node.owner.agreements import in_force
    from securefl.node.owner.folder import Site

    if not isinstance(mine, Site):
        return None
    return tuple(name for name, digest in in_force(mine).items() if digest == sealed.digest)


def _prose_fault(folder: ConsortiumFolder, sealed: SealedAgreement) -> str:
    try:
        folder.checked_prose(sealed.agreement)
    except SecureFLError as error:
        return error.what
    return ""


def _against(
    sealed: SealedAgreement,
    mine: PartyFolder | None,
    file: Path | None,
) -> tuple[str, tuple[str, ...]]:
    """A study's name, and what in it goes beyond the agreement."""
    if file is None:
        return "", ()
    asked = SealedStudy.read(read_given(file))
    study = asked.study
    now = datetime.now(UTC)
    case = Case(sealed.agreement, study, now)
    if mine is not None:
        keys = known_keys(mine, sealed.agreement)
        case = Case(sealed.agreement, study, now, keys=keys, store=mine.settings.store)
    breaches = [str(breach) for breach in check_study(case)]
    if study.agreement != sealed.digest:
        breaches.insert(0, "It does not name this version of the agreement.")
    return asked.name, tuple(breaches)
