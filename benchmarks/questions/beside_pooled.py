"""Figures of another library on all rows, from an environment of its own, and a table of both."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).resolve().parent


def of_all_rows(
    python: str,
    script: str,
    arrays: Mapping[str, Any],
    words: Sequence[str] = (),
) -> dict[str, Any]:
    """Run a script of this folder on arrays, by another environment's Python; its JSON.

    Args:
        python: that environment's interpreter.
        script: its name in this folder; it reads a file of ``numpy.savez``.
        arrays: by their names in that file.
        words: further words of its command line.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        np.savez(file, **arrays)
        done = subprocess.run(
            [python, HERE / script, file, *words],
            check=True,
            capture_output=True,
            text=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def show(name: str, runs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    """Print a table for a page: a seed a line with what was released, and the means."""
    sys.stdout.write(f"{name}\n")
    for run in runs:
        low, high = run["released"]
        cells = " | ".join(f"{run[key]:.4f}" for key in keys)
        sys.stdout.write(f"| {run['seed']} | {cells} | {low:.3f} to {high:.3f} |\n")
    means = " | ".join(f"{statistics.mean(run[key] for run in runs):.4f}" for key in keys)
    sys.stdout.write(f"| mean | {means} | |\n")
    sys.stdout.flush()
