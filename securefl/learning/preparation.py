"""The count before training: how many patients train the model in all, from one noised sum.

Each hospital counts its training patients by class, adds its own integer Gaussian noise to both
counts (one patient changes one count by 1, so the sensitivity is 1), and only the sum over
hospitals opens. What is decided on it, is decided on that release.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import RoundError

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.study.counts import PreparationSpec

#: Numbers in the count: negatives, positives.
COUNTS: Final = 2


@dataclass(frozen=True)
class Counted:
    """What the noised count says.

    Attributes:
        negatives: estimated number of training patients without the condition; below 0 the noise
            was larger than the count.
        positives: those with it.
        noise_sd: standard deviation of the noise on each of the two.
    """

    negatives: int
    positives: int
    noise_sd: float

    @property
    def patients(self) -> int:
        """Both together."""
        return self.negatives + self.positives


def class_counts(y: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """int64[2], negatives and positives among labels int[n] of one row a patient.

    Private: never released without noise.
    """
    return np.bincount(y, minlength=COUNTS).astype(np.int64)


def counted(total: npt.NDArray[np.int64], spec: PreparationSpec, contributors: int) -> Counted:
    """Read the opened sum of ``contributors`` noised counts, int64[2]."""
    return Counted(
        int(total[0]), int(total[1]), float(spec.noise_multiplier) * math.sqrt(contributors)
    )


def require_enough(found: Counted, spec: PreparationSpec) -> None:
    """End the study where it was asked for more patients than there are, by the released figure.

    Raises:
        RoundError: fewer than ``spec.minimum``.
    """
    if found.patients < spec.minimum:
        raise RoundError(
            f"About {max(found.patients, 0):,} would train the model in all, and the study asks for"
            f" at least {spec.minimum:,}.",
            whose="the researcher",
            next_step=(
                "The study ends here and its budget stays charged; find more hospitals, or make a"
                " study that needs fewer."
            ),
        )
