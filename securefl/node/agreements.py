"""Agreement in a hospital's house: it is kept by its digest, the ledger says which one is in force,
and every study on its populations is held to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from securefl.agreement.article import Case, PastStudy
from securefl.agreement.checking import check_study
from securefl.agreement.sealed import SealedAgreement
from securefl.agreement.signatures import needed
from securefl.errors import NotApprovedError, StudyError, UnreadableError, UsageError
from securefl.files import private_folder, read_given, replace_file
from securefl.node.table_looks import own_table
from securefl.party.clock import utc_now
from securefl.party.consortium import (
    AGREEMENT,
    PROSE,
    SIGNATURES,
    ConsortiumFolder,
    earlier_signers,
    find_notices,
    find_signatures,
    known_keys,
    own_entry,
    write_notice,
)
from securefl.privacy import ledger_events as ev
from securefl.privacy.ledger_agreements import binding, departed, moment
from securefl.privacy.ledger_state import apply
from securefl.statement import MAX_SMALL
from securefl.study.parse import MAX_BYTES
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.agreement.article import Breach, OwnTable
    from securefl.agreement.schema import Agreement
    from securefl.errors import SecureFLError
    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState
    from securefl.study.sealed import SealedStudy

_FOLDER: Final = "agreements"


def kept(site: Site, digest: str) -> SealedAgreement:
    """The agreement of that digest as this hospital keeps it.

    Raises:
        UnreadableError: it is gone, or its text is another one.
    """
    file = _place(site, digest) / AGREEMENT
    try:
        found = SealedAgreement.read(read_given(file, MAX_BYTES))
    except (StudyError, UnreadableError) as error:
        raise _lost(file, error.what) from None
    if found.digest != digest:
        raise _lost(file, "it is another text than the one in force")
    return found


def _place(site: Site, digest: str) -> Path:
    return site.path / _FOLDER / digest


def _lost(file: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"The agreement in force cannot be read from {file}: {why.rstrip('.')}.",
        whose="the data owner",
        next_step="Restore the file from your backup; until then no study can be approved.",
    )


def agreement_faults(
    site: Site,
    sealed: SealedStudy,
    now: datetime,
) -> tuple[SecureFLError, ...]:
    """Find what in a study goes beyond the agreement that binds its population here.

    A study that was approved is judged as of its approval: what was approved later does not count
    against it.
    """
    study = sealed.study
    state = site.ledger.state
    agreed = binding(state, study.data.population, now)
    if agreed is None:
        if study.agreement is None:
            return ()
        return (_not_in_force(study.agreement),)
    if study.agreement != agreed.agreement:
        return (_other_agreement(study.agreement, agreed),)
    try:
        agreement = kept(site, agreed.agreement).agreement
    except UnreadableError as error:
        return (error,)
    at = now
    table: OwnTable | None = None
    if agreement.readiness is not None:
        table = own_table(site, study.data, study.privacy.unit)
    if sealed.digest in state.studies:
        # readiness is asked for before the approval, and not again
        table = None
        at = moment(state.studies[sealed.digest].approval.at)
    case = Case(
        agreement,
        study,
        at,
        departed=departed(state, agreed.agreement),
        keys=known_keys(site, agreement),
        history=charged_history(state, study.data.population, sealed.digest),
        store=site.settings.store,
        table=table,
    )
    name = agreement.consortium.id
    return tuple(_breached(name, breach) for breach in check_study(case))


def _breached(consortium: str, breach: Breach) -> StudyError:
    """The refusal of a study for one article."""
    if breach.whose:
        return StudyError(
            f"The agreement of {consortium} lets nobody approve this study here yet. {breach}",
            whose=breach.whose,
            next_step=breach.mend,
        )
    return StudyError(
        f"The study goes beyond the agreement of {consortium}. {breach}", next_step=breach.mend
    )


def check_agreement(site: Site, sealed: SealedStudy) -> None:
    """Refuse a study that goes beyond the agreement, at the moment of the owner's decision.

    Two requests that were each reviewed before the other was approved could together go beyond an
    article; the caller holds :meth:`~securefl.node.site.Site.deciding`.

    Raises:
        SecureFLError: the first fault.
    """
    faults = agreement_faults(site, sealed, datetime.now(UTC))
    if faults:
        raise faults[0]


def _not_in_force(digest: str) -> StudyError:
    return StudyError(
        f"The study names an agreement ({digest[:12]}) that is not in force here for its"
        " patients: nothing would hold it to that.",
        next_step=(
            "Bring the agreement into force with `securefl consortium enforce`, or ask for a study"
            " that names none."
        ),
    )


def _other_agreement(named: str | None, agreed: ev.Agree) -> StudyError:
    names = "names none"
    if named is not None:
        names = f"names another ({named[:12]})"
    return StudyError(
        f"The patients are bound by version {agreed.version} of the agreement of"
        f" {agreed.consortium} ({agreed.agreement[:12]}). A study on them names it; this one"
        f" {names}.",
        next_step="Make the study with `securefl study new --agreement FILE`, and that version.",
    )


def charged_history(
    state: LedgerState,
    population: str,
    beside: str,
) -> tuple[PastStudy, ...]:
    """Studies that were charged to a population, but for the one that is judged."""
    return tuple(
        PastStudy(
            moment(study.approval.at),
            moment(study.ended_at) if study.ended_at else None,
            study.reservation.epsilon,
        )
        for digest, study in state.studies.items()
        if study.reservation.population == population and study.charged and digest != beside
    )


@dataclass(frozen=True)
class EnforcementPlan:
    """An agreement before a hospital's machine holds to it.

    Attributes:
        folder: the consortium's.
        sealed: the version that comes into force, or is in force.
        missing: who has to sign still, a line each; empty where it may come into force.
        faults: name → why a party's signature or entry does not count.
        in_force: it is in force here already.
        leaving: other parties whose notice came in and is not noted yet.
        without_data: populations of the agreement of which no data set is registered here. A study
            is bound by its population's name, so a name that is spelt otherwise here is not bound.
        prose: the text beside the articles.
    """

    folder: ConsortiumFolder
    sealed: SealedAgreement
    missing: tuple[str, ...]
    faults: Mapping[str, SecureFLError]
    in_force: bool
    leaving: tuple[str, ...]
    without_data: tuple[str, ...]
    prose: bytes = field(repr=False)


def plan_enforcement(site: Site, folder: ConsortiumFolder) -> EnforcementPlan:
    """Work out whether the agreement in a folder may come into force here; nothing is written.

    Raises:
        UntrustedError: it does not name this hospital as its card does, or the prose is another.
        UsageError, NotApprovedError: its dates are over, or the ledger's rules on agreements forbid
            it.
    """
    sealed = folder.sealed()
    own_entry(sealed.agreement, site.name)
    without_data = _without_data(site, sealed.agreement)
    state = site.ledger.state
    in_force = sealed.digest in {a.agreement for a in state.agreements.values()}
    if in_force:
        noted = departed(state, sealed.digest)
        leaving = tuple(n for n in find_notices(folder, sealed, site) if n not in noted)
        return EnforcementPlan(folder, sealed, (), {}, in_force, leaving, without_data, b"")
    _check_term(sealed.agreement, datetime.now(UTC))
    prose = folder.checked_prose(sealed.agreement)
    before = _before(site, sealed)
    signed = find_signatures(folder, sealed, site)
    names = signed.parties
    if before is not None:
        names |= earlier_signers(folder, sealed, before, site)
    missing = needed(sealed.agreement, before, site.name).missing(names)
    # The rules of the ledger, before anybody is asked.
    apply(state, _event(sealed))
    return EnforcementPlan(
        folder, sealed, missing, signed.faults, in_force, (), without_data, prose
    )


def _check_term(agreement: Agreement, now: datetime) -> None:
    """Refuse an agreement whose dates are over: it would let no study through."""
    ends = agreement.term.ends
    if now >= ends:
        raise UsageError(
            f"The agreement ran out on {ends:%Y-%m-%d}: in force it would let no study through.",
            whose="whoever gathers the consortium",
            next_step="Ask for a version with later dates in article 12.",
        )


def _without_data(site: Site, agreement: Agreement) -> tuple[str, ...]:
    registered = {dataset.population for dataset in site.settings.datasets}
    return tuple(p for p in agreement.consortium.populations if p not in registered)


def _before(site: Site, sealed: SealedAgreement) -> Agreement | None:
    """The version that this one supersedes, where that one is in force here."""
    digest = sealed.agreement.consortium.supersedes
    in_force = {a.agreement for a in site.ledger.state.agreements.values()}
    if digest is None or digest not in in_force:
        return None
    return kept(site, digest).agreement


def _event(sealed: SealedAgreement) -> ev.Agree:
    about = sealed.agreement.consortium
    return ev.Agree(
        at=utc_now(),
        agreement=sealed.digest,
        consortium=about.id,
        version=about.version,
        supersedes=about.supersedes,
        populations=about.populations,
    )


def enforce(site: Site, plan: EnforcementPlan) -> None:
    """Hold to the agreement from now on; or, where it is in force, note who leaves it.

    The text and all signatures are kept before the ledger says so: a crash in between leaves a
    folder that nobody reads.

    Raises:
        NotApprovedError: signatures are missing.
    """
    if plan.in_force:
        for name in plan.leaving:
            _note_departure(site, plan.sealed, name)
        return
    if plan.missing:
        raise NotApprovedError(
            f"{plan.sealed.name} cannot come into force here. Still to sign:"
            f" {'; '.join(plan.missing)}.",
            whose="the parties named",
            next_step="Get their files of signatures/ and put them into the folder.",
        )
    _keep(site, plan)
    about = plan.sealed.agreement.consortium
    with site.deciding():
        site.ledger.agree(
            agreement=plan.sealed.digest,
            consortium=about.id,
            version=about.version,
            supersedes=about.supersedes,
            populations=about.populations,
        )


def _keep(site: Site, plan: EnforcementPlan) -> None:
    place = private_folder(_place(site, plan.sealed.digest))
    replace_file(place / AGREEMENT, plan.sealed.text)
    replace_file(place / PROSE, plan.prose)
    private_folder(place / SIGNATURES)
    for party in plan.sealed.agreement.parties:
        file = plan.folder.signature_file(party.name)
        if file.exists():
            replace_file(place / SIGNATURES / file.name, read_given(file, MAX_SMALL))


def notice_over(agreement: Agreement, given: datetime) -> datetime:
    """When a notice that came in at ``given`` is over, UTC, whole seconds."""
    return given.replace(microsecond=0) + timedelta(days=agreement.leaving.notice_days)


def _note_departure(site: Site, sealed: SealedAgreement, party: str) -> None:
    over = notice_over(sealed.agreement, datetime.now(UTC))
    with site.deciding():
        site.ledger.depart(sealed.digest, party=party, effective=time_text(over))


def leave(site: Site, folder: ConsortiumFolder, at: str) -> datetime:
    """Give this hospital's notice: signed for the others, and noted in its own ledger.

    The signed notice is written first, and again where the ledger has it noted already: whoever was
    interrupted repeats the command.

    Returns:
        When the notice is over; until then its machine holds to the agreement.

    Raises:
        UsageError: the agreement in the folder is not in force here.
    """
    sealed = folder.sealed()
    noted = departed(site.ledger.state, sealed.digest)
    if site.name not in noted:
        # The rules of the ledger, before anything is signed.
        event = ev.Depart(
            at=utc_now(), agreement=sealed.digest, party=site.name, effective=utc_now()
        )
        apply(site.ledger.state, event)
    write_notice(folder, site, sealed.digest, at)
    if site.name not in noted:
        _note_departure(site, sealed, site.name)
    return departed(site.ledger.state, sealed.digest)[site.name]


def bound(site: Site, now: datetime) -> dict[str, ev.Agree]:
    """Population → the agreement that binds it at a time, as the ledger notes it."""
    state = site.ledger.state
    found = {name: binding(state, name, now) for name in state.agreements}
    return {name: agreed for name, agreed in found.items() if agreed is not None}


def in_force(site: Site, now: datetime) -> dict[str, str]:
    """Population → digest of the agreement that binds it at a time."""
    return {name: agreed.agreement for name, agreed in bound(site, now).items()}
