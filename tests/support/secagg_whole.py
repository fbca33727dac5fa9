"""The stages of a round on whole arrays and bytes, through the functions that work block by block:
for tests that look at one object.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np

from securefl.secagg import contribution, frame, masks, opening
from securefl.secagg import sum as adding
from securefl.secagg.ring import sum_mod_q


@dataclass(frozen=True, eq=False)
class Contribution:
    sender: str
    sha256: str
    round_digest: str
    ciphertext: np.ndarray


@dataclass(frozen=True, eq=False)
class Sum:
    sender: str
    sha256: str
    round_digest: str
    parts: dict
    ciphertext: np.ndarray


@dataclass(frozen=True, eq=False)
class Opened:
    values: np.ndarray
    contributors: int
    noise_share: float


def blocks_of(ciphertext, size=1):
    return (ciphertext[i : i + size] for i in range(0, len(ciphertext), size))


def contribute(values, **arguments):
    file = io.BytesIO()
    contribution.contribute(values, file, **arguments)
    return file.getvalue()


def write_contribution(facts, sender, ciphertext, sign):
    file = io.BytesIO()
    frame.write_contribution(facts, sender, blocks_of(ciphertext), file, sign)
    return file.getvalue()


def read_contribution(data, facts, sender, verify):
    blocks = list(frame.contribution_blocks(io.BytesIO(data), facts, sender, verify))
    return Contribution(
        sender, hashlib.sha256(data).hexdigest(), facts.digest(), np.concatenate(blocks)
    )


def write_sum(facts, sender, ciphertext, parts, sign):
    file = io.BytesIO()
    frame.write_sum(facts, sender, blocks_of(ciphertext), file, parts=parts, sign=sign)
    return file.getvalue()


def read_sum(data, facts, sender, verify):
    read = frame.read_sum(io.BytesIO(data), facts, sender, verify)
    return Sum(
        sender,
        hashlib.sha256(data).hexdigest(),
        facts.digest(),
        read.parts,
        np.concatenate(list(read.blocks)),
    )


def add_contributions(contributions, facts):
    """The sum of contributions that were read before; what is checked as they come is
    :class:`securefl.secagg.sum.RunningSum`'s.
    """
    received = {c.sender: c for c in contributions}
    assert set(received) == set(facts.cohort)
    return Sum(
        "",
        "",
        facts.digest(),
        {n: c.sha256 for n, c in received.items()},
        sum_mod_q((received[n].ciphertext for n in facts.cohort), modulus_of(facts)),
    )


def check_sum(claimed, contributions, facts, sender="aggregator"):
    computed = add_contributions(contributions, facts)
    adding.check_parts(claimed.parts, computed.parts, sender)
    same = list(
        adding.same_sum(blocks_of(claimed.ciphertext), blocks_of(computed.ciphertext), sender)
    )
    return Sum(sender, "", facts.digest(), computed.parts, np.concatenate(same))


def open_sum(keys, ciphertext, facts):
    into = np.empty(facts.length, dtype=np.int64)
    opened = opening.open_sum(keys, [ciphertext], facts, into)
    return Opened(into, opened.contributors, opened.noise_share)


def pairwise_mask(me, secrets, facts):
    ring = facts.cipher_layout.ring
    return masks.pairwise_seeds(me, secrets, facts).block(0, facts.chunks, ring)


def modulus_of(facts):
    """Prime of a round's ciphertexts."""
    return np.uint64(facts.cipher_layout.ring.modulus)
