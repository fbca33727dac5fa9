"""The owner's use cases return facts, and decide, without a terminal."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from conftest import protocol_text
from consortium import NAMES, Consortium
from hospital_folder import saved_model
from small_study import SPEC

from securefl.errors import (
    BudgetError,
    DataError,
    NotApprovedError,
    SecureFLError,
    StudyError,
    UnreadableError,
    UsageError,
)
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.learning.artefact import save_model
from securefl.learning.mock import mock_table
from securefl.learning.tasks import task_of
from securefl.node import holders
from securefl.node import requests as kept_requests
from securefl.node.owner import (
    agent,
    backups,
    budgets,
    checkpoints,
    data,
    keys,
    models,
    partners,
    requests,
    settings,
    status,
)
from securefl.node.owner.folder import make_site, open_site
from securefl.node.owner.requests import RequestState
from securefl.sources.source import GivenReading

ME, OTHER, THIRD = NAMES


def now():
    return datetime.now(UTC)


def approve(here, name):
    """Review and approve a request; the review."""
    reviewed = requests.plan_approval(here, name, now())
    requests.approve(here, reviewed)
    return reviewed


def withdraw(here, name):
    requests.withdraw(here, requests.plan_withdrawal(here, name), "")


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


def test_approval_reserves_a_share_of_what_was_reviewed(c, here):
    study = study_of(c, "first")
    reviewed = requests.plan_approval(here, "first", now())
    assert (reviewed.may_be_asked, reviewed.faults, reviewed.state) == (True, (), "waiting")
    assert 0 < requests.approve(here, reviewed) < 1
    assert requests.request_state(here, study.digest) is RequestState.APPROVED
    assert requests.own_rows(here, reviewed.found).usable == 80


def test_a_plan_leaves_ledger_and_store_as_they_were(c, here):
    study_of(c, "first")
    before = here.ledger.size, c.objects()
    requests.own_view(here, requests.plan_approval(here, "first", now()))
    assert (here.ledger.size, c.objects()) == before
    approve(here, "first")
    before = here.ledger.size, c.objects()
    requests.plan_withdrawal(here, "first")
    budgets.plan_revocation(here, "clinic")
    assert (here.ledger.size, c.objects()) == before


def test_nobody_counts_rows_between_a_yes_and_the_signed_approval(c, here, monkeypatch):
    """The time between them is seen by others, and counting takes longer for more rows."""
    study = study_of(c, "first")
    seen = []
    count = requests.count_rows

    def counted(*arguments):
        seen.append(here.board.read(paths.approval(study.digest, ME), 4096) is not None)
        return count(*arguments)

    monkeypatch.setattr(requests, "count_rows", counted)
    reviewed = approve(here, "first")
    assert seen == []
    requests.own_rows(here, reviewed.found)
    assert seen == [True]


def test_what_was_decided_is_not_asked_again(c, here):
    study_of(c, "first")
    approve(here, "first")
    with pytest.raises(NotApprovedError, match="was decided here before"):
        requests.plan_approval(here, "first", now())
    with pytest.raises(NotApprovedError, match="was decided here before"):
        requests.refuse(here, "first", "")
    withdraw(here, "first")
    reviewed = requests.review(here, "first", now())
    assert (reviewed.state, reviewed.faults) == (RequestState.WITHDRAWN, ())
    assert requests.own_view(here, reviewed).rows is None


def test_a_study_that_another_refused_is_no_question(c, here):
    study = study_of(c, "first")
    other = c.site(OTHER)
    word = Status(study.digest, OTHER, 0, "not-approved").dump(other.identity.sign)
    other.board.post(paths.status(study.digest, OTHER), word)
    reviewed = requests.review(here, "first", now())
    assert not reviewed.may_be_asked
    (fault,) = reviewed.faults
    assert fault.whose == OTHER
    with pytest.raises(NotApprovedError, match="cannot run any more"):
        approve(here, "first")


def test_too_little_budget_is_asked_and_its_refusal_stands_in_the_ledger(c, here):
    study = study_of(c, "first")
    budgets.revoke(here, budgets.plan_revocation(here, "clinic"), "")
    reviewed = requests.review(here, "first", now())
    assert reviewed.may_be_asked
    assert [type(fault) for fault in reviewed.faults] == [BudgetError]
    with pytest.raises(BudgetError):
        approve(here, "first")
    assert here.ledger.state.refusals[-1].study == study.digest
    assert requests.request_state(here, study.digest) is RequestState.WAITING


def test_the_budget_is_no_fault_of_a_study_that_has_it_reserved(c, here):
    study_of(c, "first")
    approve(here, "first")
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


def test_a_grant_that_is_sent_twice_is_made_once(here):
    agreed = plan(here)
    budgets.grant(here, agreed)
    with pytest.raises(UsageError, match="changed since this grant was planned"):
        budgets.grant(here, agreed)
    assert here.ledger.state.budget("clinic").epsilon == agreed.after


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
    approve(here, "first")
    found = budgets.plan_revocation(here, "clinic")
    assert [s.digest for s in found.going_on] == [study.digest]
    assert 0 < found.used < 1
    budgets.revoke(here, found, "the ward closes")
    with pytest.raises(BudgetError):
        budgets.plan_revocation(here, "clinic")


# --- agent and status


def test_the_status_counts_what_waits_and_what_was_approved(c, here):
    study_of(c, "first"), study_of(c, "second")
    approve(here, "first")
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


# --- data sets


def table_file(here, content=None, edits=()):
    file = here.path / "private" / "records.csv"
    if content is not None:
        file = here.path / "private" / "other.csv"
        file.write_bytes(content)
    return data.TableFile(file, protocol_text(*edits).encode())


def test_a_table_is_looked_at_by_the_data_part_of_its_protocol_alone(c, here):
    """A fault in the figures of the privacy or of the training is no fault of the table."""
    broken = (
        ('noise_multiplier = "2.14"', 'noise_multiplier = "none"'),
        ("steps = 4", 'steps = "many"'),
    )
    found = data.check_table(here, table_file(here, edits=broken))
    assert (found.looked.missing, found.count.rows.usable, found.broken) == ({}, 80, None)
    with pytest.raises(StudyError, match=r"data\.holdout"):
        data.check_table(here, table_file(here, edits=(('holdout = "3/10"', 'holdout = "3"'),)))


def test_a_look_at_a_table_registers_nothing_and_names_broken_records(c, here):
    size, known = here.ledger.size, here.settings
    content = (here.path / "private" / "records.csv").read_bytes() + b'x1,"30,1,F,f,-\n'
    found = data.check_table(here, table_file(here, content))
    assert "quotation marks are broken" in found.broken.what
    assert (here.ledger.size, c.site(ME).settings) == (size, known)


def test_a_registration_says_whose_name_and_whose_patients_it_would_take(c, here):
    again = data.plan_registration(here, "records", table_file(here), "clinic", 10)
    assert (again.other_file, again.overlaps, again.second_budget) == (None, (), False)
    here = data.register(here, again)
    assert data.registered_count(here, again).rows.usable == 80
    content = (here.path / "private" / "records.csv").read_bytes()
    with pytest.raises(UsageError, match="have a budget of their own"):
        data.plan_registration(here, "ward", table_file(here), "ward", 10)
    other = data.plan_registration(here, "records", table_file(here, content), "clinic", 10)
    assert other.other_file == here.path / "private" / "records.csv"
    few = (
        mock_table(SPEC, 20, seed=77).replace(b"mock-", b"x-")
        + content.splitlines(keepends=True)[1]
    )
    ward = data.plan_registration(here, "ward", table_file(here, few), "ward", 10)
    assert [overlap.population for overlap in ward.overlaps] == ["clinic"]
    assert ward.second_budget
    assert [table.name for table in data.registered_tables(here)] == ["records"]


def test_a_table_that_changed_after_its_patients_were_compared_is_not_registered(c, here):
    content = (here.path / "private" / "records.csv").read_bytes()
    plan = data.plan_registration(here, "records", table_file(here, content), "clinic", 10)
    plan.looked.source.path.write_bytes(content.replace(b"mock-", b"other-"))
    with pytest.raises(DataError, match="changed since it was looked at"):
        data.register(here, plan)
    assert [t.file.name for t in data.registered_tables(c.site(ME))] == ["records.csv"]


def test_patients_who_got_a_budget_between_plan_and_act_get_no_second_one(here):
    content = mock_table(SPEC, 20, seed=7).replace(b"mock-", b"x-")
    ward = data.plan_registration(here, "ward", table_file(here, content), "ward", 10)
    unit = data.plan_registration(here, "unit", table_file(here, content), "unit", 10)
    here = data.register(here, ward)
    with pytest.raises(UsageError, match="are those of 'ward'"):
        data.register(here, unit)


# --- keys, checkpoints, backups, models


def test_new_keys_say_first_what_they_would_end(c, here):
    study = study_of(c, "first")
    plan = keys.plan_rotation(here)
    assert plan.waiting == (f"first-{study.digest[:12]}",)
    assert {card.name for card in plan.partners} == {OTHER, THIRD, "researcher"}
    made = keys.rotate_key(here, plan, "2026-11-28T12:00:00Z")
    assert made.card.signing_public != plan.card.signing_public
    assert made.since == "2026-11-28T12:00:00Z"
    assert made.card_file.is_file()


def test_no_new_keys_while_an_approval_names_the_old_one(c, here):
    study_of(c, "first")
    approve(here, "first")
    with pytest.raises(NotApprovedError, match="names the old key"):
        keys.plan_rotation(here)


def test_a_checkpoint_of_the_own_ledger_is_there_and_of_others_once_handed(c, here):
    own = checkpoints.find_checkpoint(here, ME)
    assert (own.site, own.size, own.head) == (ME, here.ledger.size, here.ledger.head)
    assert checkpoints.held_checkpoints(here) == ()
    with pytest.raises(UsageError, match=f"No checkpoint of {OTHER} is held here. Held: none"):
        checkpoints.find_checkpoint(here, OTHER)
    other = c.site(OTHER)
    (here.path / "checkpoints").mkdir(exist_ok=True)
    (here.path / "checkpoints" / OTHER).write_bytes(other.ledger.checkpoint())
    (row,) = checkpoints.held_checkpoints(here)
    assert (row.site, row.checkpoint.size, row.doubted) == (OTHER, other.ledger.size, False)
    (here.path / "checkpoints" / OTHER).write_bytes(own.signed)
    (row,) = checkpoints.held_checkpoints(here)
    assert (row.checkpoint, "is by no key" in row.unreadable) == (None, True)
    with pytest.raises(UsageError, match="is not among the hospitals"):
        checkpoints.find_checkpoint(here, "nobody")


def test_only_a_doubt_is_settled_and_only_a_listed_hospital_excused(here):
    with pytest.raises(UsageError, match="is in doubt here"):
        checkpoints.check_doubted(here, OTHER)
    with pytest.raises(UsageError, match="is not among the hospitals"):
        checkpoints.plan_excuse(here, "nobody")
    plan = checkpoints.plan_excuse(here, OTHER)
    assert (plan.site, plan.size) == (OTHER, here.ledger.size)
    checkpoints.excuse(here, plan, "2026-11-28T12:00:00Z")
    assert holders.excused(here) == {OTHER}


def test_a_backup_is_checked_before_it_is_put_back_and_names_what_is_missing(c, here):
    made = backups.make_backup(here, c.root / "copy", "2026-11-28T12:00:00Z")
    assert (made.events, made.head) == (here.ledger.size, here.ledger.head)
    plan = backups.plan_restore(c.root / "copy", c.root / "again")
    assert (plan.facts, plan.target.exists()) == (made, False)
    done = backups.restore(plan)
    assert (done.aside, done.partners) == (None, tuple(sorted((OTHER, THIRD))))
    assert done.missing == ("private/records.csv",)
    late = backups.plan_restore(c.root / "copy", c.root / "late")
    (c.root / "copy" / "ledger.sqlite").write_bytes(b"altered")
    with pytest.raises(UnreadableError, match="changed after it was checked"):
        backups.restore(late)
    with pytest.raises(UnreadableError):
        backups.plan_restore(c.root / "copy", c.root / "third")


def test_a_model_keeps_its_page_where_its_table_was_moved(c, here):
    study = study_of(c, "first")
    name = f"first-{study.digest[:12]}"
    folder = here.path / "models" / name
    folder.mkdir(parents=True)
    model = saved_model(c.root / "made")
    facts = model.facts.model_copy(update={"study_digest": study.digest})
    save_model(folder, model.theta, model.spec, model.data, facts)
    assert [row.state for row in models.models(here)] == ["here"]
    assert models.model_folder(here, "first") == folder
    found = models.own_model(here, "first")
    assert (found.name, found.fault) == (name, None)
    assert found.figures is not None
    task = task_of(found.study.data)
    assert found.wrong_way == (task.exact_interval(found.figures)[1] < 0.5)
    scored = models.score_rows(here, "first", c.table(ME), GivenReading())
    assert (len(scored.scores), scored.without, scored.causes) == (80, {}, ())
    c.table(ME).unlink()
    found = models.own_model(here, "first")
    assert found.figures is None
    assert not found.wrong_way
    assert isinstance(found.fault, DataError)


# --- what the console shows besides


def test_a_part_of_the_inbox_has_those_that_wait_first_and_asks_no_store(c, here, monkeypatch):
    for name in ("first", "second", "third"):
        study_of(c, name)
    requests.refuse(here, "third", "no")
    monkeypatch.setattr(requests, "look_around", None)
    whole = requests.inbox_part(here, 0, 25)
    assert (whole.total, whole.waiting) == (3, 2)
    assert [row.state.value for row in whole.rows] == ["waiting", "waiting", "refused"]
    assert whole.rows[-1].request.study_id == "third"
    assert requests.inbox_part(here, 2, 1).rows == whole.rows[2:]
    assert requests.inbox_part(here, 3, 25).rows == ()


def test_the_mark_of_the_state_changes_with_what_pages_say_and_not_by_itself(c, here):
    marks = [status.state_mark(here), status.state_mark(here)]
    study_of(c, "first")
    marks.append(status.state_mark(here))
    agent.pause(here, "")
    marks.append(status.state_mark(here))
    (here.path / "agent.json").write_text("{}")  # of no process that runs
    marks.append(status.state_mark(here))
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3
    assert not status.agent_runs(here)


def test_partners_are_listed_with_what_is_held_of_their_ledgers(here):
    listed = partners.partners(here)
    assert {p.card.name for p in listed} == {OTHER, THIRD, "researcher"}
    assert all(p.held is None for p in listed)
    assert partners.own_card(here).name == ME


def test_settings_show_no_password(here):
    kept = here.settings.model_copy(update={"store": "sftp://me:secret@host/place"})
    shown = settings.read_settings(here.save(kept))
    assert shown.store == "sftp://me:***@host/place"


def test_of_studies_that_are_over_only_the_last_are_told_where_so_many_are_asked_for(c, here):
    for name in ("first", "second", "third"):
        study_of(c, name)
        approve(here, name)
    for name in ("first", "third"):
        withdraw(here, name)

    def told(over):
        return {
            study.name.partition("-")[0] for study in status.read_status(here, over=over).studies
        }

    assert told(None) == {"first", "second", "third"}
    assert len(told(1)) == 2
    assert told(0) == {"second"}


def test_a_request_that_changed_on_the_disk_is_read_anew_once_a_study_comes(c, here):
    study = study_of(c, "first")
    file = here.study_folder(study.digest) / "request.json"
    (kept,) = requests.waiting_requests(here)
    c.rewrite_request(ME, study, file.read_text().replace("A small study", "Another title"))
    (again,) = requests.waiting_requests(here)
    assert (kept.title, again.title) == ("A small study", "Another title")


def an_hour_later(monkeypatch):
    """Let all files be old enough to be remembered."""
    later = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)


def test_requests_that_nobody_touched_are_not_looked_at_twice(c, here, monkeypatch):
    """Of ten thousand, the looks alone took a tenth of a second, three times a page."""
    study_of(c, "first")
    an_hour_later(monkeypatch)
    before = requests.waiting_requests(here)
    looks = []
    real = kept_requests._read_once
    monkeypatch.setattr(kept_requests, "_read_once", lambda *at: looks.append(at[1]) or real(*at))
    assert requests.waiting_requests(here) == before
    assert looks == []
    second = study_of(c, "second")
    assert second.digest in {request.digest for request in requests.waiting_requests(here)}
    assert second.digest in looks


def test_a_study_whose_request_comes_later_is_listed_then(c, here, monkeypatch):
    study = study_of(c, "first")
    file = here.study_folder(study.digest) / "request.json"
    text = file.read_bytes()
    file.unlink()
    an_hour_later(monkeypatch)
    assert requests.waiting_requests(here) == ()
    file.write_bytes(text)
    (request,) = requests.waiting_requests(here)
    assert request.digest == study.digest


def compared(c, here, study):
    return requests.own_view(here, requests.review(here, study.digest, now())).earlier


def test_a_request_is_compared_with_the_last_study_that_was_approved(c, here):
    first = study_of(c, "first")
    assert compared(c, here, first) is None
    approve(here, "first")
    assert compared(c, here, first) is None  # it was decided
    second = study_of(c, "second")
    found = compared(c, here, second)
    assert (found.name, found.same_id) == (f"first-{first.digest[:12]}", False)
    assert "study.id" in {d.place for d in found.differences}
    approve(here, "second")
    again = c.new_study("first", ('title = "A small study"', 'title = "Another"'))
    c.hand_over(again, ME)
    found = compared(c, here, again)
    assert (found.name, found.same_id) == (f"first-{first.digest[:12]}", True)
    assert ("study.title", "A small study", "Another") in found.differences


def test_an_earlier_study_whose_text_is_gone_is_not_compared_with(c, here):
    first, second = study_of(c, "first"), study_of(c, "second")
    approve(here, "first")
    (here.study_folder(first.digest) / "study.toml").unlink()
    assert compared(c, here, second) is None
