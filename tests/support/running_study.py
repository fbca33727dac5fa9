"""One approved study at one hospital: keys, ledger, masks, encryption and store are real, the
worker and the clock are the test's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
from binary_models import initial_weights
from consortium import NAMES, Consortium
from worker_stand_ins import AtOnce

from securefl.federation import paths
from securefl.federation.coordinator import Coordinator
from securefl.federation.messages import Call, Ready
from securefl.federation.readiness import call_of, ready_of
from securefl.federation.run_memory import NoMemory
from securefl.federation.store_exchange import StoreExchange
from securefl.learning.features import feature_names
from securefl.learning.patient_hashes import patients_among
from securefl.node.own_study import LedgerWitness, OwnStudy, WorkerDoor
from securefl.node.study_run import StudyRun
from securefl.secagg.seal import CkksIntegers
from securefl.study.training import training_of

ME, OTHER, THIRD = NAMES
#: The other hospitals have said that this one's ledger forgot nothing.
AGREED = LedgerWitness(agreed=lambda: True, unheard=str)
INSTANCES = {name: hashlib.sha256(name.encode()).hexdigest() for name in NAMES}


class FakeWorker:
    """Answers at once with ones; remembers what it was asked, in order."""

    def __init__(self, *_args, **_kwargs):
        self.alive, self.did, self.problem, self.while_training, self.clamped = (
            True,
            [],
            None,
            lambda: None,
            0,
        )
        self.table, self.unfit = "0" * 64, None
        self.patients = ()

    def holds(self, _table):
        return True

    why_ended, walls = "", ()

    def check(self, text):
        self.did.append("check")
        if self.unfit:
            raise self.unfit

    def prepare(self, text, site, secret, patient_key, removed=frozenset()):
        self.did.append("prepare" if not removed else f"prepare without {len(removed)}")
        if self.problem:
            raise self.problem
        counts = {
            "rows": 80,
            "kept": 79,
            "training": 60,
            "held_out": 19,
            "set_aside": {"age: not recorded": 1},
            "sha256": self.table,
        }
        return counts | {"patients": patients_among(self.patients, patient_key).dump().hex()}

    def release(self, number, model, length, largest, timeout):
        self.did.append(f"round {number}")
        self.while_training()
        return np.ones(length, dtype=np.int64)

    def kill(self):
        self.did.append("kill")

    def stop(self):
        self.did.append("stop")


@dataclasses.dataclass
class Scene:
    """One study seen from one hospital, with the other parties' words put into the store by hand."""

    c: Consortium
    study: object
    run: StudyRun
    workers: list
    lines: list
    clock: SimpleNamespace
    tune: object = None

    @property
    def worker(self):
        return self.workers[-1]

    @property
    def site(self):
        return self.run.own.site

    def change_own(self, **changes):
        """From now on the run sees its study, its clock or its text so."""
        run = self.run
        run.own = run.entering.own = dataclasses.replace(run.own, **changes)
        if run.running is not None:
            run.running.watch._own = run.own

    def ask_by(self, ask):
        """From now on the worker is asked so."""
        run = self.run
        run.door = run.entering.door = dataclasses.replace(run.door, ask=ask)

    @property
    def made(self):
        """The contribution that is on disk and has not left."""
        return self.run.running.reply.pending.made

    @property
    def board(self):
        return self.site.board

    @property
    def ledger_says(self):
        return self.site.ledger.state.study(self.study.digest)

    def at(self, number=1):
        return paths.RoundPaths(self.study.digest, number)

    def announce(self, number=1, **spoil):
        if number > 1 and not spoil.pop("followed", False):
            # The others contribute nothing here: there is no total to verify.
            self.run.running.participant.following = None
        coordinator = Coordinator(
            self.run.plan,
            self.c.lab.folder.identity,
            StoreExchange(self.board, self.run.plan),
            CkksIntegers(),
            NoMemory(),
        )
        coordinator._instances = {
            **INSTANCES,
            ME: self.run.entering.instances.mine,
            **spoil.pop("instances", {}),
        }
        theta = initial_weights(
            training_of(self.study.file).model, len(feature_names(self.study.file.data))
        )
        ring = coordinator._plan.ring(number, len(coordinator._cohort))
        _, given = coordinator._announce(number, theta, CkksIntegers().generate(ring))
        for name in ("key", "model", "announcement"):
            self.board.post(getattr(self.at(number), name), spoil.get(name, getattr(given, name)))

    def others_approve(self):
        for name in (OTHER, THIRD):
            self.c.approve(name, self.study)

    def others_ready(self, *names):
        """The others' answers to the newest call."""
        nonce = call_of(self.board, self.run.plan).nonce
        for name in names or (OTHER, THIRD):
            word = Ready(self.study.digest, name, INSTANCES[name], nonce)
            self.board.post(
                paths.ready(self.study.digest, name), word.dump(self.c.site(name).identity.sign)
            )

    def call(self):
        """The researcher types `securefl study run`."""
        call = Call(self.study.digest, secrets.token_hex(32))
        self.board.post(paths.call(self.study.digest), call.dump(self.c.lab.folder.identity.sign))
        return call.nonce

    def wait(self, seconds=1.0):
        """A step now, and one later."""
        self.run.step()
        self.clock.now += seconds
        return self.run.step()

    def enter(self):
        """Everything before the first announcement: approvals, the table's check, the call, and all
        are ready.
        """
        self.others_approve()
        self.wait()
        self.call()
        self.wait()
        self.others_ready()
        assert self.ready() is not None

    def ready(self):
        return ready_of(self.board, self.run.plan, ME)

    def begin(self):
        """The first round is announced, and this hospital works on its reply."""
        self.enter()
        self.announce()
        self.run.step()
        assert self.run.started

    def make(self):
        """The announced round is seen, and at its public time the reply is made; it has not left
        yet.
        """
        self.run.step()
        assert self.run.answering
        assert self.run.running.reply.pending.made is None
        self.clock.now += 0.2001
        self.run.step()

    def sent(self, number=1):
        return self.board.read(self.at(number).contribution(ME), 1 << 20)

    def kept(self):
        return self.c.contributions(ME, self.study)


def study_scene(hospitals, request, *changes):
    """A fresh study of one hospital; for a fixture."""
    study = hospitals.new_study("s" + str(abs(hash(request.node.name)))[:12], *changes)
    hospitals.approve(ME, study)
    site, lines, workers, clock = hospitals.site(ME), [], [], SimpleNamespace(now=1000.0)

    def start_worker(*args, **kwargs):
        workers.append(FakeWorker(*args, **kwargs))
        if made.tune:
            made.tune(workers[-1])
        return workers[-1]

    own = OwnStudy(site, study.plan, lines.append, lambda: datetime.now(UTC), lambda: clock.now)
    run = StudyRun(own, AGREED, door=WorkerDoor(start_worker, AtOnce), settle_seconds=0.0)
    made = Scene(hospitals, study, run, workers, lines, clock)
    yield made
    site.ledger.close()
