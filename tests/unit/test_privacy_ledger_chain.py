from dataclasses import replace

import pytest
from ledger_site import KEY, KEY_HEX, NEXT_HEX, NEXT_KEY, verify

from securefl.errors import LedgerAlteredError, MessageError
from securefl.privacy import ledger_events as ev
from securefl.privacy.ledger_chain import (
    Checkpoint,
    Head,
    check_against,
    follow_all,
    make_row,
    read_checkpoint,
    row_hash,
)
from securefl.signed import dump_signed

AT = "2026-01-31T12:00:00Z"


def chain(*events, sign=KEY.sign):
    rows, head = [], Head()
    for event in (ev.Genesis(at=AT, site="SVI", key=KEY_HEX), *events):
        row = make_row(head, ev.dump_event(event), sign)
        head = Head(row.seq, row.hash)
        rows.append(row)
    return rows


PAUSES = chain(ev.Pause(at=AT, note="a"), ev.Resume(at=AT), ev.Pause(at=AT, note="b"))


def test_a_chain_is_followed_from_the_start_and_from_any_place():
    head = follow_all(PAUSES, verify)
    assert head.size == 4
    assert head.hash == PAUSES[-1].hash
    assert head.state.paused
    assert follow_all(PAUSES[2:], verify, follow_all(PAUSES[:2], verify)) == head


def test_the_first_bad_event_is_named():
    edited = [*PAUSES]
    edited[2] = replace(PAUSES[2], body=PAUSES[2].body.replace("12:00", "13:00"))
    with pytest.raises(LedgerAlteredError, match=r"Event 3 .*not what was signed"):
        follow_all(edited, verify)


def test_an_edited_row_with_its_hash_made_to_fit_lacks_the_signature():
    body = PAUSES[1].body.replace('"a"', '"x"')
    forged = replace(PAUSES[1], body=body, hash=row_hash(2, PAUSES[1].prev, body))
    with pytest.raises(LedgerAlteredError, match=r"Event 2 .*signature"):
        follow_all([PAUSES[0], forged], verify)


def after(rows, body, sign=KEY.sign):
    return [*rows, make_row(Head(len(rows), rows[-1].hash), body, sign)]


@pytest.mark.parametrize(
    "body",
    [
        f'{{"at":"{AT}","kind":"of-next-year","what":"x"}}',
        f'{{"at":"{AT}","kind":"pause","more":1,"note":"a"}}',
    ],
)
def test_what_a_newer_version_signed_is_not_called_altered(body):
    """An owner who went back to an older version must not put an older ledger back."""
    with pytest.raises(ev.NewerEventError, match=r"Event 5 .*a newer one wrote it") as caught:
        follow_all(after(PAUSES, body), verify)
    assert "Install the newer version" in caught.value.next_step
    # the controls: not by this hospital's key, or by a key that the reader does not trust
    with pytest.raises(LedgerAlteredError, match=r"Event 5 .*signature"):
        follow_all(after(PAUSES, body, NEXT_KEY.sign), verify)
    with pytest.raises(LedgerAlteredError, match=r"Event 5 .*breaks the ledger's rules"):
        follow_all(after(PAUSES, body), lambda *_: False)


def test_an_event_that_lacks_something_is_broken_and_not_newer():
    with pytest.raises(LedgerAlteredError, match=r"Event 5 .*breaks the ledger's rules"):
        follow_all(after(PAUSES, f'{{"at":"{AT}","kind":"pause"}}'), verify)


def test_a_row_gone_from_the_middle_is_missed():
    with pytest.raises(LedgerAlteredError, match=r"Event 2 .*missing"):
        follow_all([PAUSES[0], *PAUSES[2:]], verify)
    renumbered = [PAUSES[0], *(replace(r, seq=r.seq - 1) for r in PAUSES[2:])]
    with pytest.raises(LedgerAlteredError, match=r"Event 2 .*does not follow"):
        follow_all(renumbered, verify)


