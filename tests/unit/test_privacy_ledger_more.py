"""Revoked budgets, unmasking answers, rotated keys, checkpoints of others, and what a restored
ledger shows.
"""

import shutil
from dataclasses import replace
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ledger_site import (
    CHARGES,
    DELTA,
    KEY_HEX,
    NEXT_HEX,
    NEXT_KEY,
    approve,
    digest,
    grant,
    keys,
    new_ledger,
    rotate,
    send,
    verify,
    verify_next,
)

from securefl.errors import (
    BudgetError,
    LedgerAlteredError,
    MessageError,
    NotApprovedError,
    RoundError,
    UntrustedError,
    UsageError,
)
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import NANO, epsilon_of_rdp, rdp_cap
from securefl.privacy.ledger import Checkpoint, Ledger, read_checkpoint, read_ledger
from securefl.privacy.ledger_chain import follow_all, row_hash, signed_message
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.planning import choose_order

CHOICE = choose_order(Decimal(3), DELTA, CHARGES)
NEXT = {"sign": NEXT_KEY.sign, "verify": verify_next}


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path / "ledger.sqlite") as made:
        yield made


# A budget that is taken back


def test_a_revoked_budget_pays_for_nothing_more_and_what_runs_goes_on(ledger):
    approve(ledger, 1)
    ledger.start(digest(1))
    used = ledger.state.used("thyroid")
    ledger.revoke("thyroid", "no more studies")
    with pytest.raises(BudgetError, match="took back"):
        approve(ledger, 2)
    with pytest.raises(BudgetError, match="took back"):
        ledger.quote("thyroid", CHARGES)
    with pytest.raises(BudgetError, match="took back"):
        ledger.revoke("thyroid")
    assert send(ledger, 1)
    assert ledger.state.used("thyroid") == used


def room(ledger):
    budget = ledger.state.budget("thyroid")
    return budget.cap - ledger.state.used("thyroid")


def test_another_grant_opens_it_again_with_no_more_than_it_brings(ledger):
    ledger.revoke("thyroid")
    grant(ledger, epsilon="2")
    budget = ledger.state.budget("thyroid")
    assert budget.epsilon == 2
    assert room(ledger) == rdp_cap(Decimal(2), DELTA, budget.order)
    approve(ledger, 1)


def test_a_small_grant_does_not_bring_back_what_was_taken(ledger):
    """Grant 3, take it back, grant 0.01: the old rule made that 3.01, with room for several
    studies.
    """
    ledger.revoke("thyroid")
    with pytest.raises(BudgetError, match="could not pay for one more study"):
        ledger.grant(
            "thyroid",
            epsilon=Decimal("0.01"),
            delta=DELTA,
            choice=CHOICE,
            typical="thyroid/1",
            charges=CHARGES,
        )
    assert ledger.state.budget("thyroid").revoked


def test_control_without_a_revocation_a_small_grant_adds_up(ledger):
    before = room(ledger)
    ledger.grant(
        "thyroid",
        epsilon=Decimal("0.01"),
        delta=DELTA,
        choice=CHOICE,
        typical="thyroid/1",
        charges=CHARGES,
    )
    assert ledger.state.budget("thyroid").epsilon == Decimal("3.01")
    assert room(ledger) - before == NANO // 100


def test_what_was_used_before_a_revocation_stays_used(ledger):
    approve(ledger, 1)
    ledger.start(digest(1))
    used = ledger.state.used("thyroid")
    ledger.revoke("thyroid")
    grant(ledger, epsilon="2")
    budget = ledger.state.budget("thyroid")
    assert budget.cap == used + rdp_cap(Decimal(2), DELTA, budget.order)
    assert budget.epsilon == 2 + Decimal(used) / NANO
    # the whole promise, all studies together, is never above the grants' sum
    assert epsilon_of_rdp(budget.cap, DELTA, budget.order) < 5


def test_what_a_waiting_study_frees_after_a_revocation_is_the_owners(ledger):
    approve(ledger, 1)
    ledger.revoke("thyroid")
    grant(ledger, epsilon="2")
    before = room(ledger)
    ledger.withdraw(digest(1), "never started")
    assert ledger.state.used("thyroid") == 0
    assert room(ledger) == before
    approve(ledger, 2)
    ledger.withdraw(digest(2), "reserved since: this one comes back")
    assert room(ledger) == before


def test_a_waiting_study_that_ends_before_the_next_grant_leaves_nothing_behind(ledger):
    approve(ledger, 1)
    ledger.revoke("thyroid")
    ledger.withdraw(digest(1))
    grant(ledger, epsilon="2")
    assert room(ledger) == rdp_cap(Decimal(2), DELTA, ledger.state.budget("thyroid").order)


