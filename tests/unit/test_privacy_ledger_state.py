"""The rules of the fold, one test each; numbers refer to the module's list."""

from decimal import Decimal

import pytest
from ledger_site import CHARGES, DELTA, HISTOGRAM, STEP, TERMS, digest

from securefl.errors import BudgetError, NotApprovedError, RoundError, UsageError
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import rdp_cost
from securefl.privacy.ledger_agreements import binding, departed, moment
from securefl.privacy.ledger_state import LedgerState, apply, fold

AT = "2026-01-31T12:00:00Z"
PARTS = tuple(
    ev.Part(purpose=c.purpose, mechanism=c.mechanism, cost=rdp_cost(c.mechanism, 7))
    for c in CHARGES
)
COST = sum(p.cost for p in PARTS)
GENESIS = ev.Genesis(at=AT, site="SVI", key="0f" * 32)


def grant(epsilon="3", **changes):
    fields = {
        "population": "p", "epsilon": Decimal(epsilon), "delta": DELTA, "order": 7, "typical": "t", "typical_parts": PARTS, "reason": "",
    }  # fmt: skip
    return ev.Grant(at=AT, **{**fields, **changes})


def dataset(name="visits", population="p", snapshot="aa" * 32):
    return ev.Dataset(at=AT, name=name, population=population, snapshot=snapshot)


def approval(n=1, cost=COST):
    return ev.Approve(
        at=AT, study=digest(n), id=f"s{n}", researcher="r", statement="bb" * 32, cost=cost
    )


def reservation(n=1, **changes):
    fields = {
        "study": digest(n), "population": "p", "dataset": "visits", "snapshot": "aa" * 32, "order": 7, "attempts": 1, "parts": PARTS,
        "epsilon": Decimal(1), "delta": DELTA, "accountants": (), "terms": TERMS,
    }  # fmt: skip
    return ev.Reserve(at=AT, **{**fields, **changes})


def start(n=1):
    return ev.Start(at=AT, study=digest(n))


def sent(n=1, number=1, mechanism=STEP, purpose="update", sha="cc" * 32):
    return ev.Sent(
        at=AT, study=digest(n), round=number, purpose=purpose, mechanism=mechanism, sha256=sha
    )


def settle(status, n=1):
    return ev.Settle(at=AT, study=digest(n), status=status)


OPEN = fold([GENESIS, grant(), dataset()])
APPROVED = fold([approval(), reservation()], OPEN)
RUNNING = apply(APPROVED, start())


def test_1_genesis_comes_first_and_once():
    with pytest.raises(UsageError, match="genesis"):
        apply(LedgerState(), grant())
    with pytest.raises(UsageError, match="genesis"):
        apply(OPEN, GENESIS)


def test_2_grants_add_up():
    state = apply(OPEN, grant("2"))
    assert state.budgets["p"].epsilon == 5
    assert state.budgets["p"].cap == OPEN.budgets["p"].cap + 2 * 10**9
    assert len(state.budgets["p"].grants) == 2


@pytest.mark.parametrize("change", [{"delta": Decimal("1e-6")}, {"order": 8}])
def test_2_a_later_grant_keeps_delta_and_order(change):
    with pytest.raises(UsageError, match="keeps both"):
        apply(OPEN, grant(**change))


@pytest.mark.parametrize("event", [grant("0"), grant(typical_parts=())])
def test_2_a_grant_of_nothing_is_refused(event):
    with pytest.raises(UsageError, match="above 0"):
        apply(OPEN, event)


def test_2_a_grant_that_could_not_pay_for_one_study_is_refused():
    with pytest.raises(BudgetError, match="spent for nothing"):
        apply(apply(LedgerState(), GENESIS), grant("1.5"))


def test_3_a_data_set_keeps_its_population():
    assert apply(OPEN, dataset(snapshot="dd" * 32)).datasets["visits"].snapshot == "dd" * 32
    with pytest.raises(UsageError, match="second budget"):
        apply(OPEN, dataset(population="q"))


def test_4_an_approval_is_followed_by_its_reservation():
    pending = apply(OPEN, approval())
    for event in (start(), reservation(2), approval(2), GENESIS):
        with pytest.raises((BudgetError, UsageError)):
            apply(pending, event)
    with pytest.raises(NotApprovedError, match="needs the approval"):
        apply(OPEN, reservation())


