"""The owner's use cases return facts, and decide, without a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from conftest import protocol_text
from consortium import NAMES, Consortium

from securefl.errors import BudgetError, NotApprovedError, SecureFLError, UsageError
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.node.owner import agent, budgets, requests, status
from securefl.node.owner.folder import make_site, open_site
from securefl.node.owner.requests import RequestState

ME, OTHER, THIRD = NAMES


class DeclinedError(Exception):
    """A person's no."""


def decline(_asked):
    raise DeclinedError


def agree(_asked):
    """A person's yes."""


def now():
    return datetime.now(UTC)


@pytest.fixture
def c(tmp_path):
    return Consortium(tmp_path)


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    site.ledger.close()


def study_of(c, study_id, *names):
    study = c.new_study(study_id)
    for name in names or (ME,):
        c.hand_over(study, name)
    return study


# --- requests


def test_the_inbox_lists_each_request_with_its_state_and_the_others_decisions(c, here):
    first, second = study_of(c, "first", *NAMES), study_of(c, "second")
    c.approve(OTHER, first)
    requests.refuse(here, "second", "no vote")
    by_digest = {row.request.digest: row for row in requests.inbox(here)}
    assert by_digest[first.digest].state is RequestState.WAITING
    assert by_digest[first.digest].elsewhere.others.approved == (OTHER,)
    assert by_digest[second.digest].state is RequestState.REFUSED
    assert by_digest[second.digest].elsewhere is None
    assert [r.digest for r in requests.waiting_requests(here)] == [first.digest]


def test_a_store_that_does_not_answer_leaves_the_inbox_readable(c, here):
    study_of(c, "first")
    c.store_folder.rename(c.root / "away")
    (row,) = requests.inbox(here)
    assert (row.state, row.elsewhere.others) == (RequestState.WAITING, None)
    assert requests.review(here, "first", now()).elsewhere.others is None


def test_a_request_that_cannot_be_read_has_no_word_of_the_others(c, here):
    study = study_of(c, "first")
    (here.study_folder(study.digest) / "study.toml").write_text("changed")
    (row,) = requests.inbox(here)
    assert row.elsewhere is None


def test_approval_asks_with_the_review_and_reserves_a_share(c, here):
    study = study_of(c, "first")
    asked = []
    made = requests.approve(here, "first", now=now(), agree=asked.append)
    (reviewed,) = asked
    assert reviewed is made.review
    assert (reviewed.may_be_asked, reviewed.faults, reviewed.state) == (True, (), "waiting")
    assert 0 < made.reserved_share < 1
    assert requests.request_state(here, study.digest) is RequestState.APPROVED
    assert requests.own_rows(here, made.review.found).usable == 80


def test_a_no_leaves_ledger_and_store_as_they_were(c, here):
    study_of(c, "first")
    before = here.ledger.size, c.objects()
    with pytest.raises(DeclinedError):
        requests.approve(here, "first", now=now(), agree=decline)
    assert (here.ledger.size, c.objects()) == before
    requests.approve(here, "first", now=now(), agree=agree)
    before = here.ledger.size, c.objects()
    with pytest.raises(DeclinedError):
        requests.withdraw(here, "first", "", agree=decline)
    assert (here.ledger.size, c.objects()) == before


def test_nobody_counts_rows_between_a_yes_and_the_signed_approval(c, here, monkeypatch):
    """The time between them is seen by others, and counting takes longer for more rows."""
    study = study_of(c, "first")
    seen = []
    count = requests.count_rows

    def counted(*arguments):
        seen.append(here.store.get(paths.approval(study.digest, ME), 4096) is not None)
        return count(*arguments)

    monkeypatch.setattr(requests, "count_rows", counted)
    made = requests.approve(here, "first", now=now(), agree=agree)
    assert seen == []
    requests.own_rows(here, made.review.found)
    assert seen == [True]


def test_what_was_decided_is_not_asked_again(c, here):
    study_of(c, "first")
    requests.approve(here, "first", now=now(), agree=agree)
    with pytest.raises(NotApprovedError, match="was decided here before"):
        requests.approve(here, "first", now=now(), agree=decline)
    with pytest.raises(NotApprovedError, match="was decided here before"):
        requests.refuse(here, "first", "")
    requests.withdraw(here, "first", "", agree=agree)
    reviewed = requests.review(here, "first", now())
    assert (reviewed.state, reviewed.faults) == (RequestState.WITHDRAWN, ())
    assert requests.own_view(here, reviewed).rows is None


def test_a_study_that_another_refused_is_no_question(c, here):
    study = study_of(c, "first")
    other = c.site(OTHER)
    word = Status(study.digest, OTHER, 0, "not-approved").dump(other.identity.sign)
    other.store.put(paths.status(study.digest, OTHER), word)
    reviewed = requests.review(here, "first", now())
    assert not reviewed.may_be_asked
    (fault,) = reviewed.faults
    assert fault.whose == OTHER
    with pytest.raises(NotApprovedError, match="cannot run any more"):
        requests.approve(here, "first", now=now(), agree=agree)


