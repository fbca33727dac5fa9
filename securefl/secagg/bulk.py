"""All numbers of a SEAL array at once, where the binding offers one at a time.

TenSEAL's binding reads a residue a call (0.17 us each, more than half of the time of an encryption) and saves arrays as
zstd only, which Python 3.11 cannot read. The binding's own library carries zstd, though, and exports its one-call
decoder: with it a whole array costs a sixth. It is given only what SEAL wrote in this process a moment ago, never
foreign bytes. Where the decoder is not exported, the slow way gives the same numbers.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Decoder = Callable[[bytes, int], bytes | None]

#: SEAL's header: 16 bytes, magic first, the compression mode in the sixth (2 is zstd).
_HEADER: Final = 16
_ZSTD: Final = 2


def find_decoder(library: str | None) -> Decoder | None:
    """Zstd's one-call decoder out of a loaded library, or None where there is no such symbol.

    Args:
        library: path of a shared library that this process has loaded already.
    """
    if library is None:
        return None
    try:
        function = ctypes.CDLL(library).ZSTD_decompress
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]

    def decode(packed: bytes, size: int) -> bytes | None:
        """The ``size`` bytes that ``packed`` holds; None if it does not hold exactly so many."""
        room = ctypes.create_string_buffer(size)
        return room.raw if function(room, size, packed, len(packed)) == size else None

    return decode


def read_all(array: Any, decoder: Decoder | None) -> NDArray[np.uint64]:  # noqa: ANN401 - sealapi has no types
    """All numbers of a SEAL ``DynArray``, uint64[n]; the same whether there is a decoder or not."""
    size = array.size()
    if decoder is not None and hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("securefl", os.MFD_CLOEXEC), "rb", buffering=0) as file:
            array.save(f"/proc/self/fd/{file.fileno()}")
            saved = file.read()
        plain = decoder(saved[_HEADER:], 8 * (size + 1)) if saved[5:6] == bytes([_ZSTD]) else None
        if plain is not None and int.from_bytes(plain[:8], "little") == size:
            return np.frombuffer(plain, dtype="<u8", offset=8).astype(np.uint64, copy=False)
    return np.fromiter(map(array.at, range(size)), dtype=np.uint64, count=size)