def test_4_a_digest_is_approved_once():
    with pytest.raises(NotApprovedError, match="approved here already"):
        apply(APPROVED, approval())
    ended = apply(APPROVED, settle("failed"))
    with pytest.raises(NotApprovedError, match="approved here already"):
        apply(ended, approval())


def test_4_all_data_sets_spend_from_one_budget():
    state = fold(
        [dataset("other"), approval(), reservation(), approval(2), reservation(2, dataset="other")],
        OPEN,
    )
    assert state.used("p") == 2 * COST
    assert state.used("q") == 0


def test_4_the_cap_is_never_passed():
    room = OPEN.budgets["p"].cap // COST
    full = fold([e for n in range(room) for e in (approval(n), reservation(n))], OPEN)
    assert full.used("p") <= full.budgets["p"].cap < full.used("p") + COST
    pending = apply(full, approval(room))
    with pytest.raises(BudgetError, match="more than is left"):
        apply(pending, reservation(room))


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (reservation(order=8), UsageError),
        (reservation(snapshot="dd" * 32), UsageError),
        (reservation(dataset="nowhere"), UsageError),
        (reservation(population="q"), BudgetError),
        (reservation(parts=PARTS[:1]), BudgetError),
    ],
)
def test_4_a_reservation_fits_its_approval_data_set_and_budget(event, error):
    with pytest.raises(error):
        apply(apply(OPEN, approval()), event)


def test_4_a_reservation_of_a_population_with_another_data_set_is_refused():
    two = fold([grant(population="q")], OPEN)
    with pytest.raises(UsageError, match="does not fit the data set"):
        fold([approval(), reservation(population="q")], two)


def test_4_a_study_for_nothing_is_refused():
    with pytest.raises(BudgetError, match="not nothing"):
        fold([approval(cost=0), reservation(parts=())], OPEN)


def test_4_an_owners_refusal_is_final_and_a_lack_of_budget_is_not():
    def refuse(reason):
        return ev.Refuse(
            at=AT,
            study=digest(1),
            id="s",
            researcher="r",
            dataset="visits",
            reason=reason,
            note="",
            asked=None,
            left=None,
        )

    with pytest.raises(NotApprovedError, match="final"):
        fold([refuse("owner"), approval()], OPEN)
    assert (
        fold([refuse("budget"), approval(), reservation()], OPEN).studies[digest(1)].status
        == "approved"
    )
    with pytest.raises(UsageError, match="withdrawn, not refused"):
        apply(APPROVED, refuse("owner"))


def test_5_a_start_needs_an_approval_and_uses_it_up():
    assert RUNNING.studies[digest(1)].status == "running"
    with pytest.raises(NotApprovedError, match="not approved"):
        apply(OPEN, start())
    with pytest.raises(NotApprovedError, match="used up"):
        apply(RUNNING, start())


def test_6_nothing_is_sent_before_the_start():
    with pytest.raises(NotApprovedError, match="not started"):
        apply(APPROVED, sent())
    with pytest.raises(NotApprovedError, match="not approved"):
        apply(OPEN, sent())


def test_6_one_contribution_per_round_and_kind():
    state = fold([sent(), sent(number=2), sent(purpose="evaluation", mechanism=HISTOGRAM)], RUNNING)
    assert set(state.studies[digest(1)].sent) == {(1, "update"), (2, "update"), (1, "evaluation")}
    for sha in ("cc" * 32, "dd" * 32):
        with pytest.raises(RoundError, match="already sent"):
            apply(state, sent(sha=sha))


@pytest.mark.parametrize(
    "event",
    [
        sent(mechanism=STEP.with_count(41)),
        sent(mechanism=STEP.with_noise(Decimal("4.97"))),
        sent(mechanism=HISTOGRAM),
        sent(purpose="evaluation", mechanism=HISTOGRAM.with_count(2)),
        sent(purpose="preparation"),
    ],
)
def test_6_only_what_was_reserved_is_sent(event):
    with pytest.raises(BudgetError, match="not paid for"):
        apply(RUNNING, event)


def test_6_steps_add_up_to_what_was_reserved():
    state = fold([sent(number=n, mechanism=STEP.with_count(8)) for n in range(5)], RUNNING)
    with pytest.raises(BudgetError, match="reserved 40 releases of this kind and sent 40"):
        apply(state, sent(number=6))


