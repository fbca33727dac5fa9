"""Contribution of a hospital to a round in one step, so that no caller can forget the mask."""

from __future__ import annotations

import secrets as system
from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.secagg.additive import NumberKey, encrypt_numbers, shared_elements
from securefl.secagg.frame import write_contribution
from securefl.secagg.masks import add_mask, pairwise_seeds
from securefl.secagg.sections import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from securefl.secagg.cipher import SumCipher
    from securefl.secagg.masks import Seeds
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.sections import Section
    from securefl.types import IntArray, Sign, WordArray


def contribute(
    values: IntArray,
    file: BinaryIO,
    *,
    facts: RoundContext,
    public: PublicKey,
    me: str,
    secrets: Mapping[str, bytes],
    sign: Sign,
    cipher: SumCipher,
) -> None:
    """Pack, encrypt, mask and sign one contribution into ``file``, a block at a time.

    Store it durably before sending it, and never make a second one from other values under the same
    facts: the difference of the two would be readable by the holder of the CKKS key.

    Args:
        values: int64[d], already noised; each within the layout's ``max_value``. May be mapped from
            a file: it is read in blocks.
        file: where the signed frame is written, from where it stands; one that seeks.
        facts: the facts of the round as this hospital was told them.
        public: the round's public key as it was read.
        me: this hospital's name in the cohort.
        secrets: ``pair_secret`` with each other hospital of the cohort.
        sign: Ed25519 with this hospital's identity key.
        cipher: the cipher's home.

    Raises:
        RoundError: the cohort is this hospital alone, the public key is not the one that the facts
            name, or values that do not fit (a wrong number of them, or one out of range); the file
            then holds nothing of use.
        UsageError: secrets that are not the cohort's, or values that are not int64[d].
    """
    check_told(values, facts=facts, public=public, me=me)
    mask = pairwise_seeds(me, secrets, facts)
    body = encrypted_body(
        values,
        facts,
        facts.digest(),
        public=public,
        mask=mask,
        cipher=cipher,
    )
    write_contribution(facts, me, body, file, sign)


def encrypted_body(
    values: IntArray,
    facts: RoundContext,
    round_digest: str,
    *,
    public: PublicKey,
    mask: Seeds,
    cipher: SumCipher,
    draw: Callable[[int], bytes] = system.token_bytes,
) -> Iterator[WordArray]:
    """Make the body of one contribution, a block at a time.

    Masked ciphertexts, then numbers under this contribution's own key.

    Args:
        values: int64[d], already noised.
        facts: the facts of the round.
        round_digest: what masks and shared elements are bound to.
        public: the round's public key.
        mask: the masks that lie on this hospital's ciphertexts.
        cipher: the cipher's home.
        draw: the operating system's generator, unless a test says otherwise. The key comes from it,
            and never leaves but in the ciphertexts.

    Raises:
        RoundError: a value out of range.
    """
    numbers = facts.numbers
    if numbers is None:
        yield from _masked_blocks(values, facts, public, mask, cipher)
        return
    # One key, one contribution: two payloads under one key would show their difference.
    key = NumberKey.draw(numbers.ring, draw)
    try:
        yield from _masked_blocks(key.values, facts, public, mask, cipher)
        size = numbers.values_per_element
        for section, start, stop in numbered(facts):
            shared = shared_elements(numbers.ring, round_digest, start, stop)
            block = values[start * size : stop * size]
            yield encrypt_numbers(block, numbers, section, key, shared, draw=draw)
    finally:
        key.erase()


def numbered(facts: RoundContext) -> Iterator[tuple[Section, int, int]]:
    """Plan the blocks of the numbers' elements, with the places of their elements in the round."""
    before = 0
    for section in facts.sections[1:]:
        for _, start, stop in blocks_of((section,)):
            yield section, before + start, before + stop
        before += section.count


def _masked_blocks(
    integers: IntArray,
    facts: RoundContext,
    public: PublicKey,
    mask: Seeds,
    cipher: SumCipher,
) -> Iterator[WordArray]:
    """Encrypt integers and mask the ciphertexts, a block at a time."""
    layout = facts.cipher_layout
    size = layout.values_per_chunk
    for _, start, stop in blocks_of(facts.sections[:1]):
        messages = layout.pack(integers[start * size : stop * size])
        ciphertexts = cipher.encrypt(public, messages, layout)
        yield add_mask(ciphertexts, mask.block(start, stop, layout.ring), layout.ring)


def check_told(
    values: IntArray,
    *,
    facts: RoundContext,
    public: PublicKey,
    me: str,
) -> None:
    """Check that values, key and cohort are those of the round.

    Raises:
        RoundError: the cohort is this hospital alone, the public key is not the one that the facts
            name, or there are more or fewer values than the round sums.
    """
    if len(facts.cohort) < 2:
        raise RoundError(
            f"{me} would be alone in this round, and its contribution could be opened by itself.",
            whose="the researcher",
            next_step="Announce rounds with at least two hospitals.",
        )
    if public.sha256 != facts.public_key_sha256:
        raise RoundError(
            "The public key is not the one that the facts of the round name; nothing was"
            " encrypted.",
            whose="the coordinator",
            next_step="Announce the round again with its own public key.",
        )
    if values.shape != (facts.length,):
        raise RoundError(
            f"The round sums {facts.length} values, not {values.size}; nothing was encrypted.",
            whose="the researcher",
            next_step="Announce the round with the model's own number of parameters.",
        )
