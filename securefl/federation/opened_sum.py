"""The opened sum of a round, with the hashes that the round's record keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class OpenedSum:
    """One round's sum, recomputed before it was decrypted.

    Args:
        values: int64[length], over everybody in ``contributions``.
        contributions: hospital → the hash that the round's transcript names its frame by.
        sum_sha256: of the aggregator's frame.
        frame_bytes: size of the largest contribution.
    """

    values: NDArray[np.int64]
    contributions: Mapping[str, str]
    sum_sha256: str
    frame_bytes: int
