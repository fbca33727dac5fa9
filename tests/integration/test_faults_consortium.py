"""Kill, stop, withdraw in the middle of a study: it ends on every side with a clear message, and
what was spent stays spent.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from consortium import NAMES, children, consortium, deadline_by_hand, running

from securefl.errors import RoundError
from securefl.node import decisions

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


def test_an_agent_killed_while_it_trains_leaves_its_budget_charged_and_the_study_over_for_all(
    c, pool, deadline
):
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
    deadline.set()
    error = failed(run, f"nothing came from {ME}")
    assert error.whose == ME
    c.ended(study, *REST)
    assert all("The coordinator ended the study: round" in c.log(name) for name in REST)
    assert c.status(ME, study) == "running"  # nobody was there to write
    assert used(c, ME) == before + charge

    c.start(ME)
    c.ended(study, ME)
    assert "was interrupted; it is over, and its budget stays charged" in c.log(ME)
    assert used(c, ME) == before + charge
    c.until(lambda: study.status()[ME] == "round", "the word of the restarted agent")
    assert c.contributions(ME, study) == []
    assert [
        p.name for p in (c.in_round(study, 1) / "contributions").iterdir() if p.name == ME
    ] == []
    assert all((c.in_round(study, 1) / "contributions" / name).exists() for name in REST)
    assert not (c.root / ME / "keys" / "studies" / f"{study.digest}.key").exists()


def test_an_agent_killed_between_two_rounds_sends_nothing_twice(c, pool, deadline):
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


def test_stopping_the_agent_in_the_middle_ends_the_study_with_a_word(c, pool):
    study = c.new_study("stopped", LATER)
    c.ready(study)
    run = pool.submit(c.run, study)
    c.until((c.in_round(study, 1) / "announcement").exists, "the first round")
    process = c._processes.pop(ME)
    assert "stopped" in c.cli("site", "stop", "--site", str(c.root / ME))
    assert process.wait(timeout=60) == 0
    failed(run, f"{ME} ended its part in the study with the code 'round'")
    assert c.status(ME, study) == "failed"
    c.ended(study, *REST)
    c.start(ME)


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
