"""Measure securefl, NVIDIA FLARE's homomorphic encryption, Flower's SecAgg+ and plain FedAvg, and
BFV side by side, in one run.

    python benchmarks/secagg/run.py                    # what the page shows: about ten minutes and 1 GB of downloads
    python benchmarks/secagg/run.py --sizes 481 --scratch /tmp/peers --out /tmp/page     # a small trial

Each peer gets an environment of its own below ``--scratch``. All are given the same float32 vectors
(``vectors.py``), and one is measured after the other on the same machine; the load before each
measurement is kept beside its figures. Writes ``results.json``, ``README.md`` and ``rounds.svg``
into ``--out``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from page import write_page
from vectors import CLIP, read_vectors, write_vectors

from securefl.bench.consortium import nearest_model
from securefl.bench.rounds import bench_round

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from machine import machine, wait_for_quiet, with_load  # noqa: E402 - beside this folder


@dataclass(frozen=True)
class Peer:
    """One peer's measurement: an environment of its own, and a script that it runs.

    Args:
        environment: name of the environment's folder.
        packages: what it holds, pinned.
        script: prints its figures as JSON.
        arguments: behind the vectors' folder and the number of rounds.
    """

    environment: str
    packages: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()


FLARE = ("nvflare==2.9.0", "tenseal==0.3.18")
FLOWER = ("flwr[simulation]==1.42.0", "numpy")
PEERS = (
    Peer("nvflare-2.9.0", FLARE, "peer_flare.py"),
    Peer("flwr-1.42.0", FLOWER, "peer_flower.py", ("secaggplus",)),
    Peer("flwr-1.42.0", FLOWER, "peer_flower.py", ("fedavg",)),
)


def environment(scratch: Path, peer: Peer) -> Path:
    """The Python of the peer's environment, made where it is missing."""
    folder, packages = scratch / peer.environment, peer.packages
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        print(f"installing {', '.join(packages)} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        extra = os.environ.get("PIP_ARGS", "").split()
        subprocess.run(
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "-q",
                *extra,
                *packages,
            ],
            check=True,
        )
        (folder / ".ready").touch()
    return python


def ask(*command: str) -> dict[str, Any]:
    """Run a script; its last line is JSON.

    What it says else goes to the screen only if it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def ours(folder: Path, parameters: int, rounds: int) -> dict[str, Any]:
    """Whole rounds of securefl at 16 bits on the given vectors, rounded to the grid; the error is
    against the float mean.
    """
    vectors, largest = read_vectors(folder), (1 << 15) - 1
    grid = [np.round(v.astype(np.float64) / CLIP * largest).astype(np.int64) for v in vectors]
    figures = bench_round(parameters, len(vectors), 16, rounds, vectors=grid)
    opened = np.sum(grid, axis=0) * (CLIP / largest) / len(vectors)
    truth = np.mean(np.stack([v.astype(np.float64) for v in vectors]), axis=0)
    error = float(np.abs(opened - truth).max()) if figures["exact"] else float("nan")
    return {
        "what": "securefl",
        "version": version("securefl"),
        **figures,
        "max_abs_error_of_mean": error,
    }


def model_size(wanted: int) -> int:
    """The size of securefl's declarative model nearest to what is wanted; all are measured at it."""
    features, hidden = nearest_model(wanted)
    sizes = [features, *hidden, 1]
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def main() -> None:
    """Measure, then write the page."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--sizes", default="481,1000000", help="wanted model sizes, by commas")
    options.add_argument("--clients", default=5, type=int)
    options.add_argument(
        "--rounds", default=6, type=int, help="of each; the first is not counted; at least 6"
    )
    options.add_argument(
        "--scratch",
        default=Path.home() / ".cache" / "securefl-bench",
        type=Path,
        help="environments and vectors",
    )
    options.add_argument("--out", default=HERE, type=Path)
    options.add_argument(
        "--wait", default=0.0, type=float, help="minutes to wait for a load below 1"
    )
    chosen = options.parse_args()
    scratch = chosen.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    pythons = {peer: environment(scratch, peer) for peer in PEERS}
    wait_for_quiet(1.0, chosen.wait)
    sizes = [model_size(int(s)) for s in chosen.sizes.split(",")]
    rounds: list[dict[str, Any]] = []
    for size in sizes:
        folder = scratch / f"vectors-{size}-{chosen.clients}"
        write_vectors(folder, size, chosen.clients)
        rounds.append(with_load(f"securefl, {size} parameters", ours, folder, size, chosen.rounds))
        for peer in PEERS:
            what = " ".join((peer.environment, *peer.arguments))
            rounds.append(
                with_load(
                    f"{what}, {size} parameters",
                    ask,
                    str(pythons[peer]),
                    peer.script,
                    str(folder),
                    str(chosen.rounds),
                    *peer.arguments,
                )
            )
    tenfold = with_load(
        "securefl, ten times the last size",
        bench_round,
        10 * sizes[-1],
        chosen.clients,
        16,
        chosen.rounds,
    )
    bits = (16, 12, 8, 6)
    command = [
        sys.executable,
        "-m",
        "securefl",
        "bench",
        "secagg",
        "--sites",
        str(chosen.clients),
        "--json",
        "-",
    ]
    stages = [
        with_load(
            f"stages at {b} bits",
            one_json,
            *command,
            "--parameters",
            str(sizes[-1]),
            "--bits",
            str(b),
        )
        for b in bits
    ]
    schemes = [
        with_load(
            f"BFV beside CKKS at {b} bits",
            ask,
            sys.executable,
            "bfv.py",
            str(sizes[-1]),
            str(chosen.clients),
            str(b),
            "5",
        )
        for b in (16, 8)
    ]
    results = {
        "machine": machine("tenseal"),
        "clients": chosen.clients,
        "rounds": rounds,
        "tenfold": tenfold,
        "stages": stages,
        "schemes": schemes,
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    write_page(chosen.out, results)
    print(f"written: {chosen.out / 'README.md'}")


def one_json(*command: str) -> dict[str, Any]:
    """Run a command that prints one JSON object."""
    figures: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return figures


if __name__ == "__main__":
    main()
