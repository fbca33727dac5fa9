"""Pages over the owner's facts, the same for a terminal and a browser.

A page of :mod:`securefl.report` takes plain facts; here they come out of what the use cases return,
so that no screen can say something else than another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report import (
    budget,
    data_sets,
    notices,
    partners,
    readiness,
    removed_patients,
    rules,
    settings,
    table_mapping,
)
from securefl.report.codes import UNSEEN, cannot_run_sentence, others_sentence
from securefl.report.page import spans
from securefl.report.quality import quality_words
from securefl.report.request import request_page
from securefl.report.status import BudgetLine, StudyLine, site_status
from securefl.report.stopping import leaving_sentences, pausing_sentence
from securefl.report.terms import vouched_words
from securefl.study.study_id import StudyId
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from securefl.identity import IdentityCard
    from securefl.node.owner.audit import Audit
    from securefl.node.owner.budgets import GrantPlan, Revocation
    from securefl.node.owner.checkpoints import ExcusePlan
    from securefl.node.owner.data import RegisteredTable
    from securefl.node.owner.data_removal import DataRemoval
    from securefl.node.owner.folder import Site
    from securefl.node.owner.mapping import MappingPlan, ShownTable
    from securefl.node.owner.notices import NoticePlan, NoticeTrial
    from securefl.node.owner.partners import Partner
    from securefl.node.owner.patients import PatientRemoval
    from securefl.node.owner.policy import PolicyPlan
    from securefl.node.owner.readiness import Readiness
    from securefl.node.owner.requests import Elsewhere, OwnView, RequestReview
    from securefl.node.owner.settings import OwnSettings
    from securefl.node.owner.status import BudgetStatus, SiteStatus, StudyStatus
    from securefl.node.owner.stopping import StopCost
    from securefl.node.people import Person
    from securefl.party.trust import TrustPlan
    from securefl.report.page import Page
    from securefl.study.owner_policy import OwnerPolicy
    from securefl.study.table_troubles import Trouble


def review_page(
    site: str,
    reviewed: RequestReview,
    own: OwnView,
    *,
    commands: bool = True,
) -> Page:
    """A request as its owner reads it before a decision.

    Args:
        site: the hospital's name.
        reviewed: the request as it was checked.
        own: what only this hospital knows.
        commands: end with the commands of a decision; False where the screen has forms for it.
    """
    found, others = reviewed.found, reviewed.elsewhere.others
    return request_page(
        found.study,
        found.digest,
        site=site,
        sender=reviewed.request.sender,
        quote=found.quote,
        trusted=found.trusted,
        cards=found.cards,
        vouched=found.vouched,
        faults=reviewed.faults,
        isolation=own.isolation,
        rows=own.rows,
        state=reviewed.state,
        registered=own.registered,
        others=others_words(reviewed.elsewhere),
        commands=commands,
        earlier=own.earlier,
        thread=own.thread,
        continued=own.continued,
        without_pysyft=() if others is None else others.without_pysyft,
    )


def others_words(elsewhere: Elsewhere) -> str:
    """Decisions of the others, in a sentence."""
    others = elsewhere.others
    if others is None:
        return UNSEEN
    if others.ended:
        return cannot_run_sentence(others.ended)
    return others_sentence(others.approved, others.waiting)


def leaving_words(cost: StopCost) -> list[str]:
    """What leaving a study costs, a sentence each."""
    return leaving_sentences(
        begun=cost.begun,
        sent=cost.sent,
        rounds=cost.rounds,
        population=cost.population,
        share=cost.share,
        others=cost.others,
    )


def pausing_words(costs: Sequence[StopCost]) -> list[str]:
    """What a pause means for each study under way, a sentence each."""
    return [pausing_sentence(c.name, begun=c.begun, goes_on=c.goes_on) for c in costs]


def removal_page(plan: PatientRemoval) -> Page:
    """The page before patients are taken out."""
    bound = None
    if plan.bound is not None:
        bound = (plan.bound.epsilon, plan.bound.delta)
    return removed_patients.removal_page(
        plan.population,
        named=plan.named,
        already=plan.already,
        found=plan.found,
        unread=plan.unread,
        touched=[removed_patients.TouchedLine(**vars(study)) for study in plan.touched],
        bound=bound,
        going_on=plan.going_on,
    )


def status_page(found: SiteStatus) -> Page:
    """The hospital's state as a page for people."""
    away = found.store_away
    ended = found.ended
    return site_status(
        site=found.name,
        running=found.running,
        paused=found.paused,
        datasets=[(d.name, d.population) for d in found.datasets],
        budgets=[_budget_line(budget) for budget in found.budgets],
        studies=[_study_line(study) for study in found.studies],
        rows=[(study.name, study.rows) for study in found.studies if study.rows],
        waiting=found.waiting,
        quarantined=found.quarantined,
        late_replies=found.late_replies,
        store_away=None if away is None else (away.since, away.reason),
        ended=None if ended is None else (ended.at, ended.reason),
        agreements=[
            (population, f"{a.consortium}, version {a.version} ({a.agreement[:12]})")
            for population, a in found.agreements.items()
        ],
        network_allowed=found.network_allowed,
        recalled=found.recalled,
        has_pysyft=found.has_pysyft,
    )


