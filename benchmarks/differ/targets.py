"""The aims of this page beside what was measured: one row an aim, read off the figures kept here.

``python benchmarks/differ/targets.py`` writes the table into ``README.md``. It measures nothing.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scipy.stats import t as student

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).resolve().parent
#: FLamby's mean accuracy and the spread of its seeds.
PUBLISHED: Final = {
    "pooled": (0.735, 0.003),
    "fedavg": (0.685, 0.028),
    "fedprox": (0.685, 0.028),
    "scaffold": (0.684, 0.028),
    "fedadam": (0.726, 0.014),
    "fedyogi": (0.731, 0.013),
}


@dataclass(frozen=True)
class Measured:
    """What came out: in words, and whether the aim is met by it."""

    words: str
    met: str


@dataclass(frozen=True)
class Aim:
    """One row.

    Attributes:
        wanted: the aim.
        read: what was measured.
        script: that measures it.
    """

    wanted: str
    read: Callable[[], Measured]
    script: str


def kept(name: str, folder: Path = HERE) -> Any:  # noqa: ANN401 - each file has a form of its own
    """A file of figures."""
    return json.loads((folder / f"{name}.json").read_text())


def mean(values: Sequence[float]) -> float:
    """Mean over runs."""
    return statistics.mean(values)


def yes(*holds: bool) -> str:
    """Word for whether all hold."""
    return "yes" if all(holds) else "no"


def parity() -> Measured:
    """FLamby's figures, each within its own spread."""
    found = {
        row["strategy"]: mean(row["accuracy"])
        for row in kept("strategies")["parity"]
        if not row.get("note")
    }
    words = ", ".join(f"{name} {found[name]:.3f}" for name in PUBLISHED)
    return Measured(words, yes(*(abs(found[n] - m) <= s for n, (m, s) in PUBLISHED.items())))


def fixed() -> Measured:
    """FedAvg on public ranges, without noise."""
    (row,) = [r for r in kept("strategies")["fixed"] if r["strategy"] == "fedavg" and not r["note"]]
    accuracy, auc = mean(row["accuracy"]), mean(row["auc"])
    return Measured(f"{accuracy:.3f} and {auc:.3f}", yes(accuracy >= 0.8, auc >= 0.875))


def _shared(model: str, epsilon: str, noise: str) -> dict[str, list[float]]:
    (row,) = [
        r
        for r in kept("shared_noise")["rows"]
        if r["model"].startswith(model) and r["epsilon"] == epsilon and r["noise"].startswith(noise)
    ]
    found: dict[str, list[float]] = row["auc"]
    return found


def small_epsilon() -> Measured:
    """Shared noise at epsilon .25: at the best of three rates."""
    found = [
        max(mean(v) for v in _shared("logistic", "0.25", s).values())
        for s in ("2 shares", "3 shares")
    ]
    words = f"{found[0]:.3f} where two may collude, {found[1]:.3f} where one may"
    return Measured(words, yes(*(value >= 0.865 for value in found)))


def perceptron() -> Measured:
    """Gain of shared noise over full noise: at the template's rate, and each at its best."""
    full, shared = _shared("perceptron", "0.5", "all"), _shared("perceptron", "0.5", "3 shares")
    given = mean(shared["1"]) - mean(full["1"])
    best = max(map(mean, shared.values())) - max(map(mean, full.values()))
    words = f"{given:+.3f} at the template's rate, {best:+.3f} with each at its best rate"
    met = "at the template's rate" if given >= 0.03 > best else yes(best >= 0.03)
    return Measured(words, met)


def _skewed(split: str, strategy: str, choice: str) -> float:
    (row,) = [
        r
        for r in kept("skew")["rows"]
        if (r["data"], r["split"], r["strategy"], r["choice"])
        == ("thyroid", split, strategy, choice)
    ]
    return mean(row["auc"])


def skewed() -> Measured:
    """SCAFFOLD over FedAvg where each hospital has one outcome, and where patients are dealt."""
    one, lot = (
        _skewed(split, "scaffold", "local") - _skewed(split, "fedavg", "local")
        for split in ("one outcome each", "by lot")
    )
    both = _skewed("one outcome each", "scaffold", "both") - _skewed(
        "one outcome each", "fedavg", "both"
    )
    words = (
        f"{one:+.3f} over the plain mean of models, {both:+.3f} over FedAvg with both rates chosen"
    )
    words += f"; {abs(lot):.3f} where patients are dealt by lot"
    met = "over the plain mean" if one >= 0.02 > both else yes(both >= 0.02)
    return Measured(words, met)


