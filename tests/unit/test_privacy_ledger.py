import sqlite3
from decimal import Decimal

import pytest
from ledger_site import (
    CHARGES,
    DELTA,
    HISTOGRAM,
    KEY,
    KEY_HEX,
    NEXT_HEX,
    NEXT_KEY,
    STEP,
    approve,
    digest,
    grant,
    keys,
    new_ledger,
    rotate,
    send,
    verify,
)

from securefl.errors import (
    BudgetError,
    LedgerAlteredError,
    NotApprovedError,
    RoundError,
    UnreadableError,
    UsageError,
)
from securefl.privacy import ledger_events as ev
from securefl.privacy.charges import total_cost
from securefl.privacy.ledger import Ledger, read_checkpoint
from securefl.privacy.ledger_file import LedgerFile


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with new_ledger(path) as opened:
        yield opened


def edit(path, statement, *values):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_ledger_begins_with_its_site_and_key(ledger):
    assert ledger.state.site == "SVI"
    assert ledger.state.key == KEY_HEX
    assert ledger.size == 4


def test_a_second_genesis_over_a_ledger_is_refused(ledger, path):
    with pytest.raises(UsageError, match="exists already"):
        Ledger.create(path, site="SVI", key=KEY_HEX, **keys())
    assert ledger.verify().size == 4


def test_keys_that_do_not_belong_together_make_no_ledger(tmp_path):
    with pytest.raises(UsageError, match="belong together"):
        Ledger.create(
            tmp_path / "x", site="SVI", key=KEY_HEX, **{**keys(), "sign": lambda _: bytes(64)}
        )
    with pytest.raises(UsageError, match="genesis"):
        Ledger.create(tmp_path / "x", site="", key=KEY_HEX, **keys())
    assert list(tmp_path.iterdir()) == []


def test_an_approval_reserves_the_most_the_study_can_spend(ledger):
    price = approve(ledger, attempts=2)
    study = ledger.state.study(digest(1))
    assert price.used == 0
    assert (
        study.charged
        == price.asked
        == total_cost(CHARGES, price.order, 2)
        == ledger.state.used("thyroid")
    )
    assert [p.cost for p in study.reservation.parts] == [cost for _, cost in price.parts]
    assert study.reservation.snapshot == "aa" * 32


def test_data_sets_of_one_population_spend_from_one_budget(ledger):
    room = ledger.quote("thyroid", CHARGES).room
    for n in range(room):
        approve(ledger, n, dataset=("visits", "followups")[n % 2])
    assert ledger.quote("thyroid", CHARGES).room == 0
    for name in ("visits", "followups"):
        with pytest.raises(BudgetError):
            approve(ledger, 100, dataset=name)


def test_a_refusal_for_lack_of_budget_has_figures_and_is_noted(ledger):
    approve(ledger, 1, attempts=3)
    with pytest.raises(BudgetError, match=r"asks for 48 % of the budget; 28 % is left") as refusal:
        approve(ledger, 2, attempts=2)
    assert "training steps or a noise multiplier of at least" in refusal.value.next_step
    (noted,) = ledger.state.refusals
    assert (noted.study, noted.reason, noted.dataset) == (digest(2), "budget", "visits")
    assert noted.asked == Decimal("0.478")
    assert noted.left == Decimal("0.283")
    assert digest(2) not in ledger.state.studies


def test_only_the_owners_no_declines_a_study(ledger):
    approve(ledger, 1, attempts=3)
    with pytest.raises(BudgetError):
        approve(ledger, 2, attempts=2)
    ledger.refuse(study=digest(3), study_id="s", researcher="r", dataset="visits")
    assert [r.study for r in ledger.state.refusals] == [digest(2), digest(3)]
    assert ledger.state.declined_studies == {digest(3)}
    assert [ledger.state.declined(digest(n)) for n in (1, 2, 3)] == [False, False, True]


def test_a_new_ledger_has_its_witness_from_the_first_event_on(tmp_path):
    path = tmp_path / "ledger.sqlite"
    Ledger.create(path, site="SVI", key=KEY_HEX, **keys()).close()
    assert {p.name for p in tmp_path.iterdir()} == {path.name, f"{path.name}.head"}


def test_after_a_larger_grant_the_study_can_be_approved(ledger):
    approve(ledger, 1, attempts=4)
    with pytest.raises(BudgetError):
        approve(ledger, 2)
    grant(ledger, epsilon="2")
    assert ledger.state.budgets["thyroid"].epsilon == 5
    approve(ledger, 2)
    assert ledger.state.study(digest(2)).status == "approved"


