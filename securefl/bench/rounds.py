"""Whole rounds between real processes over a store: everything but training."""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.bench.bare import Bare, Load, bench_bare
from securefl.bench.consortium import (
    FOLDERS,
    BenchBoard,
    make_consortium,
    open_store,
    write_values,
)
from securefl.bench.sums import bench_vector
from securefl.errors import RoundError
from securefl.learning.models import family_of
from securefl.study.training import training_of
from securefl.study.wire import sum_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.federation.round_plan import RoundPlan
    from securefl.types import FloatArray, IntArray


_PATIENCE = 120.0
_BARE = 3


@dataclass(frozen=True)
class _Wanted:
    """What is measured: the arguments of :func:`bench_round`."""

    parameters: int
    sites: int
    bits: int
    rounds: int
    on_dropout: str
    vectors: Sequence[IntArray] | None
    store: str


@dataclass(frozen=True)
class _Measured:
    """Figures of one series of rounds; the first round is in none of them.

    ``seconds`` and ``processor_seconds`` are of each round, ``upload`` of the largest contribution
    in bytes, ``growth_mb`` by role, ``bare`` of the bare calls around them.
    """

    parameters: int
    seconds: list[float]
    processor_seconds: list[float]
    upload: int
    exact: bool
    peak_rss_mb: float
    growth_mb: dict[str, float]
    bare: list[Bare]


def bench_round(
    parameters: int,
    sites: int,
    bits: int,
    rounds: int = 6,
    *,
    vectors: Sequence[IntArray] | None = None,
    on_dropout: str = "fail",
    store: str = "",
) -> dict[str, Any]:
    """Run two series of ``rounds`` rounds; the first of each warms up and is not counted.

    In the second, every hospital verifies the total of each round before it answers the next
    (rule 11), which peers do not.

    Args:
        parameters: wanted size of the model; the nearest that the declarative models can have is
            taken and reported.
        sites: hospitals, a process each.
        bits: bits of a field.
        rounds: at least 6, so that the median is over at least 5.
        vectors: int64[the model's size] for each site; those of
            :func:`~securefl.bench.sums.bench_vector` unless given.
        on_dropout: what the study says: ``fail``, or ``continue``, where a round has a survivor
            set, signatures and answers.
        store: URL of a place for the rounds' objects, which stay there; a folder that is removed
            unless given. ``{party}`` in it is each party's name, where each has a place of its own.

    Returns:
        The keys of ``securefl bench round --json``: ``warm_round_seconds`` (median),
        ``upload_bytes_per_parameter``, ``peak_rss_mb`` (the largest process), ``peak_growth_mb``
        (the most that a process grew above its start, when its libraries and keys were loaded) and
        ``growth_mb`` (the same by role; the hospital's is the largest of theirs), ``exact``,
        ``bare_seconds`` (:mod:`securefl.bench.bare`, median) and ``ratio`` of the two;
        ``processor_seconds`` and ``bare_processor_seconds`` are processor time over all processes,
        for a machine that has other work; ``verified_round_seconds``,
        ``verified_processor_seconds`` and ``verified_peak_rss_mb`` are of the second series.

    Raises:
        RoundError: a process ended.
    """
    wanted = _Wanted(parameters, sites, bits, rounds, on_dropout, vectors, store)
    plain = _measure(wanted, verify=False)
    verified = _measure(wanted, verify=True)
    seconds = statistics.median(plain.seconds)
    bare_seconds = statistics.median(b.seconds for b in plain.bare)
    return {
        "parameters_wanted": parameters,
        "sites": sites,
        "bits": bits,
        "on_dropout": on_dropout,
        "parameters": plain.parameters,
        "warm_round_seconds": seconds,
        "round_seconds": plain.seconds,
        "verified_round_seconds": statistics.median(verified.seconds),
        "upload_bytes_per_parameter": plain.upload / plain.parameters,
        "exact": plain.exact and verified.exact,
        "bare_seconds": bare_seconds,
        "ratio": seconds / bare_seconds,
        "processor_seconds": statistics.median(plain.processor_seconds),
        "verified_processor_seconds": statistics.median(verified.processor_seconds),
        "bare_processor_seconds": statistics.median(b.processor_seconds for b in plain.bare),
        "bare_round_seconds": [b.seconds for b in plain.bare],
        "peak_rss_mb": plain.peak_rss_mb,
        "verified_peak_rss_mb": verified.peak_rss_mb,
        "peak_growth_mb": max(plain.growth_mb.values()),
        "growth_mb": plain.growth_mb,
    }


