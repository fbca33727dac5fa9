"""The count before training: how many patients train the model in all, from one noised sum.

Each hospital counts its training patients by the task's strata, adds its own integer Gaussian noise
to every count (one patient changes one count by 1, so the sensitivity is 1), and only the sum over
hospitals opens. What is decided on it, is decided on that release.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import RoundError
from securefl.learning.counts import row_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from securefl.learning.tasks.task import Task
    from securefl.study.counts import CountSection


@dataclass(frozen=True)
class Counted:
    """Figures of the noised count.

    Attributes:
        strata: estimated number of training patients in each of the task's strata, by name; below 0
            the noise was larger than the count.
        noise_sd: standard deviation of the noise on each of them.
        words: how many are in each, for a page.
    """

    strata: Mapping[str, int]
    noise_sd: float
    words: str

    @property
    def patients(self) -> int:
        """All together."""
        return sum(self.strata.values())


def stratum_counts(y: npt.NDArray[Any], task: Task) -> npt.NDArray[np.int64]:
    """Targets [n] of one row a patient, counted by the task's strata.

    Private: never released without noise.
    """
    return row_counts(task.stratum(y), len(task.strata))


def counted(
    total: npt.NDArray[np.int64],
    spec: CountSection,
    noises: float,
    task: Task,
) -> Counted:
    """Read the opened sum of noised counts, which carries so many full noises."""
    strata = [int(count) for count in total]
    return Counted(
        dict(zip(task.strata, strata, strict=True)),
        float(spec.noise_multiplier) * math.sqrt(noises),
        task.count_words(strata),
    )


def require_enough(found: Counted, spec: CountSection) -> None:
    """End the study where it was asked for more patients than there are, by the released figure.

    Raises:
        RoundError: fewer than ``spec.minimum``.
    """
    about = max(found.patients, 0)  # noise may take a small count below nothing
    if about < spec.minimum:
        raise RoundError(
            f"About {about:,} were counted in all, and the study asks for"
            f" at least {spec.minimum:,}.",
            whose="the researcher",
            next_step=(
                "The study ends here and its budget stays charged; find more hospitals, or make a"
                " study that needs fewer."
            ),
        )
