"""The aggregator's addition, and its verification by anyone: numpy only, no key, no SEAL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import MessageError, RoundError
from securefl.secagg.ring import sum_mod_q

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from securefl.secagg.facts import RoundFacts
    from securefl.secagg.frame import Contribution, SumFrame


@dataclass(frozen=True, eq=False)
class SumOfContributions:
    """The sum of a complete cohort: uint64[chunks, 2, 4096], and what was added (hospital to frame hash)."""

    ciphertext: NDArray[np.uint64]
    parts: Mapping[str, str]


def add_contributions(contributions: Iterable[Contribution], facts: RoundFacts) -> SumOfContributions:
    """Add the contributions of the whole cohort.

    Args:
        contributions: what ``read_contribution`` returned, in any order.
        facts: the adder's own facts of the round.

    Raises:
        MessageError: a second contribution of one hospital, or one to another round.
        RoundError: hospitals are missing; it names them.
    """
    digest = facts.digest()
    received: dict[str, Contribution] = {}
    for item in contributions:
        if item.round_digest != digest or item.sender not in facts.cohort:
            raise _not_added(item.sender, "belongs to another round")
        if item.sender in received:
            raise _not_added(item.sender, "is its second to this round")
        received[item.sender] = item
    missing = [name for name in facts.cohort if name not in received]
    if missing:
        raise RoundError(
            f"No contribution of {', '.join(missing)}: nothing was added, and nothing can be opened.",
            whose=", ".join(missing),
            next_step="Wait for the missing contributions until the deadline, or start a new attempt.",
        )
    total = sum_mod_q(received[name].ciphertext for name in facts.cohort)
    return SumOfContributions(total, {name: received[name].sha256 for name in facts.cohort})


def check_sum(claimed: SumFrame, contributions: Iterable[Contribution], facts: RoundFacts) -> SumOfContributions:
    """Recompute a sum from the signed contributions before it is opened.

    Returns:
        The sum as computed here.

    Raises:
        MessageError: as in :func:`add_contributions`.
        RoundError: a contribution is missing, or the aggregator's sum is not the sum of them.
    """
    computed = add_contributions(contributions, facts)
    if dict(claimed.parts) != dict(computed.parts) or claimed.round_digest != facts.digest():
        raise _not_the_sum(claimed.sender, "lists other contributions than those in the store")
    if not np.array_equal(claimed.ciphertext, computed.ciphertext):
        raise _not_the_sum(claimed.sender, "is not the sum of the contributions that it lists")
    return computed


def _not_added(sender: str, why: str) -> MessageError:
    return MessageError(
        f"The contribution of {sender} {why}; it was not added.",
        whose=sender,
        next_step=f"Ask {sender} for its one contribution to this round.",
    )


def _not_the_sum(sender: str, why: str) -> RoundError:
    return RoundError(
        f"What {sender} sent {why}; it was not decrypted.",
        whose=sender,
        next_step="Start a new attempt, and ask the aggregator's operator why.",
    )
