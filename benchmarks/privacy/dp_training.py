"""How long a noised step takes beside the same step with bare Opacus, in the same process and on
the same rows.

    python benchmarks/privacy/dp_training.py [--json FILE] [--pairs 7]

Both sides draw a Poisson batch, compute every record's gradient with Opacus' hooks, clip, sum, add
noise and move the model. Bare Opacus works in float32 and draws from torch's generator; ours draws
from ChaCha20, adds exact integers and keeps every record's integers apart from the others' to the
last bit. A third column is Opacus with ``secure_mode``: four Gaussians for each value against the
floating-point attack (arXiv:2107.10138), drawn from torch's generator too, because ``torchcsprng``,
which it was meant for, is no longer published.

Runs alternate, and a ratio is that of two runs side by side: its median over the pairs, and the
smallest and largest. One thread. Processor time and wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from securefl.learning.families.layers import Layers
from securefl.learning.public import public_uniforms
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies.fedavg import FedAvg
from securefl.learning.tasks.binary.task import Binary
from securefl.privacy.randomness import SystemRandomness
from securefl.study.binary_label import TextCondition

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = Fraction(1, 5)
NOISE = Decimal("4.98")


@dataclass(frozen=True)
class Case:
    """A model on a table, and the steps of one run."""

    name: str
    rows: int
    features: int
    hidden: tuple[int, ...]
    steps: int

    @property
    def layers(self) -> Layers:
        """The product's model."""
        return Layers(self.hidden, self.features, outputs=1)


CASES = (
    Case("logistic regression, 22 features, 2,000 rows", 2000, 22, (), 400),
    Case("network 22-32-1, 2,000 rows", 2000, 22, (32,), 200),
    Case("network 100-128-32-1, 6,000 rows", 6000, 100, (128, 32), 10),
)


def table(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Invented rows: x float32[n, d] in [-1, 1], y int8[n]."""
    x = (
        (2 * public_uniforms("bench x", b"1", case.rows * case.features) - 1)
        .reshape(case.rows, case.features)
        .astype(np.float32)
    )
    return x, (x[:, 0] > 0).astype(np.int8)


def ours(case: Case, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """A round of so many local steps."""
    rule = StepRule(
        clip_norm=1.0,
        noise_multiplier=NOISE,
        wire_step=1 << 8,
        wire_largest=1 << 30,
        sample_rate=RATE,
        local_steps=case.steps,
        strategy=FedAvg(Decimal("0.1"), Decimal(1), Decimal(0)),
        share=case.rows * float(RATE),
    )
    task = Binary(TextCondition(column="y", kind="equals", positive=("1",), negative=("0",)))
    gradients = case.layers.gradients(task)
    trainer = PrivateSteps(rule, gradients, x, y, RandomDraws(SystemRandomness()))
    theta = np.zeros(case.layers.parameters)
    return lambda: trainer.update(theta)


def torch_module(case: Case) -> torch.nn.Sequential:
    """The same layers as plain torch has them, in float32; one logit a row."""
    parts: list[torch.nn.Module] = []
    for out, into in case.layers.sizes:
        parts += [torch.nn.Linear(into, out), torch.nn.Tanh()]
    return torch.nn.Sequential(*parts[:-1], torch.nn.Flatten(0))


def bare(case: Case, x: np.ndarray, y: np.ndarray, *, secure_mode: bool) -> Callable[[], object]:
    """The same steps with Opacus' own module and optimizer."""
    plain = torch_module(case)
    module = GradSampleModule(plain, loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=0.1),
        noise_multiplier=float(NOISE),
        max_grad_norm=1.0,
        expected_batch_size=case.rows * float(RATE),
        loss_reduction="sum",
        secure_mode=secure_mode,
    )
    rows, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.float32))
    loss = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def run() -> None:
        for _ in range(case.steps):
            drawn = torch.rand(len(rows)) < float(RATE)
            optimizer.zero_grad(set_to_none=True)
            loss(module(rows[drawn]), labels[drawn]).backward()
            optimizer.step()

    return run


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """(processor seconds, wall seconds) of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - processor, time.perf_counter() - wall


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def measure_case(case: Case, pairs: int) -> dict[str, Any]:
    """All figures of a case."""
    x, y = table(case)
    sides = {
        "ours": ours(case, x, y),
        "opacus": bare(case, x, y, secure_mode=False),
        "opacus_secure_mode": bare(case, x, y, secure_mode=True),
    }
    for run in sides.values():  # warm: tables of the sampler, torch's own caches
        run()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(pairs):
        for name, run in sides.items():
            taken[name].append(timed(run))
    figures: dict[str, Any] = {
        "case": case.name,
        "parameters": case.layers.parameters,
        "pairs": pairs,
        "steps": case.steps,
    }
    for clock, name in enumerate(("processor", "wall")):
        figures[f"{name}_ms"] = {
            side: 1000 * statistics.median(t[clock] for t in runs) / case.steps
            for side, runs in taken.items()
        }
        for other in ("opacus", "opacus_secure_mode"):
            figures[f"{name}_ratio_to_{other}"] = spread(
                [a[clock] / b[clock] for a, b in zip(taken["ours"], taken[other], strict=True)]
            )
    return figures


def measure(pairs: int) -> dict[str, Any]:
    """All cases."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    return {"cases": [measure_case(case, pairs) for case in CASES]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    given = parser.parse_args()
    figures = measure(given.pairs)
    for case in figures["cases"]:
        ms, ratio, wall = (
            case["processor_ms"],
            case["processor_ratio_to_opacus"],
            case["wall_ratio_to_opacus"],
        )
        print(
            f"{case['case']:<46} {ms['ours']:7.2f} ms a step, bare Opacus {ms['opacus']:7.2f},"
            f" ratio {ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f}), wall"
            f" {wall['median']:.2f}, secure mode"
            f" {case['processor_ratio_to_opacus_secure_mode']['median']:.2f}"
        )
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
