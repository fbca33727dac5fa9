"""Pictures of handwritten digits (Alpaydin and Kaynak 1998, UCI 80): 1797 of 8 x 8 points, as
scikit-learn ships them. A lot with a fixed seed divides them among five sites.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from securefl.errors import DataError

#: Site → pictures.
SITES: Final = {
    "north": 650,
    "east": 480,
    "south": 330,
    "west": 217,
    "island": 120,
}


def tables() -> dict[str, bytes]:
    """Site → its table as CSV: a point of ink a column, row by row, and the digit.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError(
            "the pictures of digits come with scikit-learn, which is not installed.",
            whose="the researcher",
            next_step="Install it: pip install 'securefl[sklearn]'.",
        ) from None
    pictures, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(20_261_130).permutation(len(digits))
    points = [f"r{row}c{column}" for row in range(8) for column in range(8)]
    head = ",".join(["picture", *points, "digit"])
    found: dict[str, bytes] = {}
    at = 0
    for site, count in SITES.items():
        lines = [head]
        for number in order[at : at + count]:
            ink = ",".join(f"{value:.0f}" for value in pictures[number])
            lines.append(f"p{number},{ink},{digits[number]}")
        found[site] = "\n".join([*lines, ""]).encode()
        at += count
    return found
