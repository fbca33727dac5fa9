"""Types that several rooms name: arrays by what they hold, and the two halves of a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

FloatArray: TypeAlias = "NDArray[np.float64]"
IntArray: TypeAlias = "NDArray[np.int64]"
#: Residues, masks and random words.
WordArray: TypeAlias = "NDArray[np.uint64]"
BoolArray: TypeAlias = "NDArray[np.bool_]"
#: Message → Ed25519 signature, 64 bytes.
Sign: TypeAlias = "Callable[[bytes], bytes]"
#: Signature and message → True where the signature is the expected signer's.
Verify: TypeAlias = "Callable[[bytes, bytes], bool]"
