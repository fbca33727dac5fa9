"""The agent: a study that fails is settled and the agent goes on; a killed one runs nothing again;
others see codes only.
"""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner
from conftest import fixed_identity
from consortium import NAMES, Consortium
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.boards.board import CarriedBoard
from securefl.boards.opening import open_board
from securefl.cli.main import cli
from securefl.datasite.address import site_email
from securefl.datasite.layout import datasite
from securefl.errors import (
    DataError,
    LedgerAlteredError,
    MessageError,
    RoundError,
    StoreError,
    UsageError,
)
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.node import agent as agent_module
from securefl.node import decisions, published_approvals, study_run
from securefl.node.agent import Agent, agent_state, stop_agent
from securefl.node.pasts import doubt, settle_doubt
from securefl.node.run_key import RunKey
from securefl.party.audit_extract import read_extract
from securefl.party.pidfile import Presence, store_away
from securefl.party.store_watch import StoreWatch

ME = NAMES[0]
PRIVATE = "patient Miller, born 1951, HIV positive"


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


class FakeRun:
    """A study's run whose next step is given; ``steps`` are outcomes or errors, the last one
    repeats.
    """

    resting = False

    def __init__(self, steps, site, plan):
        self.steps, self.site, self.plan = list(steps), site, plan
        self.started, self.answering, self.late, self.sent, self.calls, self.ended = (
            False,
            False,
            0,
            0,
            0,
            [],
        )

    def step(self):
        self.calls += 1
        what = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if what == "start":
            self.site.ledger.start(self.plan.digest)
            self.started = True
            return None
        if isinstance(what, BaseException):
            raise what
        return what

    def stop_listening(self):
        self.deaf = True

    def pause(self):
        return 0.0

    def stop(self):
        self.ended.append("stop")

    def interrupt(self):
        self.ended.append("kill")


class Scene:
    def __init__(self, hospitals, monkeypatch, name):
        self.c, self.monkeypatch = hospitals, monkeypatch
        self.study = hospitals.new_study("a" + str(abs(hash(name)))[:12])
        hospitals.hand_over(self.study, ME)
        hospitals.approve(ME, self.study)
        self.runs = {}
        self.steps = [None]
        self.agent = None

    def begin(self, *steps):
        self.steps = list(steps)

        def make(own, *_):
            plan = own.plan
            self.runs[plan.digest] = FakeRun(
                self.steps if plan.digest == self.study.digest else [None], own.site, plan
            )
            return self.runs[plan.digest]

        self.monkeypatch.setattr(study_run, "StudyRun", make)
        self.monkeypatch.setattr(Agent, "_sync", lambda _: None)
        self.monkeypatch.setattr(Agent, "_rest", lambda *_: None)
        self.agent = Agent(self.c.site(ME))
        return self.agent

    @property
    def run(self):
        return self.runs[self.study.digest]

    @property
    def status(self):
        return self.c.status(ME, self.study)

    def code(self):
        site = self.c.site(ME)
        data = site.board.read(paths.status(self.study.digest, ME), 4096)
        return (
            data
            and Status.open(
                data, study=self.study.digest, site=ME, verify=site.identity.card.verify
            ).code
        )


@pytest.fixture
def scene(hospitals, monkeypatch, request):
    made = Scene(hospitals, monkeypatch, request.node.name)
    yield made
    if made.agent is not None:
        made.agent._presence._lock.release()
    if made.status == "approved":  # nothing of it is left for the next test
        decisions.withdraw(made.c.site(ME), made.study.digest, "")
    if made.status == "running":
        made.c.site(ME).ledger.settle(made.study.digest, "failed")


def turns(agent, count=3):
    for _ in range(count):
        agent._turn()


def test_an_approved_study_is_taken_up_and_its_approval_published(scene):
    site = scene.c.site(ME)
    site.board.erase(paths.approval(scene.study.digest, ME))
    turns(scene.begin(None), 1)
    assert site.board.read(paths.approval(scene.study.digest, ME), 4096)
    assert scene.run.calls == 1


