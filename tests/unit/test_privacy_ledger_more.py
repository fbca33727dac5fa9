"""Revoked budgets, unmasking answers, rotated keys, checkpoints of others, and what a restored ledger shows."""

import shutil
from dataclasses import replace
from decimal import Decimal

import pytest
from privacy_room import (
    CHARGES,
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
    NotApprovedError,
    RoundError,
    UntrustedError,
    UsageError,
)
from securefl.privacy.ledger import Checkpoint, Ledger, read_checkpoint, read_ledger
from securefl.privacy.ledger_chain import follow_all, row_hash, signed_message
from securefl.privacy.ledger_file import LedgerFile

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
    with pytest.raises(BudgetError, match="taken back"):
        approve(ledger, 2)
    with pytest.raises(BudgetError, match="taken back"):
        ledger.quote("thyroid", CHARGES)
    with pytest.raises(BudgetError, match="taken back"):
        ledger.revoke("thyroid")
    assert send(ledger, 1)
    assert ledger.state.used("thyroid") == used


def test_another_grant_opens_it_again_and_the_grants_add_up(ledger):
    ledger.revoke("thyroid")
    grant(ledger, epsilon="2")
    assert ledger.state.budget("thyroid").epsilon == 5
    approve(ledger, 1)


def test_a_budget_that_was_never_granted_cannot_be_taken_back(ledger):
    with pytest.raises(BudgetError, match="No budget was granted"):
        ledger.revoke("others")


def test_new_patients_have_a_budget_of_their_own(ledger):
    # the old patients' budget is spent; a data set of new patients is registered for a population of its own
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
        with pytest.raises(UsageError, match="replaced while this process ran"):
            agent.resume()
    with Ledger.open(ledger._file.path, **keys()) as late, pytest.raises(UsageError, match="replaced"):
        late.resume()


def test_a_row_by_the_old_key_after_the_rotation_is_found(ledger, tmp_path):
    rotate(ledger)
    ledger.pause("x")
    rows = ledger._file.rows()
    forged = replace(rows[-1], signature=keys()["sign"](signed_message(rows[-1].hash)).hex())
    with pytest.raises(LedgerAlteredError, match=rf"Event {len(rows)} .*signature"):
        follow_all([*rows[:-1], forged], verify)


def test_somebody_elses_chain_cannot_rotate_to_a_key_that_did_not_vouch_for_it(tmp_path):
    # an attacker's own ledger that claims to hand over to the hospital's key
    theirs = Ledger.create(tmp_path / "theirs", site="SVI", key=NEXT_HEX, **{**keys(), **NEXT})
    theirs.rotate(KEY_HEX, sign=keys()["sign"], verify=verify)  # would need the hospital's signature; take its proof away
    rows = theirs._file.rows()
    body = rows[-1].body.replace(rows[-1].body.split('"proof":"')[1][:128], NEXT_KEY.sign(b"x").hex())
    hashed = row_hash(rows[-1].seq, rows[-1].prev, body)
    forged = replace(rows[-1], body=body, hash=hashed, signature=NEXT_KEY.sign(signed_message(hashed)).hex())
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


def test_a_restored_ledger_forgets_neither_used_approvals_nor_answers_while_others_hold_a_checkpoint(tmp_path):
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
