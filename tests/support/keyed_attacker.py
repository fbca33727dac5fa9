"""Reading of numbers under keys that add up with every check left out: what an attacker does who
holds a key, or believes to.
"""

from __future__ import annotations

import numpy as np

from securefl.secagg import seal
from securefl.secagg.additive import NumberKey, shared_elements
from securefl.secagg.masks import add_mask
from securefl.secagg.ring import subtract
from securefl.secagg.seal_ring import from_transformed

#: A correlation by chance of 3000 numbers stays below this (more than 5 standard deviations).
BY_CHANCE = 0.1


def likeness(read, truth):
    """The correlation of what was read with what is true: 1 for the same numbers."""
    return abs(float(np.corrcoef(read, truth)[0, 1]))


def key_from(facts, coefficients):
    """A key of these coefficients, as an attacker guesses or works them out."""
    return NumberKey(facts.numbers.ring, np.asarray(coefficients, dtype=np.int64))


def no_key(facts):
    """The key that is nothing but zeros."""
    return key_from(facts, np.zeros(facts.numbers.ring.degree))


def shared_of(facts, round_digest=None):
    """The public elements of a round."""
    count = sum(section.count for section in facts.sections[1:])
    return shared_elements(facts.numbers.ring, round_digest or facts.digest(), 0, count)


def read_with(facts, element_body, key, contributors=1, round_digest=None):
    """What whoever holds ``key`` reads out of elements: int64[length].

    ``contributors`` is how many offsets are taken off.
    """
    layout, ring = facts.numbers, facts.numbers.ring
    read = []
    place = 0
    shared = shared_of(facts, round_digest)
    for section, body in zip(facts.sections[1:], element_body, strict=True):
        product = key.times(shared[place : place + section.count])
        place += section.count
        if section.degree == ring.degree:
            noisy = from_transformed(ring, ring.subtract(body, product))
        else:
            noisy = ring.subtract(body, from_transformed(ring, product)[:, :, : section.degree])
        half = np.full((len(ring.primes), 1), 1 << (layout.error_bits - 1), dtype=np.uint64)
        words = ring.to_words(ring.add(noisy, half))
        low = np.uint64((1 << layout.field_bits) - 1)
        fields = []
        for index in range(layout.fields):
            word, shift = divmod(layout.error_bits + index * layout.field_bits, 58)
            value = words[:, word] >> np.uint64(shift)
            if shift + layout.field_bits > 58:
                value = value | words[:, word + 1] << np.uint64(58 - shift)
            fields.append(value & low)
        slots = np.stack(fields, axis=2).reshape(section.count, -1)[:, 1:]
        read.append(slots.astype(np.int64).ravel() - contributors * (1 << (layout.bits - 1)))
    return np.concatenate(read)[: facts.length]


def key_out_of(facts, decryptor, ciphertexts, contributors=1):
    """The key, or the sum of so many, that the holder of the round's CKKS key reads in
    ciphertexts.
    """
    layout = facts.cipher_layout
    noisy = seal._from_ntt(
        np.stack([seal._decrypt_chunk(decryptor, chunk) for chunk in ciphertexts])
    )
    messages = (noisy + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)
    low = np.uint64((1 << layout.field_bits) - 1)
    fields = [(messages >> np.uint64(i * layout.field_bits)) & low for i in range(layout.fields)]
    slots = np.stack(fields, axis=1).astype(np.int64).reshape(len(ciphertexts), -1)[:, 1:].ravel()
    offset = contributors * (1 << (layout.bits - 1))
    return key_from(facts, slots[: facts.numbers.ring.degree] - offset)


def take_off(ciphertexts, mask):
    """Ciphertexts without a mask that was added to them."""
    return add_mask(ciphertexts, subtract(np.zeros_like(mask), mask))


def added(facts, bodies):
    """The sum of bodies, section by section, without any check."""
    total = [part.copy() for part in bodies[0]]
    for body in bodies[1:]:
        total = [
            section.add(a, b) for section, a, b in zip(facts.sections, total, body, strict=True)
        ]
    return total
