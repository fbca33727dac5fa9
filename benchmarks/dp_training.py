"""How long a noised step takes beside the same step with bare Opacus, in the same process and on the same rows.

    python benchmarks/dp_training.py [--json FILE] [--steps 40]

Both sides draw a Poisson batch, compute every record's gradient with Opacus' hooks, clip, sum, add noise and move the
model. Bare Opacus draws from torch's generator, in float32; ours draws from ChaCha20, in integers, and keeps every row
in one place of a block, so that no row moves another's last bit. Runs of the two alternate, and the best run of each side counts. Processor time of one thread is measured, so that other programs disturb it little.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from securefl.learning.dpsgd import PrivateTrainer, TorchModel
from securefl.learning.models import parameter_count
from securefl.learning.public import public_uniforms
from securefl.learning.steps import RandomDraws, StepRule
from securefl.privacy.randomness import SystemRandomness
from securefl.study.schema import ModelSpec

RATE = Fraction(1, 5)


@dataclass(frozen=True)
class Case:
    """A model on a table."""

    name: str
    rows: int
    features: int
    hidden: tuple[int, ...]

    @property
    def model(self) -> ModelSpec:
        """The model as a study names it."""
        return ModelSpec(kind="mlp" if self.hidden else "logistic-regression", hidden=self.hidden, initial_seed="bench")


CASES = (
    Case("logistic regression, 22 features, 2,000 rows", 2000, 22, ()),
    Case("network 22-32-1, 2,000 rows", 2000, 22, (32,)),
    Case("network 100-128-32-1, 6,000 rows", 6000, 100, (128, 32)),
)


def table(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Invented rows: x float32[n, d] in [-1, 1], y int8[n]."""
    x = (2 * public_uniforms("bench x", b"1", case.rows * case.features) - 1).reshape(case.rows, case.features).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int8)


def ours(case: Case, x: np.ndarray, y: np.ndarray, steps: int) -> float:
    """Seconds of one round of so many local steps."""
    normaliser = case.rows * float(RATE)
    rule = StepRule(
        clip_norm=1.0, grid=48, noise_multiplier=Decimal("4.98"), bound=1 << 30, sample_rate=RATE, local_steps=steps, local_learning_rate=0.1, share=normaliser
    )
    trainer = PrivateTrainer(case.model, rule, x, y, RandomDraws(SystemRandomness()))
    theta = np.zeros(parameter_count(case.model, case.features))
    trainer.update(theta)  # warm: tables of the sampler, torch's own caches
    begun = time.process_time()
    trainer.update(theta)
    return time.process_time() - begun


def bare(case: Case, x: np.ndarray, y: np.ndarray, steps: int) -> float:
    """Seconds of the same steps with Opacus' own module and optimizer."""
    plain = TorchModel(case.model, case.features).float()
    module = GradSampleModule(plain, loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=0.1), noise_multiplier=4.98, max_grad_norm=1.0,
        expected_batch_size=case.rows * float(RATE), loss_reduction="sum",
    )
    rows, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.float32))
    loss = torch.nn.BCEWithLogitsLoss(reduction="sum")

    def run(count: int) -> None:
        for _ in range(count):
            drawn = torch.rand(len(rows)) < float(RATE)
            optimizer.zero_grad(set_to_none=True)
            loss(module(rows[drawn]), labels[drawn]).backward()
            optimizer.step()

    run(2)
    begun = time.process_time()
    run(steps)
    return time.process_time() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    figures = []
    for case in CASES:
        x, y = table(case)
        pairs = [(ours(case, x, y, given.steps), bare(case, x, y, given.steps)) for _ in range(5)]
        mine, theirs = (1000 * min(side) / given.steps for side in zip(*pairs, strict=True))
        figures.append({"case": case.name, "milliseconds_per_step": mine, "bare_opacus": theirs, "ratio": mine / theirs})
        print(f"{case.name:<46} {mine:7.2f} ms a step, bare Opacus {theirs:7.2f}, ratio {mine / theirs:.2f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
