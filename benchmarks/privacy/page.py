"""The page of the privacy benchmark, from ``results.json``: measured figures only.

``python page.py`` writes it again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def write_page(folder: Path, results: dict[str, Any]) -> None:
    """``README.md`` in ``folder``."""
    (folder / "README.md").write_text(page(results))


def page(results: dict[str, Any]) -> str:
    """The page's text."""
    machine, steps = results["machine"], results["steps"]
    kept = results["ledger"]
    writing, verification, audit = kept["writing"], kept["verification"], kept["audit"]
    return "\n".join(
        [
            "# Ledger, audit and noised steps, measured",
            "",
            (
                "Made by `make bench-privacy` (`benchmarks/privacy/run.py`); every figure is from"
                " one run. Nothing here is a promise: run it on your machine."
            ),
            "",
            (
                f"Date {machine['date']}. {machine['cpu']}, {machine['cores']} cores,"
                f" {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']},"
                f" torch {machine['torch']}, Opacus {machine['opacus']}, dp-accounting"
                f" {machine['dp-accounting']}. The one-minute load was {kept['load_before']} before"
                f" the ledger and {steps['load_before']} before the steps (the benchmark's own work"
                " included)."
            ),
            "",
            (
                "Each figure stands beside bare work of the same size, taken in turn with it; a"
                " ratio is that of two neighbours. Median (smallest to largest)."
            ),
            "",
            "## Ledger",
            "",
            "| what | measured | goal | beside it, in the same minute | ratio of the times |",
            "|---|---|---|---|---|",
            (
                "| events written, each flushed to the disk |"
                f" {_spread(writing['ledger_per_second'], '.0f')} a second | 200 a second | the"
                " same rows in bare SQLite (WAL, `synchronous=FULL`):"
                f" {_spread(writing['sqlite_per_second'], '.0f')}; 4 kB appended and flushed:"
                f" {_spread(writing['disk_per_second'], '.0f')} |"
                f" {_spread(writing['ratio_to_sqlite'], '.2f')} |"
            ),
            (
                f"| verification of {verification['events']:,} events: chain, signatures, rules |"
                f" {_spread(verification['ledger_seconds'], '.2f')} s | 5 s | as many bare Ed25519"
                f" verifications: {_spread(verification['signatures_seconds'], '.2f')} s |"
                f" {_spread(verification['ratio_to_signatures'], '.2f')} |"
            ),
            (
                f"| `securefl audit`, a whole process, on {audit['studies']} studies of"
                f" {audit['rounds']} rounds ({audit['events']:,} events), every study with noise of"
                f" its own | {_spread(audit['audit_seconds'], '.2f')} s | 3 s | a process that only"
                f" imports the accountant's library: {_spread(audit['imports_seconds'], '.2f')} s |"
                f" {_spread(audit['ratio_to_imports'], '.2f')} |"
            ),
            "",
            (
                "Processor time, which other programs disturb less:"
                f" {writing['ledger_processor_ms']:.2f} ms an event"
                f" ({writing['sqlite_processor_ms']:.2f} ms in bare SQLite),"
                f" {verification['ledger_processor_seconds']['median']:.2f} s for the verification"
                f" ({verification['signatures_processor_seconds']['median']:.2f} s for the"
                f" signatures alone), {audit['audit_processor_seconds']['median']:.2f} s for the"
                f" audit ({audit['imports_processor_seconds']['median']:.2f} s for the imports"
                " alone). How many events a second are written is decided by the disk."
            ),
            *(
                [
                    "",
                    (
                        "Events written: the figure is of the ledger as it was on that date, with a"
                        " write-ahead log. Decision 0018 has what one file and a witness cost"
                        " beside it."
                    ),
                ]
                if machine["date"] <= "2026-11-24"
                else []
            ),
            "",
            "## Noised steps",
            "",
            (
                "| model | a step, ms | bare Opacus, ms | ratio | ratio by the clock | Opacus with"
                " `secure_mode`, ms | ratio |"
            ),
            "|---|---|---|---|---|---|---|",
            *(
                f"| {c['case']} ({c['parameters']:,} parameters) | {c['processor_ms']['ours']:.2f}"
                f" | {c['processor_ms']['opacus']:.2f} |"
                f" {_spread(c['processor_ratio_to_opacus'], '.2f')} |"
                f" {_spread(c['wall_ratio_to_opacus'], '.2f')} |"
                f" {c['processor_ms']['opacus_secure_mode']:.2f} |"
                f" {_spread(c['processor_ratio_to_opacus_secure_mode'], '.2f')} |"
                for c in steps["cases"]
            ),
            "",
            (
                f"Milliseconds are processor time, with one thread; {steps['cases'][0]['pairs']}"
                " pairs of runs. Goal: a ratio of 1.5. What is in a step on every side: a Poisson"
                " batch at rate 1/5, each record's gradient by Opacus' hooks, clipping, the sum,"
                " noise, the model moved."
            ),
            (
                "- **securefl**: float64 with exact products, so that no record moves another's"
                " last bit; gradients rounded to the integer grid one by one and their norms"
                " checked in integers; batch and discrete Gaussian from ChaCha20. Gradients are"
                " clipped from the factors they are products of and never written out."
            ),
            (
                "- **bare Opacus**: float32, `GradSampleModule` and `DPOptimizer` as they come;"
                " batch and noise from torch's generator."
            ),
            (
                "- **`secure_mode`**: four Gaussians for each value, against the attack on float"
                " noise; from torch's generator, since `torchcsprng`, the cryptographic one it was"
                " meant for, is no longer published."
            ),
            "",
        ]
    )


def _spread(values: dict[str, float], form: str) -> str:
    return f"{values['median']:{form}} ({values['least']:{form}} to {values['most']:{form}})"


if __name__ == "__main__":
    write_page(HERE, json.loads((HERE / "results.json").read_text()))
