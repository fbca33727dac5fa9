"""A whole study in one process under a :mod:`weather`: the agents of three hospitals, an aggregator
and a researcher's run, each started again after it was killed, or ended by its store or its disk.

Keys, ledgers, masks, encryption, board, agents and the run are the product's. Workers, whose numbers
follow from hospital and round, and clocks are the test's: nobody sleeps.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import os
import shutil
from collections import Counter
from functools import partial
from types import SimpleNamespace

import fsspec
from killed_hospital import Worker, invite
from killed_run import KilledError
from weather import AGGREGATOR, COORDINATOR, FaultyCarrier, Weather, watch_files
from worker_stand_ins import AtOnce

from securefl import backoff
from securefl.boards import opening
from securefl.boards.board import MARKER
from securefl.boards.folder import FolderCarrier
from securefl.boards.fsspec import FsspecCarrier
from securefl.boards.s3 import S3Carrier
from securefl.errors import SecureFLError
from securefl.federation import store_exchange
from securefl.federation.aggregator_service import AggregatorService
from securefl.node import agent as agents
from securefl.node import study_run
from securefl.node.own_study import WorkerDoor
from securefl.node.study_run import StudyRun
from securefl.party.folder import PartyFolder
from securefl.researcher import durable_run
from securefl.researcher.run_study import goes_on, run_once, was_run
from securefl.secagg.total_check import total_sha256

#: Seconds of the test's clock between two turns; turns after which a study hangs.
TURN = 0.3
MOST_TURNS = 4_000
#: How often a researcher starts the run again.
MOST_RUNS = 6
_WORLDS = itertools.count()


def store_of(kind, folder, place):
    """The carrier of a store.

    Args:
        kind: ``folder``, ``fsspec`` (its file system in memory), or the URL of a bucket.
        folder: the consortium's own store, which holds the mark.
        place: names this study's place in it.
    """
    if kind == "folder":
        return FolderCarrier(str(folder))
    if kind == "fsspec":
        made = FsspecCarrier(fsspec.filesystem("memory"), f"/{place}")
    else:
        made = S3Carrier(f"{kind}/{place}")
    mark = (folder / MARKER).read_bytes()
    made.write(MARKER, lambda file: file.write(mark))
    return made


class FaultyWorld:
    """Everybody of one study that all have approved.

    Args:
        ready: a consortium, and a study that all have approved; both stay as they are.
        root: a folder that is not there yet, for a copy of all theirs.
        weather: what goes wrong.
        patch: puts this world's turns in the place of waiting.
        store: see :func:`store_of`.

    Attributes:
        outcome: of the run; None where the study ended without one.
        errors: what the researcher was told, in order.
        opened: round → hashes of the totals that were ever opened.
        drawn: hospital → round → how often its worker was asked.
        never: hospitals whose end is not waited for.
    """

    never = ()

    def __init__(self, ready, root, weather, patch, store="folder"):
        template, self.study = ready
        shutil.copytree(template.root, root, copy_function=shutil.copy)
        self.c = c = copy.copy(template)
        c.root, c.store_folder = root, root / "store"
        self.weather = weather
        self.clock = SimpleNamespace(now=1_000.0)
        self.outcome, self.errors, self.opened = None, [], {}
        self.drawn = {name: Counter() for name in c.names}
        weather.home = str(c.root)
        self.carrier = store_of(store, c.store_folder, f"world-{next(_WORLDS)}")
        self._patch(patch)
        weather.role = "before"
        invite(c, self.study, self._board())
        self._agents, self._sums, self._ends = {}, None, {}
        for name in (*c.names, AGGREGATOR):
            self._started(name)
        weather.role = COORDINATOR

    def run(self):
        """The whole study, whatever it takes; then all hospitals settle."""
        try:
            self._run()
            self.board = self._board()
        finally:
            for name in self.c.names:
                self._let_go(name)

    def _run(self):
        folder = self.c.root / "researcher" / "studies" / self.study.folder.name
        for _ in range(MOST_RUNS):
            lab = PartyFolder.open(self.c.root / "researcher", "researcher")
            try:
                self.outcome = run_once(
                    lab, folder, self.study.plan, None, lambda _: None, finish=lambda made: made
                )
                break
            except KilledError:
                if not self.comes_back():
                    break
                self.weather.dead.discard(COORDINATOR)
            except SecureFLError as error:
                self.errors.append(error)
                self._turns(10)
                if was_run(folder) and not goes_on(lab, folder, self.study.plan):
                    break
        for _ in range(MOST_TURNS):
            ends = (self.status(name) for name in self.c.names if name not in self.never)
            if all(end in {"completed", "failed"} for end in ends):
                break
            self._turn()
        self._turns(10)
        for name in self.c.names:
            self._ends[name] = self.state(name)
            self._agents[name]._wind_up()

    def comes_back(self):
        """Whether the coordinator that was killed is started again; at once."""
        return True

    def state(self, name):
        """What that hospital's ledger says of the study."""
        if name in self._ends:
            return self._ends[name]
        return self._agents[name]._site.ledger.state.study(self.study.digest)

    def status(self, name):
        return self.state(name).status

    def objects(self):
        """Paths of all that lies in the store of this study, below its own folder."""
        return sorted(self._below(f"studies/{self.study.digest}"))

    def _below(self, folder):
        for name in self.carrier.names(folder):
            path = f"{folder}/{name}"
            try:
                with self.carrier.open(path, 1) as file:
                    file.read(1)
                yield path.split("/", 2)[2]
            except (IsADirectoryError, FileNotFoundError):
                yield from self._below(path)

    def _board(self):
        return PartyFolder.open(self.c.root / "researcher", "researcher").board

    def _start(self, name):
        """Another process on the same folder."""
        self.weather.role = name
        if name == AGGREGATOR:
            party = PartyFolder.open(self.c.root / name, "aggregator")
            self._sums = AggregatorService(
                party.board,
                party.identity,
                party.book,
                lambda _: None,
                lambda: self._now(name),
                lambda: self.clock.now,
            )
            return
        agent = agents.Agent(self.c.site(name), lambda: self.clock.now)
        self._agents[name] = agent
        agent._recover()

    def _started(self, name):
        """Another process on the same folder, however often it is killed while it starts."""
        while True:
            self._let_go(name)
            self.weather.dead.discard(name)
            try:
                self._start(name)
            except KilledError:
                continue
            return

    def _let_go(self, name):
        """What the kernel does for a process that is gone: locks and files are let go of."""
        agent = self._agents.pop(name, None)
        if agent is not None:
            agent._presence._lock.release()
            agent._site.ledger.close()
            agent._log.close()

    def _turn(self):
        """A step of everybody."""
        self.clock.now += TURN
        before = self.weather.role
        for name in (*self.c.names, AGGREGATOR):
            self.weather.role = name
            try:
                what = self.weather.strike("turn")
                self.weather.step_clock(what)
                self._act(name)
            except KilledError:
                self._started(name)
        self.weather.role = before
        self.weather.turn()

    def _act(self, name):
        if name == AGGREGATOR:
            try:
                self._sums.turn()
            except SecureFLError:  # as its command does: it is tried again
                return
            return
        self._agents[name]._turn()

    def _turns(self, count):
        for _ in range(count):
            self._turn()

    def _now(self, name):
        real = dt.datetime.now(dt.UTC)
        return real + dt.timedelta(seconds=self.weather.wall[name])

    def _patch(self, patch):
        weather, world = self.weather, self

        def sleep(_seconds):
            world._left -= 1
            assert world._left > 0, f"nobody moves; {weather.struck}"
            world._turn()

        self._left = MOST_TURNS
        waiting = SimpleNamespace(monotonic=lambda: self.clock.now, sleep=sleep)
        patch.setattr(backoff, "time", waiting)
        patch.setattr(store_exchange, "time", waiting)

        class Wall(dt.datetime):
            @classmethod
            def now(cls, tz=None):
                del tz
                return world._now(weather.role)

        patch.setattr(agents, "datetime", Wall)
        patch.setattr(opening, "_maker", lambda _: lambda _: FaultyCarrier(self.carrier, weather))
        door = WorkerDoor(self._worker, AtOnce)
        patch.setattr(study_run, "StudyRun", partial(StudyRun, door=door, settle_seconds=0.0))
        patch.setattr(agents.Agent, "_sync_when_due", lambda _: None)
        patch.setattr(agents.Agent, "_rest", lambda *_: None)
        patch.setattr(os, "fsync", lambda _: None)  # a kill loses nothing that was written
        watch_files(weather, patch)
        finish = durable_run.DurableRun.finish

        def noted(memory, finished):
            totals = self.opened.setdefault(finished.record.round, set())
            totals.add((total_sha256(finished.total), tuple(finished.record.contributions.items())))
            return finish(memory, finished)

        patch.setattr(durable_run.DurableRun, "finish", noted)

    def _worker(self, *_, **__):
        made = Worker()
        made.site = self.weather.role
        made.drawn = self.drawn[made.site]
        return made


class AwayWorld(FaultyWorld):
    """A study in which a hospital is cut off, from the announcement of a round until the others have
    said who is left.

    Attributes:
        away: the rounds that go on without it.
    """

    away = (2,)

    def _act(self, name):
        cut_off = (
            self._lies(n, "announcement") and not self._lies(n, "survivors") for n in self.away
        )
        if name != self.c.names[0] or not any(cut_off):
            super()._act(name)

    def _lies(self, number, what):
        folder = f"studies/{self.study.digest}/rounds/{number:05d}-1"
        try:
            return what in self.carrier.names(folder)
        except FileNotFoundError:
            return False


def undisturbed(ready, root, patch, store="folder"):
    """The world of a study in which nothing went wrong."""
    world = FaultyWorld(ready, root, Weather(), patch, store)
    world.run()
    return world
