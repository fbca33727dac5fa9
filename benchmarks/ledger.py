"""How fast the ledger is: events written (each flushed to the disk), 10,000 events verified, a large audit.

    python benchmarks/ledger.py [--json FILE] [--events 10000]

Prints one line a figure. Beside the writing stands what the disk itself does in the same minute: a plain file, 4 kB
appended and flushed (fdatasync) as often. A ledger cannot be faster than that while every event is durable by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from securefl.node.site import Site
from securefl.privacy.charges import Charge, Terms
from securefl.privacy.ledger_reading import read_ledger
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import choose_order

DELTA = Decimal("1e-5")
STUDIES, ROUNDS = 20, 100
TERMS = Terms(clip_norm="1", normaliser="551.2", noise_source="benchmark", code="c0" * 32)


def charges(noise: str, rounds: int) -> tuple[Charge, ...]:
    """A study of so many rounds of one step, and its evaluation."""
    return (Charge("update", SubsampledGaussian(Decimal(noise), Fraction(1, 5), rounds)), Charge("evaluation", Gaussian(Decimal("5.1"))))


def site_with_budget(folder: Path, epsilon: str, typical: tuple[Charge, ...]) -> Site:
    """A hospital whose patients have this budget."""
    made = Site.init(folder, name="BENCH", legal_name="Bench", email="bench@example.org", store=str(folder / "store"))
    made.ledger.grant(
        "patients", epsilon=Decimal(epsilon), delta=DELTA, choice=choose_order(Decimal(epsilon), DELTA, typical), typical="typical", charges=typical
    )
    made.ledger.register_dataset("table", population="patients", snapshot="aa" * 32)
    return made


def run_study(site: Site, number: int, what: tuple[Charge, ...], rounds: int, *, settle: bool = True) -> float:
    """Approve, start, send every round, settle; returns the seconds that the rounds' events took."""
    digest = f"{number:064x}"
    site.ledger.approve(
        study=digest, study_id=f"study-{number}", researcher="bench", statement="5e" * 32, population="patients", dataset="table",
        charges=what, attempts=1, epsilon=Decimal(1), delta=DELTA, terms=TERMS,
    )
    site.ledger.start(digest)
    begun = time.perf_counter()
    for n in range(1, rounds + 1):
        site.ledger.sent(digest, round_number=n, purpose="update", mechanism=what[0].mechanism.with_count(1), payload=b"%d" % n)
    took = time.perf_counter() - begun
    if settle:
        site.ledger.sent(digest, round_number=rounds + 1, purpose="evaluation", mechanism=what[1].mechanism, payload=b"e")
        site.ledger.settle(digest, "completed")
    return took


def disk_appends(folder: Path, count: int) -> float:
    """Appends of 4 kB a second, each flushed."""
    handle = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    begun = time.perf_counter()
    for _ in range(count):
        os.write(handle, bytes(4096))
        os.fdatasync(handle)
    took = time.perf_counter() - begun
    os.close(handle)
    return count / took


def best_verification(site: Site) -> float:
    """Seconds to verify the whole ledger: chain, signatures, rules. The best of three."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        read_ledger(site.ledger_path, site.identity.card.verify).require()
        times.append(time.perf_counter() - begun)
    return min(times)


def audit_seconds(site: Site) -> float:
    """Wall seconds of the whole command, start of Python included. The best of three."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "securefl", "audit", "--site", str(site.path), "--json", "-"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begun)
    return min(times)


def measure(folder: Path, events: int) -> dict[str, float]:
    """All figures."""
    # a ledger whose commits are not flushed fills faster; the flushed ones are measured first, on the same file
    large = site_with_budget(folder / "large", "100", charges("20", events))
    flushed = 600
    figures = {"disk_appends_per_second": disk_appends(folder, flushed)}
    what = charges("20", events)
    took = run_study(large, 1, what, flushed, settle=False)
    figures["ledger_events_per_second"] = flushed / took
    large.ledger._file.connection.execute("PRAGMA synchronous=OFF")  # noqa: SLF001 - only to fill it
    for n in range(flushed + 1, events - large.ledger.size + flushed + 1):
        large.ledger.sent(f"{1:064x}", round_number=n, purpose="update", mechanism=what[0].mechanism.with_count(1), payload=b"%d" % n)
    figures["events"] = large.ledger.size
    figures["verification_seconds"] = best_verification(large)
    audited = site_with_budget(folder / "audited", "30", charges("15", ROUNDS))
    audited.ledger._file.connection.execute("PRAGMA synchronous=OFF")  # noqa: SLF001 - as above
    for n in range(1, STUDIES + 1):
        run_study(audited, n, charges(str(10 + Decimal(n) / 4), ROUNDS), ROUNDS)  # every study with noise of its own: the slow case
    figures["audit_events"] = audited.ledger.size
    figures["audit_seconds"] = audit_seconds(audited)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--events", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        figures = measure(Path(folder), given.events)
    for name, value in figures.items():
        print(f"{name:<28} {value:.4g}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