def audit_overview_page(found: Audit, *, detail: bool = False) -> Page:
    """The audit for every day; ``detail`` gives each release a line of its own."""
    from securefl.report.audit import audit_overview

    return audit_overview(
        found.report,
        detail=detail,
        fingerprint=found.card.spoken,
        reasons=found.reasons,
        continues=found.continues,
    )


def whole_audit_page(
    found: Audit,
    at: str,
    *,
    since: str | None = None,
    detail: bool = False,
) -> Page:
    """The audit to keep, print and hand on.

    Args:
        found: the ledger as it was read.
        at: when the page is made, UTC in ISO 8601.
        since: leaves out what was before; None for everything.
        detail: every release openly.
    """
    from securefl.environment import version
    from securefl.report.audit_page import PageFacts, audit_page

    about = PageFacts(
        made_at=at,
        version=version(),
        legal_name=found.card.legal_name,
        fingerprint=found.card.spoken,
        since=since,
        checkpoint=None if found.checkpoint is None else found.checkpoint.size,
        detail=detail,
    )
    return audit_page(found.report, about)


def data_page(tables: Sequence[RegisteredTable], budgets: Sequence[BudgetStatus]) -> Page:
    """The data sets and the budgets of their patients."""
    lines = [
        data_sets.TableLine(
            t.name, t.population, str(t.file), t.read_as, t.there, ", ".join(t.mapped), t.fault
        )
        for t in tables
    ]
    return data_sets.data_sets_page(lines, [_budget_line(budget) for budget in budgets])


def mapping_page(plan: MappingPlan) -> Page:
    """A mapping before it is signed."""
    return table_mapping.mapping_page(plan.dataset, plan.effects)


def table_page(found: ShownTable) -> Page:
    """A registered table, and what its mapping does to it."""
    return table_mapping.table_page(
        found.dataset, found.population, found.file, found.read_as, found.effects
    )


def budgets_page(budgets: Sequence[BudgetStatus]) -> Page:
    """The budgets alone."""
    return data_sets.budgets_page([_budget_line(one) for one in budgets])


def readiness_page(found: Readiness, *, whole: bool = True) -> Page:
    """A table beside the columns of a study; without ``whole`` one line where all is well."""
    return readiness.readiness_page(_readiness_facts(found), whole=whole)


def readiness_troubles(found: Readiness) -> list[str]:
    """The same as sentences."""
    lines = readiness.trouble_lines(_readiness_facts(found))
    return ["".join(span.spoken for span in spans(line)) for line in lines]


def readiness_kinds(found: Readiness) -> frozenset[Trouble]:
    """Kinds of what looks wrong on the page; empty where it says that no trouble was found."""
    return readiness.trouble_kinds(_readiness_facts(found))


def _readiness_facts(found: Readiness) -> readiness.ReadinessFacts:
    fault = ""
    if found.fault is not None:
        fault = found.fault.what
    return readiness.ReadinessFacts(
        found.dataset,
        found.study,
        found.look,
        found.rows,
        fault,
        found.earlier,
        found.earlier_rows,
        found.drift,
        found.mapped,
    )


def partners_page(own: IdentityCard, listed: Sequence[Partner]) -> Page:
    """The own card, and everybody on the list."""
    return partners.partners_page(own, [_partner_line(partner) for partner in listed])


def settings_page(found: OwnSettings) -> Page:
    """The settings, to be read."""
    return settings.settings_page(
        name=found.name,
        legal_name=found.legal_name,
        email=found.email,
        store=found.store,
        folder=str(found.folder),
        isolation=found.isolation,
        version=found.version,
        rules=found.rules,
        has_pysyft=found.has_pysyft,
    )


