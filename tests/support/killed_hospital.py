"""A whole study over a board in one process: hospitals as they are in their agents, an aggregator
and a coordinator, one turn of each after the other; a hospital is killed and started again.

Keys, ledgers, masks, encryption and store are real; workers and clock are the test's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
from consortium import NAMES
from killed_run import KilledError, Killer, Posted
from running_study import AGREED, FakeWorker
from worker_stand_ins import AtOnce

from securefl.boards.slot import Slot
from securefl.federation import kept_totals, store_exchange
from securefl.federation.aggregator_service import AggregatorService
from securefl.federation.coordinator import Coordinator
from securefl.federation.messages import Invitation
from securefl.federation.run_memory import NoMemory
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.study_board import StudyBoard
from securefl.node import durable_contribution, kept_rounds, run_key, unmasking_sender
from securefl.node.own_study import OwnStudy, WorkerDoor
from securefl.node.run_key import RunKey
from securefl.node.study_run import StudyRun
from securefl.party.folder import PartyFolder
from securefl.privacy.ledger import Ledger
from securefl.secagg.seal import CkksIntegers

ME = NAMES[0]
KINDS = {
    "full": (),
    "survivors": (
        ('on_dropout = "fail"', 'on_dropout = "continue"'),
        ("min_contributors = 3", "min_contributors = 2"),
        ("colluders = 1", "colluders = 0"),
    ),
}
SHORT = (
    ("rounds = 3", "rounds = 1"),
    ("steps = 3", "steps = 1"),
    ('epsilon = "1"\nnoise_multiplier', 'epsilon = "0.693"\nnoise_multiplier'),
)
#: Turns after which a study that does not end is one that hangs.
MOST_TURNS = 2_000
#: All by which a hospital makes something durable or lets it leave: owner of the name, name.
ACTS = (
    (run_key.RunKey, "keep"),
    (kept_rounds, "replace_file"),
    (kept_totals, "replace_file"),
    (durable_contribution, "write_file"),
    (unmasking_sender, "replace_file"),
    (Ledger, "start"),
    (Ledger, "sent"),
    (Ledger, "answer"),
    (Slot, "post"),
    (Slot, "post_file"),
    (Slot, "post_once"),
)


def numbers_of(site, number, length):
    """A hospital's numbers in a round, int64[length]."""
    seed = hashlib.sha256(f"{site}/{number}".encode()).digest()
    return np.random.default_rng(list(seed)).integers(-20, 20, length)


class Worker(FakeWorker):
    """Answers with numbers that follow from hospital and round; notes each draw."""

    site, drawn = "", Counter()

    def release(self, number, model, length, largest, timeout):
        del model, largest, timeout
        self.drawn[number] += 1
        return numbers_of(self.site, number, length)


class House:
    """One hospital: its folder, and a run of its agent that can be killed."""

    def __init__(self, c, name, study, clock):
        self.c, self.name, self.study, self.clock = c, name, study, clock
        self.drawn, self.lines, self.over = Counter(), [], None
        self.site, self.run, self.starts = None, None, 0
        self.start()

    def start(self):
        """Another process on the same folder."""
        self.starts += 1
        self.site = self.c.site(self.name)
        if self.site.ledger.state.study(self.study.digest).started:
            RunKey(self.site.study_folder(self.study.digest)).check_here()
        own = OwnStudy(
            self.site,
            self.study.plan,
            self.lines.append,
            lambda: datetime.now(UTC),
            lambda: self.clock.now,
        )
        door = WorkerDoor(self._worker, AtOnce)
        self.run = StudyRun(own, AGREED, door=door, settle_seconds=0.0)

    def kill(self):
        """What the kernel does: nothing of the process is left."""
        self.site.ledger.close()
        self.start()

    def step(self):
        if self.over is None:
            self.over = self.run.step()

    def _worker(self, *_, **__):
        made = Worker()
        made.site, made.drawn = self.name, self.drawn
        return made


def approved(c, name, kind):
    study = c.new_study(name, *SHORT, *KINDS[kind])
    for site in c.names:
        c.hand_over(study, site)
        c.approve(site, study)
    return study


def invite(c, study, board=None):
    """What a request puts into the store for the aggregator."""
    on_board = StudyBoard(board or c.lab.folder.board, study.digest)
    me = c.lab.folder.identity
    on_board.text.post(study.sealed.text)
    on_board.invitation.post(Invitation(study.digest, me.card.name).dump(me.sign))


class World:
    """Everybody of one approved study.

    Args:
        c: the consortium; no process of it runs.
        study: approved by all.
        monkeypatch: puts turns in the place of waiting.
        coordinator: the class.
    """

    def __init__(self, c, study, monkeypatch, coordinator=Coordinator):
        self.c, self.study = c, study
        self.clock = SimpleNamespace(now=1000.0)
        self.houses = {name: House(c, name, study, self.clock) for name in c.names}
        operator = PartyFolder.open(c.root / "sums", "aggregator")
        self.sums = AggregatorService(
            operator.board, operator.identity, operator.book, lambda _: None
        )
        self.board = c.lab.folder.board
        invite(c, study)
        self.posted = Posted(self.houses[ME].site.board)
        self.coordinator = coordinator(
            study.plan,
            c.lab.folder.identity,
            StoreExchange(self.board, study.plan),
            CkksIntegers(),
            NoMemory(),
        )
        self.killer, self.kills = Killer(), 0
        monkeypatch.setattr(store_exchange, "poll", self._poll)
        for owner, name in ACTS:
            monkeypatch.setattr(owner, name, self._watched(owner, name))
        self._acting = ""

    def turn(self):
        """A step of everybody."""
        self.clock.now += 0.3
        for name, house in self.houses.items():
            self._acting = name
            try:
                house.step()
            except KilledError:
                self.kills += 1
                self._acting = ""
                house.kill()
                self.posted.watch(house.site.board)
            finally:
                self._acting = ""
        self.sums.look()
        self.sums.step()

    def finish(self):
        """Turns after the coordinator's end, until all hospitals have settled."""
        for _ in range(MOST_TURNS):
            if all(house.over for house in self.houses.values()):
                return
            self.turn()
        raise AssertionError("a hospital does not see the end")

    def _poll(self, found, **_):
        for _ in range(MOST_TURNS):
            result = found()
            if result is not None:
                return result
            self.turn()
        raise AssertionError("nobody moves")

    def _watched(self, owner, name):
        act = getattr(owner, name)
        here = f"{getattr(owner, '__name__', owner).rsplit('.', 1)[-1]}.{name}"

        def watched(*given, **named):
            if self._acting != ME:
                return act(*given, **named)
            return self.killer.around(here, act)(*given, **named)

        return watched