def _measure(wanted: _Wanted, *, verify: bool) -> _Measured:
    """Run one series of rounds in a folder of its own, bare calls before and after it."""
    with tempfile.TemporaryDirectory(prefix="securefl-bench-") as folder:
        root = Path(folder)
        plan = make_consortium(
            root,
            parameters=wanted.parameters,
            sites=wanted.sites,
            bits=wanted.bits,
            rounds=wanted.rounds,
            on_dropout=wanted.on_dropout,
            store=wanted.store and f"{wanted.store.rstrip('/')}/{secrets.token_hex(8)}",
        )
        total = _write_vectors(root, plan, wanted)
        load = _load(plan)
        # Half before and half after, so that both see the same machine.
        bare = bench_bare(load, wanted.sites, _BARE)
        said = _run(root, plan, verify=verify)
        bare += bench_bare(load, wanted.sites, _BARE)
        exact = _exact(plan, np.fromfile(root / FOLDERS.theta), total)
    warm = slice(1, wanted.rounds)
    each_round = zip(*(s["cpu"] for s in said.values()), strict=True)
    processor_seconds = [sum(used) for used in each_round]
    coordinator = said["coordinator"]
    return _Measured(
        parameters=plan.parameters,
        seconds=coordinator["seconds"][warm],
        processor_seconds=processor_seconds[warm],
        upload=max(coordinator["uploads"]),
        exact=exact,
        peak_rss_mb=max(s["peak_rss_mb"] for s in said.values()),
        growth_mb={
            "coordinator": coordinator["growth_mb"],
            "aggregator": said["aggregator"]["growth_mb"],
            "hospital": max(said[name]["growth_mb"] for name in plan.study.cohort),
        },
        bare=bare,
    )


def _write_vectors(root: Path, plan: RoundPlan, wanted: _Wanted) -> IntArray:
    """Write what each site sends in every round; return their sum, int64[the model's size]."""
    total = np.zeros(plan.parameters, dtype=np.int64)
    for i, name in enumerate(plan.study.cohort):
        if wanted.vectors:
            values = wanted.vectors[i]
        else:
            values = bench_vector(i, plan.parameters, (1 << (wanted.bits - 1)) - 1)
        write_values(root, name, values)
        total += values
    return total


def _load(plan: RoundPlan) -> Load:
    """Count the ciphertexts and elements of one contribution."""
    instances = dict.fromkeys(plan.study.cohort, "0" * 64)
    facts = plan.facts(1, "0" * 64, "0" * 64, instances=instances)
    elements = sum(section.count for section in facts.sections[1:])
    primes = facts.numbers.primes if facts.numbers else 0
    return Load(facts.chunks, elements, primes, facts.cipher_layout.degree)


def _run(root: Path, plan: RoundPlan, *, verify: bool) -> dict[str, dict[str, Any]]:
    """Start everybody and wait for the end; return each process's report by name."""
    board = BenchBoard(open_store(root))
    names = (*plan.study.cohort, "aggregator", "coordinator")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "securefl.bench.party", str(root), name, *(["verify"] * verify)],
            stdin=subprocess.DEVNULL,
        )
        for name in names
    ]
    try:
        _wait(lambda: len(board.with_ready()) == len(names), processes)
        # All at once, when everybody has loaded its libraries.
        board.go.post(b"go")
        for process in processes:
            _wait(partial(_has_ended, process), processes, patience=float("inf"))
        # Over a store that takes its time the last figures are still on their way.
        _wait(lambda: all(board.done(name).read() for name in names), processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return {name: json.loads(board.done(name).read() or b"") for name in names}


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """True once a process has ended."""
    return process.poll() is not None


def _wait(
    true: Callable[[], bool],
    processes: list[subprocess.Popen[bytes]],
    patience: float = _PATIENCE,
) -> None:
    """Wait for a condition while all processes live, or ended well."""
    end = time.monotonic() + patience
    while not true():
        # A process that ended well gives 0, one that runs None.
        if any(p.poll() for p in processes) or time.monotonic() > end:
            raise RoundError(
                "A process of the benchmark ended.",
                whose="the benchmark",
                next_step="Its message stands above.",
            )
        time.sleep(0.01)


def _exact(plan: RoundPlan, theta: FloatArray, total: IntArray) -> bool:
    """True if every round's sum was exact.

    Each adds the same known sum with learning rate 1, so the last model tells.
    """
    model = training_of(plan.study).model
    start = family_of(model, plan.study.data).initial_weights(model.initial_seed)
    moved = (start - theta) * sum_unit(plan.study)
    rounds = training_of(plan.study).rounds
    return bool(np.allclose(moved, rounds * total, rtol=1e-12, atol=1e-3))