def people_page(listed: Sequence[Person]) -> Page:
    """Everybody who decides here."""
    lines = [rules.PersonLine(p.name, p.since, p.signing_public) for p in listed]
    return rules.people_page(lines)


def rules_page(plan: PolicyPlan) -> Page:
    """The page before a policy is signed."""
    return rules.rules_page(plan.policy.rows(), _rows(plan.before), plan.isolation())


def no_rules_page(before: OwnerPolicy | None) -> Page:
    """The page before the policy is taken away."""
    return rules.no_rules_page(_rows(before))


def _rows(policy: OwnerPolicy | None) -> list[tuple[str, str]]:
    if policy is None:
        return []
    return policy.rows()


def grant_page(plan: GrantPlan) -> Page:
    """The page before a budget is granted."""
    from securefl.node.owner.budgets import GrantKind

    return budget.grant_page(
        budget.GrantFacts(
            population=plan.population,
            amount=plan.amount,
            before=plan.before,
            after=plan.after,
            delta=plan.delta,
            typical=plan.typical.study.id,
            studies=plan.choice.studies,
            reopened=plan.kind is GrantKind.REOPENED,
            unknown=plan.unknown_population,
            reason=plan.choice.reason,
        )
    )


def revocation_page(plan: Revocation) -> Page:
    """The page before the rest of a budget is taken back."""
    names = [StudyId(study.approval.id, study.digest).name for study in plan.going_on]
    return budget.revocation_page(plan.population, plan.used, names)


def data_removal_page(plan: DataRemoval) -> Page:
    """The page before a data set is taken away."""
    copied = plan.copy is not None
    return data_sets.data_removal_page(plan.name, plan.population, str(plan.table), copied=copied)


def trust_page(plan: TrustPlan) -> Page:
    """The page before a card is trusted."""
    replaced = ""
    if plan.replaced is not None:
        replaced = plan.replaced.spoken
    return partners.trust_page(plan.card, replaced, plan.replaced_until[:10])


def excuse_page(site: Site, plan: ExcusePlan) -> Page:
    """Studies without the word of a silent hospital, before the owner's yes."""
    return partners.excuse_page(plan.site, site.name, plan.size, plan.last_at)


def new_notices_page(plan: NoticePlan) -> Page:
    """Settings of notices, before the owner's yes."""
    before = None
    if plan.before is not None:
        before = plan.before.rows()
    return notices.new_notices_page(plan.settings.rows(), before, plan.lost)


def notice_trials_page(trials: Sequence[NoticeTrial]) -> Page:
    """What came of a test by each way."""
    return notices.notice_trials_page([(trial.channel, trial.fault) for trial in trials])


def _partner_line(partner: Partner) -> partners.PartnerLine:
    line = _held_line(partner)._replace(lapsed=partner.lapsed)
    word = partner.vouched
    if word is None:
        return line
    return line._replace(vouched=vouched_words(word.by, word.until[:10]))


def _held_line(partner: Partner) -> partners.PartnerLine:
    """The line of a partner, with what is held of its ledger."""
    held = partner.held
    if held is None:
        return partners.PartnerLine(partner.card)
    fault = held.unreadable
    if held.doubted:
        name = partner.card.name
        fault = (
            f"it has shown two pasts of its ledger: telephone {name}, then `securefl site"
            f" checkpoint {name} --settled`"
        )
    if held.checkpoint is None:
        return partners.PartnerLine(partner.card, fault=fault)
    return partners.PartnerLine(
        partner.card,
        held.checkpoint.size,
        held.checkpoint.head,
        fault,
    )


def _budget_line(budget: BudgetStatus) -> BudgetLine:
    return BudgetLine(
        budget.population,
        budget.used,
        budget.room,
        budget.revoked,
    )


def _study_line(study: StudyStatus) -> StudyLine:
    return StudyLine(
        study.name,
        study.state,
        study.last_round,
        study.rounds,
        study.reason,
        _quality(study),
        study.waits_for,
        _moment(study.waits_since),
        _moment(study.waits_until),
    )


def _moment(at: datetime | None) -> str:
    if at is None:
        return ""
    return time_text(at)


def _quality(study: StudyStatus) -> str | None:
    if study.verdict is None or study.minimum is None:
        return None
    return quality_words(study.verdict, study.minimum, study.each)