def test_the_audit_shows_the_cap_fall_with_the_next_grant(ledger, tmp_path):
    from securefl.privacy.audit_history import history

    approve(ledger, 1)
    ledger.start(digest(1))
    ledger.revoke("thyroid")
    grant(ledger, epsilon="2")
    steps = history(ledger.events()).spending["thyroid"]
    budget, used = ledger.state.budget("thyroid"), ledger.state.used("thyroid")
    assert [s["used"] for s in steps] == [0, used / NANO, used / NANO]
    assert [s["cap"] for s in steps] == [rdp_cap(Decimal(3), DELTA, budget.order) / NANO] * 2 + [
        budget.cap / NANO
    ]
    assert steps[2]["cap"] < steps[1]["cap"]


# One table, one budget


def test_the_same_table_under_another_population_is_refused(ledger):
    grant(ledger, "elsewhere", epsilon="3")
    with pytest.raises(
        UsageError, match="very table is registered here for the patients of 'thyroid'"
    ):
        ledger.register_dataset("copy", population="elsewhere", snapshot="aa" * 32)
    assert "copy" not in ledger.state.datasets
    # nor once the first name has moved on to a newer table
    ledger.register_dataset("visits", population="thyroid", snapshot="dd" * 32)
    with pytest.raises(UsageError, match="second budget"):
        ledger.register_dataset("copy", population="elsewhere", snapshot="aa" * 32)


def test_control_another_table_and_a_second_name_of_the_same_population_are_registered(ledger):
    grant(ledger, "elsewhere", epsilon="3")
    ledger.register_dataset("other", population="elsewhere", snapshot="ee" * 32)
    ledger.register_dataset("again", population="thyroid", snapshot="aa" * 32)
    assert {"other", "again"} <= set(ledger.state.datasets)


# What is written can be read


@pytest.mark.parametrize("delta", ["1e-61", "1e-400", "0.00001" + "1" * 60])
def test_a_number_too_long_to_be_read_back_is_not_written(ledger, tmp_path, delta):
    """A grant with delta 1e-61 was written once, and no later opening read it."""
    size = ledger.size
    with pytest.raises(UsageError, match="more than 60 characters"):
        grant(ledger, "others", epsilon="300", delta=Decimal(delta))
    assert ledger.size == size
    Ledger.open(tmp_path / "ledger.sqlite", **keys()).close()


def test_an_event_that_would_not_be_read_back_is_not_written_whatever_built_it(ledger, tmp_path):
    """The last look before the row: an event built without any check."""
    good = ledger.events()[1]
    for changes, what in (
        ({"delta": Decimal("1e-61")}, "does not follow the format"),
        ({"reason": "x" * 70_000}, "longer than any"),
    ):
        bad = good.model_copy(update={"population": "others", **changes})
        with pytest.raises(UsageError, match=f"cannot note this grant: .*{what}"):
            ledger._append(lambda _, bad=bad: [bad])
    assert Ledger.open(tmp_path / "ledger.sqlite", **keys()).size == ledger.size


def test_control_such_a_row_closes_the_ledger_for_good(ledger, tmp_path, monkeypatch):
    from securefl.privacy import ledger_log

    monkeypatch.setattr(ledger_log, "_readable", ev.dump_event)
    bad = ledger.events()[1].model_copy(
        update={"population": "others", "delta": Decimal("1e-61"), "epsilon": Decimal(300)}
    )
    ledger._append(lambda _: [bad])
    with pytest.raises(LedgerAlteredError):
        Ledger.open(tmp_path / "ledger.sqlite", **keys())


def test_a_budget_that_was_never_granted_cannot_be_taken_back(ledger):
    with pytest.raises(BudgetError, match="No budget was granted"):
        ledger.revoke("others")


def test_new_patients_have_a_budget_of_their_own(ledger):
    # the old patients' budget is spent; a data set of new patients is registered for a population
    # of its own
    while ledger.quote("thyroid", CHARGES).fits:
        approve(ledger, len(ledger.state.studies) + 1)
    with pytest.raises(BudgetError):
        approve(ledger, 90)
    grant(ledger, "thyroid-2027", epsilon="3")
    ledger.register_dataset("visits-2027", population="thyroid-2027", snapshot="cc" * 32)
    approve(ledger, 91, dataset="visits-2027", population="thyroid-2027")
    with pytest.raises(UsageError, match="second budget"):
        ledger.register_dataset("visits", population="thyroid-2027", snapshot="aa" * 32)


# Unmasking answers


