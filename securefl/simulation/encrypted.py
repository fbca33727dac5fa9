"""Sum of a round under the real cipher, in one process: each answer encrypted, ciphertexts added,
the sum decrypted once.

CKKS on exact integers as in a round; masks, signatures and frames are left out, since one process
has nobody to hide from. The cipher is exact, so it changes no figure, only the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError
from securefl.secagg.packing import FieldLayout
from securefl.secagg.ring import add
from securefl.secagg.seal import CkksIntegers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.stages.release import Release
    from securefl.types import IntArray


class EncryptedSum:
    """Adds answers under a key pair that is fresh for each round.

    Attributes:
        bytes: of all ciphertexts so far, of one hospital.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._cipher = CkksIntegers()

    def __call__(self, release: Release, answers: Sequence[IntArray], /) -> IntArray:
        """The sum, int64[release.length].

        Raises:
            RoundError: the canaries do not say that all are in it.
            StudyError: so many hospitals leave the cipher no room.
        """
        layout = FieldLayout(release.bits, len(answers))
        keys = self._cipher.generate()
        total = self._cipher.encrypt(keys.public, layout.pack(answers[0]), layout)
        self.bytes += total.nbytes
        for values in answers[1:]:
            total = add(total, self._cipher.encrypt(keys.public, layout.pack(values), layout))
        messages, _ = keys.open_once(total, layout)
        found, canaries = layout.unpack(messages, release.length)
        if not np.array_equal(canaries, np.full_like(canaries, len(answers))):
            raise RoundError("A ciphertext's canary is wrong.", whose="securefl")
        return found
