"""Log-rank test of noised counts (Mantel 1966): do the groups' curves differ by more than chance and
noise?

In interval t group g expects its share of those at risk of all events. The differences of all
intervals add up to U_g, which is 0 on average where the groups do not differ. Its covariance is the
hypergeometric one of sampling plus that of the noise, to first order in the cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.survival.kaplan_meier import Counts
    from securefl.types import FloatArray


def log_rank(groups: Sequence[Counts]) -> float | None:
    """The p-value, or None where the noise leaves nothing to say.

    Args:
        groups: at least two, with the same intervals; those of which nothing can be told are left
            out, and so are intervals that one of the others cannot be told of.
    """
    from scipy.special import chdtrc

    told = [group for group in groups if group.told]
    if len(told) < 2:
        return None
    many = min(group.told for group in told)
    events = np.array([group.events[:many] for group in told])
    at_risk = np.array([group.at_risk[:many] for group in told])
    together = at_risk.sum(axis=0)
    all_events = events.sum(axis=0)
    shares = at_risk / together
    hazards = all_events / together
    apart = (events - all_events * shares).sum(axis=1)
    spread = _sampling(shares, all_events, together) + _noise(told, shares, hazards)
    # the last group's difference is that of all others, so it says nothing more
    kept = apart[:-1]
    inside = spread[:-1, :-1]
    try:
        statistic = float(kept @ np.linalg.solve(inside, kept))
    except np.linalg.LinAlgError:
        return None
    return float(chdtrc(len(kept), max(statistic, 0.0)))


def _sampling(
    shares: FloatArray,
    events: FloatArray,
    at_risk: FloatArray,
) -> FloatArray:
    """Hypergeometric covariance of the differences, float64[G, G]."""
    events = np.maximum(events, 0.0)
    weights = events * (at_risk - events) / np.maximum(at_risk - 1.0, 1.0)
    found: FloatArray = np.diag(shares @ weights) - (shares * weights) @ shares.T
    return found


def _noise(
    groups: Sequence[Counts],
    shares: FloatArray,
    hazards: FloatArray,
) -> FloatArray:
    """Covariance by the noise on the cells of all groups, float64[G, G]."""
    many = shares.shape[1]
    found = np.zeros((len(groups), len(groups)))
    for place, group in enumerate(groups):
        # slope of (events less hazard times those at risk) of each interval, in this group's cells
        rates = group.happened[:many] - hazards[:, None] * group.exposed[:many]
        own = np.arange(len(groups))[:, None] == place
        slopes = (own - shares) @ rates
        found += group.noise * slopes @ slopes.T
    return found
