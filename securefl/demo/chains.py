"""The free light chain cohort (Dispenzieri et al. 2012, Mayo Clinic Proceedings 87:517): 7874
residents of Olmsted County aged 50 and more, followed for up to 14 years.

The file is ``flchain.arff`` of scikit-survival 0.28.0 (``sksurv/datasets/data``), which is R's
``survival::flchain``. Residents of one county are divided into five invented hospitals by a lot
with a fixed seed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Final

import numpy as np

from securefl.errors import DataError
from securefl.public_tables import DATA_VARIABLE

SHA256: Final = "bf2600ec437dd19071f73bdad82de681780457d1141ec36ed551b0026e6e5773"
#: Hospital → patients.
HOSPITALS: Final = {"north": 3500, "east": 2200, "south": 1300, "west": 600, "island": 274}
_COLUMNS: Final = (
    "patient,age,sex,sample_year,kappa,lambda,group,creatinine,mgus,days,status,chapter"
)


#: The file, below the folder of downloaded tables.
FILE: Final = Path("chains") / "flchain.arff"


_STEP: Final = (
    "Run: pip install 'securefl[demo]'. Or take flchain.arff out of the wheel of scikit-survival"
    f" 0.28.0 (sksurv/datasets/data) and put it at DIR/{FILE}, with {DATA_VARIABLE}=DIR."
)


def downloaded() -> dict[str, bytes]:
    """Hospital → its table as CSV, from the folder of downloaded tables, or from the package where
    the file is not there.

    Raises:
        DataError: the file is in neither, or is not the published one.
    """
    root = os.environ.get(DATA_VARIABLE)
    if root and (Path(root) / FILE).exists():
        return tables(Path(root) / FILE)
    path = packaged()
    if path is None:
        raise DataError(
            "the free light chain cohort is not shipped, and scikit-survival is not installed.",
            whose="the researcher",
            next_step=_STEP,
        )
    return tables(path)


def packaged() -> Path | None:
    """The file in an installed scikit-survival, which is not imported; None without one."""
    spec = importlib.util.find_spec("sksurv")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "datasets" / "data" / FILE.name


def tables(path: Path) -> dict[str, bytes]:
    """Hospital → its table as CSV.

    Raises:
        DataError: the file is not there, or is not the one whose SHA-256 is known.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}.", whose="the researcher", next_step=_STEP
        ) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(
            f"{path} is not flchain.arff of scikit-survival 0.28.0.",
            whose="the researcher",
            next_step=_STEP,
        )
    lines = [line for line in content.decode().splitlines() if line and line[0] != "@"]
    order = np.random.default_rng(20_261_129).permutation(len(lines))
    found: dict[str, bytes] = {}
    at = 0
    for site, count in HOSPITALS.items():
        rows = [f"{row},{lines[row]}" for row in order[at : at + count]]
        found[site] = "\n".join([_COLUMNS, *rows, ""]).encode()
        at += count
    return found