def test_a_completed_study_is_settled_and_its_extract_published_sealed(scene):
    turns(scene.begin("start", "completed"))
    assert scene.status == "completed"
    assert scene.code() is None
    sealed = scene.c.site(ME).board.read(paths.extract(scene.study.digest, ME), 1 << 20)
    assert b"mechanism" not in sealed
    lab = scene.c.lab.folder
    assert scene.study.digest in str(
        read_extract(lab.board, lab.identity, scene.study.digest, ME, scene.study.file)
    )
    assert scene.run.ended == ["stop"]


def test_of_a_failure_others_see_a_code_and_the_owner_the_text(scene):
    turns(scene.begin("start", DataError(f"The table says: {PRIVATE}.")))
    assert scene.status == "failed"
    assert scene.code() == "data"
    assert PRIVATE in scene.c.log(ME)
    everything = b"".join(scene.c.objects().values())
    assert b"Miller" not in everything
    assert b"HIV" not in everything


def test_the_owner_sees_why_a_study_failed_where_it_says_failed_and_a_page_to_hand_on_does_not(
    scene,
):
    turns(scene.begin("start", DataError(f"The table says:\n{PRIVATE}.\x1b[2J")))
    folder = scene.c.root / ME

    def type_in(*words):
        # the reason may repeat another party's words: each of its lines stands behind a bar
        return CliRunner().invoke(cli, [*words, "--site", str(folder)]).output.replace("│", " ")

    why = f"failed: The table says: {PRIVATE}.?[2J Who can mend it: this hospital's data owner."
    assert why in " ".join(type_in("site", "status").split())
    assert why in " ".join(type_in("audit").split())
    type_in("audit", "--json", str(folder / "a.json"), "--html", str(folder / "a.html"))
    assert "Miller" not in (folder / "a.json").read_text() + (folder / "a.html").read_text()
    (folder / "studies" / scene.study.digest / "failure.json").write_text("{")
    for page in (type_in("site", "status"), type_in("audit")):
        assert "failed: see agent.log" in " ".join(page.split())


