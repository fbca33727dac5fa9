"""A consortium of three hospitals in folders of their own, with agents and an aggregator as
processes; tables are invented.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fork_server
from conftest import protocol_text

from securefl.api import Lab, Study, connect
from securefl.federation import store_exchange
from securefl.learning.mock import mock_table
from securefl.learning.stages.programme import charges_of
from securefl.node import decisions
from securefl.node.policy import review
from securefl.node.public_side import keep_public
from securefl.node.requests import keep_request
from securefl.node.site import Site
from securefl.node.waiting import waiting_for
from securefl.party.folder import PartyFolder
from securefl.privacy.planning import choose_order
from securefl.sources.csv import CsvSource
from securefl.study.parse import parse_protocol
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("STMW", "SVHC", "SVI")
LIGHT_AGENT = Path(__file__).with_name("light_agent.py")
#: Three rounds and the evaluation; noise 2.0 costs 0.9947 at delta 1e-5 by the PLD accountant.
SMALL = (
    ("min_contributors = 5", "min_contributors = 3"),
    ("colluders = 3", "colluders = 1"),
    ("rounds = 4", "rounds = 3"),
    ("steps = 4", "steps = 3"),
    ('noise_multiplier = "2.14"', 'noise_multiplier = "2.0"'),
    ('normaliser = "200"', 'normaliser = "30"'),
    # so few patients are lost in the noise: a rule on their AUC could not be judged
    ('minimum = "0.5"', 'minimum = "0"'),
)
#: Nearly every batch is empty; 0.0148 by the PLD accountant.
RARE = (
    ("min_contributors = 5", "min_contributors = 3"),
    ("colluders = 3", "colluders = 1"),
    ("rounds = 4", "rounds = 3"),
    ("steps = 4", "steps = 3"),
    ('noise_multiplier = "2.14"', 'noise_multiplier = "1"'),
    ('normaliser = "200"', 'normaliser = "30"'),
    ('sample_rate = "1/5"', 'sample_rate = "1/1000"'),
    ('epsilon = "1"\nnoise_multiplier', 'epsilon = "0.0149"\nnoise_multiplier'),
    ('minimum = "0.5"', 'minimum = "0"'),
)


class Consortium:
    """Folders of everybody below ``root``, cards exchanged, tables registered, budgets granted.

    No process runs yet.

    Args:
        root: a folder that is empty.
        epsilon: of each hospital's budget.
        names: of the hospitals.
        way_of: gives each party a path of its own to the one store.
        without_pysyft: the hospitals that take requests off the board.
        real_workers: the hospitals whose workers train by torch and Opacus; the others' save the
            seconds that importing these takes (:mod:`light_agent`).
        edits: of the small protocol, which says what the tables are and what a budget pays for.

    Attributes:
        program: what Python runs as ``securefl`` in all the parties' processes, in the place of
            these two.
    """

    program: tuple[str, ...] = ()

    def __init__(
        self,
        root: Path,
        *,
        epsilon: str = "100",
        names: tuple[str, ...] = NAMES,
        way_of: Callable[[str], Path] | None = None,
        without_pysyft: tuple[str, ...] = (),
        real_workers: tuple[str, ...] = (),
        edits: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.root, self.names, self._real_workers = root, names, real_workers
        self.store_folder = root / "store"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.protocol = root / "protocol.toml"
        self.protocol.write_text(protocol_text(*SMALL, *edits))
        plain = parse_protocol(self.protocol.read_bytes())
        email = "someone@example.org"

        def where(name: str) -> dict[str, str]:
            """The fields of a party's folder that differ by its way to the store."""
            return {"email": email, "store": str(way_of(name) if way_of else self.store_folder)}

        researcher = PartyFolder.create(
            root / "researcher",
            name="researcher",
            role="researcher",
            legal_name="A University",
            **where("researcher"),
        )
        aggregator = PartyFolder.create(
            root / "sums",
            name="sums",
            role="aggregator",
            legal_name="A Neutral Party",
            **where("sums"),
        )
        sites = [
            Site.init(
                root / name,
                name=name,
                legal_name=f"Hospital {name}",
                requests="board" if name in without_pysyft else "pysyft",
                **where(name),
            )
            for name in names
        ]
        choice = choose_order(Decimal(epsilon), plain.privacy.delta, charges_of(plain))
        for seed, site in enumerate(sites):
            for other in (*sites, researcher):
                if other.name != site.name:
                    site.book.trust(other.identity.card)
            table = site.path / "private" / "records.csv"
            table.write_bytes(mock_table(plain.data, 80, seed=seed))
            entered = site.with_dataset("records", CsvSource(table), "clinic")
            keep_public(entered, plain.data, mock_table(plain.data, 20, seed=99))
            entered.ledger.grant(
                "clinic",
                epsilon=Decimal(epsilon),
                delta=plain.privacy.delta,
                choice=choice,
                typical="small",
                charges=charges_of(plain),
            )
            entered.ledger.close()
        for other in (*sites, aggregator):
            researcher.book.trust(other.identity.card)
        aggregator.book.trust(researcher.identity.card)

    # --- folders
    # -----------------------------------------------------------------------------------------------------

    def site(self, name: str) -> Site:
        """A fresh look at a hospital's folder, with a ledger connection of its own."""
        return Site.at(self.root / name)

    def state(self, name: str, study: Study) -> Any:
        """What that hospital's ledger says of the study, or None."""
        site = self.site(name)
        try:
            return site.ledger.state.studies.get(study.digest)
        finally:
            site.ledger.close()

    def status(self, name: str, study: Study) -> str | None:
        found = self.state(name, study)
        return found.status if found else None

    def log(self, name: str) -> str:
        file = self.root / name / "agent.log"
        return file.read_text() if file.exists() else ""

    def table(self, name: str) -> Path:
        return self.root / name / "private" / "records.csv"

    @cached_property
    def lab(self) -> Lab:
        return connect(self.root / "researcher")

    def objects(self) -> dict[str, bytes]:
        """Everything in the store, at a moment in which nothing was renamed while it was read."""
        while True:
            try:
                files = [p for p in sorted(self.store_folder.rglob("*")) if p.is_file()]
                return {str(p.relative_to(self.store_folder)): p.read_bytes() for p in files}
            except FileNotFoundError:  # a writer's temporary file became the object: look again
                continue

    def in_round(self, study: Study, number: int) -> Path:
        return self.store_folder / "studies" / study.digest / "rounds" / f"{number:05d}-1"

    def contributions(self, name: str, study: Study) -> list[str]:
        folder = self.root / name / "studies" / study.digest / "contributions"
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    # --- studies
    # -----------------------------------------------------------------------------------------------------

    def new_study(
        self, study_id: str, *edits: tuple[str, str], base: tuple[tuple[str, str], ...] = SMALL
    ) -> Study:
        file = self.root / f"{study_id}.toml"
        file.write_text(protocol_text(*base, *edits))
        return Study.new(
            self.lab, file, hospitals=list(self.names), aggregator="sums", study_id=study_id
        )

    def request(self, study: Study) -> None:
        """Through PySyft, until every hospital has it in its inbox."""
        study.request()
        self.until(
            lambda: all(
                (self.root / n / "studies" / study.digest / "request.json").exists()
                for n in self.names
            ),
            "the requests",
        )

    def hand_over(self, study: Study, name: str) -> None:
        """Put a request into a hospital's inbox without PySyft, for tests without agents."""
        site = self.site(name)
        keep_request(
            site,
            study.sealed,
            job=f"job-{study.digest[:6]}",
            sender="researcher@securefl.example",
            received="2026-01-02T03:04:05Z",
        )

    def rewrite_request(self, name: str, study: Study, text: str) -> None:
        """Put other words into a kept request, and let its folder look as if a study had come."""
        studies = self.root / name / "studies"
        (studies / study.digest / "request.json").write_text(text)
        os.utime(studies)

    def review(self, name: str, study: Study, text: bytes | None = None) -> Any:
        site = self.site(name)
        sealed = SealedStudy.read(text) if text else study.sealed
        return site, review(site, sealed, datetime.now(UTC))

    def approve(self, name: str, study: Study) -> Any:
        site, found = self.review(name, study)
        try:
            return decisions.approve(site, found)
        finally:
            site.ledger.close()

    def ready(self, study: Study) -> None:
        """Request, all approvals, and every hospital waits for the researcher alone: the rounds may
        begin.
        """
        self.request(study)
        self.ready_after_request(study)

    def ready_after_request(self, study: Study) -> None:
        """All approvals of a study that every hospital was asked for, and the wait for the
        researcher.
        """
        for name in self.names:
            self.approve(name, study)
        self.until(
            lambda: all(
                self.workers(name) and self.waits_for(name, study).startswith("the researcher")
                for name in self.names
            ),
            "all hospitals being ready",
        )

    def waits_for(self, name: str, study: Study) -> str:
        """What that hospital's agent says that an approved study waits for."""
        return waiting_for(self.root / name / "studies" / study.digest)

    def run(self, study: Study, watch: Any = None) -> Any:
        """All rounds; the model goes into a folder of the study's own."""
        return study.run(watch=watch, model_folder=self.root / f"model-{study.name}")

    def running(self, study: Study, names: tuple[str, ...] | None = None) -> None:
        self.until(
            lambda: all(self.status(n, study) == "running" for n in names or self.names),
            "the start of the study",
        )

    def answering(self, name: str, study: Study, number: int = 1) -> bool:
        """Whether the agent has seen the announcement of a round and works on its reply, or has
        sent it.
        """
        return (
            f"round {number} of"
            in self.log(name).rsplit(f"study {study.digest[:12]} is approved", 1)[-1]
        )

    def ended(
        self, study: Study, *names: str, status: str = "failed", seconds: float = 120
    ) -> None:
        self.until(
            lambda: all(self.status(n, study) == status for n in names),
            f"the study being '{status}'",
            seconds,
        )

    # --- processes
    # ---------------------------------------------------------------------------------------------------

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The agent of a hospital, or the aggregator ``sums``."""
        role = (
            ("aggregator", "start", "--aggregator")
            if name == "sums"
            else ("site", "start", "--site")
        )
        program = self.program
        if not program:
            trains = name != "sums" and name not in self._real_workers
            program = (str(LIGHT_AGENT),) if trains else ("-m", "securefl")
        with (self.root / name / "process.out").open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, *program, *role, str(self.root / name)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._processes[name] = process
        if name != "sums":
            self.until((self.root / name / "agent.json").exists, f"the agent of {name}")
        return process

    def start_all(self) -> None:
        for name in (*self.names, "sums"):
            self.start(name)

    def join(self) -> None:
        """Peers at PySyft, until the mock data of every hospital is visible."""
        self.lab.ask(*self.names)
        self.until(lambda: len(self.lab.datasets()) == len(self.names), "the mock data")

    def end(self, name: str, number: int = signal.SIGTERM) -> int:
        process = self._processes.pop(name)
        process.send_signal(number)
        return process.wait(timeout=120)

    def end_all(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def alive(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def workers(self, name: str) -> list[int]:
        """Process ids of the workers of an agent."""
        return children(self._processes[name].pid)

    def loaded(self, name: str) -> str:
        """The libraries in an agent's memory: names of files, a line each."""
        return Path(f"/proc/{self._processes[name].pid}/maps").read_text()

    def cli(self, *arguments: str, code: int | None = 0) -> str:
        """``securefl ARGUMENTS``; standard output and error together."""
        done = subprocess.run(
            [sys.executable, "-m", "securefl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
            env={**os.environ, "COLUMNS": "200"},
        )
        text = done.stdout.decode()
        assert code is None or done.returncode == code, f"exit code {done.returncode}: {text}"
        return text

    def until(self, found: Any, what: str, seconds: float = 120) -> None:
        """Ask until it is true; a process that ended meanwhile fails the test at once."""
        end = time.monotonic() + seconds
        while not found():
            dead = [n for n, p in self._processes.items() if p.poll() is not None]
            assert not dead, f"while waiting for {what}, ended: {dead}: " + "".join(
                (self.root / n / "process.out").read_text()[-3000:] for n in dead
            )
            logs = "\n".join(f"{n}: {self.log(n)[-1500:]}" for n in self.names)
            assert time.monotonic() < end, f"{what} did not come within {seconds} s\n{logs}"
            time.sleep(0.05)


def deadline_by_hand(monkeypatch: Any) -> threading.Event:
    """From now on a round's deadline passes at this process's coordinator when the event is set,
    once, and not before.
    """
    passed = threading.Event()

    def poll(found: Any, *, seconds: float, **_: Any) -> Any:
        assert seconds > 0
        over = False
        while (result := found()) is None:
            if over:  # as the real one it looks once more when the time is over
                break
            if over := passed.wait(0.02):
                passed.clear()
        return result

    monkeypatch.setattr(store_exchange, "poll", poll)
    return passed


@contextmanager
def consortium(root: Path, **how: Any):
    """A consortium with all its processes, ended at the end."""
    made = Consortium(root, **how)
    try:
        made.start_all()
        made.join()
        yield made
    finally:
        made.end_all()


def children(pid: int) -> list[int]:
    """Its processes, but for the one that forks them."""
    numbers = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [number for number in numbers if _name(number) != fork_server.NAME]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def running(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def read_json(file: Path) -> Any:
    return json.loads(file.read_bytes())
