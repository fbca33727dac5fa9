"""A convolutional network of the researcher's own on pictures of digits: what it reaches at epsilon
3 in five sites, and how long a step takes beside Opacus' own.

    python benchmarks/differ/own_model.py [--json FILE] [--seeds 5] [--pairs 5]

The study is ``protocols/studies/digits-images``: its graph, split, steps, noise and server, with
all sites in one process. Accuracy is exact, on the pictures kept aside, which only published data
allow. Each of the five sites adds the full noise for its own pictures.

The second table is a noised step on 1,024 pictures, ours (float64) and Opacus' (``GradSampleModule``,
hooks, and ``DPOptimizer``) in float32 and float64, in turn in one process on one thread; a ratio is
that of two runs side by side, its median over the pairs and the smallest and largest. Processor time.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
import warnings
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.optimizers import DPOptimizer

from securefl.demo.digits import tables
from securefl.learning.features import prepare
from securefl.learning.models import family_of, predict
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies import strategy_of
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.privacy.randomness import SystemRandomness
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of
from securefl.study.wire import sum_unit

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parents[2] / "protocols/studies/digits-images"
STUDY = parse_protocol((FOLDER / "protocol.toml").read_bytes())
TRAIN, DATA = training_of(STUDY), STUDY.data
FAMILY, TASK = family_of(TRAIN.model, DATA), task_of(DATA)
PICTURES = 1024


def accuracy(seed: int) -> float:
    """Share of pictures kept aside that are told rightly."""
    secret = f"split {seed}".encode().ljust(32, b"-")
    trainers, aside = [], []
    for csv in tables().values():
        rows = prepare(read_table(csv), DATA, secret)
        train, held_out = split_rows(rows, secret, DATA.holdout)
        aside.append(held_out)
        trainers.append(
            PrivateSteps(
                StepRule.from_study(STUDY, Fraction(1, 5)),
                FAMILY.gradients(TASK),
                train.X,
                train.y,
                RandomDraws(SystemRandomness()),
            )
        )
    strategy, unit = strategy_of(TRAIN), sum_unit(STUDY)
    state = strategy.start(FAMILY.initial_weights(TRAIN.model.initial_seed))
    for _ in range(TRAIN.rounds):
        given = strategy.broadcast(state)
        total = np.sum([trainer.update(given) for trainer in trainers], axis=0)
        state = strategy.absorb(state, total, unit)
    x = np.concatenate([rows.X for rows in aside])
    y = np.concatenate([rows.y for rows in aside])
    return float((predict(state.theta, FAMILY, TASK, x).argmax(axis=1) == y).mean())


def ours() -> Callable[[], object]:
    """One noised step."""
    rule = StepRule(
        clip_norm=1.0,
        noise_multiplier=TRAIN.noise_multiplier,
        wire_step=1 << 8,
        wire_largest=1 << 30,
        sample_rate=Fraction(1),
        local_steps=1,
        strategy=strategy_of(TRAIN),
        share=float(PICTURES),
    )
    x, y = pictures()
    steps = PrivateSteps(rule, FAMILY.gradients(TASK), x, y, RandomDraws(SystemRandomness()))
    theta = FAMILY.initial_weights("benchmark")
    return lambda: steps.update(theta)


def bare(dtype: torch.dtype = torch.float32) -> Callable[[], object]:
    """The same step with Opacus' module and optimizer."""
    spec = importlib.util.spec_from_file_location("own_model", FOLDER / "model.py")
    own: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    module = GradSampleModule(own.Model().to(dtype), loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(module.parameters(), lr=0.1),
        noise_multiplier=float(TRAIN.noise_multiplier),
        max_grad_norm=1.0,
        expected_batch_size=PICTURES,
        loss_reduction="sum",
    )
    x, y = pictures()
    rows, digits = torch.from_numpy(x).to(dtype), torch.from_numpy(y).long()

    def step() -> None:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(rows), digits, reduction="sum")
        loss.backward()
        optimizer.step()

    return step


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """The first pictures of all sites."""
    rows = [prepare(read_table(csv), DATA, b"s" * 32) for csv in tables().values()]
    x = np.concatenate([one.X for one in rows])[:PICTURES]
    return x, np.concatenate([one.y for one in rows])[:PICTURES]


def timed(step: Callable[[], object]) -> float:
    """Processor seconds of a step."""
    began = time.process_time()
    step()
    return time.process_time() - began


def compared(pairs: int) -> dict[str, Any]:
    """All in turn."""
    sides = (ours(), bare(), bare(torch.float64))
    for side in sides:
        side()
    runs = [[timed(side) for side in sides] for _ in range(pairs)]
    milliseconds = [round(1e3 * statistics.median(one), 1) for one in zip(*runs, strict=True)]
    found: dict[str, Any] = {"pictures": PICTURES, "pairs": pairs, "milliseconds": milliseconds}
    for place, name in enumerate(("float32", "float64"), 1):
        ratios = [run[0] / run[place] for run in runs]
        found[name] = {
            "ratio": round(statistics.median(ratios), 2),
            "smallest": round(min(ratios), 2),
            "largest": round(max(ratios), 2),
        }
    return found


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {"parameters": FAMILY.parameters, "epsilon": str(TRAIN.epsilon)}
    found["step"] = compared(given.pairs)
    print(found)
    found["accuracy"] = []
    for seed in range(given.seeds):
        found["accuracy"].append(round(accuracy(seed), 3))
        print(seed, found["accuracy"][-1], flush=True)
    found["mean"] = round(statistics.mean(found["accuracy"]), 3)
    print(found)
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
