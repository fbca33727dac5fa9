"""Real processes: killed between any two statements, and writing at the same time (rule 7: never
under-count).
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_site import (
    CHARGES,
    KEY_HEX,
    NEXT_KEY,
    approve,
    digest,
    keys,
    new_ledger,
    rotate,
    send,
    verify_next,
)

from securefl.errors import BudgetError, NotApprovedError, RoundError
from securefl.privacy.ledger import Ledger

SUPPORT = Path(__file__).parents[1] / "support"


def run_and_kill(path, action, statement):
    """Do ``action`` in a child that is killed before its ``statement``-th SQL statement; True if it
    got that far.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        try:
            ledger = Ledger.open(path, **keys())
            left = statement

            def count(_):
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            ledger._file.connection.set_trace_callback(count)
            action(ledger)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked child must end here, whatever happens
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def life(ledger):
    """A study from approval to end, with the state after each step made visible by what is allowed
    next.
    """
    for step in (
        lambda: approve(ledger),
        lambda: ledger.start(digest(1)),
        lambda: send(ledger, payload=b"first"),
        lambda: ledger.answer(digest(1), round_number=1, payload=b"answer"),
        lambda: send(ledger, round_number=2, payload=b"second"),
        lambda: ledger.settle(digest(1), "completed"),
    ):
        step()


def test_killed_between_any_two_statements_the_ledger_holds_and_never_under_counts(tmp_path):
    statuses = []
    for statement in range(200):
        path = tmp_path / f"{statement}.sqlite"
        new_ledger(path).close()
        killed = run_and_kill(path, life, statement)
        with Ledger.open(path, **keys()) as ledger:
            state = ledger.state
            study = state.studies.get(digest(1))
            asked = ledger.quote("thyroid", CHARGES).asked
            # Approved means charged in full; what was sent is there only with a start before it.
            assert state.used("thyroid") == (asked if study else 0)
            assert study is None or study.started or not study.sent
            assert study is None or len(study.answers) <= 1
            statuses.append((study.status, len(study.sent), len(study.answers)) if study else None)
            if study and study.answers and not study.ended:
                with pytest.raises(RoundError, match="already gave"):
                    ledger.answer(digest(1), round_number=1, payload=b"another answer")
            # The next owner's step is answered, whatever the crash left.
            if study is None:
                approve(ledger)
            elif study.started:
                with pytest.raises(NotApprovedError, match=r"used up|ended"):
                    ledger.start(digest(1))
            else:
                ledger.start(digest(1))
            assert ledger.state.used("thyroid") == asked
        if not killed:
            break
    else:  # pragma: no cover - the loop ends when the child finishes
        pytest.fail("the child never finished")
    seen = list(dict.fromkeys(statuses))
    assert seen == [
        None,
        ("approved", 0, 0),
        ("running", 0, 0),
        ("running", 1, 0),
        ("running", 1, 1),
        ("running", 2, 1),
        ("completed", 2, 1),
    ]
    assert len(statuses) > 20


def test_killed_after_the_reservation_it_stays_charged_in_full(tmp_path):
    path = tmp_path / "ledger.sqlite"
    new_ledger(path).close()

    def approve_start_and_die(ledger):
        approve(ledger, attempts=4)
        ledger.start(digest(1))
        os.kill(os.getpid(), signal.SIGKILL)

    assert run_and_kill(path, approve_start_and_die, 10_000)
    with Ledger.open(path, **keys()) as ledger:
        assert ledger.state.used("thyroid") == ledger.quote("thyroid", CHARGES, 4).asked
        ledger.settle(digest(1), "failed")
        with pytest.raises(BudgetError):
            approve(ledger, 2)


def test_a_genesis_killed_anywhere_can_be_made_again(tmp_path):
    for statement in range(30):
        path = tmp_path / f"{statement}.sqlite"
        child = os.fork()
        if child == 0:  # pragma: no cover - runs in the child
            left = statement

            def dying_sign(message):
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return keys()["sign"](message)

            Ledger.create(path, site="SVI", key=KEY_HEX, **{**keys(), "sign": dying_sign})
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if path.exists():
            assert Ledger.open(path, **keys()).size == 1
        else:
            assert new_ledger(path).size == 4
        if os.WIFEXITED(status):
            break
    assert statement == 3  # the probe, the row, the witness


def test_killed_anywhere_in_a_rotation_one_of_the_two_keys_goes_on(tmp_path):
    ends = set()
    for statement in range(20):
        path = tmp_path / f"{statement}.sqlite"
        new_ledger(path).close()
        killed = run_and_kill(path, rotate, statement)
        old_key_signs = Ledger.open(path, **keys()).state.key == KEY_HEX
        after = {**keys(), "sign": NEXT_KEY.sign, "verify": verify_next}
        with Ledger.open(path, **(keys() if old_key_signs else after)) as ledger:
            ledger.pause()
        ends.add((old_key_signs, killed))
        if not killed:
            break
    assert ends == {(True, True), (False, True), (False, False)} or ends == {
        (True, True),
        (False, False),
    }


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ledger_site import approve, digest, keys, send
from securefl.errors import BudgetError
from securefl.privacy.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[2]), **keys())
me, refused = int(sys.argv[3]), 0
for n in range(me, me + 6):
    try:
        approve(ledger, n, dataset=("visits", "followups")[me % 2])
    except BudgetError:
        refused += 1
        continue
    ledger.start(digest(n))
    for r in range(5):
        assert send(ledger, n, r, b"%d" % r)
print(6 - refused)
"""


def test_an_owner_and_an_agent_write_at_once_and_the_chain_stays_one(tmp_path):
    path = tmp_path / "ledger.sqlite"
    new_ledger(path).close()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(SUPPORT), str(path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (100, 201, 302)
    ]
    approved = sum(int(w.communicate(timeout=120)[0]) for w in writers)
    assert [w.returncode for w in writers] == [0, 0, 0]
    with Ledger.open(path, **keys()) as ledger:
        state, price = ledger.state, ledger.quote("thyroid", CHARGES)
        assert approved == len(state.studies) == price.cap // price.asked
        assert state.used("thyroid") == approved * price.asked <= price.cap
        assert len(state.refusals) == 18 - approved
        assert all(len(s.sent) == 5 for s in state.studies.values())
        assert ledger.size == 4 + approved * 8 + len(state.refusals)
        ledger.verify()