def test_a_row_signed_by_somebody_else_is_refused():
    with pytest.raises(LedgerAlteredError, match=r"Event 1 .*signature"):
        follow_all(chain(sign=lambda _: bytes(64)), verify)
    with pytest.raises(LedgerAlteredError, match=r"Event 2 .*signature"):
        follow_all([PAUSES[0], replace(PAUSES[1], signature="zz")], verify)


def test_a_signed_row_that_breaks_the_rules_is_refused():
    with pytest.raises(LedgerAlteredError, match=r"Event 2 .*rules"):
        follow_all(chain(ev.Start(at=AT, study="ab" * 32)), verify)
    row = make_row(Head(), '{"kind":"gift"}', KEY.sign)
    with pytest.raises(LedgerAlteredError, match=r"Event 1 .*rules"):
        follow_all([row], verify)


def test_an_approval_without_its_reservation_at_the_end_is_missed():
    lonely = ev.Approve(at=AT, study="ab" * 32, id="s", researcher="r", statement="bb" * 32, cost=5)
    with pytest.raises(LedgerAlteredError, match=r"Event 3 .*without its reservation"):
        follow_all(chain(lonely), verify)


def test_a_cut_tail_is_found_only_by_a_checkpoint():
    hashes = [r.hash for r in PAUSES]
    held = Checkpoint("SVI", 4, hashes[-1])
    follow_all(PAUSES[:3], verify)
    check_against(held, "SVI", hashes)
    with pytest.raises(LedgerAlteredError, match="knows 4 events, the ledger ends after 3"):
        check_against(held, "SVI", hashes[:3])
    with pytest.raises(LedgerAlteredError, match="rewritten"):
        check_against(held, "SVI", [*hashes[:3], "00" * 32])
    with pytest.raises(LedgerAlteredError, match="checkpoint is of SVI"):
        check_against(held, "STMW", hashes)


def test_a_checkpoint_travels_signed():
    held = Checkpoint("SVI", 4, PAUSES[-1].hash)
    data = held.dump(KEY.sign)
    assert read_checkpoint(data, site="SVI", verify=verify) == held
    with pytest.raises(MessageError):
        read_checkpoint(data.replace(b'"size":4', b'"size":3'), site="SVI", verify=verify)
    with pytest.raises(MessageError, match="not a checkpoint"):
        read_checkpoint(data, site="STMW", verify=verify)


@pytest.mark.parametrize("size", [0, "4", True])
def test_a_checkpoint_of_another_shape_is_refused(size):
    data = dump_signed(
        {"type": "securefl-checkpoint/1", "site": "SVI", "size": size, "head": "00" * 32}, KEY.sign
    )
    with pytest.raises(MessageError, match="not a checkpoint"):
        read_checkpoint(data, site="SVI", verify=verify)


def test_a_chain_by_a_key_that_the_reader_does_not_hold_is_refused():
    with pytest.raises(LedgerAlteredError, match=r"Event 1 .*signature"):
        follow_all(PAUSES, lambda signature, message: False)


def test_a_genesis_is_signed_by_the_very_key_that_it_names():
    """Else whoever holds our key once could write a genesis that hands the ledger to another key."""
    row = make_row(Head(), ev.dump_event(ev.Genesis(at=AT, site="SVI", key=NEXT_HEX)), KEY.sign)
    with pytest.raises(LedgerAlteredError, match=r"Event 1 .*signature"):
        follow_all([row], verify)


def test_a_checkpoint_of_the_genesis_alone_is_one_and_a_head_that_is_no_text_is_not():
    first = Checkpoint("SVI", 1, PAUSES[0].hash)
    assert read_checkpoint(first.dump(KEY.sign), site="SVI", verify=verify) == first
    data = dump_signed(
        {"type": "securefl-checkpoint/1", "site": "SVI", "size": 4, "head": 7}, KEY.sign
    )
    with pytest.raises(MessageError, match="not a checkpoint"):
        read_checkpoint(data, site="SVI", verify=verify)