def thyroid() -> Measured:
    """The template's 40 rounds at epsilon 1."""
    found = [row["inverts"]["nobody"]["auc"] for row in kept("inverted")["rows"]]
    return Measured(f"{mean(found):.3f} (least {min(found):.3f})", yes(mean(found) >= 0.985))


def digits() -> Measured:
    """The convolution of a model.py."""
    found = kept("own_model")["mean"]
    return Measured(f"{found:.3f}", yes(found >= 0.85))


def bytes_sent() -> Measured:
    """All weights beside the low rank, seed by seed."""
    full, *_, few = kept("fewer_bytes")["rows"]
    apart = [a - b for a, b in zip(few["auc"], full["auc"], strict=True)]
    half = float(student.ppf(0.975, len(apart) - 1)) * statistics.stdev(apart) / len(apart) ** 0.5
    middle = mean(apart)
    fewer = full["bytes"] / few["bytes"]
    words = (
        f"{fewer:.0f} times fewer, AUC {middle:+.4f} ({middle - half:+.4f} to"
        f" {middle + half:+.4f} with 95 %, {len(apart)} seeds)"
    )
    return Measured(words, yes(fewer >= 20 and middle - half > -0.005))


def steps() -> Measured:
    """Processor time of a noised step over that of bare Opacus."""
    step = kept("own_model")["step"]
    same, cnn = step["float64"]["ratio"], step["float32"]["ratio"]
    cases = kept("results", HERE.parent / "privacy")["steps"]["cases"]
    others = [one["processor_ratio_to_opacus"]["median"] for one in cases]
    words = f"linear {others[0]:.2f}, perceptrons {others[1]:.2f} and {others[2]:.2f}"
    met = yes(max(*others, same, cnn) <= 1.5)
    if max(*others, same) <= 1.5 < cnn:
        met = "the graph in float64 alone"
    graph = f"graph (CNN) {same:.2f} in the same float64, {cnn:.2f} beside float32 under load"
    return Measured(f"{words}, {graph}", met)


AIMS = (
    Aim(
        "FLamby's heart figures, each within its spread: pooled .735, FedAvg .685, FedProx .685,"
        " SCAFFOLD .684, FedAdam .726, FedYogi .731",
        parity,
        "strategies.py",
    ),
    Aim("Fixed ranges, no noise: accuracy .80, AUC .875", fixed, "strategies.py"),
    Aim("Heart at epsilon .25, shared noise: AUC .865", small_epsilon, "shared_noise.py"),
    Aim(
        "Perceptron 13-32-1 at epsilon .5: shared noise gains .03 over full noise",
        perceptron,
        "shared_noise.py",
    ),
    Aim(
        "A split where the best strategy gains .02 over FedAvg at epsilon 1, and one where it does not",
        skewed,
        "skew.py",
    ),
    Aim(
        "Thyroid at epsilon 1, own noise, 40 rounds: exact AUC .985, mean of seeds 0 to 4",
        thyroid,
        "inverted.py",
    ),
    Aim("Digits in five sites at epsilon 3: accuracy .85", digits, "own_model.py"),
    Aim(
        "Perceptron of 1e5 weights, thyroid: 20 times fewer bytes, AUC within .005",
        bytes_sent,
        "fewer_bytes.py",
    ),
    Aim(
        "A noised step at most 1.5 times bare Opacus: linear, perceptrons, graph",
        steps,
        "../privacy/run.py` and `own_model.py",
    ),
)


def table() -> str:
    """Wanted, measured, met, and what measures it."""
    lines = ["| wanted | measured | met | script |", "|---|---|---|---|"]
    for aim in AIMS:
        found = aim.read()
        lines.append(f"| {aim.wanted} | {found.words} | {found.met} | `{aim.script}` |")
    return "\n".join(lines)


def main() -> None:
    """Write the table."""
    page = HERE / "README.md"
    head, mark, rest = page.read_text().partition("<!-- targets -->")
    _, end, tail = rest.partition("<!-- end of targets -->")
    page.write_text(f"{head}{mark}\n{table()}\n{end}{tail}")


if __name__ == "__main__":
    main()