def test_6_attempts_multiply_what_was_reserved():
    twice = fold([approval(), reservation(attempts=2), start()], OPEN)
    state = fold([sent(number=n, mechanism=STEP.with_count(40)) for n in range(2)], twice)
    with pytest.raises(BudgetError):
        apply(state, sent(number=3))


@pytest.mark.parametrize(
    "end", [settle("completed"), settle("failed"), ev.Withdraw(at=AT, study=digest(1), note="")]
)
def test_7_an_ended_study_does_nothing_more_and_stays_charged(end):
    state = apply(RUNNING, end)
    assert state.used("p") == COST
    for event in (sent(), start(), settle("failed"), settle("withdrawn"), end):
        with pytest.raises(NotApprovedError, match="has ended"):
            apply(state, event)


@pytest.mark.parametrize(
    "end", [settle("failed"), settle("withdrawn"), ev.Withdraw(at=AT, study=digest(1), note="")]
)
def test_7_what_never_started_is_given_back(end):
    assert APPROVED.used("p") == COST
    state = apply(APPROVED, end)
    assert state.used("p") == 0
    with pytest.raises(NotApprovedError, match="has ended"):
        apply(state, start())


def test_7_a_study_that_never_started_is_not_completed():
    with pytest.raises(UsageError, match="never started"):
        apply(APPROVED, settle("completed"))
    with pytest.raises(NotApprovedError, match="not approved"):
        apply(OPEN, settle("failed"))


def test_8_a_pause_holds_everything_that_leaves():
    paused = apply(RUNNING, ev.Pause(at=AT, note=""))
    with pytest.raises(NotApprovedError, match="paused"):
        apply(paused, sent())
    with pytest.raises(NotApprovedError, match="paused"):
        apply(apply(APPROVED, ev.Pause(at=AT, note="")), start())
    assert apply(paused, settle("failed")).used("p") == COST
    assert apply(apply(paused, ev.Resume(at=AT)), sent()).studies[digest(1)].sent


def test_states_are_not_shared():
    apply(RUNNING, sent())
    assert not RUNNING.studies[digest(1)].sent
    assert not OPEN.studies


def parts_for(cost):
    return (PARTS[0].model_copy(update={"cost": cost}),)


def test_2_a_grant_that_pays_for_one_study_to_the_last_unit_is_taken():
    empty, cap = apply(LedgerState(), GENESIS), OPEN.budgets["p"].cap
    for cost in (1, cap):
        assert apply(empty, grant(typical_parts=parts_for(cost))).budgets["p"].typical_cost == cost
    with pytest.raises(BudgetError, match="spent for nothing"):
        apply(empty, grant(typical_parts=parts_for(cap + 1)))


def test_2_what_is_used_counts_when_a_grant_is_asked_to_pay_for_one_more_study():
    left = apply(OPEN, grant("1")).budgets["p"].cap - COST
    assert apply(APPROVED, grant("1", typical_parts=parts_for(left))).budgets["p"].epsilon == 4
    with pytest.raises(BudgetError, match="spent for nothing"):
        apply(APPROVED, grant("1", typical_parts=parts_for(left + 1)))


def test_3_a_new_snapshot_does_not_move_a_data_set_to_other_patients():
    with pytest.raises(UsageError, match="moving it"):
        apply(OPEN, dataset(population="q", snapshot="dd" * 32))


def test_4_the_last_unit_can_be_reserved_and_no_more():
    cap = OPEN.budgets["p"].cap
    for cost in (1, cap):
        state = fold([approval(cost=cost), reservation(parts=parts_for(cost))], OPEN)
        assert state.used("p") == cost
    with pytest.raises(BudgetError, match="more than is left"):
        fold([approval(cost=cap + 1), reservation(parts=parts_for(cap + 1))], OPEN)
    full = fold([approval(cost=cap), reservation(parts=parts_for(cap))], OPEN)
    with pytest.raises(BudgetError, match="more than is left"):
        fold([approval(2, cost=1), reservation(2, parts=parts_for(1))], full)


def test_a_fold_begins_with_an_empty_ledger():
    assert fold([GENESIS]) == apply(LedgerState(), GENESIS)
    assert fold([]) == LedgerState()


REVOKED = apply(fold([approval(), reservation()], OPEN), ev.Revoke(at=AT, population="p", note=""))


