"""Times: a hospital whose agent waits for its worker tells how many rows it has, by its replies and
by its silence.

The whole agent runs here on a clock of the test, which every rest advances; nothing is timed. Its
worker takes ``d`` seconds, or ten times as long, as on 150 and on 1,500 rows. The attacker sees all
that the agent does with the store, to the microsecond, and puts questions for checkpoints there:
fresh ones, as another hospital can, or recorded ones, for which no key is needed.
"""

import itertools
import secrets
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from boards import is_there
from consortium import NAMES, Consortium
from in_process_federation import in_memory
from worker_stand_ins import after, blocking

from securefl.federation import checkpoints as said
from securefl.federation import paths
from securefl.federation.coordinator import Coordinator
from securefl.federation.full_round import FullRound
from securefl.federation.messages import Call, Ready
from securefl.federation.opened_sum import OpenedSum
from securefl.federation.participant import Participant
from securefl.federation.readiness import all_ready
from securefl.federation.run_memory import NoMemory
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.study_progress import StudyProgress
from securefl.node import study_run
from securefl.node.agent import Agent
from securefl.node.answered import Answered
from securefl.node.checkpoints import answer_questions
from securefl.node.own_study import WorkerDoor
from securefl.node.published_approvals import all_approvals
from securefl.node.study_run import StudyRun
from securefl.secagg.opening import open_sum
from securefl.secagg.seal import CkksIntegers

ME, OTHER, THIRD = NAMES
#: Seconds that a worker takes on few rows, and on ten times as many; reply_after is 0.2.
SMALL, LARGE = 0.018, 0.18


class FakeClock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


class Traced:
    """A store whose every use is written down with its time: what its operator sees."""

    def __init__(self, store, clock, digest):
        self._board, self._clock, self._digest, self.trace = store, clock, digest, []

    def __getattr__(self, name):
        found = getattr(self._board, name)
        if not callable(found):
            return found

        def used(path, *more, **how):
            place = str(path).replace(self._digest, "STUDY")
            if place.startswith(said.ASKED):
                place = place.partition(".")[0]  # what follows is fresh in each run
            self.trace.append((round(self._clock.now, 6), name, place))
            return found(path, *more, **how)

        return used


class FakeWorker:
    alive, clamped = True, 0
    why_ended, walls = "", ()

    def __init__(self, *_args, **_kwargs):
        pass

    def holds(self, _table):
        return True

    def wait_ready(self):
        pass

    def check(self, *_):
        pass

    def prepare(self, *_):
        return {
            "rows": 9,
            "kept": 9,
            "training": 6,
            "held_out": 3,
            "set_aside": {},
            "sha256": secrets.token_hex(32),
            "patients": "f" * 16,
        }

    def release(self, number, model, length, largest, timeout):
        return np.ones(length, dtype=np.int64)

    def kill(self):
        pass

    def stop(self):
        pass


class Hospital:
    """One hospital's agent in a study of three, the others' words put into the store at public
    times.
    """

    def __init__(self, root, monkeypatch):
        root.mkdir()
        self.c = Consortium(root)
        self.study = self.c.new_study("times")
        self.clock = FakeClock()
        self.c.hand_over(self.study, ME)
        for name in NAMES:
            self.c.approve(name, self.study)
        self.others = [self.c.site(name) for name in (OTHER, THIRD)]
        site = self.c.site(ME)
        self.board = site.board
        self.traced = site.__dict__["board"] = Traced(site.board, self.clock, self.study.digest)
        self.progress = StudyProgress(self.study.plan)
        approvals = all_approvals(site, self.study.plan, lambda *_: None)
        self.participants = [self.participant(other, approvals) for other in self.others]
        self.patch = monkeypatch
        monkeypatch.setattr(Agent, "_sync", lambda _: None)
        self.site = site

    def participant(self, other, approvals):
        """Another hospital, which sends ones."""
        return Participant(
            plan=self.study.plan,
            identity=other.identity,
            study_key=other.study_key(self.study.digest),
            approvals=approvals,
            trainer=lambda number, model, length, largest: np.ones(length, dtype=np.int64),
            keeper=in_memory,
            cipher=CkksIntegers(),
            instance=secrets.token_hex(32),
            following=None,
        )

    def start(self, ask):
        self.patch.setattr(
            study_run,
            "StudyRun",
            lambda own, witness: StudyRun(own, witness, door=WorkerDoor(FakeWorker, ask)),
        )
        self.agent = Agent(self.site, self.clock)
        self.patch.setattr(self.agent, "_rest", self.clock.advance)

    def turn(self):
        self.agent._turn()
        self.agent._rest(max(self.agent._until_due(), 0.001))

    def ask(self):
        """A question of another hospital, with a number that was never used."""
        nonce = secrets.token_hex(32)
        question = said.Ask(OTHER, nonce).dump(self.others[0].identity.sign)
        self.board.post(said.ask_path(OTHER), question)
        self.board.post(f"{said.ASKED}/{said.asked_mark(OTHER, nonce)}", b"")
        return question

    def announce(self, number):
        plan = self.study.plan
        coordinator = Coordinator(
            plan,
            self.c.lab.folder.identity,
            StoreExchange(self.board, plan),
            CkksIntegers(),
            NoMemory(),
        )
        coordinator._instances = all_ready(self.board, plan, self.nonce)
        keys = CkksIntegers().generate(plan.ring(number, len(plan.study.cohort)))
        facts, given = coordinator._announce(number, self.progress.broadcast(), keys)
        at = paths.RoundPaths(self.study.digest, number)
        for name in ("key", "model", "announcement"):
            self.board.post(getattr(at, name), getattr(given, name))
        for participant in self.participants:
            self.board.post(at.contribution(participant.name), participant.answer(given).read())
        self.announced = (coordinator, facts, keys)

    def finish(self):
        """The announced round is opened, and its opening shown."""
        coordinator, facts, keys = self.announced
        secret, total = keys.secret(), np.empty(facts.length, dtype=np.int64)
        with closing(FullRound(self.study.plan, facts)) as arrivals:
            assert arrivals.poll(self.board)
            open_sum(keys, arrivals.sum_blocks(), facts, total)
            parts = dict(arrivals.parts)
        opening = coordinator._opening(facts, secret, OpenedSum(total, parts, "0" * 64, 0))
        StoreExchange(self.board, self.study.plan).show(facts.round, opening)
        self.progress.absorb(total, len(parts))

    def call(self):
        """The researcher starts the run, and the other hospitals are ready at once."""
        call = Call(self.study.digest, secrets.token_hex(32))
        self.nonce = call.nonce
        self.board.post(paths.call(self.study.digest), call.dump(self.c.lab.folder.identity.sign))
        for participant, other in zip(self.participants, self.others, strict=True):
            word = Ready(self.study.digest, other.name, participant.instance, call.nonce)
            self.board.post(
                paths.ready(self.study.digest, other.name), word.dump(other.identity.sign)
            )

    def sent(self, number):
        return is_there(self.board, paths.RoundPaths(self.study.digest, number).contribution(ME))

    def trace(self):
        """All that the agent did with the store from its start to its third reply, while it was
        asked twice a second.
        """
        self.turn()
        for other in self.others:
            answer_questions(other, Answered(other.path))
        number, asked = 0, 0.0
        self.call()
        while not self.sent(3):
            assert self.clock.now < 200.0
            ready = len(all_ready(self.board, self.study.plan, self.nonce)) == len(NAMES)
            if ready and (number == 0 or self.sent(number)):
                if number:
                    self.finish()
                number += 1
                self.announce(number)
            if self.clock.now >= asked + 0.25:
                asked = self.clock.now
                self.ask()
            self.turn()
        self.agent._presence.leave()
        return self.traced.trace


