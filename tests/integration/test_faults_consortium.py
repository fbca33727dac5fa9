"""Kill, stop, withdraw in the middle of a study: it goes on where the party comes back in time, and
else ends on every side with a clear message. What was spent stays spent, and nothing is paid twice.
"""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from consortium import NAMES, children, consortium, deadline_by_hand, running

from securefl.errors import RoundError
from securefl.node import decisions

pytestmark = pytest.mark.slow

ME, OTHER, THIRD = NAMES
REST = (OTHER, THIRD)
#: Far longer than what happens before it takes on any machine; the studies that use it end before
#: it is over.
LATER = ('reply_after = "0.2"', 'reply_after = "40"')


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    with consortium(tmp_path_factory.mktemp("consortium")) as made:
        yield made


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
def deadline(monkeypatch):
    """The coordinator's round deadline passes when it is set, and not before."""
    passed = deadline_by_hand(monkeypatch)
    yield passed
    passed.set()


def used(c, name):
    site = c.site(name)
    try:
        return site.ledger.state.used("clinic")
    finally:
        site.ledger.close()


def failed(run, match):
    with pytest.raises(RoundError, match=match) as caught:
        run.result(timeout=300)
    assert caught.value.next_step
    return caught.value


def test_an_agent_killed_while_it_trains_goes_on_and_pays_once(c, pool):
    study = c.new_study("killed")
    before = used(c, ME)
    c.ready(study)
    charge = c.state(ME, study).approval.cost
    (worker,) = c.workers(ME)
    os.kill(worker, signal.SIGSTOP)  # so that it is training when its agent is killed, for certain
    run = pool.submit(c.run, study)
    c.until(
        lambda: all((c.in_round(study, 1) / "contributions" / name).exists() for name in REST),
        "the others' first contributions",
    )
    assert c.end(ME, signal.SIGKILL) == -signal.SIGKILL
    c.until(lambda: not running(worker), "the end of the worker with its agent")
    assert c.status(ME, study) == "running"
    assert c.contributions(ME, study) == []
    key = c.root / ME / "studies" / study.digest / "run.key"
    assert key.stat().st_mode & 0o777 == 0o600

    c.start(ME)
    assert run.result(timeout=300).evaluation
    c.ended(study, *NAMES, status="completed")
    assert "was interrupted; it is taken up again" in c.log(ME)
    assert used(c, ME) == before + charge
    assert len(c.state(ME, study).sent) == study.plan.last_round
    assert not key.exists()
    assert not (c.root / ME / "keys" / "studies" / f"{study.digest}.key").exists()


def test_an_agent_killed_between_two_rounds_that_comes_back_too_late_sends_nothing(
    c, pool, deadline
):
    study = c.new_study("between")
    c.ready(study)
    kept = c.root / ME / "studies" / study.digest / "contributions"
    with ExitStack() as held:
        # from the end of round 1 nothing more leaves the house: the agent waits for the lock under
        # which it would
        run = pool.submit(
            c.run,
            study,
            watch=lambda record: (
                held.enter_context(c.site(ME).deciding()) if record.round == 1 else None
            ),
        )
        c.until((kept / "00002").exists, "the second contribution, made and not sent")
        made = {p.name: p.read_bytes() for p in kept.iterdir()}
        c.until(
            lambda: all((c.in_round(study, 2) / "contributions" / name).exists() for name in REST),
            "the others' second contributions",
        )
        c.end(ME, signal.SIGKILL)
        assert not (c.in_round(study, 2) / "contributions" / ME).exists()
    deadline.set()
    failed(run, f"nothing came from {ME}")
    c.ended(study, *REST)
    c.start(ME)
    c.ended(study, ME)
    c.until(lambda: not kept.exists(), "the kept contributions being removed")
    assert (c.in_round(study, 1) / "contributions" / ME).read_bytes() == made["00001"]
    assert not (c.in_round(study, 2) / "contributions" / ME).exists()
    # the others made two each, and the ledger knows of no second release of a round
    for name in NAMES:
        sent = c.state(name, study).sent
        assert len(sent) == len({number for number, _ in sent}) <= 2


def test_a_worker_that_is_killed_ends_the_study_cleanly(c, pool):
    study = c.new_study("crash")
    c.ready(study)
    (worker,) = c.workers(OTHER)
    run = pool.submit(
        c.run,
        study,
        watch=lambda record: os.kill(worker, signal.SIGKILL) if record.round == 1 else None,
    )
    error = failed(run, f"{OTHER} ended its part in the study with the code 'round'")
    assert error.whose == OTHER
    c.ended(study, *NAMES)
    assert "The worker process ended unexpectedly" in c.log(OTHER)
    assert all(c.alive(name) for name in NAMES)
    c.until(
        lambda: not any(children(c._processes[n].pid) for n in NAMES), "the end of every worker"
    )


