"""Held-out split by a keyed hash of the patient: nobody's presence moves another across.

A stratified or shuffled split depends on everybody: adding one row to 255 moved 22 others across
(measured), which breaks the add/remove guarantee in front of any noise. Here each patient is
decided alone, and the key (the site's own secret) keeps outsiders from telling on which side a
known patient fell.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from securefl.learning.features import Prepared


def held_out(
    secret: bytes,
    patients: Iterable[str],
    holdout: Fraction,
) -> npt.NDArray[np.bool_]:
    """Decide for each patient: bool[n].

    HMAC-SHA256(secret, patient) as a fraction of 2^256 lies below ``holdout`` (compared exactly).
    """
    limit = holdout.numerator << 256
    return np.array(
        [
            int.from_bytes(
                hmac.new(
                    secret, b"securefl/holdout/1\0" + patient.encode(), hashlib.sha256
                ).digest(),
                "big",
            )
            * holdout.denominator
            < limit
            for patient in patients
        ],
        dtype=np.bool_,
    )


def split_rows(
    prepared: Prepared,
    secret: bytes,
    holdout: Fraction,
) -> tuple[Prepared, Prepared]:
    """(training rows, held-out rows): disjoint by patient, the same every time for the same secret."""
    outside = held_out(secret, prepared.patients, holdout)
    return prepared.select(~outside), prepared.select(outside)
