"""A whole study of three hospitals in one process: requests reviewed and approved, budgets, agents,
masked and encrypted rounds, the aggregator, the researcher's run, the audits.

Folders, keys, ledgers, board, agents and checks are the product's. Left out are PySyft, which
carries a request, and the processes around workers: a worker's own code runs in this one, on its
own table. Nobody sleeps: the researcher's every look gives all others a turn, on a clock that goes
on by a quarter of a second.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from click.testing import CliRunner
from consortium import NAMES, Consortium
from worker_stand_ins import AtOnce

from securefl.cli.main import cli
from securefl.federation import store_exchange
from securefl.federation.aggregator_service import AggregatorService
from securefl.learning.models import weights_to_bytes
from securefl.node import agent as agents
from securefl.node import study_run
from securefl.node import worker as worker_code
from securefl.node.own_study import WorkerDoor
from securefl.node.study_run import StudyRun
from securefl.party.aggregator_events import AggregatorEvents
from securefl.party.folder import PartyFolder
from securefl.party.journal import Journal
from securefl.researcher import results
from securefl.researcher.asking import offer_study

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

#: Seconds of the test's clock between two turns.
_TURN = 0.25
#: Turns for which the researcher looks in vain, at most.
_PATIENCE = 400


class WorkerHere:
    """What a worker's process does, in this one: it checks, reads, splits, and answers rounds."""

    why_ended, walls = "", ()

    def __init__(self, source, *, max_bytes, log, rules) -> None:
        del log, rules
        opened = source.open()
        self._source, self._version, self._descriptor = source, opened.version, opened.descriptor
        self._reading, self._max_bytes = {"reading": opened.reading.content()}, max_bytes
        self._task, self.alive, self.clamped = None, True, 0

    def holds(self, source) -> bool:
        return source == self._source and source.version() == self._version

    def check(self, text) -> None:
        worker_code._check(self._reading, text, self._descriptor)

    def prepare(
        self, text, site, split_secret, patient_key=b"", removed=frozenset()
    ) -> dict[str, Any]:
        keys = {"split_secret": split_secret.hex(), "patient_key": patient_key.hex()}
        sizes = {"text": len(text), "removed": len(removed)}
        header = self._reading | keys | sizes | {"site": site}
        body = text + b"".join(sorted(removed))
        self._task, counts = worker_code._prepare(header, body, self._descriptor)
        return counts

    def release(self, number, model, length, largest, timeout) -> Any:
        del timeout
        public = model if isinstance(model, bytes | bytearray) else weights_to_bytes(model)
        answer = self._task.release(number, public)
        assert len(answer) <= self._max_bytes
        values = np.frombuffer(answer, dtype="<i8").astype(np.int64)
        assert values.shape == (length,)
        assert np.abs(values).max() <= largest
        self.clamped = self._task.clamped
        return values

    def kill(self) -> None:
        self.alive = False

    def stop(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self.alive = -1, False


class WholeStudy:
    """Three hospitals, an aggregator and a researcher, and one study of theirs.

    Args:
        root: an empty folder.
        edits: of the small protocol, after those that fit it to three hospitals. What they name
            must be registered.
        patch: puts the researcher's looks and the agents' workers into this process.
        way_of: gives each party its store; one for all unless said.
        names: of the hospitals.

    Attributes:
        consortium: everybody's folders.
        study: the researcher's.
    """

    def __init__(
        self,
        root: Path,
        *edits: tuple[str, str],
        patch: pytest.MonkeyPatch,
        way_of: Callable[[str], Path] | None = None,
        names: tuple[str, ...] = NAMES,
    ) -> None:
        self.consortium = c = Consortium(root, edits=edits, way_of=way_of, names=names)
        self.study = c.new_study("whole", *edits)
        self._now = 1000.0
        door = WorkerDoor(WorkerHere, AtOnce)
        patch.setattr(study_run, "StudyRun", partial(StudyRun, door=door, settle_seconds=0.0))
        patch.setattr(agents.Agent, "_sync_when_due", lambda _agent: None)
        for module in (store_exchange, results):
            patch.setattr(module, "poll", self._poll)
        sums = PartyFolder.open(c.root / "sums", "aggregator")
        self._aggregator = AggregatorService(
            sums.board,
            sums.identity,
            sums.book,
            Journal(sums.path / "aggregator.log").say,
            clock=lambda: self._now,
            watch=AggregatorEvents(sums.path, partial(datetime.now, UTC)),
        )
        self._agents = [agents.Agent(c.site(name), lambda: self._now) for name in c.names]

    def request(self) -> None:
        """What a request leaves at the aggregator and in every hospital's inbox."""
        self._offer()
        for name in self.consortium.names:
            self.consortium.hand_over(self.study, name)

    def _offer(self) -> None:
        offer_study(self.consortium.lab.folder, self.study.plan)

    def run(self) -> Any:
        """Request, approvals, all rounds, and the ends of all hospitals; the researcher's result."""
        self.request()
        for name in self.consortium.names:
            self.consortium.approve(name, self.study)
        self._turns(8)
        result = self.consortium.run(self.study)
        self._turns(8)
        for one in self._agents:
            one._wind_up()
        return result

    def check_ends(self) -> None:
        """Every hospital completed the study, every round's sum is what the hospitals signed."""
        plan, names = self.study.plan, self.consortium.names
        for name in names:
            assert self.consortium.status(name, self.study) == "completed", self._logs()
        assert set(self.study.report()["extracts"]) == set(names)
        for number in range(1, plan.last_round + 1):
            assert set(self.study.verify(number).frames) == set(names)

    def check_models(self) -> None:
        """The model came home to every hospital, which worked out the same weights by itself."""
        for name in self.consortium.names:
            home = self.consortium.root / name / "models" / self.study.name
            assert (home / "model.safetensors").exists(), self._logs()

    def audits(self) -> dict[str, str]:
        """Hospital → what ``securefl audit`` says of its ledger, which holds."""
        said = {}
        for name in self.consortium.names:
            folder = str(self.consortium.root / name)
            done = CliRunner().invoke(cli, ["audit", "--site", folder], env={"COLUMNS": "200"})
            assert done.exit_code == 0, done.output
            said[name] = " ".join(done.output.split())
        return said

    def _turns(self, count: int) -> None:
        for _ in range(count):
            self._turn()

    def _turn(self) -> None:
        self._now += _TURN
        for one in self._agents:
            one._turn()
        self._aggregator.turn()

    def _poll(self, found: Any, **_: Any) -> Any:
        for _turn in range(_PATIENCE):
            if (result := found()) is not None:
                return result
            self._turn()
        raise AssertionError(self._logs())

    def _logs(self) -> str:
        return "\n".join(f"{n}: {self.consortium.log(n)[-1500:]}" for n in self.consortium.names)


def whole_study(root: Path, *edits: tuple[str, str], patch: pytest.MonkeyPatch) -> WholeStudy:
    """A study of these edits that ran to its end, every end of it checked."""
    made = WholeStudy(root, *edits, patch=patch)
    made.result = made.run()
    made.check_ends()
    return made