def test_withdrawing_in_the_middle_ends_the_study_for_all(c, pool):
    study = c.new_study("left", LATER)
    c.ready(study)
    before = used(c, THIRD)
    run = pool.submit(c.run, study)
    c.until(lambda: c.answering(THIRD, study), "a reply that waits for its time")
    text = c.cli(
        "site",
        "withdraw",
        study.name,
        "--yes",
        "--reason",
        "Mrs Miller asked",
        "--site",
        str(c.root / THIRD),
    )
    assert "has left" in text
    failed(run, f"{THIRD} ended its part in the study with the code 'withdrawn'")
    c.ended(study, *(n for n in NAMES if n != THIRD))
    assert c.status(THIRD, study) == "withdrawn"
    assert used(c, THIRD) == before  # it had started, so it stays charged
    assert not (c.in_round(study, 1) / "contributions" / THIRD).exists()
    assert not any(b"Miller" in data for data in c.objects().values())
    c.until(lambda: study.pysyft_status()[THIRD].startswith("failed"), "PySyft's state")


def test_an_agent_that_is_stopped_in_the_middle_goes_on_when_it_is_started(c, pool):
    study = c.new_study("stopped")
    c.ready(study)
    run = pool.submit(c.run, study)
    c.until((c.in_round(study, 1) / "announcement").exists, "the first round")
    process = c._processes.pop(ME)
    assert "stopped" in c.cli("site", "stop", "--site", str(c.root / ME))
    assert process.wait(timeout=60) == 0
    c.start(ME)
    assert run.result(timeout=300).evaluation
    c.ended(study, *NAMES, status="completed")


def test_a_researcher_killed_in_the_middle_goes_on_and_everybody_pays_once(c):
    study = c.new_study("resumed")
    before = {name: used(c, name) for name in NAMES}
    c.ready(study)
    command = [sys.executable, "-m", "securefl", "study", "run", study.name]
    where = ["--researcher", str(c.root / "researcher"), "--out", str(c.root / "model-resumed")]
    process = subprocess.Popen([*command, *where], stdin=subprocess.DEVNULL)
    c.until((c.in_round(study, 2) / "announcement").exists, "the second round")
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    announced = (c.in_round(study, 2) / "announcement").read_bytes()
    assert study.interrupted

    text = c.cli(*command[3:], *where, "--detach")
    assert "was interrupted; it goes on from there" in text
    assert "runs by itself" in text
    text = c.cli("study", "attach", study.name, *where[:2])
    assert [f"round {n} of 3: received one sum of 3" in text for n in (1, 2, 3)] == [True] * 3
    assert "ran to its end" in text
    assert (c.in_round(study, 2) / "announcement").read_bytes() == announced
    c.ended(study, *NAMES, status="completed")
    for name in NAMES:
        assert used(c, name) == before[name] + c.state(name, study).approval.cost
        assert len(c.state(name, study).sent) == study.plan.last_round
    lines = (study.folder / "rounds.jsonl").read_text().splitlines()
    assert [json.loads(line)["round"] for line in lines] == [1, 2, 3, 4]
    # every key and message of the run is gone; the opened sums stay for reports and archives
    assert [p.name for p in (study.folder / "run").iterdir()] == ["totals"]


def test_what_a_store_operator_puts_in_a_contributions_place_is_not_that_hospitals_word(c):
    study = c.new_study("spoiled")
    c.ready(study)
    target = c.in_round(study, 1) / "contributions"
    target.mkdir(parents=True)
    for name in NAMES:  # before the hospitals reply: the aggregator finds a complete cohort of junk
        (target / name).write_bytes(b"junk")
    assert c.run(study).evaluation
    c.ended(study, *NAMES, status="completed")
    assert c.alive("sums")


def test_a_second_agent_in_the_same_folder_is_refused(c):
    text = c.cli("site", "start", "--site", str(c.root / ME), code=2)
    assert "runs in this folder already" in text
    assert c.alive(ME)


def test_the_budget_of_every_study_that_started_is_still_charged(c):
    for name in NAMES:
        site = c.site(name)
        state = site.ledger.state
        started = [s for s in state.studies.values() if s.started]
        assert len(started) >= 6
        assert state.used("clinic") == sum(s.approval.cost for s in started)
        assert all(s.ended for s in started)
        site.ledger.close()
    decisions.pause(c.site(ME), "end of the test")
