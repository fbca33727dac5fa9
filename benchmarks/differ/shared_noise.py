"""Full noise at each hospital beside shared noise, at the same epsilon: AUC on the heart table.

``python benchmarks/differ/shared_noise.py`` writes ``shared_noise.json`` and its table in
``README.md``; a quarter of an hour on one core. Each run is a `securefl study simulate` of
`protocols/studies/heart`: seeds 0 to 4, three runs each, the same splits and streams of random bits
for all settings, so that they are compared run by run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import machine

import securefl as sf
from securefl.privacy.planning import noise_for_epsilon

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "protocols/studies/heart/protocol.toml"
SEEDS = range(5)
REPEAT = 3
ROUNDS = 20
DELTA = Decimal("1e-4")
RATES = ("0.25", "0.5", "1")
#: The rate of the template.
GIVEN = "1"
MODELS = {
    "logistic regression": 'kind = "logistic-regression"',
    "perceptron, 32 hidden": 'kind = "mlp"\nhidden = [32]',
}


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Attributes:
        model: one of :data:`MODELS`.
        epsilon: of the training.
        colluders: hospitals that may work together, of four; None where each adds all the noise.
    """

    model: str
    epsilon: str
    colluders: int | None

    @property
    def words(self) -> str:
        """How the noise is added."""
        if self.colluders is None:
            return "all of it at each hospital"
        return f"{4 - self.colluders} shares ({self.colluders} may collude)"


_LINEAR, _PERCEPTRON = MODELS
SETTINGS = (
    *(Setting(_LINEAR, "0.25", colluders) for colluders in (None, 2, 1)),
    *(Setting(_LINEAR, "0.1", colluders) for colluders in (None, 1)),
    *(Setting(_PERCEPTRON, "0.5", colluders) for colluders in (None, 2, 1)),
)


def protocol(setting: Setting) -> str:
    """The template with this setting's figures; every edit must find its place once."""
    noise = noise_for_epsilon(Decimal(setting.epsilon), DELTA, Fraction(1), ROUNDS)
    edits = [
        ('kind = "logistic-regression"', MODELS[setting.model]),
        (
            'epsilon = "1"\nnoise_multiplier = "14.25"',
            f'epsilon = "{setting.epsilon}"\nnoise_multiplier = "{noise}"',
        ),
        # the check of the model is not what is compared: its noise is the same everywhere
        (
            'noise_multiplier = "3.2"\nepsilon = "1"',
            'noise_multiplier = "12"\nepsilon = "0.227"',
        ),
    ]
    if setting.colluders is not None:
        edits.append(('noise = "local"', 'noise = "distributed"'))
        edits.append(("colluders = 2", f"colluders = {setting.colluders}"))
    text = TEMPLATE.read_text()
    for old, new in edits:
        if text.count(old) != 1:
            raise SystemExit(f"{TEMPLATE} does not hold {old!r} once")
        text = text.replace(old, new)
    return text


def measure(setting: Setting) -> dict[str, Any]:
    """AUC on all patients kept aside, at each of the server's rates, run by run."""
    found: dict[str, list[float]] = {rate: [] for rate in RATES}
    text = protocol(setting)
    for seed in SEEDS:
        simulated = sf.simulate(
            text,
            public="heart",
            sweep={"server_learning_rate": RATES},
            repeat=REPEAT,
            seed=seed,
            advise=False,
        ).to_dict()
        for point in simulated["sweep"]:
            found[point["changes"]["server_learning_rate"]] += point["exact"]["values"]
    means = {rate: round(statistics.mean(values), 4) for rate, values in found.items()}
    print(setting, means, flush=True)
    return {
        "model": setting.model,
        "epsilon": setting.epsilon,
        "noise": setting.words,
        "auc": found,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """AUC at each rate, and the gain over full noise: at the template's rate, and each at its best."""
    heads = ["model", "epsilon", "noise", *(f"rate {rate}" for rate in RATES)]
    heads += [f"gain at rate {GIVEN}", "gain, best rates"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    full: dict[str, list[float]] = {}
    for row in rows:
        auc = row["auc"]
        if row["noise"] == SETTINGS[0].words:
            full = auc
        cells = " | ".join(_short(statistics.mean(auc[rate])) for rate in RATES)
        lines.append(
            f"| {row['model']} | {row['epsilon']} | {row['noise']} | {cells} | {_gains(auc, full)} |"
        )
    return "\n".join(lines)


def _gains(auc: dict[str, list[float]], full: dict[str, list[float]]) -> str:
    if auc is full:
        return " | "
    ours, theirs = (
        max(RATES, key=lambda rate: statistics.mean(found[rate])) for found in (auc, full)
    )
    return f"{_gain(auc[GIVEN], full[GIVEN])} | {_gain(auc[ours], full[theirs])}"


def _gain(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Mean difference over the runs, and its standard error."""
    apart = [a - b for a, b in zip(ours, theirs, strict=True)]
    error = statistics.stdev(apart) / len(apart) ** 0.5
    return f"{statistics.mean(apart):+.3f} ± {error:.3f}"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def write(found: dict[str, Any]) -> None:
    """The figures, and the table between its marks in the page."""
    (HERE / "shared_noise.json").write_text(json.dumps(found, indent=1) + "\n")
    page = HERE / "README.md"
    head, start, rest = page.read_text().partition("<!-- shared -->")
    _, end, tail = rest.partition("<!-- end of shared -->")
    page.write_text(f"{head}{start}\n{table(found['rows'])}\n{end}{tail}")


def main() -> None:
    """Measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page-only", action="store_true", help="the table of the figures kept")
    if arguments.parse_args().page_only:
        write(json.loads((HERE / "shared_noise.json").read_text()))
        return
    write(
        {
            "machine": machine("numpy"),
            "seeds": list(SEEDS),
            "repeat": REPEAT,
            "rows": [measure(setting) for setting in SETTINGS],
        }
    )


if __name__ == "__main__":
    main()
