"""Five hospitals in processes of their own, in a study that goes on after a loss: one agent is
killed, the others finish.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from conftest import SITES
from consortium import SMALL, consortium, deadline_by_hand

from securefl.cli.study_verify import rounds_view
from securefl.errors import RoundError

pytestmark = pytest.mark.slow

NAMES = tuple(sorted(SITES))
LOST = NAMES[2]
REST = tuple(n for n in NAMES if n != LOST)
FIVE = (("min_contributors = 5", "min_contributors = 4"), *SMALL[1:])
GOES_ON = ('on_dropout = "fail"', 'on_dropout = "continue"')
#: Far longer than what happens before it takes on any machine; the studies that use it end before
#: it is over.
LATER = ('reply_after = "0.2"', 'reply_after = "40"')


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    with consortium(tmp_path_factory.mktemp("consortium"), names=NAMES) as made:
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


def said(c, name, study):
    folder = c.root / name / "studies" / study.digest / "said"
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def test_one_of_five_is_killed_while_it_trains_and_the_others_finish(c, pool, deadline):
    study = c.new_study("lost", GOES_ON, base=FIVE)
    c.ready(study)
    (worker,) = c.workers(LOST)
    seen = []

    def watch(record):
        seen.append(record)
        if record.round == 1:
            os.kill(
                worker, signal.SIGSTOP
            )  # it will be training when its agent is killed, for certain

    run = pool.submit(c.run, study, watch)
    c.until(
        lambda: all((c.in_round(study, 2) / "contributions" / name).exists() for name in REST),
        "the others' second contributions",
    )
    assert c.end(LOST, signal.SIGKILL) == -signal.SIGKILL
    deadline.set()
    result = run.result(timeout=300)

    assert [sorted(r.contributions) for r in seen] == [
        list(NAMES),
        list(REST),
        list(REST),
        list(REST),
    ]
    assert set(result.extracts) == set(REST)
    assert result.lost == study.report()["lost"] == {LOST: "round 2 of 3"}
    assert (
        f"- Lost on the way: {LOST} (from round 2 of 3 on)"
        in (result.folder / "model_card.md").read_text()
    )
    c.ended(study, *REST, status="completed")
    for name in REST:
        c.until(
            lambda name=name: c.contributions(name, study) == [],
            "the kept contributions being removed",
        )
        rounds = [f"{n:05d}-{kind}" for n in range(1, 5) for kind in ("answer", "signature")]
        assert said(c, name, study) == rounds
        for number in range(1, 5):  # what left is what is kept, and the ledger knew of it
            kept = (
                c.root / name / "studies" / study.digest / "said" / f"{number:05d}-answer"
            ).read_bytes()
            assert (c.in_round(study, number) / "answers" / name).read_bytes() == kept
        assert set(c.state(name, study).answers) == {1, 2, 3, 4}
    assert not (c.in_round(study, 2) / "contributions" / LOST).exists()

    # anybody can add the rounds again, and sees who was lost
    view = rounds_view(c.root / REST[0], study.name)
    checked = [view.check(number) for number in range(1, view.rounds_over() + 1)]
    assert [found.absent for found in checked] == [(), (LOST,), (LOST,), (LOST,)]
    assert all(set(found.signed_by) >= set(REST) for found in checked)

    # too late: its agent ends the study for itself, and nobody else minds
    c.start(LOST)
    c.ended(study, LOST)
    assert "The study was completed without this hospital" in c.log(LOST)
    assert set(c.state(LOST, study).answers) == {1}
    assert all(c.alive(name) for name in NAMES)


def test_one_that_is_late_in_the_last_round_only_is_told_that_the_others_went_on_without_it(
    c, pool, deadline
):
    study = c.new_study("late", GOES_ON, base=FIVE)
    c.ready(study)
    seen = []
    with ExitStack() as held:

        def watch(record):
            seen.append(record)
            if (
                record.round == 3
                # once it has said all of this round nothing leaves its house: its agent waits for the
                # lock under which it would
            ):
                c.until((c.in_round(study, 3) / "answers" / LOST).exists, "its answer in round 3")
                held.enter_context(c.site(LOST).deciding())

        run = pool.submit(c.run, study, watch)
        c.until(
            lambda: all((c.in_round(study, 4) / "contributions" / name).exists() for name in REST),
            "the others' last contributions",
        )
        c.until(
            lambda: c.contributions(LOST, study)[-1:] == ["00004"], "its own, made and not sent"
        )
        deadline.set()
        run.result(timeout=300)
    assert [sorted(r.contributions) for r in seen] == [list(NAMES)] * 3 + [list(REST)]
    c.ended(
        study, LOST
    )  # though its contribution reached the store in the end, and the coordinator says "completed"
    assert (c.in_round(study, 4) / "contributions" / LOST).exists()
    assert "The others went on without this hospital in round 4, the last one" in c.log(LOST)
    assert not (c.in_round(study, 4) / "agreements" / LOST).exists()
    c.ended(study, *REST, status="completed")


def test_an_agent_that_is_stopped_and_started_again_in_time_is_not_lost(
    c, deadline
):  # a deadline that never passes
    study = c.new_study("said", GOES_ON, base=FIVE)
    c.ready(study)
    seen = []

    def watch(record):
        seen.append(record)
        if record.round == 1:  # the second one is announced when it is gone
            c._processes.pop(LOST)
            assert "stopped" in c.cli("site", "stop", "--site", str(c.root / LOST))
            c.start(LOST)

    c.run(study, watch)
    assert not deadline.is_set()
    assert [sorted(record.contributions) for record in seen] == [list(NAMES)] * 4
    c.ended(study, *NAMES, status="completed")
    assert len(c.state(LOST, study).answers) == 4


def test_a_hospital_that_withdraws_ends_the_study_for_all_as_the_study_says(c, pool):
    study = c.new_study("left", GOES_ON, LATER, base=FIVE)
    c.ready(study)
    run = pool.submit(c.run, study)
    c.until((c.in_round(study, 1) / "announcement").exists, "the first round")
    c.cli("site", "withdraw", study.name, "--yes", "--site", str(c.root / LOST))
    with pytest.raises(
        RoundError, match=f"{LOST} ended its part in the study with the code 'withdrawn'"
    ):
        run.result(timeout=300)
    c.ended(study, *REST)


def test_two_that_are_lost_end_it_for_all(c, pool, deadline):
    study = c.new_study("two", GOES_ON, base=FIVE)
    c.ready(study)
    for name in NAMES[:2]:
        for worker in c.workers(name):
            os.kill(
                worker, signal.SIGSTOP
            )  # it is ready, and will not have answered when its agent is killed
    run = pool.submit(c.run, study)
    c.until(
        lambda: all((c.in_round(study, 1) / "contributions" / name).exists() for name in NAMES[2:]),
        "the others' contributions",
    )
    for name in NAMES[:2]:
        assert c.end(name, signal.SIGKILL) == -signal.SIGKILL
    deadline.set()
    with pytest.raises(RoundError, match="3 of 5 hospitals are left, and 4 are needed") as over:
        run.result(timeout=300)
    assert over.value.whose == ", ".join(NAMES[:2])
    c.ended(study, *NAMES[2:])
