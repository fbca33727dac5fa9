"""Estimates from the opened sum of noised counts, with intervals that hold noise and sampling.

Every number is a true count plus independent noise of a known variance. All blocks count the same
patients, so the sums of a group's numbers estimate one size: they are combined by the inverse of
their variances, and each block is moved onto it (least squares under one linear constraint). A
ratio of two such sums gets the interval of Fieller (1954), a quantile that of Woodruff (1952): the
interval of the distribution function at that point, turned round and rounded outward to edges of
bins. Counts that are shown are also made non-negative with their total kept (Euclidean projection
onto a simplex; Duchi et al. 2008). All of it is post-processing of the released sum and costs no
privacy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.intervals import NORMAL_95, fieller, share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.statistics.blocks import Block
    from securefl.types import FloatArray, IntArray

QUARTILES: Final = (0.25, 0.5, 0.75)
#: Bins that the interval of a quartile may span for the quartile itself to be told.
_WIDEST: Final = 4
#: Part of a bin by which a place may miss an edge and still be that edge.
_SAME_EDGE: Final = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; ``value`` is None where the noise leaves nothing to say."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class GroupFigures:
    """One column in one group of patients.

    Attributes:
        group: its name.
        patients: their number, at least 0; with noise alone in its interval.
        missing: share of them without a record; None for a column that is never missing.
        shares: of those with a record, the share in each bin or level.
        counts: number in each bin or level, at least 0, adding up to those with a record.
        mean: of a number; the geometric mean where bins are equal in the logarithm.
        deviation: standard deviation of a number; None where bins are equal in the logarithm.
        quartiles: of a number: lower quartile, median, upper quartile.
    """

    group: str
    patients: Estimate
    missing: Estimate | None
    shares: tuple[Estimate, ...]
    counts: tuple[float, ...]
    mean: Estimate | None = None
    deviation: Estimate | None = None
    quartiles: tuple[Estimate, ...] = ()


@dataclass(frozen=True)
class BlockFigures:
    """Figures of one column, or the counts of one cross table.

    Attributes:
        name: as in :class:`~securefl.learning.statistics.blocks.Block`.
        cells: names of the bins or levels, "not recorded" last where the column may be missing.
        scale: edges of the bins in the column's own unit; empty for levels.
        logarithmic: whether they are equal in the logarithm.
        unit: of the column's numbers.
        noise_sd: standard deviation of the noise on each count.
        table: whether it is a cross table.
        groups: a row for each group, or for each level of a table's first column.
    """

    name: str
    cells: tuple[str, ...]
    scale: tuple[float, ...]
    logarithmic: bool
    unit: str
    noise_sd: float
    table: bool
    groups: tuple[GroupFigures, ...]


def estimates(
    blocks: Sequence[Block],
    total: IntArray,
    noise_variance: float,
) -> tuple[BlockFigures, ...]:
    """Read the opened sum.

    Args:
        blocks: of the list, in order.
        total: int64[n], the sum of all hospitals' noised lists.
        noise_variance: of each number.
    """
    columns = [block for block in blocks if not block.table]
    sizes = _sizes(columns, total)
    found = []
    for block in blocks:
        counts = block.of(total)
        if not block.table:
            # The block is moved onto the common sizes: the difference is spread evenly.
            missed = sizes - counts.sum(axis=1)
            counts += (missed / counts.shape[1])[:, None]
        size_variance = _variance_of_size(columns, block)
        groups = []
        for name, row in zip(block.groups, counts, strict=True):
            group = _group(block, name, row, noise_variance, size_variance)
            groups.append(group)
        found.append(
            BlockFigures(
                name=block.name,
                cells=block.cells,
                scale=block.scale,
                logarithmic=block.logarithmic,
                unit=block.unit,
                noise_sd=math.sqrt(noise_variance),
                table=block.table,
                groups=tuple(groups),
            )
        )
    return tuple(found)


def _sizes(columns: Sequence[Block], total: IntArray) -> FloatArray:
    """Each group's size: the sums of all columns' numbers, weighted by 1 / their number."""
    weights = np.array([1 / len(block.cells) for block in columns])
    sums = np.array([block.of(total).sum(axis=1) for block in columns])
    found: FloatArray = weights @ sums / weights.sum()
    return found


def _variance_of_size(columns: Sequence[Block], block: Block) -> float:
    """The variance of a group's size, in variances of one number."""
    if block.table:
        return float(len(block.cells))
    return 1 / sum(1 / len(column.cells) for column in columns)


def _group(
    block: Block,
    name: str,
    counts: FloatArray,
    noise: float,
    size_variance: float,
) -> GroupFigures:
    whole = float(counts.sum())
    reach = NORMAL_95 * math.sqrt(noise * size_variance)
    patients = Estimate(
        max(whole, 0.0),
        max(whole - reach, 0.0),
        max(whole + reach, 0.0),
    )
    recorded = counts[: block.bins]
    missing = None
    if block.missing:
        missing = _share(float(counts[-1]), whole, noise, noise * counts.size)
    of_recorded = float(recorded.sum())
    noise_of_recorded = noise * recorded.size
    shares = tuple(
        _share(float(count), of_recorded, noise, noise_of_recorded) for count in recorded
    )
    shown = non_negative(recorded, max(of_recorded, 0.0))
    figures = GroupFigures(
        group=name,
        patients=patients,
        missing=missing,
        shares=shares,
        counts=tuple(shown.tolist()),
    )
    if not block.scale:
        return figures
    mean, deviation = _moments(block, recorded, noise)
    quartiles = tuple(_quantile(block, recorded, noise, part) for part in QUARTILES)
    return replace(
        figures,
        mean=mean,
        deviation=deviation,
        quartiles=quartiles,
    )


