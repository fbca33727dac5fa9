"""How fast the ledger is: events written (each flushed to the disk), 10,000 events verified, a
large audit.

    python benchmarks/privacy/ledger.py [--json FILE] [--events 10000]

Beside each figure stands bare work of the same size, taken in turn with it:

- beside writing, the same rows inserted into a bare SQLite file (write-ahead log,
  ``synchronous=FULL``, a transaction a row), and 4 kB appended to a plain file and flushed: no
  ledger is faster while every event is durable by itself;
- beside verification, the Ed25519 signatures of as many messages of the same size;
- beside the audit, which is a process of its own, another one that only imports the accountant's
  library.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from securefl.node.site import Site
from securefl.privacy import ledger_log
from securefl.privacy.charges import Charge, ChargeTerms
from securefl.privacy.ledger_reading import read_ledger
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import choose_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from securefl.privacy.ledger_chain import Row

DELTA = Decimal("1e-5")
STUDIES, ROUNDS = 20, 100
#: Events written in a stretch, and how often the sides take turns.
STRETCH, TURNS = 120, 5
TERMS = ChargeTerms(clip_norm="1", normaliser="551.2", noise_source="benchmark", code="c0" * 32)


def charges(noise: str, rounds: int) -> tuple[Charge, ...]:
    """A study of so many rounds of one step, and its evaluation."""
    return (
        Charge("update", SubsampledGaussian(Decimal(noise), Fraction(1, 5), rounds)),
        Charge("evaluation", Gaussian(Decimal("5.1"))),
    )


def site_with_budget(folder: Path, epsilon: str, typical: tuple[Charge, ...]) -> Site:
    """A hospital whose patients have this budget."""
    made = Site.init(
        folder,
        name="BENCH",
        legal_name="Bench",
        email="bench@example.org",
        store=str(folder / "store"),
    )
    made.ledger.grant(
        "patients",
        epsilon=Decimal(epsilon),
        delta=DELTA,
        choice=choose_order(Decimal(epsilon), DELTA, typical),
        typical="typical",
        charges=typical,
    )
    made.ledger.register_dataset("table", population="patients", snapshot="aa" * 32)
    return made


def begin_study(site: Site, number: int, what: tuple[Charge, ...]) -> str:
    """Approve and start a study; its digest."""
    digest = f"{number:064x}"
    site.ledger.approve(
        study=digest,
        study_id=f"study-{number}",
        researcher="bench",
        statement="5e" * 32,
        population="patients",
        dataset="table",
        charges=what,
        attempts=1,
        epsilon=Decimal(1),
        delta=DELTA,
        terms=TERMS,
    )
    site.ledger.start(digest)
    return digest


def send_rounds(site: Site, digest: str, what: tuple[Charge, ...], rounds: range) -> None:
    """The events of these rounds."""
    for n in rounds:
        site.ledger.sent(
            digest,
            round_number=n,
            purpose="update",
            mechanism=what[0].mechanism.with_count(1),
            payload=b"%d" % n,
        )


def not_flushed(site: Site) -> None:
    """Only to fill a ledger: commits are not flushed, no witness is written, and nothing of the
    filling is measured.
    """
    ledger_log.write_witness = lambda *_: None
    site.ledger._file.connection.execute("PRAGMA synchronous=OFF")  # noqa: SLF001 - no such switch in the product


def rows_of(site: Site) -> list[Row]:
    """The ledger's rows."""
    return site.ledger._file.rows()  # noqa: SLF001 - to take bare work of the same size


def bare_rows(folder: Path, example: Row) -> Iterator[None]:
    """Each step inserts a row of this size into a bare SQLite file, durably."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, prev TEXT, body TEXT, hash TEXT, signature"
        " TEXT) STRICT"
    )
    while True:
        connection.execute(
            "INSERT INTO event (prev, body, hash, signature) VALUES (?, ?, ?, ?)",
            (example.prev, example.body, example.hash, example.signature),
        )
        yield


def plain_appends(folder: Path) -> Iterator[None]:
    """Each step appends 4 kB to a plain file and flushes it."""
    handle = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while True:
        os.write(handle, bytes(4096))
        os.fdatasync(handle)
        yield


def summary(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


@dataclass
class Times:
    """Seconds of each turn: by the clock, and of processors (this process and those it waited for)."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def in_turn(**sides: Callable[[], object]) -> dict[str, Times]:
    """Each side, one after the other, :data:`TURNS` times."""
    taken = {name: Times() for name in sides}
    for _ in range(TURNS):
        for name, work in sides.items():
            wall, processor = time.perf_counter(), _processor()
            work()
            taken[name].wall.append(time.perf_counter() - wall)
            taken[name].processor.append(_processor() - processor)
    return taken


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def ratios(one: Times, other: Times) -> dict[str, float]:
    """The wall seconds of one side over the other's, turn by turn."""
    return summary([a / b for a, b in zip(one.wall, other.wall, strict=True)])


