"""Whoever stole a key that was replaced since, and has a copy of the ledger, writes a past in which
nothing was spent.

The new key's proof in the rotation is genuine, so it could be put behind that past. In the control
it covers the keys alone, as a proof that may stand anywhere, and the washed ledger opens.
"""

import pytest
from ledger_site import (
    KEY_HEX,
    NEXT_HEX,
    NEXT_KEY,
    approve,
    clock,
    digest,
    grant,
    keys,
    new_ledger,
    rotate,
    verify_next,
)

from securefl.errors import LedgerAlteredError
from securefl.privacy import ledger, ledger_chain
from securefl.privacy import ledger_events as ev
from securefl.privacy.ledger import Ledger, read_ledger
from securefl.privacy.ledger_chain import make_row

NEXT = {"sign": NEXT_KEY.sign, "verify": verify_next, "now": clock()}


def washed(tmp_path):
    """A ledger of the thief's own making that ends in the genuine proof; the real one, with a study
    charged, is beside it.
    """
    with new_ledger(tmp_path / "real") as real:
        approve(real)
        real.start(digest(1))
        rotate(real)
        assert real.state.used("thyroid") > 0
        proof = real.events()[-1].proof
    with Ledger.create(tmp_path / "washed", site="SVI", key=KEY_HEX, **keys()) as forged:
        grant(forged, epsilon="50")
        forged.register_dataset("visits", population="thyroid", snapshot="aa" * 32)
        body = ev.dump_event(
            ev.checked_event(
                ev.Rotate, {"at": "2026-01-31T12:00:00Z", "key": NEXT_HEX, "proof": proof}
            )
        )
        with forged._file.transaction():
            forged._file.insert(make_row(forged._head, body, keys()["sign"]))
    return tmp_path / "washed"


def test_a_copied_proof_hands_no_other_past_to_the_new_key(tmp_path):
    path = washed(tmp_path)
    assert "Event 4" in str(read_ledger(path, verify_next).fault)
    with pytest.raises(LedgerAlteredError, match=r"Event 4 .*signature"):
        Ledger.open(path, **NEXT)
    assert read_ledger(tmp_path / "real", verify_next).fault is None


def test_control_a_proof_that_may_stand_anywhere_washes_the_ledger(tmp_path, monkeypatch):
    def keys_alone(head, new):
        return f"{head.state.site}\n{head.state.key}\n{new}".encode()

    for module in (ledger, ledger_chain):
        monkeypatch.setattr(module, "rotation_message", keys_alone)
    with Ledger.open(washed(tmp_path), **NEXT) as mine:
        mine.pause("goes on, and has forgotten what was spent")
        assert mine.state.used("thyroid") == 0


def test_the_proof_covers_each_row_before_it(tmp_path):
    """The last row before the rotation written anew, with the same number and everything else as it
    was.
    """
    with new_ledger(tmp_path / "real") as real:
        real.pause("as it was")
        rotate(real)
        rows = list(real._file.rows())
    head = ledger_chain.follow_all(rows[:4], keys()["verify"])
    other = make_row(head, rows[4].body.replace("as it was", "otherwise"), keys()["sign"])
    after, _ = ledger_chain.follow(head, other, keys()["verify"])
    last = make_row(after, rows[5].body, keys()["sign"])
    with pytest.raises(LedgerAlteredError, match=r"Event 6 .*signature"):
        ledger_chain.follow_all([*rows[:4], other, last], keys()["verify"])
