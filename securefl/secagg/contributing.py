"""A hospital's side of a round in one step, so that no caller can forget the mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.secagg.frame import write_contribution
from securefl.secagg.masks import add_mask, pairwise_mask

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from securefl.secagg.cipher import SumCipher
    from securefl.secagg.envelope import Sign
    from securefl.secagg.facts import RoundFacts
    from securefl.secagg.publickey import PublicKey


def contribute(
    values: NDArray[np.int64],
    *,
    facts: RoundFacts,
    public: PublicKey,
    me: str,
    secrets: Mapping[str, bytes],
    sign: Sign,
    cipher: SumCipher,
) -> bytes:
    """Pack, encrypt, mask and sign one contribution.

    Args:
        values: int64[d], already noised; each within the layout's ``max_value``.
        facts: the facts of the round as this hospital was told them.
        public: the round's public key as it was read.
        me: this hospital's name in the cohort.
        secrets: ``pair_secret`` with each other hospital of the cohort.
        sign: Ed25519 with this hospital's identity key.
        cipher: the cipher's home.

    Returns:
        The signed frame. Store it durably before sending it, and never make a second one from other values under the
        same facts: the difference of the two would be readable by the holder of the CKKS key.

    Raises:
        RoundError: the cohort is this hospital alone, the public key is not the one that the facts name, or values
            that do not fit (a wrong number of them, or one out of range). Nothing was encrypted.
        UsageError: secrets that are not the cohort's, or values that are not int64[d].
    """
    check_told(values, facts=facts, public=public, me=me)
    mask = pairwise_mask(me, secrets, facts)
    ciphertext = cipher.encrypt(public, facts.layout.pack(values), facts.layout)
    return write_contribution(facts, me, add_mask(ciphertext, mask), sign)


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
