"""Consortium for measuring: keys, a study of the wanted size, approvals.

Invented values, real messages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.boards.opening import open_board
from securefl.boards.slot import Slot
from securefl.environment import software
from securefl.federation.messages import Invitation
from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_board import StudyBoard
from securefl.files import write_secret
from securefl.identity import Identity
from securefl.learning.families.layers import Layers
from securefl.study.approval import Approval
from securefl.study.seal import seal_study
from securefl.study.sealed import SealedStudy, UnsealedStudy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from securefl.boards.board import Board
    from securefl.types import IntArray

_MOST_FEATURES = 64
#: The template of the benchmark's study, with what a measurement chooses left open.
_PROTOCOL = Template(
    """schema = "securefl-protocol/2"
[study]
id = "bench"
title = "Benchmark"
purpose = "Measure rounds."
lead = "nobody"
lay_summary = "Invented values."
ethics_ref = "none"
legal_basis = "invented values"
duo = []
[code]
entrypoint = "declarative"
[data]
dataset = "bench"
population = "nobody"
patient = "patient"
max_rows_per_patient = 1
holdout = "3/10"
columns = [
$columns
]
[data.label]
column = "label"
kind = "equals"
positive = ["1"]
negative = ["0"]
[privacy]
unit = "patient"
neighbouring = "add-remove"
delta = "1e-5"
noise = "local"
[[stages]]
kind = "train"
strategy = "fedavg"
rounds = $rounds
local_steps = 1
local_learning_rate = "1"
server_learning_rate = "1"
server_momentum = "0"
epsilon = "1"
noise_multiplier = "5"
clip_norm = "1"
sample_rate = "1/5"
steps = $rounds
normaliser = "1000"
normaliser_source = "none"
bits = $bits
[stages.model]
kind = "$kind"
hidden = $hidden
initial_seed = "bench"
[[stages]]
kind = "evaluate"
metric = "auc"
edges = ["0.5"]
noise_multiplier = "5"
epsilon = "1"
bound = 1000
[secagg]
min_contributors = $least
colluders = 0
[schedule]
opens = 2026-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
round_deadline = 600
reply_after = "0"
on_dropout = "$on_dropout"
[quality]
minimum = "0.5"
stop_rule = "none"
[outputs]
artefacts = ["none"]
owner = "nobody"
licence = "none"
recipients = []
intended_use = "none"
[exit]
notice = "none"
on_withdrawal = "study-ends"
spent_budget = "never-returned"
"""
)


@dataclass(frozen=True)
class _Folders:
    store: str = "store"
    keys: str = "keys"
    study: str = "study.toml"
    values: str = "values"
    theta: str = "theta"
    run: str = "run"
    url: str = "store.url"


FOLDERS = _Folders()


@dataclass(frozen=True)
class BenchBoard:
    """What the benchmark's processes tell one another beside the study."""

    board: Board

    @property
    def go(self) -> Slot:
        """The word on which all begin."""
        return Slot(self.board, "go", 2)

    def ready(self, name: str) -> Slot:
        """A process's word that its libraries are loaded."""
        return Slot(self.board, f"ready/{name}", 5)

    def with_ready(self) -> list[str]:
        """Names of the processes that said so."""
        return self.board.names("ready")

    def done(self, name: str) -> Slot:
        """A process's figures."""
        return Slot(self.board, f"done/{name}", 1 << 20)


def nearest_model(parameters: int) -> tuple[int, tuple[int, ...]]:
    """Find (features, hidden) of the declarative model whose size is nearest to ``parameters``.

    () is logistic regression.
    """

    def candidates() -> Iterator[tuple[int, tuple[int, ...]]]:
        for features in range(1, _MOST_FEATURES + 1):
            yield features, ()
            near = round((parameters - 1) / (features + 2))
            yield from ((features, (h,)) for h in (near, near + 1) if 1 <= h <= 4096)
            # (f + 1) h + (h + 1) h + h + 1 parameters with two layers of one width.
            half = round(((features + 3) ** 2 / 4 + parameters) ** 0.5 - (features + 3) / 2)
            yield from ((features, (h, h)) for h in (half - 1, half, half + 1) if 1 <= h <= 4096)

    def size(features: int, hidden: tuple[int, ...]) -> int:
        return Layers(hidden, features, outputs=1).parameters

    return min(candidates(), key=lambda c: abs(size(*c) - parameters))


