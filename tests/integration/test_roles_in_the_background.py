"""`start --background` and `status` with real processes: a store that is away, and the reason of an
end.
"""

import json
import os
import shutil
import signal
import time
from contextlib import suppress

import pytest
from checkpoint_hospitals import approved, three_hospitals
from command_line_hospital import here, hospital, securefl, unbroken, words
from ledger_site import digest

from securefl.node.answered import Answered
from securefl.node.checkpoints import Question, answer_questions, collect, hand_out
from securefl.node.site import Site
from securefl.party.pidfile import last_end, running_process

LIMIT = 120


def until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)


def start(folder, *, role="site"):
    return securefl(role, "start", "--background", f"--{role}", folder, timeout=700)


def page(folder, *, role="site"):
    return words(here(role, "status", f"--{role}", folder))


def values(folder):
    return json.loads(here("site", "status", "--json", "-", "--site", folder))


@pytest.fixture
def ends():
    """Folders and roles whose processes end with the test."""
    made = []
    yield made
    for folder, name in made:
        state = running_process(folder, name)
        if state is not None:
            with suppress(ProcessLookupError):
                os.kill(state["pid"], signal.SIGKILL)


def test_an_agents_owner_sees_since_when_the_store_is_away_and_how_the_agent_ended(tmp_path, ends):
    folder = hospital(tmp_path)
    ends.append((folder, "agent"))
    assert values(folder)["ended"] is None
    store, away = tmp_path / "store", tmp_path / "away"
    store.rename(away)
    store.mkdir()  # a mount point with nothing mounted on it
    done = start(folder)
    assert done.returncode == 10
    assert "The agent runs, but cannot use its store:" in words(done.stderr)
    assert "not the store that was used here before" in words(done.stderr)
    since = values(folder)["store_away"]["since"]
    assert f"running store unreachable since {since[:10]} {since[11:16]} UTC" in page(folder)
    store.rmdir()
    away.rename(store)
    until(lambda: values(folder)["store_away"] is None, "the agent to find its store again")
    assert "unreachable" not in page(folder)
    until(lambda: running_process(folder, "agent").get("turned"), "a whole turn")
    assert "trouble" not in running_process(folder, "agent")

    assert securefl("site", "stop", "--site", folder).returncode == 0
    assert "The last agent ended at 2" in page(folder)
    assert values(folder)["ended"]["reason"] == "it was asked to stop"
    assert (folder / "agent.end.json").stat().st_mode & 0o777 == 0o600

    done = start(folder)
    assert (done.returncode, done.stdout.startswith("The agent of S runs.")) == (
        0,
        True,
    ), done.stderr
    found = values(folder)
    assert (found["running"], found["ended"], found["store_away"]) == (True, None, None)
    os.kill(running_process(folder, "agent")["pid"], signal.SIGKILL)
    until(lambda: last_end(folder, "agent") is not None, "the kernel to end the agent")
    assert "The last agent ended without a word: it was killed, or the machine stopped" in page(
        folder
    )
    assert values(folder)["ended"]["at"] is None


def test_an_agent_that_stops_in_its_first_turn_is_not_said_to_run_and_the_reason_stays(
    tmp_path, ends
):
    sites = three_hospitals(tmp_path)
    approved(sites["A"])
    sites["A"].ledger.close()
    shutil.copytree(tmp_path / "A", tmp_path / "backup")
    site = Site.at(tmp_path / "A")
    site.ledger.start(digest(1))
    hand_out(site, digest(1), ("A", "B", "C"))
    assert collect(sites["B"], digest(1), ("A", "B", "C")) == []
    Question(lambda _: None).turn(site)
    answer_questions(sites["B"], Answered(sites["B"].path))
    site.ledger.close()
    shutil.rmtree(tmp_path / "A")
    (tmp_path / "backup").rename(tmp_path / "A")
    ends.append((tmp_path / "A", "agent"))

    done = start(tmp_path / "A")
    assert done.returncode == 8
    assert "runs." not in done.stdout
    why = "B holds a checkpoint of this ledger with"
    assert f"The agent ended: {why}" in words(done.stderr)
    assert f"The last agent ended at {values(tmp_path / 'A')['ended']['at'][:10]}" in page(
        tmp_path / "A"
    )
    assert values(tmp_path / "A")["ended"]["reason"].startswith(why)


def test_an_agent_that_cannot_even_begin_is_quoted(tmp_path, ends):
    folder = hospital(tmp_path)
    ends.append((folder, "agent"))
    (folder / "agent.log").mkdir()
    done = start(folder)
    assert done.returncode == 8
    assert "The agent ended:" in words(done.stderr)
    assert "agent.log" in unbroken(done.stderr)
    assert "Traceback" not in done.stderr


def test_the_aggregators_operator_sees_the_same(tmp_path, ends):
    folder, store, away = tmp_path / "sums", tmp_path / "store", tmp_path / "away"
    made = securefl(
        "aggregator",
        "init",
        folder,
        "--name",
        "sums",
        "--legal-name",
        "L",
        "--email",
        "a@b.example",
        "--store",
        store,
    )
    assert made.returncode == 0, made.stderr
    ends.append((folder, "aggregator"))
    store.rename(away)
    store.mkdir()
    done = start(folder, role="aggregator")
    assert done.returncode == 10
    assert "The aggregator runs, but cannot use its store:" in words(done.stderr)
    assert "unreachable since 2" in page(folder, role="aggregator")
    store.rmdir()
    away.rename(store)
    until(
        lambda: "unreachable" not in page(folder, role="aggregator"),
        "the aggregator to find its store again",
    )
    assert securefl("aggregator", "stop", "--aggregator", folder).returncode == 0
    assert "UTC: it was asked to stop" in page(folder, role="aggregator")
    done = start(folder, role="aggregator")
    assert done.returncode == 0, done.stderr
    assert "ended" not in page(folder, role="aggregator")