def test_a_disk_that_keeps_no_reason_does_not_keep_the_study_from_ending(scene, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("securefl.party.failure_note.replace_file", full)
    turns(scene.begin("start", RoundError("late", whose="x")))
    assert scene.status == "failed"


def test_a_running_study_ends_when_a_participant_has_shown_two_pasts_of_its_ledger(
    scene, monkeypatch
):
    agent = scene.begin("start", None)
    turns(agent)
    assert scene.status == "running"
    other = next(name for name in NAMES if name != ME)
    doubt(scene.c.site(ME), other, (b"one", b"another"))
    monkeypatch.setattr(agent_module, "LISTEN", 0.0)
    try:
        turns(agent)
    finally:
        settle_doubt(scene.c.site(ME), other)
    assert scene.status == "failed"
    assert scene.code() == "untrusted"


def test_what_started_stays_charged_and_what_never_started_is_free(scene):
    site = scene.c.site(ME)
    used = site.ledger.state.used("clinic")
    turns(scene.begin(MessageError("junk", whose="x")))
    assert scene.status == "failed"
    assert (
        site.ledger.state.used("clinic")
        == used - site.ledger.state.study(scene.study.digest).approval.cost
    )


def test_what_started_and_failed_stays_charged_in_full(scene):
    site = scene.c.site(ME)
    used = site.ledger.state.used("clinic")
    turns(scene.begin("start", RoundError("late", whose="x")))
    assert scene.status == "failed"
    assert site.ledger.state.used("clinic") == used
    assert not (site.keys / "studies" / f"{scene.study.digest}.key").exists()


def test_a_fault_in_our_own_code_ends_the_study_and_not_the_agent(scene):
    agent = scene.begin("start", ZeroDivisionError("division by zero"))
    turns(agent)
    assert scene.status == "failed"
    assert scene.code() == "internal"
    assert "Traceback" in scene.c.log(ME)
    assert "ZeroDivisionError" in scene.c.log(ME)
    assert b"ZeroDivision" not in b"".join(scene.c.objects().values())


def test_a_store_that_is_away_ends_nothing(scene):
    agent = scene.begin(
        "start", StoreError("The store is away."), StoreError("The store is away."), "completed"
    )
    turns(agent, 2)
    assert scene.status == "running"
    turns(agent, 2)
    assert scene.status == "completed"
    assert scene.c.log(ME).count("The store is away") == 1  # said once, not at every turn


def test_what_is_tried_seldom_is_said_once_while_the_store_is_away(tmp_path):
    """An exchange that is not due in most turns did not go well in them."""
    presence, clock = Presence(tmp_path, "agent"), [100.0]
    watch = StoreWatch(presence, lambda: "2026-01-31T12:00:00Z", lambda: clock[0])
    trouble = "store: The store is away."
    assert watch.is_new("requests", trouble)
    watch.missed(StoreError("The store is away."))
    assert [watch.is_new("requests", trouble) for _ in range(3)] == [True, False, False]
    assert watch.is_new("rules", trouble)
    assert watch.is_new("requests", "store: It is full.")
    clock[0] += 60
    watch.look(open_board(str(tmp_path / "store")))
    watch.missed(StoreError("The store is away."))
    assert watch.is_new("requests", "store: It is full.")


def test_since_when_the_store_is_away_stands_in_the_state_file_until_it_is_back(scene):
    agent = scene.begin("start", StoreError("The store is away."), None)
    seconds = [0.0]
    agent._store._clock = lambda: seconds[0]
    agent._presence.announce("2026-01-02T03:04:05Z")
    site = scene.c.site(ME)
    turns(agent, 1)
    assert agent_state(site)["turned"] is True
    assert store_away(agent_state(site)) is None
    turns(agent, 1)
    assert store_away(agent_state(site)).reason == "The store is away."
    assert agent_state(site)["trouble"].startswith("store: The store is away.")
    turns(agent, 1)
    assert "trouble" not in agent_state(site)
    assert (
        store_away(agent_state(site)) is not None
    )  # one turn without trouble may have asked it nothing
    seconds[0] += 60
    turns(agent, 1)
    assert store_away(agent_state(site)) is None
    (scene.c.root / ME / "agent.json").unlink()


def test_a_code_that_the_store_did_not_take_is_said_later(scene):
    agent = scene.begin("start", DataError("A column is missing."))

    def away(*_):
        raise StoreError("The store is away.")

    turns(agent, 1)
    with scene.monkeypatch.context() as during:
        during.setattr(CarriedBoard, "post", away)
        turns(agent)
        assert scene.code() is None
    assert scene.status == "failed"
    turns(agent, 1)
    assert scene.code() == "data"


def test_a_withdrawn_study_is_dropped_with_its_worker_and_key(scene):
    agent = scene.begin("start", None)
    turns(agent, 2)
    decisions.withdraw(scene.c.site(ME), scene.study.digest, "")
    turns(agent, 1)
    assert scene.run.ended == ["stop"]
    assert scene.code() == "withdrawn"
    calls = scene.run.calls
    turns(agent)
    assert scene.run.calls == calls


def test_a_study_that_fails_as_it_is_withdrawn_stays_withdrawn(scene):
    agent = scene.begin("start", None)
    turns(agent, 1)

    def step():
        decisions.withdraw(scene.c.site(ME), scene.study.digest, "")
        raise RoundError("gone", whose="x")

    scene.run.step = step
    turns(agent, 2)
    assert scene.status == "withdrawn"
    assert scene.code() == "withdrawn"


def test_during_a_pause_no_step_is_taken(scene):
    agent = scene.begin("start", None)
    turns(agent, 1)
    owner = scene.c.site(ME)
    decisions.pause(owner, "")
    try:
        turns(agent)
        assert scene.run.calls == 1
    finally:
        owner.ledger.resume()
    turns(agent, 1)
    assert scene.run.calls == 2


def test_after_a_kill_a_study_without_a_kept_run_is_over_charged_and_never_run_again(scene):
    turns(scene.begin("start", None), 2)
    assert scene.status == "running"
    scene.agent._presence._lock.release()  # what the kernel does when the process is killed
    used = scene.c.site(ME).ledger.state.used("clinic")
    again = scene.begin("start", None)
    again._recover()
    turns(again)
    assert scene.status == "failed"
    assert scene.code() == "round"
    assert scene.c.site(ME).ledger.state.used("clinic") == used
    assert not (scene.c.site(ME).keys / "studies" / f"{scene.study.digest}.key").exists()
    third = scene.runs.copy()
    turns(again)
    assert scene.runs == third


def test_after_a_kill_a_study_with_a_kept_run_is_taken_up_again(scene):
    turns(scene.begin("start", None), 2)
    folder = scene.c.site(ME).study_folder(scene.study.digest)
    RunKey(folder).keep(X25519PrivateKey.generate())
    scene.agent._presence._lock.release()
    again = scene.begin(None, "completed")
    again._recover()
    turns(again)
    assert scene.status == "completed"
    assert not (folder / "run.key").exists()


def test_a_run_of_a_folder_that_was_put_back_is_over(scene):
    turns(scene.begin("start", None), 2)
    file = scene.c.site(ME).study_folder(scene.study.digest) / "run.key"
    RunKey(file.parent).keep(X25519PrivateKey.generate())
    data = file.read_bytes()
    file.rename(file.with_name("elsewhere"))  # a copy is another file
    file.write_bytes(data)
    file.chmod(0o600)
    scene.agent._presence._lock.release()
    again = scene.begin(None)
    again._recover()
    assert scene.status == "failed"
    assert scene.code() == "two-copies"


def test_after_a_kill_a_waiting_approval_is_still_good(scene):
    turns(scene.begin(None), 2)
    scene.agent._presence._lock.release()
    agent = scene.begin("start", None)
    agent._recover()
    turns(agent, 1)
    assert scene.status == "running"


def test_a_key_left_by_a_kill_between_settling_and_erasing_is_erased(scene):
    turns(scene.begin("start", "completed"))
    key = scene.c.site(ME).keys / "studies" / f"{scene.study.digest}.key"
    key.write_bytes(bytes(range(32)))
    scene.agent._recover()
    assert not key.exists()


def test_an_extract_that_a_kill_swallowed_is_published_at_the_next_start(scene, monkeypatch):
    agent = scene.begin("start", "completed")
    monkeypatch.setattr(agent_module, "publish_extract", killed)
    with pytest.raises(Killed):
        turns(agent, 2)
    board, at = scene.c.site(ME).board, paths.extract(scene.study.digest, ME)
    assert scene.status == "completed"
    assert board.read(at, 1 << 20) is None
    agent._recover()
    assert scene.study.digest in str(
        read_extract(board, scene.c.lab.folder.identity, scene.study.digest, ME, scene.study.file)
    )
    board.erase(at)
    agent._recover()  # said once: an old study costs a start nothing
    assert board.read(at, 1 << 20) is None


def test_a_code_that_a_kill_swallowed_is_said_at_the_next_start(scene, monkeypatch):
    agent = scene.begin("start", DataError("gone", whose="x"))
    monkeypatch.setattr(agent_module, "publish_status", killed)
    with pytest.raises(Killed):
        turns(agent, 2)
    assert (scene.status, scene.code()) == ("failed", None)
    agent._recover()
    assert scene.code() == "round"


def test_a_code_that_was_said_before_a_kill_stays_the_one(scene, monkeypatch):
    agent = scene.begin("start", DataError("gone", whose="x"))
    monkeypatch.setattr(Agent, "_drop", killed)
    with pytest.raises(Killed):
        turns(agent, 2)
    agent._recover()
    assert scene.code() == DataError.code != "round"


@pytest.mark.parametrize("runs", [True, False], ids=["agent runs", "no agent runs"])
def test_a_withdrawal_that_a_kill_kept_from_the_others_is_said(scene, monkeypatch, runs):
    agent = scene.begin("start", None)
    turns(agent, 2)
    with monkeypatch.context() as patched:
        patched.setattr(published_approvals, "post", killed)
        patched.setattr(type(scene.c.site(ME)), "erase_study_key", lambda *_: None)
        with pytest.raises(Killed):
            decisions.withdraw(scene.c.site(ME), scene.study.digest, "")
    assert (scene.status, scene.code()) == ("withdrawn", None)
    if runs:
        turns(agent, 1)
    else:
        agent._recover()
    assert scene.code() == "withdrawn"
    assert not scene.c.site(ME).has_study_key(scene.study.digest)


class Killed(BaseException):
    """End of the process in the middle of a call."""


def killed(*_):
    raise Killed


def keeps(scene):
    """A contribution that is kept, as a run leaves it; the folder."""
    folder = scene.c.root / ME / "studies" / scene.study.digest / "contributions"
    folder.mkdir(mode=0o700)
    (folder / "00001").write_bytes(b"large")
    return folder


@pytest.mark.parametrize("end", ["completed", RoundError("late", whose="x"), "withdrawn"], ids=str)
def test_when_a_study_has_ended_its_kept_contributions_are_removed_and_nothing_else_of_it(
    scene, end
):
    agent = scene.begin("start", None, None if end == "withdrawn" else end)
    turns(agent, 2)
    kept = keeps(scene)
    study = kept.parent
    before = {p.name for p in study.iterdir()}
    assert kept.exists()  # while it runs
    if end == "withdrawn":
        decisions.withdraw(scene.c.site(ME), scene.study.digest, "")
    turns(agent, 1)
    assert not kept.exists()
    assert {p.name for p in study.iterdir()} == before - {"contributions"} | (
        {"failure.json"} if isinstance(end, RoundError) else set()
    )


def test_contributions_of_a_study_that_ended_while_no_agent_ran_are_removed_at_its_start(scene):
    agent = scene.begin("start", None)
    turns(agent, 2)
    kept = keeps(scene)
    decisions.withdraw(scene.c.site(ME), scene.study.digest, "")
    agent._recover()
    assert not kept.exists()


def test_old_studies_are_gone_through_when_the_ledger_has_something_new_and_not_at_every_turn(
    scene,
):
    looked = []
    agent = scene.begin(None)
    publish = agent_module.publish_approval
    scene.monkeypatch.setattr(
        agent_module,
        "publish_approval",
        lambda site, digest: looked.append(digest) or publish(site, digest),
    )
    agent._runs = Forgetful()
    turns(agent, 5)
    assert looked == [scene.study.digest]
    scene.c.site(ME).ledger.pause()
    scene.c.site(ME).ledger.resume()
    turns(agent, 5)
    assert looked == [scene.study.digest] * 2


class Forgetful(dict):
    """Runs that are forgotten as soon as they are made: each going-through makes them again."""

    def __setitem__(self, digest, run):
        pass


def test_a_study_that_could_not_be_taken_up_is_tried_again(scene):
    agent = scene.begin(None)

    def away(*_):
        raise StoreError("The store is away.")

    with scene.monkeypatch.context() as during:
        during.setattr(agent_module, "publish_approval", away)
        turns(agent)
        assert scene.runs == {}
    turns(agent, 1)
    assert scene.study.digest in scene.runs


# --- PySyft
# ----------------------------------------------------------------------------------------------------------


class Syncs:
    """The agent's exchanges with PySyft, on a clock that the test moves."""

    def __init__(self, scene, took=0.1):
        self.scene, self.now, self.took, self.times, self.problem = scene, 1000.0, took, [], None
        self.agent = scene.begin(None)
        scene.monkeypatch.setattr(Agent, "_sync", lambda _: self.sync())
        self.agent._clock = self.agent._exchanges.clock = lambda: self.now
        self.agent._exchanges._anyway.reset()

    def sync(self):
        self.times.append(self.now)
        self.now += self.took
        if self.problem:
            raise self.problem

    def seconds(self, count, turn=0.2):
        """How many exchanges there were in so many seconds of turns."""
        before, end = len(self.times), self.now + count
        while self.now < end:
            self.agent._turn()
            self.now += turn
        return len(self.times) - before

    def message(self, name="m"):
        self.scene.c.site(ME).board.post(
            datasite(site_email(ME), "inbox", site_email("researcher"), name), b"sealed"
        )


def quiet(syncs):
    """Until the exchange that takes place anyway has just been."""
    syncs.seconds(30)
    while not syncs.seconds(0.2):
        pass


def test_while_there_is_nothing_to_exchange_pysyft_is_opened_once_in_five_minutes(scene):
    syncs = Syncs(scene)
    assert syncs.seconds(100) < 12  # a few soon after the start
    syncs.seconds(600)
    assert syncs.seconds(1800, turn=1.0) in {5, 6, 7}


def test_a_message_is_taken_in_soon_and_within_45_seconds_where_none_came_for_long(scene):
    syncs = Syncs(scene)
    syncs.seconds(20)
    syncs.message("soon")
    assert syncs.seconds(3) >= 1
    quiet(syncs)
    syncs.seconds(900, turn=1.0)
    syncs.message("at-night")
    assert syncs.seconds(46) >= 1


def test_a_decision_and_a_card_are_shown_within_two_seconds(scene):
    syncs = Syncs(scene)
    quiet(syncs)
    decisions.withdraw(scene.c.site(ME), scene.study.digest, "")
    assert syncs.seconds(2) == 1
    quiet(syncs)
    scene.c.site(ME).book.trust(fixed_identity("Newcomer", "researcher").card)
    assert syncs.seconds(2) == 1


def test_what_comes_during_an_exchange_is_taken_in_by_the_next_one(scene):
    syncs = Syncs(scene)
    quiet(syncs)
    syncs.message("one")
    scene.monkeypatch.setattr(Agent, "_sync", lambda _: (syncs.sync(), syncs.message("two")))
    before = len(syncs.times)
    assert syncs.seconds(46) >= 2
    one, other = syncs.times[before : before + 2]
    assert other - one < 2.5


def test_an_exchange_that_takes_long_is_a_small_part_of_the_time(scene):
    syncs = Syncs(scene, took=10.0)
    syncs.seconds(1)
    assert syncs.seconds(3600, turn=5.0) <= 11
    assert syncs.seconds(3600, turn=5.0) in {6, 7, 8}  # every 510 seconds
    for number in range(60):  # messages without end
        syncs.message(str(number))
        syncs.seconds(5, turn=1.0)
    assert 6 <= len([t for t in syncs.times if t > syncs.now - 300]) <= 11


def test_a_reply_that_waits_for_its_time_is_not_delayed_by_an_exchange(scene):
    syncs = Syncs(scene)
    syncs.seconds(1)
    scene.run.answering = True
    assert syncs.seconds(100) == 0
    scene.run.answering = False
    assert syncs.seconds(2) == 1


def test_an_exchange_that_failed_is_tried_again(scene):
    syncs = Syncs(scene)
    syncs.problem = StoreError("The store is away.")
    assert syncs.seconds(10) >= 5
    syncs.problem = None
    syncs.seconds(2)
    assert syncs.seconds(60) < 8


def test_a_study_edited_on_disk_after_its_approval_does_not_run(scene):
    file = scene.c.root / ME / "studies" / scene.study.digest / "study.toml"
    file.write_bytes(file.read_bytes().replace(b"A small study", b"A small story"))
    turns(scene.begin("start"), 2)
    assert scene.status == "failed"
    assert scene.code() == "unreadable"
    assert not scene.c.state(ME, scene.study).started
    assert scene.study.digest not in scene.runs


@pytest.mark.parametrize("spoil", ["removed", "replaced"])
def test_without_the_approval_that_the_ledger_knows_nothing_runs(scene, spoil):
    file = scene.c.root / ME / "studies" / scene.study.digest / "approval"
    if spoil == "removed":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes().replace(b"Z", b"Y"))
    turns(scene.begin("start"), 2)
    assert scene.status == "failed"
    assert scene.code() == "not-approved"
    assert scene.study.digest not in scene.runs


