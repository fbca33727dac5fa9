"""The free light chain cohort (Dispenzieri et al. 2012, Mayo Clinic Proceedings 87:517): 7874
residents of Olmsted County aged 50 and more, followed for up to 14 years.

The file is ``flchain.arff`` of scikit-survival 0.28.0 (``sksurv/datasets/data``), which is R's
``survival::flchain``. Residents of one county are divided into five invented hospitals by a lot
with a fixed seed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

SHA256: Final = "bf2600ec437dd19071f73bdad82de681780457d1141ec36ed551b0026e6e5773"
#: Hospital → patients.
HOSPITALS: Final = {"north": 3500, "east": 2200, "south": 1300, "west": 600, "island": 274}
_COLUMNS: Final = (
    "patient,age,sex,sample_year,kappa,lambda,group,creatinine,mgus,days,status,chapter"
)


def tables(path: Path) -> dict[str, bytes]:
    """Hospital → its table as CSV.

    Raises:
        ValueError: the file is not the one whose SHA-256 is known.
    """
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{path} is not flchain.arff of scikit-survival 0.28.0")
    lines = [line for line in content.decode().splitlines() if line and line[0] != "@"]
    order = np.random.default_rng(20_261_129).permutation(len(lines))
    found, at = {}, 0
    for site, count in HOSPITALS.items():
        rows = [f"{row},{lines[row]}" for row in order[at : at + count]]
        found[site] = "\n".join([_COLUMNS, *rows, ""]).encode()
        at += count
    return found