def test_10_a_revocation_holds_what_waits_in_its_own_population_alone():
    ready = fold([grant("9"), grant("9", population="q"), dataset("others", "q", "ee" * 32)], OPEN)
    for n, where in (
        (1, {}),
        (2, {}),
        (3, {}),
        (4, {"population": "q", "dataset": "others", "snapshot": "ee" * 32}),
    ):
        ready = fold([approval(n), reservation(n, **where)], ready)
    state = fold([start(2), settle("failed", 3), ev.Revoke(at=AT, population="p", note="")], ready)
    assert state.budgets["p"].held == {digest(1)}
    assert state.budgets["q"] == ready.budgets["q"]


def test_10_a_study_held_by_a_revocation_that_starts_after_all_takes_nothing_more():
    again = fold([grant("3"), start()], REVOKED)
    assert apply(again, settle("completed")).budgets["p"] == again.budgets["p"]
    waiting = apply(REVOKED, grant("3"))
    assert apply(waiting, settle("failed")).budgets["p"].cap == waiting.budgets["p"].cap - COST


def test_10_while_a_budget_is_taken_back_it_says_what_was_granted():
    assert apply(REVOKED, settle("failed")).budgets["p"] == REVOKED.budgets["p"]


def test_12_the_same_checkpoint_twice_contradicts_nothing():
    noted = ev.Witness(at=AT, site="STMW", size=4, head="ab" * 32)
    once = apply(OPEN, noted)
    assert apply(once, noted) == once
    assert (
        apply(once, ev.Witness(at=AT, site="STMW", size=5, head="cd" * 32)).witnessed["STMW"].size
        == 5
    )


def personalize(n=1):
    return ev.Personalize(at=AT, study=digest(n), snapshot="aa" * 32)


def test_13_a_personal_model_of_a_completed_study_charges_nothing_even_during_a_pause():
    done = fold([approval(), reservation(), start(), settle("completed")], OPEN)
    paused = apply(done, ev.Pause(at=AT, note=""))
    assert apply(done, personalize()) == done
    assert apply(paused, personalize()) == paused
    assert done.used("p") == COST


@pytest.mark.parametrize("after", [[], [start()], [start(), settle("failed")]])
def test_13_a_study_that_was_not_completed_has_no_model_to_make_one_of(after):
    state = fold([approval(), reservation(), *after], OPEN)
    with pytest.raises(UsageError, match="was not completed here"):
        apply(state, personalize())


def test_13_nor_has_one_that_was_never_approved_here():
    with pytest.raises(NotApprovedError):
        apply(OPEN, personalize())


LATER = "2026-03-01T12:00:00Z"


def agree(n=1, *, version=1, supersedes=None, populations=("p",), at=AT):
    return ev.Agree(
        at=at,
        agreement=digest(n),
        consortium="ring",
        version=version,
        supersedes=supersedes,
        populations=populations,
    )


def depart(n=1, party="SVI", effective=LATER):
    return ev.Depart(at=AT, agreement=digest(n), party=party, effective=effective)


def bound(state, population="p", at=AT):
    found = binding(state, population, moment(at))
    return found and found.agreement


def test_14_an_agreement_binds_its_populations_and_no_other():
    state = apply(OPEN, agree(populations=("p", "q")))
    assert (bound(state, "p"), bound(state, "q"), bound(state, "r")) == (digest(1), digest(1), None)


def test_14_a_later_version_takes_its_place_for_all_its_populations():
    first = apply(OPEN, agree(populations=("p", "q")))
    second = apply(first, agree(2, version=2, supersedes=digest(1), populations=("p",)))
    assert (bound(second, "p"), bound(second, "q")) == (digest(2), None)


def test_14_another_agreement_does_not_bind_what_is_bound():
    state = apply(OPEN, agree())
    with pytest.raises(NotApprovedError, match="which this agreement does not supersede"):
        apply(state, agree(2))
    with pytest.raises(NotApprovedError):
        apply(state, agree(2, version=2, supersedes=digest(9)))


@pytest.mark.parametrize("again", [agree(), agree(1, version=3, supersedes=digest(2))])
def test_14_no_agreement_comes_back(again):
    state = fold([agree(), agree(2, version=2, supersedes=digest(1))], OPEN)
    with pytest.raises(UsageError, match="none comes back"):
        apply(state, again)


def test_14_a_version_that_is_not_later_supersedes_nothing():
    state = fold([agree(), agree(2, version=3, supersedes=digest(1))], OPEN)
    with pytest.raises(UsageError, match="no later one"):
        apply(state, agree(3, version=2, supersedes=digest(2)))