def test_a_fault_at_pysyft_does_not_end_the_agent(scene):
    agent = scene.begin(None)
    tried = []

    def broken(_):
        tried.append(1)
        raise KeyError("a surprise in syft")

    scene.monkeypatch.setattr(Agent, "_sync", broken)
    agent._exchanges.at_once()
    turns(agent, 2)
    assert tried
    assert "a surprise in syft" in scene.c.log(ME)
    assert scene.status == "approved"


def test_an_altered_ledger_stops_the_agent(scene):
    agent = scene.begin(None)

    def altered(_):
        raise LedgerAlteredError("Event 3 was changed.")

    scene.monkeypatch.setattr(Agent, "_take_up_approved", altered)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(LedgerAlteredError):
            agent.run()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert "Event 3 was changed" in scene.c.log(ME)
    assert agent_state(scene.c.site(ME)) is None


def test_stopping_ends_workers_and_leaves_studies_to_the_next_agent(scene):
    waiting = scene.c.new_study("waiting")
    scene.c.hand_over(waiting, ME)
    scene.c.approve(ME, waiting)
    agent = scene.begin("start", None)
    turns(agent, 2)
    agent._stop(signal.SIGTERM, None)
    assert scene.run.ended == ["kill"]
    agent._wind_up()
    assert scene.run.ended == ["kill", "stop"]
    assert scene.status == "running"
    assert scene.code() is None
    assert scene.c.status(ME, waiting) == "approved"
    decisions.withdraw(scene.c.site(ME), waiting.digest, "")