def _share(
    part: float,
    whole: float,
    noise: float,
    noise_of_whole: float,
) -> Estimate:
    low, high = share_interval(part, whole, noise, noise_of_whole)
    if (low, high) == (0.0, 1.0):
        return Estimate(None, low, high)
    share = max(part / whole, low)
    return Estimate(min(share, high), low, high)


def _moments(
    block: Block,
    counts: FloatArray,
    noise: float,
) -> tuple[Estimate, Estimate | None]:
    """Mean and standard deviation; patients of a bin are taken to lie in its middle.

    Sheppard's correction takes the width of the bins off the variance (1 / 12 of its square).
    """
    middles = (np.arange(counts.size) + 0.5) / counts.size
    mean = _ratio(middles, counts, noise)
    if mean.value is None:
        return mean, None if block.logarithmic else mean
    in_units = Estimate(
        _in_units(block, mean.value),
        _in_units(block, mean.low),
        _in_units(block, mean.high),
    )
    if block.logarithmic:
        return in_units, None
    apart = middles - mean.value
    spread = _ratio(apart**2, counts, noise)
    width = block.scale[-1] - block.scale[0]
    if spread.value is None:
        return in_units, Estimate(None, 0.0, width / 2)
    sheppard = 1 / (12 * counts.size**2)
    # The spread cannot be told from none.
    if spread.low <= sheppard:
        return in_units, Estimate(None, 0.0, width * math.sqrt(spread.high))

    def deviation(variance: float) -> float:
        corrected = max(variance - sheppard, 0.0)
        return width * math.sqrt(corrected)

    return in_units, Estimate(
        deviation(spread.value),
        deviation(spread.low),
        deviation(spread.high),
    )


def _ratio(values: FloatArray, counts: FloatArray, noise: float) -> Estimate:
    """The mean of ``values``, each in [0, 1], over the patients counted, by Fieller."""
    whole = float(counts.sum())
    if whole <= NORMAL_95 * math.sqrt(noise * counts.size):
        return Estimate(None, 0.0, 1.0)
    above = float(values @ counts)
    sampled = np.maximum(counts, 0.0) + noise
    variance = (
        float(values**2 @ sampled),
        float(values @ sampled),
        float(sampled.sum()),
    )
    low, high = fieller(above, whole, variance)
    if (low, high) == (0.0, 1.0):
        return Estimate(None, low, high)
    mean = max(above / whole, low)
    return Estimate(min(mean, high), low, high)


def _quantile(
    block: Block,
    counts: FloatArray,
    noise: float,
    part: float,
) -> Estimate:
    """A quantile by linear interpolation in the bins, and Woodruff's interval in whole bins."""
    whole = float(counts.sum())
    ends = (
        _in_units(block, 0.0),
        _in_units(block, 1.0),
    )
    if whole <= NORMAL_95 * math.sqrt(noise * counts.size):
        return Estimate(None, *ends)
    shown = non_negative(counts, whole)
    bins = counts.size
    cumulated = np.cumsum(shown) / whole
    below = np.concatenate([[0.0], cumulated])
    # For certain, whatever the last bit of the sum.
    below[-1] = 1.0
    edge = int(np.searchsorted(below, part))
    # The numbers below the point and above it err independently; both have noise and sampling.
    variance_below = part * whole + edge * noise
    variance_above = (1 - part) * whole + (bins - edge) * noise
    variance = ((1 - part) ** 2 * variance_below + part**2 * variance_above) / whole**2
    reach = NORMAL_95 * math.sqrt(variance)
    steps = np.arange(bins + 1) / bins
    value = _turned(below, steps, part)
    low = _turned(below, steps, part - reach)
    high = _turned(below, steps, part + reach)
    # Counts say nothing of where in its bin a value lies: the interval reaches to the bins' ends.
    first = math.floor(low * bins + _SAME_EDGE)
    last = math.ceil(high * bins - _SAME_EDGE)
    interval = (
        _in_units(block, first / bins),
        _in_units(block, last / bins),
    )
    if (high - low) * bins > _WIDEST:
        return Estimate(None, *interval)
    return Estimate(_in_units(block, value), *interval)


def _turned(below: FloatArray, steps: FloatArray, part: float) -> float:
    """The place at which the distribution function reaches ``part``, which is cut to 0 to 1."""
    part = min(max(part, 0.0), 1.0)
    after = int(np.searchsorted(below, part, side="left"))
    if after == 0:
        return float(steps[0])
    rise = below[after] - below[after - 1]
    inside = 1.0
    if rise > 0:
        inside = (part - below[after - 1]) / rise
    step = steps[after] - steps[after - 1]
    return float(steps[after - 1] + inside * step)


def _in_units(block: Block, part: float) -> float:
    """A place on the column's scale, from 0 to 1, in its own unit."""
    part = float(part)
    low = block.scale[0]
    high = block.scale[-1]
    if block.logarithmic:
        left = math.log(low)
        right = math.log(high)
        return math.exp(left + part * (right - left))
    return low + part * (high - low)


def non_negative(counts: FloatArray, total: float) -> FloatArray:
    """The nearest counts that are at least 0 and add up to ``total`` (Duchi et al. 2008).

    >>> non_negative(np.array([5.0, -2.0, 7.0]), 10.0).tolist()
    [4.0, 0.0, 6.0]
    """
    falling = np.sort(counts)[::-1]
    places = np.arange(1, counts.size + 1)
    excess = (np.cumsum(falling) - total) / places
    last = np.flatnonzero(falling > excess)
    if not last.size or total <= 0:
        return np.zeros_like(counts)
    found: FloatArray = np.maximum(counts - excess[last[-1]], 0.0)
    return found