def writing(folder: Path, site: Site, digest: str, what: tuple[Charge, ...]) -> dict[str, Any]:
    """Events a second of the ledger, rows a second of bare SQLite, appends a second of the disk."""
    bare, plain = bare_rows(folder, rows_of(site)[-1]), plain_appends(folder)
    next(bare), next(plain)
    sent = iter(range(1, STRETCH * TURNS + 1, STRETCH))

    def events() -> None:
        first = next(sent)
        send_rounds(site, digest, what, range(first, first + STRETCH))

    def rows() -> None:
        for _ in range(STRETCH):
            next(bare)

    def appends() -> None:
        for _ in range(STRETCH):
            next(plain)

    taken = in_turn(ledger=events, sqlite=rows, disk=appends)
    return {
        **{
            f"{name}_per_second": summary([STRETCH / t for t in times.wall])
            for name, times in taken.items()
        },
        **{
            f"{name}_processor_ms": 1000 * statistics.median(times.processor) / STRETCH
            for name, times in taken.items()
        },
        "ratio_to_sqlite": ratios(taken["ledger"], taken["sqlite"]),
    }


def verification(site: Site) -> dict[str, Any]:
    """Seconds to verify the whole ledger: chain, signatures, rules; and of the signatures alone."""
    key = Ed25519PrivateKey.generate()
    signed = [(row.body.encode(), key.sign(row.body.encode())) for row in rows_of(site)]
    public = key.public_key()

    def signatures() -> None:
        for body, signature in signed:
            public.verify(signature, body)

    taken = in_turn(
        ledger=lambda: read_ledger(site.ledger_path, site.identity.card.verify).require(),
        signatures=signatures,
    )
    return {
        "events": len(signed),
        **{f"{name}_seconds": summary(times.wall) for name, times in taken.items()},
        **{f"{name}_processor_seconds": summary(times.processor) for name, times in taken.items()},
        "ratio_to_signatures": ratios(taken["ledger"], taken["signatures"]),
    }


def process(*command: str) -> Callable[[], object]:
    """A process of its own, start of Python included."""
    return lambda: subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)


def audit(folder: Path) -> dict[str, Any]:
    """Seconds of ``securefl audit`` as a whole process, and of one that only imports the
    accountant's library.
    """
    site = site_with_budget(folder / "audited", "30", charges("15", ROUNDS))
    not_flushed(site)
    for n in range(1, STUDIES + 1):
        what = charges(
            str(10 + Decimal(n) / 4), ROUNDS
        )  # every study with noise of its own: the slow case
        digest = begin_study(site, n, what)
        send_rounds(site, digest, what, range(1, ROUNDS + 1))
        site.ledger.sent(
            digest,
            round_number=ROUNDS + 1,
            purpose="evaluation",
            mechanism=what[1].mechanism,
            payload=b"e",
        )
        site.ledger.settle(digest, "completed")
    command = process("-m", "securefl", "audit", "--site", str(site.path), "--json", "-")
    imports = process("-c", "import dp_accounting.pld.privacy_loss_distribution")
    command(), imports()  # the files are in the system's cache from here on
    taken = in_turn(audit=command, imports=imports)
    return {
        "studies": STUDIES,
        "rounds": ROUNDS,
        "events": site.ledger.size,
        **{f"{name}_seconds": summary(times.wall) for name, times in taken.items()},
        **{f"{name}_processor_seconds": summary(times.processor) for name, times in taken.items()},
        "ratio_to_imports": ratios(taken["audit"], taken["imports"]),
    }


def measure(folder: Path, events: int) -> dict[str, Any]:
    """All figures, in files below ``folder``."""
    what = charges("20", events)
    large = site_with_budget(folder / "large", "100", what)
    digest = begin_study(large, 1, what)
    figures = {"writing": writing(folder, large, digest, what)}
    not_flushed(large)
    done = STRETCH * TURNS
    send_rounds(large, digest, what, range(done + 1, done + 1 + events - large.ledger.size))
    return {**figures, "verification": verification(large), "audit": audit(folder)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--events", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        figures = measure(Path(folder), given.events)
    print(json.dumps(figures, indent=1))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
