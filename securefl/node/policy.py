"""What this hospital demands of a request before its owner may say yes.

Every check is this hospital's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from securefl.environment import software
from securefl.errors import BudgetError, DataError, SecureFLError, StudyError, UntrustedError
from securefl.learning.library import has_packages
from securefl.learning.models import family_of
from securefl.learning.stages.programme import charges_of
from securefl.learning.table import near_name
from securefl.node.agreements import agreement_faults
from securefl.node.earlier_study import continuation_faults
from securefl.node.own_policy import policy_faults
from securefl.node.worker_rules import wall_faults
from securefl.party.vouch import check_collusion, check_until
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.planning import over_budget
from securefl.study.consistency import check_consistency
from securefl.study.dates import time_here
from securefl.study.table_mapping import check_mapping
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from securefl.identity import IdentityCard, Role
    from securefl.node.site import Site
    from securefl.partners import AddressBook, Vouched
    from securefl.party.folder import DatasetEntry
    from securefl.privacy.planning import Quote
    from securefl.study.schema import Party, Study
    from securefl.study.sealed import SealedStudy


#: A reply that leaves when it is ready tells how many rows there are (seconds; rule 1).
MIN_REPLY_AFTER = Decimal("0.1")


@dataclass(frozen=True)
class Review:
    """A request as this hospital sees it. ``faults`` empty means that the owner may approve."""

    sealed: SealedStudy
    trusted: tuple[str, ...]
    #: This hospital's own cards of the parties in ``trusted``: what their owners call themselves.
    cards: Mapping[str, IdentityCard]
    #: Parties in ``trusted`` whose cards were not compared here, with the word that they rest on.
    vouched: Mapping[str, Vouched]
    dataset: DatasetEntry | None
    quote: Quote | None
    faults: tuple[SecureFLError, ...]

    @property
    def faults_beside_budget(self) -> tuple[SecureFLError, ...]:
        """Faults that no grant mends; a study that has its budget reserved is judged by these."""
        return tuple(f for f in self.faults if not isinstance(f, BudgetError))

    @property
    def study(self) -> Study:
        """What the study file says."""
        return self.sealed.study

    @property
    def digest(self) -> str:
        """The study's identity, SHA-256 in hex."""
        return self.sealed.digest


def review(site: Site, sealed: SealedStudy, now: datetime) -> Review:
    """Check a request's own figures, and it against this hospital's keys, list, data sets, software
    and budget.
    """
    figures: tuple[SecureFLError, ...] = ()
    try:
        check_consistency(sealed.study, PldAccountant(), sealed.text.decode())
    except SecureFLError as error:
        figures = (error,)
    found = _review(site, sealed, now, figures)
    # asked before a yes and not again afterwards: a yes that was given is the owner's own word
    own = policy_faults(site, sealed, found.quote, now)
    return replace(found, faults=(*found.faults, *own, *wall_faults(site)))


def review_again(site: Site, sealed: SealedStudy, now: datetime) -> Review:
    """Check what may have changed since the owner approved exactly this digest: all but its figures.

    They follow from the text and the software. The digest covers both, :func:`review` found no
    contradiction in them, and other software than the study's is a fault here too. To work them
    out again would cost an agent seconds in which no other study is answered, and the accountant's
    libraries in its memory for months.
    """
    return _review(site, sealed, now, ())


def _review(
    site: Site,
    sealed: SealedStudy,
    now: datetime,
    found: tuple[SecureFLError, ...],
) -> Review:
    """Everything but the study's figures, behind the faults ``found`` in these."""
    study = sealed.study
    faults = list(found)

    def check(step: Callable[[], object]) -> None:
        try:
            step()
        except SecureFLError as error:
            faults.append(error)

    check(lambda: _check_software(study))
    check(lambda: _check_libraries(study))
    check(lambda: _check_schedule(study, now))
    check(lambda: _check_own_place(site, study))
    book = site.book
    entries = book.listed()
    listed = {name: entry.card for name, entry in entries.items() if not entry.lapsed}
    for participant in study.participants:
        if participant.name != site.name:
            check(partial(_check_trusted, book, participant, "hospital"))
    check(lambda: _check_trusted(book, study.coordinator, "researcher"))
    cards = {
        p.name: listed[p.name]
        for p in (*study.participants, study.coordinator, study.aggregator)
        if _listed(listed, p)
    }
    check(lambda: check_collusion(study, entries))
    check(lambda: check_until(study, entries))
    if study.aggregator.name in cards:
        check(lambda: _check_names(cards[study.aggregator.name], study.aggregator))
    dataset = next((d for d in site.settings.datasets if d.name == study.data.dataset), None)
    check(lambda: _check_dataset(site, study, dataset))
    faults.extend(agreement_faults(site, sealed, now))
    faults.extend(continuation_faults(site, study))
    quote: Quote | None = None
    try:
        quote = site.ledger.quote(
            study.data.population, charges_of(study), study.privacy.max_attempts
        )
        if not quote.fits:
            raise over_budget(quote)
    except SecureFLError as error:
        faults.append(error)
    trusted = tuple(
        p.name
        for p in (*study.participants, study.coordinator, study.aggregator)
        if p.name == site.name or p.name in cards
    )
    vouched = {name: word for name in cards if (word := entries[name].vouched) is not None}
    return Review(sealed, trusted, cards, vouched, dataset, quote, tuple(faults))


