"""One process of ``securefl bench round``: ``python -m securefl.bench.party ROOT NAME``. Trains nothing; the rest is real."""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.bench.consortium import FOLDERS, read_parties, read_values
from securefl.errors import RoundError
from securefl.federation import paths
from securefl.federation.aggregator import Aggregator, announced_facts
from securefl.federation.arrivals import Arrivals
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.participant import Participant, RoundInput
from securefl.federation.sealing import sealed_limit
from securefl.identity import read_secret, replace_file, verify
from securefl.secagg.frame import public_key_bytes
from securefl.secagg.seal import CkksIntegers
from securefl.store import Store
from securefl.study.approval import MAX_BYTES, open_approval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from securefl.federation.rounds import Plan
    from securefl.identity import Identity
    from securefl.secagg.facts import RoundFacts

_PAUSE = 0.002
_PATIENCE = 600.0


def _await(store: Store, path: str, limit: int) -> bytes:
    end = time.monotonic() + _PATIENCE
    while True:
        data = store.get(path, limit)
        if data is not None:
            return data
        if time.monotonic() > end:
            raise RoundError(f"{path} did not come.", whose="the benchmark")
        time.sleep(_PAUSE)


def _hospital(root: Path, store: Store, plan: Plan, identity: Identity) -> None:
    name = identity.card.name
    values = read_values(root, name)

    def train(kind: str, model: bytes, length: int, largest: int) -> NDArray[np.int64]:
        del model, largest
        return values if kind == "update" else np.zeros(length, dtype=np.int64)

    def keep(facts: RoundFacts, frame: bytes) -> None:
        replace_file(root / "kept" / name / str(facts.round), frame)

    approvals = {}
    for site in plan.study.cohort:
        key = plan.study.participant(site).signing_public
        data = _await(store, paths.approval(plan.digest, site), MAX_BYTES)
        approvals[site] = open_approval(data, site=site, study=plan.digest, verify=lambda s, m, k=key: verify(k, s, m))  # type: ignore[misc]
    study_key = X25519PrivateKey.from_private_bytes(read_secret(root / FOLDERS.keys / name / "study.key", 32))
    participant = Participant(
        plan=plan, identity=identity, study_key=study_key, approvals=approvals, trainer=train, keeper=keep, cipher=CkksIntegers()
    )
    store.put(f"ready/{name}", b"ready")
    used = [time.process_time()]
    for number in range(1, plan.last_round + 1):
        at = paths.RoundPaths(plan.digest, number, 1)
        announcement = _await(store, at.announcement, MAX_ANNOUNCEMENT)
        given = RoundInput(
            announcement, _await(store, at.key, public_key_bytes()),
            _await(store, at.model, sealed_limit(plan.parameters, len(plan.study.participants))),
        )
        store.put(at.contribution(name), participant.answer(given))
        used.append(time.process_time())
    _report(store, name, used)


def _aggregator(store: Store, plan: Plan, identity: Identity) -> None:
    aggregator = Aggregator(plan, identity)
    store.put(f"ready/{identity.card.name}", b"ready")
    used = [time.process_time()]
    for number in range(1, plan.last_round + 1):
        at = paths.RoundPaths(plan.digest, number, 1)
        announcement = _await(store, at.announcement, MAX_ANNOUNCEMENT)
        arrivals = Arrivals(store, plan, announced_facts(plan, announcement))
        while arrivals.missing:
            if not arrivals.look():
                time.sleep(_PAUSE)
        store.put(at.sum, aggregator.add(announcement, arrivals.frames, arrivals.checked))
        used.append(time.process_time())
    _report(store, identity.card.name, used)


def _report(store: Store, name: str, used: list[float]) -> None:
    """The largest memory of this process, and its processor time round by round."""
    figures = {
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu": [round(b - a, 6) for a, b in itertools.pairwise(used)],
    }
    store.put(f"done/{name}", json.dumps(figures).encode())


def main() -> None:
    """Serve all rounds, then end."""
    root, name = Path(sys.argv[1]), sys.argv[2]
    plan, identity = read_parties(root, name)
    store = Store(str(root / FOLDERS.store))
    if name == "aggregator":
        _aggregator(store, plan, identity)
    else:
        _hospital(root, store, plan, identity)


if __name__ == "__main__":
    main()
