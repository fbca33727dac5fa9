"""A study whose hospitals share the noise, and hospitals without rows: what they send is noise."""

from __future__ import annotations

import numpy as np
from conftest import make_study

from securefl.learning.features import Prepared, feature_names
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.learning.stages.stage import Rows
from securefl.study.parse import parse_study
from securefl.study.training import training_of
from securefl.study.wire import GRID, wire_of

#: The small protocol, with shares: of five hospitals four must be in a sum, and one may collude.
SHARED = (
    ('noise = "local"', 'noise = "distributed"'),
    ('noise_multiplier = "3.75"\nepsilon = "1"', 'noise_multiplier = "4.5"\nepsilon = "0.817"'),
)


def shared_study(least=4, colluders=1, *edits):
    """The sealed study of five hospitals."""
    text, *_ = make_study(
        5,
        ("min_contributors = 5", f"min_contributors = {least}"),
        ("colluders = 3", f"colluders = {colluders}"),
        *SHARED,
        *edits,
    )
    return parse_study(text)


def no_rows(study):
    """Rows of a hospital that has none."""
    x = np.zeros((0, len(feature_names(study.data))), dtype=np.float32)
    none = Prepared(x, np.zeros(0, dtype=np.int8), (), {})
    return Rows(none, none)


def noise_of(study, site, draws, rounds):
    """What a hospital without rows sends in so many rounds, in clip norms: float64[rounds x p]."""
    stage = trained(Programme(study))
    (release,) = stage.releases()
    end = stage.local(study, site, no_rows(study), draws)
    public = np.zeros(stage.public_length)
    unit = wire_of(study).step / GRID
    return np.concatenate([end.answer(release, public) * unit for _ in range(rounds)])


def promised(study):
    """The variance that the study charges for, in clip norms squared."""
    return float(training_of(study).noise_multiplier) ** 2