def test_a_later_grant_keeps_the_first_ones_order(ledger):
    order = ledger.state.budgets["thyroid"].order
    grant(ledger, epsilon="8")
    assert ledger.state.budgets["thyroid"].order == order
    assert "keeps order" in ledger.state.budgets["thyroid"].grants[-1].reason


def test_without_a_grant_or_a_data_set_nothing_is_approved(ledger):
    before = ledger.size
    with pytest.raises(BudgetError, match="No budget"):
        approve(ledger, population="strangers")
    with pytest.raises(UsageError, match="No data set"):
        approve(ledger, dataset="strangers")
    grant(ledger, "hearts")
    with pytest.raises(UsageError, match="does not fit"):
        approve(ledger, population="hearts")
    with pytest.raises(UsageError, match="cannot note this approve: study"):
        approve(ledger, study="not a digest")
    assert ledger.size == before + 1


def test_an_approval_is_used_once(ledger):
    approve(ledger)
    ledger.start(digest(1))
    with pytest.raises(NotApprovedError, match="used up"):
        ledger.start(digest(1))
    with pytest.raises(NotApprovedError, match="already"):
        approve(ledger)


def test_an_approval_is_used_once_after_a_restart_too(ledger, path):
    approve(ledger)
    ledger.start(digest(1))
    ledger.close()
    again = Ledger.open(path, **keys())
    with pytest.raises(NotApprovedError, match="used up"):
        again.start(digest(1))
    with pytest.raises(NotApprovedError, match="already"):
        approve(again)


def test_nothing_starts_without_an_approval(ledger):
    with pytest.raises(NotApprovedError, match="not approved"):
        ledger.start(digest(9))


def test_a_digest_approved_already_is_refused_as_such_even_when_the_budget_is_gone(ledger):
    approve(ledger, 1, attempts=4)
    with pytest.raises(NotApprovedError, match="already"):
        approve(ledger, 1, attempts=4)
    assert ledger.state.refusals == ()


def test_the_owners_no_is_final(ledger):
    ledger.refuse(
        study=digest(1), study_id="s", researcher="r", dataset="visits", note="purpose unclear"
    )
    with pytest.raises(NotApprovedError, match="final"):
        approve(ledger)
    with pytest.raises(NotApprovedError, match="final"):
        approve(ledger, attempts=100)
    with pytest.raises(UsageError, match="Only the ledger"):
        ledger.refuse(
            study=digest(2), study_id="s", researcher="r", dataset="visits", reason="budget"
        )


def test_one_contribution_per_round_is_noted_before_it_leaves(ledger):
    approve(ledger)
    with pytest.raises(NotApprovedError, match="not started"):
        send(ledger)
    ledger.start(digest(1))
    assert send(ledger, payload=b"bytes") is True
    assert send(ledger, payload=b"bytes") is False
    assert ledger.sent(digest(1), round_number=1, purpose="update", mechanism=STEP, payload=ev.Sent.model_validate(
        ledger.state.study(digest(1)).sent[1, "update"].model_dump()
    ).sha256) is False  # fmt: skip
    with pytest.raises(RoundError, match="already sent"):
        send(ledger, payload=b"other bytes")
    with pytest.raises(RoundError, match="already sent"):
        send(ledger, payload=b"bytes", mechanism=STEP.with_count(2))
    assert send(ledger, purpose="evaluation", mechanism=HISTOGRAM) is True
    assert len(ledger.state.study(digest(1)).sent) == 2


def test_what_was_not_reserved_is_not_sent(ledger):
    approve(ledger)
    ledger.start(digest(1))
    with pytest.raises(BudgetError, match="not paid for"):
        send(ledger, mechanism=STEP.with_count(41))
    with pytest.raises(BudgetError, match="not paid for"):
        send(ledger, mechanism=STEP.with_noise(Decimal(1)))


def test_nothing_is_sent_again_after_the_end_or_during_a_pause(ledger):
    approve(ledger)
    ledger.start(digest(1))
    send(ledger)
    ledger.pause("ward moves")
    ledger.pause()
    size = ledger.size
    with pytest.raises(NotApprovedError, match="paused"):
        send(ledger)
    ledger.resume()
    ledger.resume()
    assert ledger.size == size + 1
    assert send(ledger) is False
    ledger.settle(digest(1), "completed")
    ledger.settle(digest(1), "completed")
    assert ledger.size == size + 2
    with pytest.raises(NotApprovedError, match="ended"):
        send(ledger)
    with pytest.raises(NotApprovedError, match="ended"):
        ledger.settle(digest(1), "failed")


