"""Process of ``securefl bench round``: ``python -m securefl.bench.party ROOT NAME [verify]``.

Trains nothing; the rest is real. With ``verify``, a hospital verifies the total of each round
before it answers the next, as in a study (rule 11).
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.backoff import poll
from securefl.bench.consortium import (
    FOLDERS,
    BenchBoard,
    open_store,
    read_parties,
    read_values,
)
from securefl.bench.memory import peak_mb, resident_mb
from securefl.errors import RoundError
from securefl.federation.aggregator import Aggregator
from securefl.federation.aggregator_service import AggregatorService
from securefl.federation.checked_round import AnnouncedRound, Broadcast
from securefl.federation.coordinator import Coordinator
from securefl.federation.evidence import present
from securefl.federation.following import Following
from securefl.federation.messages import Call, Ready
from securefl.federation.participant import Participant
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.study_board import StudyBoard
from securefl.federation.verified_totals import VerifiedTotals
from securefl.files import read_secret, replace_file, write_file
from securefl.identity import IdentityCard, verify
from securefl.learning.stages.roles import trained
from securefl.partners import AddressBook
from securefl.party.clock import utc_now
from securefl.researcher.durable_run import DurableRun
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.survivor_contribution import head_limit
from securefl.study.approval import open_approval

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_record import RoundRecord
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.identity import Identity
    from securefl.secagg.holder import Record
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.study.approval import Approval
    from securefl.types import IntArray

T = TypeVar("T")

_SHORTEST_PAUSE = 0.001
_LONGEST_PAUSE = 0.01
_PATIENCE = 600.0


@dataclass
class _Watch:
    """Figures of this process from its start on.

    Its libraries and keys are loaded then, and nothing of the rounds is.
    """

    board: Board
    name: str
    start_mb: float = 0.0
    cpu: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Say that this process is ready; return when all are."""
        self.start_mb = resident_mb()
        places = BenchBoard(self.board)
        places.ready(self.name).post(b"ready")
        _await(places.go)
        self.mark()

    def mark(self) -> None:
        """Note the end of a round."""
        self.cpu.append(time.process_time())
        self.seconds.append(time.perf_counter())

    def report(self, **more: object) -> None:
        """Report the largest memory, and time on the clock and of the processor round by round."""
        peak = peak_mb()
        figures = {
            "peak_rss_mb": peak,
            "growth_mb": peak - self.start_mb,
            "cpu": [round(b - a, 6) for a, b in itertools.pairwise(self.cpu)],
            "seconds": [b - a for a, b in itertools.pairwise(self.seconds)],
            **more,
        }
        BenchBoard(self.board).done(self.name).post(json.dumps(figures).encode())


def _await(slot: Slot) -> bytes:
    """Read an object as soon as it is there."""
    return _until(slot.read, slot.path, slot.board)


def _until(look: Callable[[], T | None], what: str, board: Board) -> T:
    """Look until something is there, as often as a party of a study would at such a board."""
    found = poll(
        look,
        seconds=_PATIENCE,
        shortest=max(_SHORTEST_PAUSE, board.pace),
        longest=max(_LONGEST_PAUSE, board.pace),
    )
    if found is None:
        raise RoundError(f"{what} did not come.", whose="the benchmark")
    return found


def _hospital(
    root: Path,
    board: Board,
    plan: RoundPlan,
    identity: Identity,
    watch: _Watch,
    *,
    verify_totals: bool,
) -> None:
    name = identity.card.name
    # Openings are sealed to the run of the agent, as in a study.
    run_key = X25519PrivateKey.generate()
    totals = VerifiedTotals(plan, identity.with_sealing_key(run_key))
    study_board = StudyBoard(board, plan.digest)
    disk = _Disk(root, plan, name)
    participant = Participant(
        plan=plan,
        identity=identity,
        study_key=X25519PrivateKey.from_private_bytes(
            read_secret(root / FOLDERS.keys / name / "study.key", 32)
        ),
        approvals=_approvals(plan, study_board),
        trainer=disk.train,
        keeper=disk.keep,
        cipher=CkksIntegers(),
        instance=run_key.public_key().public_bytes_raw().hex(),
        following=Following(plan) if verify_totals else None,
        records=disk.keep_word,
    )
    watch.start()
    call = Call.open(
        _await(study_board.call),
        study=plan.digest,
        verify=plan.coordinator,
    )
    ready = Ready(plan.digest, name, participant.instance, call.nonce)
    study_board.ready(name).post(ready.dump(identity.sign))
    for number in range(1, plan.last_round + 1):
        at = RoundBoard.numbered(board, plan.digest, number)
        announcement = _await(at.announcement)
        _until(lambda: totals.verify(board, participant) or None, "the last opening", board)
        given = Broadcast(announcement, _await(at.key), _await(at.model(plan)))
        with participant.answer(given) as frame:
            at.contribution(name).post_file(frame)
        if participant.later is not None:
            _say_the_rest(name, participant.later, at)
        watch.mark()
    watch.report()


def _approvals(plan: RoundPlan, study_board: StudyBoard) -> dict[str, Approval]:
    """Read every hospital's approval."""
    found = {}
    for site in plan.study.cohort:
        key = plan.study.participant(site).signing_public
        data = _await(study_board.approval(site))
        found[site] = open_approval(data, site=site, study=plan.digest, verify=partial(verify, key))
    return found


