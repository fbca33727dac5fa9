"""A trial: a frozen backbone that is adapted by low-rank factors, beside a last layer alone.

    python benchmarks/differ/adapted_backbone.py [--json FILE] [--seeds 5]

The backbone is that of ``backbone.py``: it learnt digits drawn with public fonts. What is private are
the pictures of the published table. Plain PyTorch in float32, no study: 40 noised steps on all
training pictures, clip norm 1, five hospitals that add the full noise for epsilon 3 each (8.80 clip
norms), server momentum .8, as in ``protocols/studies/digits-images``. Accuracy is exact, on the
pictures kept aside. Rates were tried on other splits of the same public table.

"last" learns the last layer on the 16 features. "rank r" learns besides factors A and B of the
backbone's linear layer, W + B A (Hu et al. 2021, arXiv:2106.09685); "rank r, all" of its second
convolution too. "wide" is a last layer on the 512 numbers before the linear layer.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import backbone
import numpy as np
import torch
from machine import machine
from sklearn.datasets import load_digits
from torch.func import grad, vmap
from torch.nn import functional

STEPS, CLIP, NOISE, SITES, MOMENTUM = 40, 1.0, 8.80, 5, 0.8
RATES = (0.125, 0.25, 0.5, 1.0, 2.0)
LEARNT = ("last", "rank 1", "rank 4", "rank 8", "rank 16", "rank 2, all", "wide")

Weights = dict[str, torch.Tensor]


def trained() -> Weights:
    """Weights of the backbone, by short names."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "backbone.safetensors"
        sha256, _ = backbone.made_backbone(target)
        print("backbone", sha256[:12], flush=True)
        from safetensors.torch import load

        found = load(target.read_bytes())
    names = {"1": "first", "2": "norm1", "5": "second", "6": "norm2", "9": "linear"}
    return {
        f"{names[key.split('.')[1]]}.{key.split('.')[2]}": value.float()
        for key, value in found.items()
    }


def windows(base: Weights, x: torch.Tensor) -> torch.Tensor:
    """What the second convolution sees of each picture: float32[n, 216, 16]. It stays as it is."""
    seen = functional.conv2d(
        x.reshape(-1, 1, 8, 8), base["first.weight"], base["first.bias"], padding=1
    )
    seen = functional.group_norm(seen, 4, base["norm1.weight"], base["norm1.bias"]).tanh()
    return functional.unfold(functional.avg_pool2d(seen, 2), 3, padding=1)


def before_linear(w: Weights, seen: torch.Tensor) -> torch.Tensor:
    """The 512 numbers of one picture's windows."""
    second = w["second.weight"].reshape(32, -1)
    if "second.a" in w:
        second = second + w["second.b"] @ w["second.a"]
    seen = second @ seen + w["second.bias"][:, None]
    seen = functional.group_norm(seen[None], 4, w["norm2.weight"], w["norm2.bias"])
    return seen.tanh().reshape(-1)


def scores(learnt: Weights, fixed: Weights, seen: torch.Tensor) -> torch.Tensor:
    """Scores of one picture, float32[10], of its windows or of the 512 numbers."""
    w = {**fixed, **learnt}
    linear = w["linear.weight"]
    if seen.dim() == 2:
        seen = before_linear(w, seen)
    if "wide" not in w:
        if "linear.a" in w:
            linear = linear + w["linear.b"] @ w["linear.a"]
        seen = (linear @ seen + w["linear.bias"]).tanh()
    found: torch.Tensor = w["last.weight"] @ seen + w["last.bias"]
    return found


def start(kind: str, base: Weights) -> tuple[Weights, Weights]:
    """What is learnt at first, and what stays."""
    torch.manual_seed(5)
    into = 512 if kind == "wide" else 16
    learnt = {"last.weight": torch.zeros(10, into), "last.bias": torch.zeros(10)}
    fixed = dict(base)
    if kind == "wide":
        fixed["wide"] = torch.zeros(())
    if kind.startswith("rank"):
        rank = int(kind.split()[1].strip(","))
        layers = {"linear": (16, 512)}
        if kind.endswith("all"):
            layers["second"] = (32, 216)
        for name, (rows, columns) in layers.items():
            learnt[f"{name}.a"] = torch.randn(rank, columns) / math.sqrt(columns)
            learnt[f"{name}.b"] = torch.zeros(rows, rank)
    return learnt, fixed


def accuracy(kind: str, base: Weights, rate: float, seed: int) -> float:
    """Share of pictures kept aside that are told rightly, after 40 noised steps."""
    table = load_digits()
    order = np.random.default_rng(seed).permutation(len(table.data))
    x = torch.tensor(table.data / 8 - 1, dtype=torch.float32)[order]
    y = torch.tensor(table.target)[order]
    kept = round(0.7 * len(x))
    learnt, fixed = start(kind, base)
    with torch.no_grad():
        x = windows(base, x)
        if "second.a" not in learnt:
            x = vmap(lambda one: before_linear(base, one))(x)
    noise = torch.Generator().manual_seed(1000 + seed)

    def lost(learnt: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(scores(learnt, fixed, x)[None], y[None])

    each = vmap(grad(lost), in_dims=(None, 0, 0), chunk_size=512)
    moved = {name: torch.zeros_like(value) for name, value in learnt.items()}
    for _ in range(STEPS):
        slopes = each(learnt, x[:kept], y[:kept])
        square = sum((slope.reshape(kept, -1) ** 2).sum(1) for slope in slopes.values())
        scale = (CLIP / square.sqrt()).clamp(max=1.0)  # type: ignore[union-attr]
        for name, slope in slopes.items():
            total = torch.tensordot(scale, slope, 1)
            drawn = torch.randn(total.shape, generator=noise)
            total += NOISE * CLIP * math.sqrt(SITES) * drawn
            moved[name] = MOMENTUM * moved[name] + total / kept
            learnt[name] = learnt[name] - rate * moved[name]
    with torch.no_grad():
        told = vmap(lambda one: scores(learnt, fixed, one))(x[kept:]).argmax(1)
    return float((told == y[kept:]).float().mean())


def main() -> None:
    """Measure, print, and write the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--json", type=Path)
    options.add_argument("--seeds", type=int, default=5)
    given = options.parse_args()
    torch.set_num_threads(1)
    base = trained()
    found: dict[str, Any] = {}
    for kind in LEARNT:
        tried = {rate: accuracy(kind, base, rate, 100) for rate in RATES}
        rate = max(tried, key=lambda one: tried[one])
        values = [round(accuracy(kind, base, rate, seed), 4) for seed in range(given.seeds)]
        many = sum(value.numel() for value in start(kind, base)[0].values())
        found[kind] = {"learnt": many, "rate": rate, "accuracy": values}
        mean = statistics.mean(values)
        print(f"| {kind} | {many} | {rate} | {values} | {mean:.3f} |", flush=True)
    if given.json:
        kept = {"machine": machine(), "found": found}
        given.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
