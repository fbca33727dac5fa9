"""Edges of the score's bands from the published prevalence, so that nobody has to guess them.

A model that learnt anything scores around the prevalence, so its bands must be narrow there, on the
scale of the logit, and may be wide far away: the edges are logit(prevalence) + 0.3 sinh(7 (i/bins -
1/2)), i = 1 .. bins - 1. The constants are those that lose least: with 12 bands the AUC of a
calibrated model in its bands is at most .005 below that of its exact score, for every AUC from .55
to .99 and every prevalence (`benchmarks/evaluation/` measures it). Edges even in the logit lose
more than twice as much.
"""

from __future__ import annotations

import math
from decimal import Decimal

#: Enough for the promise above; each band more costs noise.
DEFAULT_BINS = 12
LEAST_PREVALENCE = Decimal("0.001")
MOST_PREVALENCE = Decimal("0.999")
_SPREAD = 0.3
_CURVE = 7.0
_DIGITS = 4


def default_edges(prevalence: Decimal, bins: int = DEFAULT_BINS) -> tuple[Decimal, ...]:
    """Make the ``bins`` - 1 inner edges, rising strictly within (0, 1).

    To four digits of the smaller side.

    >>> default_edges(Decimal("0.07"), 4)
    (Decimal('0.03156'), Decimal('0.07000'), Decimal('0.1481'))
    """
    middle = math.log(prevalence / (1 - prevalence))
    return tuple(
        _probability(middle + _SPREAD * math.sinh(_CURVE * (i / bins - 0.5)))
        for i in range(1, bins)
    )


def _probability(logit: float) -> Decimal:
    small = 1 / (1 + math.exp(abs(logit)))
    rounded = Decimal(f"{small:.{_DIGITS - 1 - math.floor(math.log10(small))}f}")
    if logit <= 0:
        return rounded
    return 1 - rounded