def make_consortium(
    root: Path,
    *,
    parameters: int,
    sites: int,
    bits: int,
    rounds: int,
    on_dropout: str = "fail",
    store: str = "",
) -> RoundPlan:
    """Make keys, study and approvals below ``root``; return the study's plan.

    The store is a folder below ``root``, or the URL that is given.
    """
    root.mkdir(parents=True, exist_ok=True)
    (root / FOLDERS.url).write_text(store or str(root / FOLDERS.store))
    names = [f"site{i:03d}" for i in range(sites)]
    parties = {
        n: Identity.generate(
            n,
            "hospital",
            n,
            "nobody@securefl.invalid",
        )
        for n in names
    }
    coordinator = Identity.generate(
        "coordinator", "researcher", "Benchmark", "nobody@securefl.invalid"
    )
    aggregator = Identity.generate(
        "aggregator", "aggregator", "Benchmark", "nobody@securefl.invalid"
    )
    protocol = UnsealedStudy.read(_protocol(parameters, sites, bits, rounds, on_dropout))
    sealed = seal_study(
        protocol,
        coordinator=_fields(coordinator),
        aggregator=_fields(aggregator),
        participants=[
            {**_fields(p), "weight": f"1/{sites}", "weight_source": "equal shares"}
            for p in parties.values()
        ],
        software=software(),
    )
    digest = sealed.digest
    board = StudyBoard(open_store(root), digest)
    board.text.post(sealed.text)
    board.invitation.post(Invitation(digest, "coordinator").dump(coordinator.sign))
    for party in (*parties.values(), coordinator, aggregator):
        party.save(root / FOLDERS.keys / party.card.name)
    for name, party in parties.items():
        key = X25519PrivateKey.generate()
        write_secret(root / FOLDERS.keys / name / "study.key", key.private_bytes_raw())
        approval = Approval(
            digest,
            name,
            party.card.signing_public,
            key.public_key().public_bytes_raw().hex(),
            "2026-01-01T00:00:00Z",
        )
        board.approval(name).post(approval.dump(party.sign))
    (root / FOLDERS.study).write_bytes(sealed.text)
    return RoundPlan(sealed)


def open_store(root: Path, name: str = "coordinator") -> Board:
    """The board of the consortium below ``root``, as this party reaches it."""
    url = (root / FOLDERS.url).read_text()
    return open_board(url.replace("{party}", name))


def read_parties(root: Path, name: str) -> tuple[RoundPlan, Identity]:
    """Read the study and one party's keys."""
    text = (root / FOLDERS.study).read_bytes()
    return RoundPlan(SealedStudy.read(text)), Identity.load(root / FOLDERS.keys / name)


def write_values(root: Path, name: str, values: IntArray) -> None:
    """Write the integers that ``name`` sends in every round: int64[d]."""
    (root / FOLDERS.values).mkdir(exist_ok=True)
    values.tofile(root / FOLDERS.values / name)


def read_values(root: Path, name: str) -> IntArray:
    """Read the integers that :func:`write_values` wrote."""
    return np.fromfile(root / FOLDERS.values / name, dtype=np.int64)


def _fields(identity: Identity) -> dict[str, str]:
    """Return a card's fields as a study names a party."""
    return {k: v for k, v in identity.card.fields().items() if k != "role"}


def _protocol(
    parameters: int,
    sites: int,
    bits: int,
    rounds: int,
    on_dropout: str,
) -> str:
    """Write the template of a study with a model of about so many parameters."""
    features, hidden = nearest_model(parameters)
    columns = [
        f'  {{ name = "c{i}", kind = "numeric", low = "0", high = "1" }}' for i in range(features)
    ]
    kind = "logistic-regression"
    if hidden:
        kind = "mlp"
    least = sites
    if on_dropout != "fail":
        least = max(2, sites - 1)
    return _PROTOCOL.substitute(
        columns=",\n".join(columns),
        rounds=rounds,
        bits=bits,
        kind=kind,
        hidden=json.dumps(list(hidden)),
        least=least,
        on_dropout=on_dropout,
    )