def test_an_unmasking_answer_is_given_once_and_the_same_one_again(ledger):
    approve(ledger, 1)
    with pytest.raises(NotApprovedError, match="not started"):
        ledger.answer(digest(1), round_number=1, payload=b"a")
    ledger.start(digest(1))
    assert ledger.answer(digest(1), round_number=1, payload=b"a") is True
    assert ledger.answer(digest(1), round_number=1, payload=b"a") is False
    with pytest.raises(RoundError, match="already gave"):
        ledger.answer(digest(1), round_number=1, payload=b"another set of survivors")
    assert ledger.answer(digest(1), round_number=2, payload="ab" * 32) is True
    assert sorted(ledger.state.study(digest(1)).answers) == [1, 2]


@pytest.mark.parametrize("end", ["pause", "withdraw"])
def test_a_paused_or_ended_study_answers_nothing_not_even_again(ledger, end):
    approve(ledger, 1)
    ledger.start(digest(1))
    ledger.answer(digest(1), round_number=1, payload=b"a")
    ledger.pause() if end == "pause" else ledger.withdraw(digest(1))
    with pytest.raises(NotApprovedError):
        ledger.answer(digest(1), round_number=1, payload=b"a")


# Keys


def test_after_a_rotation_the_new_key_signs_and_either_key_verifies_the_whole(ledger):
    rotate(ledger)
    ledger.pause("by the new key")
    assert ledger.state.keys == (KEY_HEX, NEXT_HEX)
    for trusted in (verify, verify_next):
        reading = read_ledger(ledger._file.path, trusted)
        assert reading.fault is None
        assert reading.at.state.paused
    with Ledger.open(ledger._file.path, **{**keys(), **NEXT}) as again:
        again.resume()
    assert read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify_next).size == ledger.size


def test_the_new_key_is_trusted_even_before_it_has_signed_a_row(ledger):
    rotate(ledger)
    assert read_ledger(ledger._file.path, verify_next).fault is None


def test_the_old_key_signs_nothing_more(ledger):
    with Ledger.open(ledger._file.path, **keys()) as agent:
        agent.pause()
        rotate(ledger)
        with pytest.raises(UsageError, match="they were replaced"):
            agent.resume()
    with (
        Ledger.open(ledger._file.path, **keys()) as late,
        pytest.raises(UsageError, match="replaced"),
    ):
        late.resume()


def test_a_row_by_the_old_key_after_the_rotation_is_found(ledger, tmp_path):
    rotate(ledger)
    ledger.pause("x")
    rows = ledger._file.rows()
    forged = replace(rows[-1], signature=keys()["sign"](signed_message(rows[-1].hash)).hex())
    with pytest.raises(LedgerAlteredError, match=rf"Event {len(rows)} .*signature"):
        follow_all([*rows[:-1], forged], verify)


def test_a_checkpoint_of_the_own_ledger_counts_by_the_key_that_was_in_force_when_it_was_made(
    ledger,
):
    before = ledger.checkpoint()
    rotate(ledger)
    end = ledger.size
    for data, size in ((before, end - 1), (ledger.checkpoint(), end)):
        assert ledger.read_own(data).size == size

    def signed(size, key):
        return Checkpoint("SVI", size, "ab" * 32).dump(key)

    assert (
        ledger.read_own(signed(end - 1, keys()["sign"])).size == end - 1
    )  # another past is for the caller to find
    assert ledger.read_own(signed(10_000, NEXT_KEY.sign)).size == 10_000
    for size in (end, 10_000):
        with pytest.raises(UntrustedError, match=f"replaced at event {end}"):
            ledger.read_own(signed(size, keys()["sign"]))
    with pytest.raises(MessageError):
        ledger.read_own(signed(1, Ed25519PrivateKey.generate().sign))
    with Ledger.open(
        ledger._file.path, **{**keys(), **NEXT}
    ) as again:  # read from the file it is the same
        assert again.read_own(before).size == end - 1
        with pytest.raises(UntrustedError):
            again.read_own(signed(end, keys()["sign"]))


def test_a_process_that_was_there_before_a_rotation_reads_checkpoints_by_what_the_ledger_says_now(
    ledger,
):
    with Ledger.open(ledger._file.path, **keys()) as earlier:
        rotate(ledger)
        assert earlier.read_own(ledger.checkpoint()).size == ledger.size
        with pytest.raises(UntrustedError, match="replaced"):
            earlier.read_own(Checkpoint("SVI", 10_000, "ab" * 32).dump(keys()["sign"]))


def test_a_replaced_key_signs_no_checkpoint_at_all(ledger):
    signed = []

    def sign(message):
        signed.append(message)
        return keys()["sign"](message)

    with Ledger.open(ledger._file.path, **{**keys(), "sign": sign}) as late:
        rotate(ledger)
        with pytest.raises(UsageError, match="replaced"):
            late.checkpoint()
    assert signed  # the key is tried on a row's form
    assert not any(b"checkpoint" in message for message in signed)


