"""Facts of each group of a round whose hospitals are summed by groups.

A group's masks and shared elements are bound to the digest of these facts: its own cohort, and the
whole division into groups. Whoever was told another division holds masks that do not cancel, so a
group that is smaller or larger than another hospital was told opens to nobody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from securefl.secagg.layouts import layout_for

if TYPE_CHECKING:
    from securefl.secagg.round_context import RoundContext


def group_contexts(context: RoundContext) -> tuple[RoundContext, ...]:
    """The facts of every group of a round, in order.

    Args:
        context: the facts of the whole round.
    """
    return tuple(_of_group(context, group) for group in context.groups)


def context_of(context: RoundContext, site: str) -> RoundContext:
    """The facts of the sum that a hospital is in: its group's, or the round's where it has none.

    Args:
        context: the facts of the whole round.
        site: of its cohort.
    """
    for group in context.groups:
        if site in group:
            return _of_group(context, group)
    return context


def _of_group(context: RoundContext, group: tuple[str, ...]) -> RoundContext:
    instances = dict(zip(context.cohort, context.instances, strict=True))
    return replace(
        context,
        cohort=group,
        instances=tuple(instances[site] for site in group),
        layout=layout_for(
            context.layout.bits,
            len(group),
            context.length,
            # One key pair is announced for all groups: their ciphertexts are in its ring.
            (context.cipher_layout.ring,),
        ),
    )
