"""Choice of the packing that sends a round's numbers in the fewest bytes.

In ciphertexts, or under keys that add up. A few numbers fit into the one ciphertext that would
otherwise carry a key. More of them travel under a key, in the ring that wastes least: one, two or
three primes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.secagg.number_layout import KEY_BITS, NumberLayout
from securefl.secagg.number_ring import RINGS
from securefl.secagg.packing import MIN_BITS, FieldLayout
from securefl.secagg.ring import CHUNK_BYTES

if TYPE_CHECKING:
    from securefl.secagg.packing import FieldLayout as Direct

    Layout = Direct | NumberLayout


def layout_for(bits: int, contributors: int, length: int) -> Layout:
    """Choose the packing of ``length`` numbers of ``bits`` bits from so many hospitals.

    It follows from public figures, so everybody chooses the same.

    Raises:
        StudyError: no packing holds them.
    """
    choices: list[Layout] = [NumberLayout(bits, contributors, n + 1) for n in range(len(RINGS))]
    if bits >= MIN_BITS:
        choices.insert(0, FieldLayout(bits, contributors))
    # The first of equals: the simpler one.
    return min(choices, key=lambda layout: body_bytes(layout, length))


def body_bytes(layout: Layout, length: int) -> int:
    """Bytes of a contribution's body: all but its signed head."""
    if isinstance(layout, FieldLayout):
        return layout.chunks_for(length) * CHUNK_BYTES
    keys = FieldLayout(KEY_BITS, layout.contributors).chunks_for(layout.ring.degree)
    return keys * CHUNK_BYTES + layout.bytes_for(length)
