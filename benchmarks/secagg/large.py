"""One round's secure sum of a large model, each role in a process of its own: how much each grows,
and how time grows with the size.

    python benchmarks/secagg/large.py                                  # 1e6, 1e7, 1e8 parameters; 3 GB of temporary files at the last
    python benchmarks/secagg/large.py --sizes 1000000 --json -

The hospitals' numbers are made up; everything else is what a round does: pack, encrypt, mask, hash,
sign, check, add, add again, compare, open.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine import machine

from securefl.bench.memory import peak_mb, resident_mb
from securefl.federation.tempfiles import IN_MEMORY, open_tempfile
from securefl.identity import Identity
from securefl.secagg.contribution import contribute
from securefl.secagg.frame import read_sum, write_sum
from securefl.secagg.layouts import cipher_layout_of, layout_for
from securefl.secagg.masks import pair_secret
from securefl.secagg.opening import open_sum
from securefl.secagg.round_context import RoundContext
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.sum import RunningSum, check_parts, same_sum

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SITES = ("A", "B", "C")
_SLICE = 1 << 20


def numbers(site: str, start: int, stop: int) -> np.ndarray:
    """The hospital's numbers from ``start`` to ``stop``: int64, each below 1,000 in absolute value."""
    made = np.arange(start, stop, dtype=np.int64)
    made *= 7919 * (1 + SITES.index(site))
    made %= 1999
    made -= 999
    return made


class Round:
    """The parties' keys, the facts of the round, and the files that pass between them."""

    def __init__(self, folder: Path, parameters: int, bits: int) -> None:
        self.folder, self.parameters = folder, parameters
        self.cipher = CkksIntegers()
        layout = layout_for(bits, len(SITES), parameters)
        self.keys = self.cipher.generate(cipher_layout_of(layout).ring)
        self.people = {s: Identity.generate(s, "hospital", s, f"{s}@example.org") for s in SITES}
        self.operator = Identity.generate("sums", "aggregator", "sums", "sums@example.org")
        agreement = {s: X25519PrivateKey.generate() for s in SITES}
        self.secrets = {
            s: {
                o: pair_secret(agreement[s], agreement[o].public_key().public_bytes_raw(), other=o)
                for o in SITES
                if o != s
            }
            for s in SITES
        }
        self.facts = RoundContext(
            study=secrets.token_hex(32),
            round=1,
            attempt=1,
            kind="update",
            cohort=SITES,
            instances=tuple(secrets.token_hex(32) for _ in SITES),
            public_key_sha256=self.keys.public.sha256,
            layout=layout,
            length=parameters,
            bound=1000,
            model_sha256=secrets.token_hex(32),
        )

    def contribution(self, site: str) -> None:
        """A hospital's part."""
        with (self.folder / site).open("w+b") as file:
            contribute(
                numbers(site, 0, self.parameters),
                file,
                facts=self.facts,
                public=self.keys.public,
                me=site,
                secrets=self.secrets[site],
                sign=self.people[site].sign,
                cipher=self.cipher,
            )

    def sum(self) -> None:
        """The aggregator's part."""
        total = self._added()
        with (self.folder / "sum").open("w+b") as file:
            write_sum(
                self.facts, "sums", total.blocks(), file, parts=total.parts, sign=self.operator.sign
            )

    def opening(self) -> None:
        """The coordinator's part: add again, compare, open; the integers are then compared with the
        truth, a slice at a time.
        """
        total, opened = self._added(), np.empty(self.parameters, dtype=np.int64)
        with (self.folder / "sum").open("rb") as file:
            claimed = read_sum(file, self.facts, "sums", self.operator.card.verify)
            check_parts(claimed.parts, total.parts, "sums")
            open_sum(
                self.keys, same_sum(claimed.blocks, total.blocks(), "sums"), self.facts, opened
            )
        for start in range(0, self.parameters, _SLICE):
            stop = min(start + _SLICE, self.parameters)
            if not np.array_equal(opened[start:stop], sum(numbers(s, start, stop) for s in SITES)):
                raise SystemExit("the sum is not exact")

    def _added(self) -> RunningSum:
        total = RunningSum(self.facts, open_tempfile, IN_MEMORY)
        for site in SITES:
            with (self.folder / site).open("rb") as file:
                total.add(file, site, self.people[site].card.verify)
        return total


def in_a_process(work: Callable[[], None]) -> dict[str, float]:
    """Run ``work`` in a child: how much it grew above its start (MiB), and its processor seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        start = resident_mb()
        work()
        os.write(
            write,
            json.dumps(
                {
                    "growth_mb": round(peak_mb() - start),
                    "cpu_seconds": round(time.process_time(), 2),
                }
            ).encode(),
        )
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    if os.waitpid(child, 0)[1] != 0 or not said:
        raise SystemExit("a process failed")
    found: dict[str, float] = json.loads(said)
    return found


def measure(parameters: int, bits: int) -> dict[str, Any]:
    """One round of that many parameters."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:  # noqa: S108 - a folder of its own
        made = Round(Path(folder), parameters, bits)
        hospitals = [in_a_process(lambda s=site: made.contribution(s)) for site in SITES]
        return {
            "parameters": parameters,
            "bits": bits,
            "hospital": max(hospitals, key=lambda h: h["growth_mb"]),
            "aggregator": in_a_process(made.sum),
            "coordinator": in_a_process(made.opening),
            "exact": True,
            "upload_bytes_per_parameter": (Path(folder) / "A").stat().st_size / parameters,
        }


def main() -> None:
    """Measure each size and print a table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sizes", type=int, nargs="+", default=[10**6, 10**7, 10**8])
    options.add_argument("--bits", type=int, default=16)
    options.add_argument(
        "--json", metavar="FILE", help="also write the figures; '-' prints them instead"
    )
    chosen = options.parse_args()
    found = {**machine("tenseal"), "rounds": [measure(size, chosen.bits) for size in chosen.sizes]}
    if chosen.json == "-":
        print(json.dumps(found, indent=1))
        return
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(found, indent=1) + "\n")
    print(f"{'parameters':>12}  {'role':<12} {'grew by, MiB':>12} {'processor s':>12}")
    for one in found["rounds"]:
        for role in ("hospital", "aggregator", "coordinator"):
            print(
                f"{one['parameters']:>12,}  {role:<12} {one[role]['growth_mb']:>12}"
                f" {one[role]['cpu_seconds']:>12}"
            )


if __name__ == "__main__":
    main()
