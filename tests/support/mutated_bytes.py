"""Altered copies of a message: what a careless disk or a hostile store makes of it."""

from __future__ import annotations

import random


def mutations(data, others, count, seed):
    """Flips, cuts, insertions, splices and turned bytes, half of them where the structure is: in
    the first 1500 bytes.

    ``others`` are the messages of which pieces are spliced in.
    """
    rng = random.Random(seed)
    made = 0
    while made < count:
        at = rng.randrange(min(len(data), 1500)) if rng.random() < 0.5 else rng.randrange(len(data))
        mutated = _altered(data, at, others, rng)
        if mutated != data:
            made += 1
            yield mutated


def _altered(data, at, others, rng):
    way = rng.randrange(7)
    if way < 3:
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 2, 8])):
            changed[(at + rng.randrange(64)) % len(data)] ^= rng.randrange(1, 256)
        return bytes(changed)
    if way == 3:
        return data[:at]
    if way == 4:
        return data[:at] + rng.randbytes(rng.randrange(1, 40)) + data[at + rng.choice([0, 5]) :]
    if way == 5:
        other = rng.choice(others)
        cut = rng.randrange(len(other))
        return data[:at] + other[cut : cut + rng.randrange(1, 3000)] + data[at:]
    return data[at:] + data[:at]