def test_what_started_stays_charged_and_what_did_not_is_given_back(ledger):
    approve(ledger, 1)
    approve(ledger, 2)
    ledger.start(digest(1))
    both = ledger.state.used("thyroid")
    ledger.withdraw(digest(1), "no longer wanted")
    assert ledger.state.used("thyroid") == both
    ledger.withdraw(digest(2))
    assert ledger.state.used("thyroid") == both // 2


def test_two_writers_see_each_other(ledger, path):
    other = Ledger.open(path, **keys())
    approve(ledger, 1)
    other.start(digest(1))
    with pytest.raises(NotApprovedError, match="used up"):
        ledger.start(digest(1))
    assert ledger.state == other.state
    assert ledger.head == other.head


def test_every_event_can_be_read_again(ledger):
    approve(ledger)
    assert [e.kind for e in ledger.events()] == [
        "genesis",
        "grant",
        "dataset",
        "dataset",
        "approve",
        "reserve",
    ]


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("UPDATE event SET body = replace(body, '\"order\":7', '\"order\":9') WHERE seq = 2", 2),
        (
            (
                "UPDATE event SET signature = replace(signature, substr(signature, 1, 8),"
                " '00000000') WHERE seq = 3"
            ),
            3,
        ),
        ("UPDATE event SET hash = prev WHERE seq = 3", 3),
        ("DELETE FROM event WHERE seq = 3", 3),
        ("DELETE FROM event WHERE seq = 1", 1),
        ("DELETE FROM event", 1),
        ("UPDATE event SET seq = 9 WHERE seq = 5", 5),
        ("DELETE FROM event WHERE seq = 6", 6),
    ],
)
def test_an_altered_ledger_names_its_first_bad_event(ledger, path, statement, first):
    approve(ledger)
    ledger.close()
    edit(path, statement)
    with pytest.raises(LedgerAlteredError, match=f"Event {first} ") as alarm:
        Ledger.open(path, **keys())
    assert alarm.value.exit_code == 3


def test_somebody_elses_key_opens_no_ledger(ledger, path):
    ledger.close()
    with pytest.raises(LedgerAlteredError, match=r"Event 1 .*signature"):
        Ledger.open(path, **{**keys(), "verify": lambda signature, message: False})


def test_an_unreadable_ledger_has_its_own_exit_code(tmp_path):
    with pytest.raises(UnreadableError) as error:
        Ledger.open(tmp_path / "ledger.sqlite", **keys())
    assert error.value.exit_code == 4


def test_a_cut_or_restored_ledger_is_found_with_a_checkpoint(ledger, path, tmp_path):
    snapshot = path.with_suffix(".backup")
    copy = sqlite3.connect(snapshot)
    ledger._file.connection.backup(copy)
    copy.close()
    approve(ledger)
    held = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
    assert ledger.verify(held) == held
    restored = Ledger.open(snapshot, **keys())
    with pytest.raises(LedgerAlteredError, match=r"Event 5 .*missing"):
        restored.verify(held)
    approve(restored, 2)
    with pytest.raises(LedgerAlteredError, match=r"Event 6 .*rewritten"):
        restored.verify(held)


def test_rows_that_vanish_under_an_open_ledger_are_noticed(ledger, path):
    approve(ledger)
    assert ledger.size == 6
    edit(path, "DELETE FROM event WHERE seq > 4")
    with pytest.raises(LedgerAlteredError, match="gone or changed"):
        ledger.start(digest(1))
    with pytest.raises(LedgerAlteredError, match="gone or changed"):
        _ = ledger.state


def test_a_failed_write_leaves_the_ledger_as_it_was(ledger):
    before = ledger.size

    def broken(_):
        raise KeyboardInterrupt

    ledger._sign = broken
    with pytest.raises(KeyboardInterrupt):
        approve(ledger)
    ledger._sign = KEY.sign
    assert ledger.size == before
    approve(ledger)
    assert ledger.verify().size == before + 2


def test_a_grant_for_another_delta_is_refused(ledger):
    with pytest.raises(UsageError, match="keeps both"):
        grant(ledger, delta=DELTA / 10)