@dataclass(frozen=True)
class _Disk:
    """What a hospital has on its disk: its numbers, and what it made durable."""

    root: Path
    plan: RoundPlan
    name: str

    def train(
        self,
        number: int,
        model: bytes,
        length: int,
        largest: int,
    ) -> IntArray:
        """Read what it sends: :class:`securefl.federation.participant.Trainer`."""
        del model, largest
        if self.plan.step(number).stage is trained(self.plan.programme):
            return read_values(self.root, self.name)
        return np.zeros(length, dtype=np.int64)

    def keep(self, facts: RoundContext, write: Callable[[BinaryIO], None]) -> BinaryIO:
        """Make a contribution durable before it leaves."""
        file = self.root / "kept" / self.name / str(facts.round)
        write_file(file, write)
        return file.open("rb")

    def keep_word(self, terms: SurvivorTerms, record: Record) -> None:
        """Make what is said after the contribution durable."""
        file = self.root / "kept" / self.name / f"{terms.facts.round}-{record.kind}"
        replace_file(file, record.message)


def _say_the_rest(name: str, later: UnmaskingStage, at: RoundBoard) -> None:
    """Sign the survivor set, then give the unmasking answer."""
    limit = head_limit(later.terms)
    proposal = _await(at.proposal(later.terms))
    agreement = later.agree(
        proposal, lambda site: later.read(site, at.contribution(site, limit).read_head(limit))
    )
    at.agreement(name).post(agreement)

    def answer() -> bytes | None:
        came = {site: at.agreement(site).read() for site in later.terms.cohort}
        return later.answer({site: data for site, data in came.items() if data is not None})

    at.answer(name, present(later.survivors, "survivor set")).post(
        _until(answer, "agreements", at.board)
    )


def _aggregator(
    board: Board,
    plan: RoundPlan,
    identity: Identity,
    watch: _Watch,
) -> None:
    aggregator = Aggregator(plan, identity)
    watch.start()
    for number in range(1, plan.last_round + 1):
        at = RoundBoard.numbered(board, plan.digest, number)
        context = AnnouncedRound.open(plan, _await(at.announcement)).checked_context()
        with closing(round_strategy_of(plan).aggregation(context)) as arrivals:
            _until(lambda: arrivals.poll(board) or None, "contributions", board)
            with aggregator.add(arrivals) as total:
                at.sum().post_file(total)
        watch.mark()
    watch.report()


def _service(
    root: Path,
    board: Board,
    plan: RoundPlan,
    identity: Identity,
    watch: _Watch,
) -> None:
    """Run the aggregator of a study that goes on after a loss, as it runs in earnest."""
    book = AddressBook(root / "partners", identity, nullcontext, utc_now)
    c = plan.study.coordinator
    book.trust(
        IdentityCard(
            c.name,
            "researcher",
            c.legal_name,
            c.email,
            c.signing_public,
            c.sealing_public,
        )
    )
    lines: list[str] = []
    service = AggregatorService(board, identity, book, lines.append)
    service.look()
    watch.start()
    for _ in range(plan.last_round):
        while not service.step():
            if not service.busy:
                raise RoundError(f"The aggregator gave up: {lines[-1]}", whose="the benchmark")
            time.sleep(max(_SHORTEST_PAUSE, board.pace))
        watch.mark()
    watch.report()


def _coordinator(
    root: Path,
    board: Board,
    plan: RoundPlan,
    identity: Identity,
    watch: _Watch,
) -> None:
    uploads = []

    def completed(record: RoundRecord) -> None:
        watch.mark()
        if plan.step(record.round).stage is trained(plan.programme):
            uploads.append(record.upload_bytes)

    coordinator = Coordinator(
        plan,
        identity,
        StoreExchange(board, plan),
        CkksIntegers(),
        DurableRun(root / FOLDERS.run),
    )
    watch.start()
    outcome = coordinator.run(completed)
    watch.report(uploads=uploads)
    outcome.theta.tofile(root / FOLDERS.theta)


def _arrived(board: Board, plan: RoundPlan) -> bool | None:
    """True where the study's approvals are here; None where some are still on their way."""
    there = StudyBoard(board, plan.digest).with_approval()
    return set(plan.study.cohort) <= set(there) or None


def main() -> None:
    """Serve all rounds, then end."""
    root = Path(sys.argv[1])
    name = sys.argv[2]
    plan, identity = read_parties(root, name)
    board = open_store(root, name)
    if poll(partial(_arrived, board, plan), seconds=_PATIENCE) is None:
        raise SystemExit(f"{name}: the study did not arrive")
    watch = _Watch(board, name)
    if name == "coordinator":
        _coordinator(root, board, plan, identity, watch)
    elif name != "aggregator":
        verify_totals = "verify" in sys.argv[3:]
        _hospital(root, board, plan, identity, watch, verify_totals=verify_totals)
    elif round_strategy_of(plan).needs_records:
        _service(root, board, plan, identity, watch)
    else:
        _aggregator(board, plan, identity, watch)


if __name__ == "__main__":
    main()