def test_14_the_same_version_under_another_text_supersedes_nothing():
    with pytest.raises(UsageError, match="no later"):
        apply(apply(OPEN, agree()), agree(2, version=1, supersedes=digest(1)))


def test_15_notices_count_for_the_agreement_that_they_are_about():
    other = agree(2, populations=("q",))
    state = fold([agree(), other, depart(), depart(2, party="STMW")], OPEN)
    assert set(departed(state, digest(1))) == {"SVI"}
    assert set(departed(state, digest(2))) == {"STMW"}


def test_15_the_hospital_itself_is_bound_until_its_notice_is_over():
    state = fold([agree(), depart()], OPEN)
    assert bound(state) == digest(1)
    assert bound(state, at="2026-03-01T11:59:59Z") == digest(1)
    assert bound(state, at=LATER) is None
    with pytest.raises(NotApprovedError):
        apply(state, agree(2))
    assert bound(apply(state, agree(2, at=LATER)), at=LATER) == digest(2)


def test_15_anothers_notice_sets_this_hospital_not_free():
    state = fold([agree(), depart(party="STMW")], OPEN)
    assert bound(state, at=LATER) == digest(1)
    assert departed(state, digest(1)) == {"STMW": moment(LATER)}


def test_15_a_notice_is_given_once_and_of_what_is_in_force():
    state = fold([agree(), depart()], OPEN)
    with pytest.raises(UsageError, match="gave its notice before"):
        apply(state, depart(effective=AT))
    with pytest.raises(UsageError, match="not in force here"):
        apply(OPEN, depart())


# --- 16 and 17


def test_16_patients_leave_a_population_that_has_a_data_set_and_nothing_is_given_back():
    done = fold([approval(), reservation(), start(), settle("completed")], OPEN)
    out = apply(done, ev.Exclude(at=AT, population="p", list="ab" * 32))
    assert out.excluded == {"p": "ab" * 32}
    assert out.used("p") == COST
    with pytest.raises(UsageError, match="No data set was registered"):
        apply(done, ev.Exclude(at=AT, population="nowhere", list="ab" * 32))


def test_17_a_person_endorses_a_study_once_and_before_it_is_decided():
    def endorse(person):
        return ev.Endorse(at=AT, study=digest(1), person=person, statement="ab" * 32)

    both = fold([endorse("anna"), endorse("bela")], OPEN)
    assert both.endorsed == {digest(1): ("anna", "bela")}
    with pytest.raises(NotApprovedError):
        apply(both, endorse("anna"))
    with pytest.raises(NotApprovedError):
        apply(fold([approval(), reservation()], OPEN), endorse("anna"))
    no = ev.Refuse(
        at=AT, study=digest(1), id="s1", researcher="r", dataset="visits", reason="owner",
        note="", asked=Decimal(0), left=Decimal(0),
    )  # fmt: skip
    with pytest.raises(NotApprovedError):
        apply(fold([no], OPEN), endorse("anna"))


def test_18_the_newest_digest_of_an_own_file_holds_and_none_says_that_there_is_none():
    def own(sha256):
        return ev.OwnFile(at=AT, file="policy.signed", sha256=sha256)

    state = fold([own("aa" * 32), own("bb" * 32)], OPEN)
    assert state.own_files == {"policy.signed": "bb" * 32}
    assert apply(state, own(None)).own_files == {"policy.signed": None}
    assert "policy.signed" not in OPEN.own_files


def test_19_only_a_rule_of_the_policy_in_force_says_yes_and_only_before_a_decision():
    def yes(policy="aa" * 32):
        return ev.Delegate(at=AT, study=digest(1), rule="counts", policy=policy)

    ruled = apply(OPEN, ev.OwnFile(at=AT, file="policy.signed", sha256="aa" * 32))
    assert apply(ruled, yes()).delegated[digest(1)].rule == "counts"
    with pytest.raises(NotApprovedError, match="not in force"):
        apply(OPEN, yes())
    with pytest.raises(NotApprovedError, match="not in force"):
        apply(ruled, yes("bb" * 32))
    with pytest.raises(NotApprovedError, match="decided"):
        apply(fold([approval(), reservation()], ruled), yes())
    word = ev.Endorse(at=AT, study=digest(1), person="anna", statement="ab" * 32)
    with pytest.raises(NotApprovedError, match="People"):
        apply(apply(ruled, word), yes())
