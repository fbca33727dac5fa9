"""Choice of the packing that sends a round's numbers in the fewest bytes.

In ciphertexts, or under keys that add up. A few numbers fit into one ciphertext, of the smallest
ring that leaves them room beside the noise. More of them travel under a key, in the ring that
wastes least: one, two or three primes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import StudyError
from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING
from securefl.secagg.number_layout import KEY_BITS, NumberLayout
from securefl.secagg.number_ring import RINGS
from securefl.secagg.packing import MIN_BITS, FieldLayout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.secagg.cipher_ring import CipherRing
    from securefl.secagg.packing import FieldLayout as Direct

    Layout = Direct | NumberLayout


def layout_for(
    bits: int,
    contributors: int,
    length: int,
    rings: tuple[CipherRing, ...] = CIPHER_RINGS,
) -> Layout:
    """Choose the packing of ``length`` numbers of ``bits`` bits from so many hospitals.

    It follows from public figures, so everybody chooses the same.

    Args:
        bits: bits of one contributor's value.
        contributors: how many hospitals.
        length: how many numbers.
        rings: of the ciphertexts, that may be chosen.

    Raises:
        StudyError: no packing holds them.
    """
    choices: list[Layout] = []
    if bits >= MIN_BITS:
        choices += _in_ciphertexts(bits, contributors, rings)
    if LARGE_RING in rings:
        choices += [NumberLayout(bits, contributors, n + 1) for n in range(len(RINGS))]
    # The first of equals: the simpler one.
    return min(choices, key=lambda layout: body_bytes(layout, length))


def _in_ciphertexts(
    bits: int, contributors: int, rings: tuple[CipherRing, ...]
) -> Iterator[FieldLayout]:
    """Packings in ciphertexts; a small ring may leave such numbers no room."""
    for ring in rings:
        try:
            yield FieldLayout(bits, contributors, ring.degree)
        except StudyError:
            if ring == LARGE_RING:
                raise


def cipher_layout_of(layout: Layout) -> FieldLayout:
    """Packing of what the ciphertexts hold: the numbers, or one key's coefficients."""
    if isinstance(layout, FieldLayout):
        return layout
    return FieldLayout(KEY_BITS, layout.contributors)


def body_bytes(layout: Layout, length: int) -> int:
    """Bytes of a contribution's body: all but its signed head."""
    if isinstance(layout, FieldLayout):
        return layout.chunks_for(length) * layout.ring.chunk_bytes
    keys = cipher_layout_of(layout)
    ciphertexts = keys.chunks_for(layout.ring.degree)
    return ciphertexts * keys.ring.chunk_bytes + layout.bytes_for(length)