def test_too_little_budget_is_asked_and_its_refusal_stands_in_the_ledger(c, here):
    study = study_of(c, "first")
    budgets.revoke(here, budgets.plan_revocation(here, "clinic"), "")
    reviewed = requests.review(here, "first", now())
    assert reviewed.may_be_asked
    assert [type(fault) for fault in reviewed.faults] == [BudgetError]
    with pytest.raises(BudgetError):
        requests.approve(here, "first", now=now(), agree=agree)
    assert here.ledger.state.refusals[-1].study == study.digest
    assert requests.request_state(here, study.digest) is RequestState.WAITING


def test_the_budget_is_no_fault_of_a_study_that_has_it_reserved(c, here):
    study_of(c, "first")
    requests.approve(here, "first", now=now(), agree=agree)
    budgets.revoke(here, budgets.plan_revocation(here, "clinic"), "")
    reviewed = requests.review(here, "first", now())
    assert [type(fault) for fault in reviewed.found.faults] == [BudgetError]
    assert (reviewed.state, reviewed.faults) == (RequestState.APPROVED, ())


def test_every_state_of_the_ledger_is_a_state_of_a_request():
    from typing import get_args

    from securefl.privacy.ledger_facts import Status as LedgerStatus

    assert {RequestState(word) for word in get_args(LedgerStatus)} | {
        RequestState.WAITING,
        RequestState.REFUSED,
    } == set(RequestState)


# --- budgets


def plan(here, population="clinic", amount="3", delta="1e-5"):
    text = protocol_text().encode()
    return budgets.plan_grant(here, population, Decimal(amount), Decimal(delta), text)


def test_a_grant_says_what_it_does_to_the_one_before(c, here):
    added = plan(here)
    assert added.kind is budgets.GrantKind.ADDED
    assert added.after == added.before + 3
    assert not added.unknown_population
    made = budgets.grant(here, added)
    assert made.budget.epsilon == added.after
    assert (made.used, made.room > 0) == (0, True)
    budgets.revoke(here, budgets.plan_revocation(here, "clinic"), "")
    reopened = plan(here)
    assert (reopened.kind, reopened.after) == (budgets.GrantKind.REOPENED, 3)
    first = plan(here, "ward")
    assert (first.kind, first.before) == (budgets.GrantKind.FIRST, None)
    assert first.unknown_population
    assert first.populations == ("clinic",)


def test_a_planned_grant_writes_nothing_and_one_too_small_is_refused(c, here):
    size = here.ledger.size
    plan(here)
    with pytest.raises(BudgetError):
        plan(here, "ward", "0.001")
    with pytest.raises(UsageError, match="cannot be the name of a population"):
        plan(here, "no name")
    assert here.ledger.size == size


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (budgets.read_epsilon, "three", "is not a number"),
        (budgets.read_epsilon, "NaN", "must be at least 0.0001 and at most 1000"),
        (budgets.read_epsilon, "1001", "must be at least 0.0001 and at most 1000"),
        (budgets.read_delta, "0.5", "must be at least 1e-30 and at most 1e-3"),
        (budgets.read_delta, "0.0000" + "1" * 40, "at most 40 characters"),
    ],
)
def test_figures_that_a_ledger_could_not_keep_are_refused(read, text, why):
    with pytest.raises(ValueError, match=why):
        read(text)


def test_a_revocation_names_the_studies_that_go_on(c, here):
    study = study_of(c, "first")
    requests.approve(here, "first", now=now(), agree=agree)
    found = budgets.plan_revocation(here, "clinic")
    assert [s.digest for s in found.going_on] == [study.digest]
    assert 0 < found.used < 1
    budgets.revoke(here, found, "the ward closes")
    with pytest.raises(BudgetError):
        budgets.plan_revocation(here, "clinic")


# --- agent and status


def test_the_status_counts_what_waits_and_what_was_approved(c, here):
    study_of(c, "first"), study_of(c, "second")
    requests.approve(here, "first", now=now(), agree=agree)
    agent.pause(here, "holidays")
    found = status.read_status(here)
    assert (found.name, found.running, found.paused, found.waiting) == (ME, False, True, 1)
    (study,) = found.studies
    assert (study.state, study.last_round, study.waits_for) == (RequestState.APPROVED, 0, "")
    assert study.name.startswith("first-")
    (budget,) = found.budgets
    assert (budget.population, budget.revoked, budget.used > 0) == ("clinic", False, True)
    agent.resume(here)
    assert not status.read_status(here).paused


def test_no_agent_is_stopped_where_none_runs(here):
    assert agent.stop_agent(here) is False


def test_a_new_hospital_has_a_card_to_hand_out(tmp_path):
    made = make_site(
        tmp_path / "N",
        name="N",
        legal_name="Hospital N",
        email="n@example.org",
        store=str(tmp_path / "store"),
    )
    assert made.card_file.is_file()
    assert made.fingerprint == open_site(made.path).identity.card.spoken
    with pytest.raises(SecureFLError, match="folder already"):
        make_site(
            tmp_path / "N", name="N", legal_name="N", email="n@example.org", store=str(tmp_path)
        )