@pytest.fixture
def hospital(tmp_path, monkeypatch):
    return lambda name: Hospital(tmp_path / name, monkeypatch)


def used(hospital, name, asking):
    made = hospital(name)
    made.start(asking(made.clock))
    return made.trace()


def test_all_that_an_agent_does_is_the_same_for_a_small_and_a_large_hospital(hospital):
    traces = [
        used(hospital, str(seconds), lambda clock, s=seconds: after(clock, lambda: s))
        for seconds in (SMALL, LARGE)
    ]
    assert traces[0] == traces[1]
    assert sum(name == "post_file_first" for _, name, _ in traces[0]) == 3
    # It verified what came of the rounds before, at times that are the same as well.
    shown = {path.split("/")[-2] for _, _, path in traces[0] if path.endswith("/opening")}
    assert shown == {"00001-1", "00002-1"}
    assert (
        sum(name == "post" and path == said.held_path(OTHER, ME) for _, name, path in traces[0]) > 3
    )


def test_control_an_agent_that_waits_for_its_worker_tells_the_hospitals_apart(hospital):
    """As it was: the worker's answer was waited for, and nothing else was done meanwhile."""
    traces = [
        used(hospital, str(seconds), lambda clock, s=seconds: blocking(clock.advance, lambda: s))
        for seconds in (SMALL, LARGE)
    ]
    assert traces[0] != traces[1]
    silences = [
        max(later - earlier for (earlier, *_), (later, *_) in itertools.pairwise(t)) for t in traces
    ]
    assert silences[1] > silences[0]


class LastOnly:
    """A memory of the last question alone, as it was."""

    def __init__(self):
        self.last = {}

    def has(self, name, nonce):
        return self.last.get(name) == nonce

    def add(self, name, nonce):
        self.last[name] = nonce


def answers_to_recorded(memory, site, questions, rounds=5):
    """How many answers somebody gets who has no key, and puts recorded questions back in turn."""
    answered = 0
    for _ in range(rounds):
        for question in questions:
            site.board.erase(said.held_path(OTHER, ME))
            site.board.post(said.ask_path(OTHER), question)
            answer_questions(site, memory())
            answered += is_there(site.board, said.held_path(OTHER, ME))
    return answered


@pytest.fixture
def recorded(tmp_path):
    c = Consortium(tmp_path)
    other = c.site(OTHER)
    questions = [said.Ask(OTHER, secrets.token_hex(32)).dump(other.identity.sign) for _ in range(3)]
    return SimpleNamespace(site=c.site(ME), questions=questions)


def test_a_recorded_question_is_answered_once_also_by_an_agent_that_starts_again(recorded):
    answered = answers_to_recorded(
        lambda: Answered(recorded.site.path), recorded.site, recorded.questions
    )  # anew at each look
    assert answered == len(recorded.questions)


def test_control_who_remembers_the_last_question_alone_answers_recorded_ones_for_ever(recorded):
    memory = LastOnly()
    assert answers_to_recorded(lambda: memory, recorded.site, recorded.questions) == 5 * len(
        recorded.questions
    )
