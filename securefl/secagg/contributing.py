"""A hospital's side of a round in one step, so that no caller can forget the mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.secagg.chunks import BLOCK
from securefl.secagg.frame import write_contribution
from securefl.secagg.masks import add_mask, pairwise_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from securefl.secagg.cipher import SumCipher
    from securefl.secagg.envelope import Sign
    from securefl.secagg.facts import RoundFacts
    from securefl.secagg.publickey import PublicKey


def contribute(
    values: NDArray[np.int64],
    file: BinaryIO,
    *,
    facts: RoundFacts,
    public: PublicKey,
    me: str,
    secrets: Mapping[str, bytes],
    sign: Sign,
    cipher: SumCipher,
) -> None:
    """Pack, encrypt, mask and sign one contribution into ``file``, a block of ciphertexts at a time.

    Store it durably before sending it, and never make a second one from other values under the same facts: the difference of
    the two would be readable by the holder of the CKKS key.

    Args:
        values: int64[d], already noised; each within the layout's ``max_value``. May be mapped from a file: it is read in blocks.
        file: where the signed frame is written, from where it stands; one that seeks.
        facts: the facts of the round as this hospital was told them.
        public: the round's public key as it was read.
        me: this hospital's name in the cohort.
        secrets: ``pair_secret`` with each other hospital of the cohort.
        sign: Ed25519 with this hospital's identity key.
        cipher: the cipher's home.

    Raises:
        RoundError: the cohort is this hospital alone, the public key is not the one that the facts name, or values
            that do not fit (a wrong number of them, or one out of range); the file then holds nothing of use.
        UsageError: secrets that are not the cohort's, or values that are not int64[d].
    """
    check_told(values, facts=facts, public=public, me=me)
    mask, layout = pairwise_seeds(me, secrets, facts), facts.layout

    def masked(start: int) -> NDArray[np.uint64]:
        stop = min(start + BLOCK, facts.chunks)
        messages = layout.pack(values[start * layout.values_per_chunk : stop * layout.values_per_chunk])
        return add_mask(cipher.encrypt(public, messages, layout), mask.block(start, stop))

    write_contribution(facts, me, (masked(start) for start in range(0, facts.chunks, BLOCK)), file, sign)


def check_told(values: NDArray[np.int64], *, facts: RoundFacts, public: PublicKey, me: str) -> None:
    """Whether values, key and cohort are those of the round.

    Raises:
        RoundError: the cohort is this hospital alone, the public key is not the one that the facts name, or there are
            more or fewer values than the round sums.
    """
    if len(facts.cohort) < 2:
        raise RoundError(
            f"{me} would be alone in this round, and its contribution could be opened by itself.",
            whose="the researcher",
            next_step="Announce rounds with at least two hospitals.",
        )
    if public.sha256 != facts.public_key_sha256:
        raise RoundError(
            "The public key is not the one that the facts of the round name; nothing was encrypted.",
            whose="the coordinator",
            next_step="Announce the round again with its own public key.",
        )
    if values.shape != (facts.length,):
        raise RoundError(
            f"The round sums {facts.length} values, not {values.size}; nothing was encrypted.",
            whose="the researcher",
            next_step="Announce the round with the model's own number of parameters.",
        )
