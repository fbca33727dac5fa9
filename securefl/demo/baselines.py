"""Comparison with what each hospital would reach alone, possible on public data only.

Every model is judged on the union of all hospitals' held-out rows, exactly and without noise. On
private data none of these figures could be released. An AUC on one small hospital's own held-out
rows would mean nothing: the smallest has six positives in all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import StudyError
from securefl.learning.families.linear import closed_gradients
from securefl.learning.features import Prepared, prepare
from securefl.learning.models import family_of, first_weights, predict
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.learning.tasks.binary.task import sigmoid
from securefl.privacy.randomness import SystemRandomness
from securefl.study.training import training_of
from securefl.study.wire import GRID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.study.schema import Template
    from securefl.types import FloatArray

_NEWTON_STEPS = 50


@dataclass(frozen=True)
class SiteComparison:
    """Row of the comparison for one hospital.

    Attributes:
        site: the hospital.
        training_rows: rows it trains on.
        positives: positives among them.
        auc_alone: exact AUC of the model it trains alone, without privacy.
        auc_alone_private: the same at the study's epsilon.
        auc_federated: exact AUC of the common model.
    """

    site: str
    training_rows: int
    positives: int
    auc_alone: float
    auc_alone_private: float
    auc_federated: float


@dataclass(frozen=True)
class Comparison:
    """Comparison of all hospitals, judged on their held-out rows together.

    ``held_out_rows`` rows, of which ``held_out_positives`` are positive.
    """

    sites: tuple[SiteComparison, ...]
    auc_overall_exact: float
    held_out_rows: int
    held_out_positives: int


def compare(
    study: Template,
    tables: Mapping[str, bytes],
    secrets: Mapping[str, bytes],
    published_rows: Mapping[str, int],
    theta: FloatArray,
) -> Comparison:
    """Compare the common model with what each hospital reaches alone.

    Args:
        study: the study (or protocol) that was run; logistic regression only.
        tables: each hospital's CSV.
        secrets: each hospital's split secret: the demonstration made them, so it may read them.
        published_rows: each hospital's published number of records: the public normaliser of its
            private training alone.
        theta: the common model, float64[p].
    """
    if training_of(study).model.kind != "logistic-regression":
        raise StudyError(
            "the comparison with training alone is written for logistic regression.",
            next_step="Run the demonstration with the thyroid protocol as it stands.",
        )
    halves = {site: _halves(study, table, secrets[site]) for site, table in tables.items()}
    x = np.concatenate([held.X for _, held in halves.values()])
    y = np.concatenate([held.y for _, held in halves.values()])

    family = family_of(training_of(study).model, study.data)
    task = task_of(study.data)

    def auc(weights: FloatArray) -> float:
        return exact_auc(y, predict(weights, family, task, x))

    common = auc(theta)
    sites = tuple(
        SiteComparison(
            site=site,
            training_rows=len(train.y),
            positives=int(train.y.sum()),
            auc_alone=auc(train_alone(train)),
            auc_alone_private=auc(train_alone_private(study, train, published_rows[site])),
            auc_federated=common,
        )
        for site, (train, _) in halves.items()
    )
    return Comparison(sites, common, len(y), int(y.sum()))


def train_alone(train: Prepared, ridge: float = 1.0) -> FloatArray:
    """Fit a logistic regression without privacy, by Newton's method.

    The strongest simple thing that a hospital can do alone. Minimises the sum of the losses plus
    ridge/2 · |w|² (intercept free), as scikit-learn does with C = 1.

    Returns:
        theta, float64[d + 1].
    """
    wide = np.concatenate([train.X.astype(np.float64), np.ones((len(train.X), 1))], axis=1)
    # Next to nothing on the intercept: it stays free, and the system has a solution.
    penalty = np.diag([ridge] * train.X.shape[1] + [1e-6])
    theta = np.zeros(wide.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = sigmoid(wide @ theta)
        gradient = wide.T @ (chance - train.y) + penalty @ theta
        curvature = (wide * (chance * (1 - chance))[:, None]).T @ wide + penalty
        step = np.linalg.solve(curvature, gradient)
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    return theta


def train_alone_private(
    study: Template,
    train: Prepared,
    published_rows: int,
) -> FloatArray:
    """Train as the study does, with this hospital alone: same steps, clip, noise, epsilon.

    Its normaliser is its published size times the training share times the sampling rate. The noise
    is fresh from the operating system. Gradients are in closed form, equal to Opacus' (tested), so
    that no torch is needed here.

    Returns:
        theta, float64[d + 1].
    """
    share = published_rows * (1 - study.data.holdout) * training_of(study).sample_rate
    rule = replace(StepRule.from_study(study, Fraction(1)), share=float(share))
    gradients = closed_gradients(task_of(study.data))
    steps = PrivateSteps(
        rule,
        gradients,
        train.X,
        train.y,
        RandomDraws(SystemRandomness()),
    )
    training = training_of(study)
    unit = GRID / rule.wire_step * float(share)
    state = rule.strategy.start(first_weights(training, study.data))
    for _ in range(training.rounds):
        update = steps.update(rule.strategy.broadcast(state))
        state = rule.strategy.absorb(state, update, unit)
    return state.theta


def _halves(study: Template, table: bytes, secret: bytes) -> tuple[Prepared, Prepared]:
    """Prepare a table and split it into rows that train and rows kept aside."""
    return split_rows(prepare(read_table(table), study.data, secret), secret, study.data.holdout)
