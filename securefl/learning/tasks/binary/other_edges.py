"""Other edges of the score's bands that lose no more of the AUC than a study's own do."""

from __future__ import annotations

import statistics
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.tasks.binary.discrimination import histogram_auc
from securefl.learning.tasks.binary.evaluation import exact_auc, score_histogram
from securefl.study.edges import LEAST_PREVALENCE, MOST_PREVALENCE, default_edges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.study.binary_evaluation import AucSection
    from securefl.types import FloatArray, IntArray

#: Edges that lose more of the AUC than this, and more than those written, are not tried.
_MOST_LOSS: Final = 0.005
_BINS: Final = (8, 12, 20)


def other_edges(
    written: AucSection,
    scored: Sequence[tuple[FloatArray, IntArray]],
) -> dict[str, AucSection]:
    """Sections with other edges, by what a study file would say.

    Args:
        written: the study's own.
        scored: scores and targets of public rows, for each of several models.
    """
    positive = float(np.mean(np.concatenate([y for _, y in scored])))
    rarest = float(LEAST_PREVALENCE)
    commonest = float(MOST_PREVALENCE)
    share = written.prevalence or Decimal(f"{min(max(positive, rarest), commonest):.3f}")
    most = max(_MOST_LOSS, _loss(written, scored))
    found = {}
    for bins in _BINS:
        edges = default_edges(share, bins)
        if edges == written.edges:
            continue
        other = written.model_copy(update={"edges": edges, "bins": bins})
        if _loss(other, scored) <= most:
            found[f'prevalence = "{share}", bins = {bins}'] = other
    return found


def _loss(
    section: AucSection,
    scored: Sequence[tuple[FloatArray, IntArray]],
) -> float:
    """Mean distance of the AUC in bands from the AUC of the exact score."""
    apart = []
    for scores, y in scored:
        counts = score_histogram(scores, y, section.edges).astype(float)
        banded = histogram_auc(counts[: section.bins], counts[section.bins :])
        apart.append(abs(banded - exact_auc(y, scores)))
    return statistics.fmean(apart)
