"""Whole rounds between real processes over a folder store: hospitals, aggregator and coordinator, everything but training."""

from __future__ import annotations

import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.bench.bare import bench_bare
from securefl.bench.consortium import FOLDERS, make_consortium, read_parties, write_values
from securefl.bench.sums import bench_vector
from securefl.errors import RoundError
from securefl.federation.coordinator import Coordinator
from securefl.federation.exchange import StoreExchange
from securefl.learning.features import feature_names
from securefl.learning.models import initial_weights
from securefl.secagg.packing import FieldLayout
from securefl.secagg.seal import CkksIntegers
from securefl.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from securefl.federation.coordinator import RoundRecord
    from securefl.federation.rounds import Plan


_PATIENCE = 120.0
_BARE = 3
#: Bytes of what a process says at its end: a number a round.
_REPORT = 1 << 20


def bench_round(
    parameters: int, sites: int, bits: int, rounds: int = 6, vectors: Sequence[NDArray[np.int64]] | None = None
) -> dict[str, Any]:
    """Run ``rounds`` rounds; the first warms up and is not counted.

    Args:
        parameters: wanted size of the model; the nearest that the declarative models can have is taken and reported.
        sites: hospitals, a process each.
        bits: bits of a field.
        rounds: at least 6, so that the median is over at least 5.
        vectors: int64[the model's size] for each site; those of :func:`~securefl.bench.sums.bench_vector` unless given.

    Returns:
        The keys of ``securefl bench round --json``: ``warm_round_seconds`` (median), ``upload_bytes_per_parameter``,
        ``peak_rss_mb`` (the largest process), ``exact``, ``bare_seconds`` (:mod:`securefl.bench.bare`, median) and ``ratio``
        of the two; ``cpu_seconds`` and ``bare_cpu_seconds`` are processor time over all processes, for a machine that has
        other work.

    Raises:
        RoundError: a process ended.
    """
    with tempfile.TemporaryDirectory(prefix="securefl-bench-") as folder:
        root = Path(folder)
        plan = make_consortium(root, parameters=parameters, sites=sites, bits=bits, rounds=rounds)
        sent = vectors or [bench_vector(i, plan.parameters, (1 << (bits - 1)) - 1) for i in range(sites)]
        for name, values in zip(plan.study.cohort, sent, strict=True):
            write_values(root, name, values)
        chunks = FieldLayout(bits, sites).chunks_for(plan.parameters)
        # half before and half after, so that both see the same machine
        bare = bench_bare(chunks, sites, _BARE)
        store = Store(str(root / FOLDERS.store))
        processes = [
            subprocess.Popen([sys.executable, "-m", "securefl.bench.party", str(root), name], stdin=subprocess.DEVNULL)
            for name in (*plan.study.cohort, "aggregator")
        ]
        try:
            _wait_ready(store, sites + 1, processes)
            figures = _measure(root, store, np.sum(sent, axis=0))
            for process in processes:
                process.wait(timeout=60)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        others = [json.loads(store.get(f"done/{n}", _REPORT) or b"") for n in store.list("done")]
        bare += bench_bare(chunks, sites, _BARE)
    bare_seconds = statistics.median(b.seconds for b in bare)
    cpu = [sum(used) for used in zip(figures.pop("cpu"), *(o["cpu"] for o in others), strict=True)][1 : plan.rounds]
    return {
        "parameters_wanted": parameters, "sites": sites, "bits": bits, **figures,
        "bare_seconds": bare_seconds, "ratio": figures["warm_round_seconds"] / bare_seconds,
        "cpu_seconds": statistics.median(cpu), "bare_cpu_seconds": statistics.median(b.cpu_seconds for b in bare),
        "bare_round_seconds": [b.seconds for b in bare],
        "peak_rss_mb": max(figures["peak_rss_mb"], *(o["peak_rss_mb"] for o in others)),
    }


def _wait_ready(store: Store, count: int, processes: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + _PATIENCE
    while len(store.list("ready")) < count:
        if any(p.poll() is not None for p in processes) or time.monotonic() > end:
            raise RoundError("A process of the benchmark ended.", whose="the benchmark")
        time.sleep(0.01)


def _measure(root: Path, store: Store, total: NDArray[np.int64]) -> dict[str, Any]:
    plan, identity = read_parties(root, "coordinator")
    marks, cpu, uploads = [time.perf_counter()], [time.process_time()], []

    def watch(record: RoundRecord) -> None:
        marks.append(time.perf_counter())
        cpu.append(time.process_time())
        if record.kind == "update":
            uploads.append(record.upload_bytes)

    outcome = Coordinator(plan, identity, StoreExchange(store, plan), CkksIntegers()).run(watch)
    taken = [b - a for a, b in itertools.pairwise(marks)][1 : plan.rounds]
    return {
        "parameters": plan.parameters,
        "warm_round_seconds": statistics.median(taken),
        "round_seconds": taken,
        "upload_bytes_per_parameter": max(uploads) / plan.parameters,
        "cpu": [b - a for a, b in itertools.pairwise(cpu)],
        "exact": _exact(plan, outcome.theta, total),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _exact(plan: Plan, theta: NDArray[np.float64], total: NDArray[np.int64]) -> bool:
    """Every round adds the same known sum with learning rate 1 and unit 1, so the last model tells whether all were exact."""
    start = initial_weights(plan.study.model, len(feature_names(plan.study.data)))
    return bool(np.allclose(start - theta, plan.rounds * total, rtol=1e-12, atol=1e-6))
