"""Reply times: a hospital that answers when it is ready tells how many rows it has; one that answers at a public time does not.

The durations were recorded: 40 noised steps took 58 ms on 71 rows and 105 ms on 5,493 (logistic regression, one core).
Here they are played back on a clock of the test; nothing is timed.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from conftest import make_study

from securefl.federation.rounds import Plan
from securefl.node.running import StudyRun
from securefl.study.parse import parse_study

RECORDED = {71: 0.058, 5493: 0.105}
#: The agent looks every hundredth of a second, the attacker at every change of the store.
LOOK = 0.01


class FakeClock:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


def arrival(tmp_path, rows, *edits):
    """When the reply of a hospital with so many rows reaches the store, in seconds after the round was seen."""
    text, *_ = make_study(5, *edits)
    clock, arrived = FakeClock(), []
    study = SimpleNamespace(ended=False)
    site = SimpleNamespace(
        name="SVI", path=tmp_path, study_folder=lambda _digest: tmp_path / str(rows), deciding=nullcontext,
        store=SimpleNamespace(put_file=lambda *_: arrived.append(clock.time)),
        ledger=SimpleNamespace(state=SimpleNamespace(paused=False, study=lambda _digest: study), sent=lambda *_, **__: True),
    )
    run = StudyRun(site, Plan(parse_study(text), "0" * 64), text, lambda _line: None, lambda: None, clock=clock)
    run._seen = clock.time
    begun = clock.time
    clock.time += RECORDED[rows]  # training, and all that comes before the reply is on disk
    run._keep(SimpleNamespace(round=1, attempt=1, kind="update"), lambda file: file.write(b"frame")).close()
    while not arrived:
        run._leave(run.made)
        clock.time += LOOK
    return arrived[0] - begun


def test_replies_of_small_and_large_hospitals_leave_at_the_same_public_time(tmp_path):
    small, large = (arrival(tmp_path, rows) for rows in RECORDED)
    assert abs(small - large) < LOOK  # what is left is where the agent's looks fall, not the rows
    assert small == pytest.approx(0.2, abs=LOOK)  # reply_after of the study


def test_control_replies_that_leave_when_ready_tell_the_hospitals_apart(tmp_path):
    small, large = (arrival(tmp_path, rows, ('reply_after = "0.2"', 'reply_after = "0"')) for rows in RECORDED)
    assert large - small > 4 * LOOK
