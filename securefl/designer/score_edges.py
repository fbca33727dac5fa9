"""Number of bands in which a yes or no's scores are counted, from public figures.

Each band carries its own noise, and too few of them cannot tell scores apart. Fewer are taken only
where they gain much: scores of a model that learnt from few patients crowd, and few bands then lose
more of the figure than is expected of a calibrated model (``benchmarks/design`` measures it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.learning.tasks.binary.expected import expected_at
from securefl.study.binary_evaluation import AucSection
from securefl.study.counts import evaluation_of
from securefl.study.edges import DEFAULT_BINS, default_edges

if TYPE_CHECKING:
    from securefl.study.schema import Template

#: Bands where the noise leaves little room; whether a score is a probability takes four.
FEW_BINS: Final = 6
#: So much higher the expected interval must begin with few bands.
GAIN: Final = 0.05


def fitting_bands(study: Template, hospitals: int, auc: float) -> int:
    """The usual number of bands, or few where the expected interval then begins much higher.

    Args:
        study: a design that names the published share of positives.
        hospitals: that take part, each with its own noise.
        auc: true AUC of the model to expect.

    Raises:
        LookupError: the study's evaluation names no prevalence.
    """
    few = expected_at(with_bands(study, FEW_BINS), hospitals, auc)
    usual = expected_at(with_bands(study, DEFAULT_BINS), hospitals, auc)
    if few.low - usual.low >= GAIN:
        return FEW_BINS
    return DEFAULT_BINS


def with_bands(study: Template, count: int) -> Template:
    """The same study with so many bands.

    Raises:
        LookupError: the study's evaluation names no prevalence.
    """
    spec = evaluation_of(study)
    if not isinstance(spec, AucSection) or spec.prevalence is None:
        raise LookupError("the evaluation names no prevalence")
    edges = default_edges(spec.prevalence, count)
    changed = spec.model_copy(update={"bins": count, "edges": edges})
    stages = tuple(changed if stage is spec else stage for stage in study.stages)
    return study.model_copy(update={"stages": stages})