def test_a_worker_that_ends_with_its_agent_does_not_spoil_a_waiting_approval(scene):
    agent = scene.begin(
        None, RoundError("The worker process ended unexpectedly.", whose="this hospital")
    )
    turns(agent, 1)
    agent._stop(signal.SIGTERM, None)
    turns(agent, 1)
    assert scene.status == "approved"


def test_texts_of_others_cannot_forge_lines_of_the_log(scene):
    agent = scene.begin(None)
    agent.say("a request\n2026-01-01T00:00:00Z study completed\x1b[2K\r")
    lines = scene.c.log(ME).splitlines()[-2:]
    assert lines[0].endswith("Z a request")
    assert lines[1].startswith("    | 2026")
    assert "\x1b" not in lines[1]


def test_a_second_agent_in_the_same_folder_is_refused(scene):
    scene.begin(None)
    with pytest.raises(UsageError, match="runs in this folder already"):
        Agent(scene.c.site(ME))


def test_an_old_file_of_a_killed_agent_does_not_keep_the_next_one_out(scene):
    state = scene.c.root / ME / "agent.json"
    state.write_text(
        json.dumps({"pid": os.getpid(), "since": "long ago"})
    )  # a process id that is alive, but another's
    assert agent_state(scene.c.site(ME)) is None
    assert stop_agent(scene.c.site(ME)) is False
    scene.begin(None)
    assert agent_state(scene.c.site(ME))["pid"] == os.getpid()
    state.write_text("[]")
    assert agent_state(scene.c.site(ME)) is None
    state.unlink()