def _check_software(study: Study) -> None:
    mine = software()
    theirs = {"securefl": study.software.securefl, "lock_sha256": study.software.lock_sha256}
    if mine == theirs:
        return
    next_step = (
        "All parties of a study run one version: docs/operation.md, upgrading. Agree on it, install"
        " it, then have the study made again."
    )
    if mine["securefl"] == theirs["securefl"]:
        next_step = (
            "One of the two is no release: take the same release, or the same commit of a checkout,"
            " then have the study made again. `securefl doctor` shows the lock."
        )
    raise StudyError(
        f"The study was made with securefl {theirs['securefl']} (lock"
        f" {theirs['lock_sha256'][:12]}); here runs {mine['securefl']} (lock"
        f" {mine['lock_sha256'][:12]}).",
        whose="the researcher and this hospital's operator",
        next_step=next_step,
    )


def _check_libraries(study: Study) -> None:
    """Refuse a study whose model this machine cannot train, before anything is approved.

    Raises:
        StudyError: a package is missing.
    """
    training = training_if_any(study)
    if training is None:
        return
    missing = [n for n in family_of(training.model, study.data).needs if not has_packages((n,))]
    if not missing:
        return
    names = ", ".join(missing)
    raise StudyError(
        f"This study's model needs {names}, and this machine has it not: it is installed for light"
        " models alone.",
        whose="this hospital's operator",
        next_step=f"pip install {names}, as requirements.lock pins it; or refuse the study.",
    )


def _check_schedule(study: Study, now: datetime) -> None:
    if study.schedule.reply_after < MIN_REPLY_AFTER:
        raise StudyError(
            f"Replies would leave {study.schedule.reply_after} s after a round opens; here they"
            f" wait at least {MIN_REPLY_AFTER} s, so that their time does not tell how many rows"
            " there are.",
            next_step="Make a study with a longer schedule.reply_after.",
        )
    if not study.schedule.opens <= now <= study.schedule.closes:
        raise StudyError(
            f"The study may run from {study.schedule.opens:%Y-%m-%d %H:%M} to"
            f" {study.schedule.closes:%Y-%m-%d %H:%M} UTC; {time_here(now)}.",
            whose="the researcher (other dates), or this machine's operator if its clock is wrong",
            next_step=(
                "Compare this machine's clock with one you trust. If it is right, ask for a study"
                " with other dates."
            ),
        )


def _check_own_place(site: Site, study: Study) -> None:
    mine = site.identity.card
    if site.name not in study.cohort:
        raise StudyError(
            f"The study does not name {site.name} among its participants.", next_step="Refuse it."
        )
    entry = study.participant(site.name)
    until = next((e.until for e in mine.earlier if e.signing_public == entry.signing_public), None)
    if until is not None:
        raise UntrustedError(
            f"The study names the keys that {site.name} had before {until[:10]}.",
            whose="the researcher",
            next_step="Refuse it, and ask the researcher to make it again with your new card.",
        )
    if (entry.signing_public, entry.sealing_public) != (mine.signing_public, mine.sealing_public):
        raise UntrustedError(
            f"The study names other keys for {site.name} than its own.",
            whose="the researcher",
            next_step="Refuse it, and tell the researcher.",
        )
    _check_names(mine, entry)
    hospitals = {k for p in study.participants for k in (p.signing_public, p.sealing_public)}
    if (
        mine.signing_public in {study.coordinator.signing_public, study.aggregator.signing_public}
        or study.coordinator.signing_public in hospitals
    ):
        raise UntrustedError(
            "The coordinator's keys appear among the participants.",
            whose="the researcher",
            next_step="Refuse it.",
        )


def _check_trusted(book: AddressBook, party: Party, role: Role) -> None:
    _check_names(
        book.require(
            party.name,
            party.signing_public,
            party.sealing_public,
            role=role,
        ),
        party,
    )


def _check_names(card: IdentityCard, party: Party) -> None:
    """The owner reads names, not keys: true keys under a false name would be a false name marked as
    verified.
    """
    if (card.legal_name, card.email) != (party.legal_name, party.email):
        raise UntrustedError(
            f"The study calls {party.name} '{party.legal_name}' ({party.email}); its own card says"
            f" '{card.legal_name}' ({card.email}).",
            whose=party.name,
            next_step=f"Ask the researcher to make the study with {party.name}'s own card.",
        )


def _listed(cards: dict[str, IdentityCard], party: Party) -> bool:
    """True if this hospital's list holds the party with exactly these keys, in any role."""
    card = cards.get(party.name)
    return card is not None and (card.signing_public, card.sealing_public) == (
        party.signing_public,
        party.sealing_public,
    )


def _check_dataset(site: Site, study: Study, dataset: DatasetEntry | None) -> None:
    wanted = study.data
    if dataset is None:
        raise StudyError(
            f"No data set '{wanted.dataset}' is registered here.",
            whose="the data owner",
            next_step=f"`securefl site data add {wanted.dataset} ...`, or refuse.",
        )
    if dataset.population != wanted.population:
        raise StudyError(
            f"The data set '{dataset.name}' belongs to the population '{dataset.population}', the"
            f" study says '{wanted.population}'.",
            next_step="Make the study with the registered population.",
        )
    source = site.table(dataset.name)
    have = source.columns()
    names = [*(c.name for c in wanted.columns), *wanted.label.columns, wanted.patient]
    missing = [n for n in names if n not in have]
    if missing:
        near = " ".join(words for name in missing if (words := near_name(name, have)))
        raise DataError(
            "The registered table has no column"
            f" {', '.join(repr(m) for m in missing)}.{f' {near}' if near else ''}",
            whose="the data owner or the researcher",
            next_step=(
                "Rename the columns in the table or by a mapping (`securefl site data map`), or make"
                " the study with the columns there are."
            ),
        )
    check_mapping(source.reading.mapping, wanted)