def test_a_key_that_the_reader_does_not_trust_makes_no_ledger(tmp_path):
    with pytest.raises(UsageError, match="belong together"):
        Ledger.create(
            tmp_path / "x",
            site="SVI",
            key=KEY_HEX,
            **{**keys(), "verify": lambda signature, message: False},
        )
    assert list(tmp_path.iterdir()) == []


def test_an_event_that_would_be_read_as_another_is_not_written(ledger, monkeypatch):
    before = ledger.size
    real = ev.load_event
    monkeypatch.setattr(
        ev, "load_event", lambda body: real(body).model_copy(update={"note": "something else"})
    )
    with pytest.raises(UsageError, match="read as something else"):
        ledger.pause("ward moves")
    monkeypatch.undo()
    assert ledger.size == before


def test_a_ledger_that_does_not_open_is_not_held_open(ledger, path, monkeypatch):
    ledger.close()
    edit(path, "DELETE FROM event WHERE seq = 3")
    closed = []
    monkeypatch.setattr(LedgerFile, "close", lambda file: closed.append(file.path))
    with pytest.raises(LedgerAlteredError):
        Ledger.open(path, **keys())
    assert closed == [path]


def test_size_and_head_are_those_of_now_whoever_wrote(ledger, path):
    other = Ledger.open(path, **keys())
    before = other.head
    ledger.pause()
    assert other.size == ledger.size == 5
    ledger.resume()
    assert other.head == ledger.head != before


def test_rows_that_vanish_after_the_opening_are_noticed_at_the_first_look(ledger, path):
    approve(ledger)
    held = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
    others = [Ledger.open(path, **keys()) for _ in range(2)]
    assert all(other.contains(held) for other in others)
    one = Ledger.open(path, **keys())
    edit(path, "DELETE FROM event WHERE seq > 4")
    early = type(held)("SVI", 1, one._file.hash_at(1))
    with pytest.raises(LedgerAlteredError, match="gone or changed"):
        others[0].contains(early)
    with pytest.raises(LedgerAlteredError, match="gone or changed"):
        _ = one.state


def test_a_row_of_its_own_that_vanishes_is_noticed_at_the_next_call(ledger, path):
    approve(ledger)
    edit(path, "DELETE FROM event WHERE seq > 4")
    with pytest.raises(LedgerAlteredError, match="gone or changed"):
        ledger.start(digest(1))


def test_a_process_with_the_old_key_is_refused_however_often_it_tries(ledger, path):
    old = Ledger.open(path, **keys())
    old.pause()
    rotate(ledger)
    size = ledger.size
    for _ in range(3):
        with pytest.raises(UsageError, match="replaced"):
            old.resume()
    assert ledger.size == size


def test_a_request_after_the_budget_was_taken_back_is_noted_with_nothing_left(ledger):
    ledger.revoke("thyroid")
    with pytest.raises(BudgetError, match="took back"):
        approve(ledger)
    (noted,) = ledger.state.refusals
    assert (noted.reason, noted.note, noted.left) == ("budget", "the budget was taken back", 0)


def test_a_refusal_for_lack_of_budget_needs_no_note_and_only_the_ledger_makes_one(ledger):
    with pytest.raises(BudgetError):
        approve(ledger, attempts=100)
    assert ledger.state.refusals[0].note == ""
    size = ledger.size
    with pytest.raises(UsageError, match="Only the ledger"):
        ledger.refuse(
            study=digest(2), study_id="s", researcher="r", dataset="visits", reason="budget"
        )
    assert ledger.size == size


def test_a_new_key_whose_verifier_does_not_know_it_is_refused(ledger):
    with pytest.raises(UsageError, match="belong together"):
        ledger.rotate(NEXT_HEX, sign=NEXT_KEY.sign, verify=verify)
    ledger.pause()
    assert ledger.state.keys == (KEY_HEX,)


def test_pausing_twice_is_one_pause(ledger):
    ledger.pause()
    size = ledger.size
    ledger.pause("again")
    assert ledger.size == size


def test_without_a_note_the_ledger_notes_an_empty_one(ledger):
    for n in (1, 2):
        approve(ledger, n)
    ledger.refuse(study=digest(3), study_id="s", researcher="r", dataset="visits")
    ledger.withdraw(digest(1))
    ledger.pause()
    ledger.revoke("thyroid")
    assert [event.note for event in ledger.events() if hasattr(event, "note")] == [""] * 4