def test_an_agent_that_does_not_stop_is_named(scene, monkeypatch):
    scene.begin(None)
    sleeper = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True);"
                " time.sleep(60)"
            ),
        ],
        stdout=subprocess.PIPE,
    )
    sleeper.stdout.readline()
    (scene.c.root / ME / "agent.json").write_text(json.dumps({"pid": sleeper.pid}))
    try:
        with pytest.raises(RoundError, match=f"process {sleeper.pid}"):
            stop_agent(scene.c.site(ME), seconds=0.1)
    finally:
        sleeper.kill()
        sleeper.wait()
        (scene.c.root / ME / "agent.json").unlink()


# --- the owner's word reaches the worker while the agent waits


def test_a_withdrawn_studys_worker_is_ended_while_the_agent_itself_waits(scene):
    """No turn of the agent takes place here: its thread is this one, and it waits for the kill."""
    scene.begin("start", None)
    scene.agent._turn()
    run = scene.runs[scene.study.digest]
    killed = threading.Event()
    run.interrupt = killed.set
    watch = scene.agent._withdrawals
    watch.look()
    # the control: a study whose owner said nothing goes on
    assert not killed.is_set()
    watch.start()
    try:
        decisions.withdraw(scene.agent._site, scene.study.digest, "")
        assert killed.wait(60)
    finally:
        watch.stop()
    assert run.calls == 1


def test_the_mark_is_there_before_a_store_that_hangs_is_asked(scene, monkeypatch):
    scene.begin("start", None)
    scene.agent._turn()
    seen = []

    def hang(*_):
        scene.agent._withdrawals.look()
        seen.extend(scene.runs[scene.study.digest].ended)

    monkeypatch.setattr(decisions, "publish_status", hang)
    decisions.withdraw(scene.agent._site, scene.study.digest, "")
    assert seen == ["kill"]
