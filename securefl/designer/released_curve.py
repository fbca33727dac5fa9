"""Sizes out of a survival curve that was released: post-processing, so they cost nothing more."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.designer.question import Sizes
from securefl.errors import UsageError
from securefl.learning.survival.figures import figures_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Least that a curve falls from time to time: a model's curve has to fall.
_STEP: Final = Decimal("0.001")


def sizes_of_curve(stage: Mapping[str, Any], label: Mapping[str, Any], name: str) -> Sizes:
    """Patients, and the share without the event at each time.

    Args:
        stage: the curve's part of a report, with its list; groups are added up.
        label: of the study that is designed.
        name: of the study that released it.

    Raises:
        UsageError: it has other times, or noise leaves nothing to say of one of them.
    """
    edges = [float(edge) for edge in label["edges"]]
    figures = stage["figures"]
    if list(figures["edges"]) != edges:
        raise UsageError(
            "The released curve has other times than the label.",
            next_step="Design the study with the label of the curve.",
        )
    groups = len(figures["groups"])
    cells = np.asarray(stage["list"], dtype=np.int64).reshape(groups, -1)
    noise = groups * float(figures["noise_sd"]) ** 2
    (curve,) = figures_of(cells.sum(axis=0), ("all",), edges, noise).groups
    values = [share.value for share in curve.survival]
    if None in values or curve.patients.value is None:
        raise UsageError(
            "The released curve is not told at every time: the noise leaves nothing to say there.",
            next_step="Name fewer or earlier times, or give the shares of a published curve.",
        )
    shares: list[Decimal] = []
    highest = 1 - _STEP
    for value in values:
        share = min(round(Decimal(repr(value)), 3), highest)
        shares.append(share)
        highest = share - _STEP
    if shares[-1] <= 0:
        raise UsageError(
            "The released curve falls to 0.", next_step="Leave the last times of the label out."
        )
    patients = max(round(curve.patients.value), 1)
    return Sizes(patients, tuple(shares), f"Released survival curve of the study {name}")