def test_a_process_with_the_old_key_makes_no_checkpoint_that_would_not_count(ledger):
    with Ledger.open(ledger._file.path, **keys()) as late:
        rotate(ledger)
        with pytest.raises(UsageError, match="they were replaced"):
            late.checkpoint()


def test_somebody_elses_chain_cannot_rotate_to_a_key_that_did_not_vouch_for_it(tmp_path):
    # an attacker's own ledger that claims to hand over to the hospital's key
    theirs = Ledger.create(tmp_path / "theirs", site="SVI", key=NEXT_HEX, **{**keys(), **NEXT})
    theirs.rotate(
        KEY_HEX, sign=keys()["sign"], verify=verify
    )  # would need the hospital's signature; take its proof away
    rows = theirs._file.rows()
    body = rows[-1].body.replace(
        rows[-1].body.split('"proof":"')[1][:128], NEXT_KEY.sign(b"x").hex()
    )
    hashed = row_hash(rows[-1].seq, rows[-1].prev, body)
    forged = replace(
        rows[-1], body=body, hash=hashed, signature=NEXT_KEY.sign(signed_message(hashed)).hex()
    )
    with pytest.raises(LedgerAlteredError, match=r"Event 2 .*signature"):
        follow_all([rows[0], forged], verify)


def test_a_sound_chain_by_another_key_is_not_this_sites(tmp_path):
    Ledger.create(tmp_path / "theirs", site="SVI", key=NEXT_HEX, **{**keys(), **NEXT}).close()
    reading = read_ledger(tmp_path / "theirs", verify)
    assert reading.events == ()
    assert "Event 1" in str(reading.fault)
    with pytest.raises(LedgerAlteredError, match=r"Event 1 .*signature"):
        Ledger.open(tmp_path / "theirs", **keys())


def test_keys_that_do_not_fit_are_refused(ledger, tmp_path):
    with pytest.raises(UsageError, match="do not belong together"):
        ledger.rotate(NEXT_HEX, sign=keys()["sign"], verify=verify)
    with pytest.raises(UsageError, match="signed the ledger before"):
        ledger.rotate(KEY_HEX, sign=keys()["sign"], verify=verify)
    with pytest.raises(UsageError, match="do not belong together"):
        Ledger.create(tmp_path / "other", site="SVI", key=NEXT_HEX, **keys())


# Checkpoints


def test_checkpoints_of_others_are_noted_and_never_go_back(ledger):
    assert ledger.witness(Checkpoint("STMW", 5, "aa" * 32)) is True
    assert ledger.witness(Checkpoint("STMW", 5, "aa" * 32)) is False
    assert ledger.witness(Checkpoint("STMW", 9, "bb" * 32)) is True
    for size, head in ((5, "aa"), (9, "cc")):
        with pytest.raises(UntrustedError, match="cut, restored or rewritten") as caught:
            ledger.witness(Checkpoint("STMW", size, head * 32))
        assert caught.value.whose == "STMW"
    with pytest.raises(UsageError, match="not its own"):
        ledger.witness(Checkpoint("SVI", 1, "aa" * 32))
    assert ledger.state.witnessed["STMW"].size == 9


def test_a_ledger_contains_its_own_past_and_no_other(ledger):
    held = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
    approve(ledger, 1)
    assert ledger.contains(held)
    assert not ledger.contains(replace(held, head="00" * 32))
    assert not ledger.contains(replace(held, size=99))
    assert not ledger.contains(replace(held, site="STMW"))


def test_a_restored_ledger_forgets_neither_used_approvals_nor_answers_while_others_hold_a_checkpoint(
    tmp_path,
):
    path, backup = tmp_path / "ledger.sqlite", tmp_path / "backup.sqlite"
    with new_ledger(path) as ledger:
        approve(ledger, 1)
    shutil.copy(path, backup)
    with Ledger.open(path, **keys()) as ledger:
        ledger.start(digest(1))
        after_start = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
        ledger.answer(digest(1), round_number=1, payload=b"answer")
        after_answer = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
    for held in (after_start, after_answer):
        assert read_ledger(path, verify, held).fault is None
        assert "held elsewhere" in str(read_ledger(backup, verify, held).fault)
    with Ledger.open(backup, **keys()) as restored:
        assert not restored.contains(after_start)
        restored.refuse(study=digest(8), study_id="s", researcher="r", dataset="visits")
        restored.start(digest(1))  # another past of the same length
        assert not restored.contains(after_start)
        assert not restored.contains(after_answer)


def test_the_sizes_of_the_rows_stay_far_below_what_is_read(ledger):
    approve(ledger, 1, epsilon=Decimal("0.9982"))
    assert max(len(r.body) for r in LedgerFile.open(ledger._file.path).rows()) < 4096
