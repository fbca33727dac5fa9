"""A study's training and check with the product's own steps, all hospitals in one process."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.demo.thyroid import demo_secret
from securefl.learning.counts import release_counts
from securefl.learning.families.linear import closed_gradients
from securefl.learning.features import prepare
from securefl.learning.models import family_of, predict
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies import strategy_of
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.privacy.randomness import SystemRandomness
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of
from securefl.study.wire import sum_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.study.schema import Template


@dataclass(frozen=True)
class Run:
    """One split of the tables with fresh noise.

    Attributes:
        released: figures of the noised check.
        exact: figures of the model on all rows kept aside.
        train: features and targets of all that train.
        aside: of all that are kept aside.
        said: predictions for those that are kept aside.
    """

    released: Any
    exact: Any
    train: tuple[Any, Any]
    aside: tuple[Any, Any]
    said: Any = None


def one_run(
    study: Template,
    tables: Mapping[str, bytes],
    sizes: Mapping[str, int],
    seed: int,
    *,
    own_gradients: bool = False,
) -> Run:
    """Train and check a study with a linear model on one split.

    Args:
        study: with one training and one evaluation.
        tables: of the hospitals.
        sizes: published ones; a hospital's weight is its part of them.
        seed: of the split.
        own_gradients: whether the family's own function gives the gradients.
    """
    halves = {}
    for site, table in tables.items():
        secret = demo_secret(seed, site)
        rows = prepare(read_table(table), study.data, secret)
        halves[site] = split_rows(rows, secret, study.data.holdout)
    draws, training = RandomDraws(SystemRandomness()), training_of(study)
    evaluation, task = evaluation_of(study), task_of(study.data)
    family = family_of(training.model, study.data)
    whole = sum(sizes.values())
    # closed gradients are Opacus', only faster; a family that has its own keeps them
    gradients = family.gradients(task) if own_gradients else closed_gradients(task)
    steps = []
    for site, (train, _) in halves.items():
        rule = StepRule.from_study(study, Fraction(sizes[site], whole))
        steps.append(PrivateSteps(rule, gradients, train.X, train.y, draws))
    strategy = strategy_of(training)
    state = strategy.start(family.initial_weights(training.model.initial_seed))
    for _ in range(training.rounds):
        total = np.sum([step.update(strategy.broadcast(state)) for step in steps], axis=0)
        state = strategy.absorb(state, total, sum_unit(study))
    total = np.zeros(task.histogram_size(evaluation), dtype=np.int64)
    for _, held_out in halves.values():
        said = predict(state.theta, family, task, held_out.X)
        total += release_counts(task.tally(said, held_out.y, evaluation), evaluation.numbers, draws)
    train, aside = (joined(halves, half) for half in (0, 1))
    said = predict(state.theta, family, task, aside[0])
    return Run(
        task.evaluate(total, evaluation, len(halves)),
        task.own_figures(said, aside[1], evaluation),
        train,
        aside,
        said,
    )


def joined(halves: dict[str, Any], half: int) -> tuple[Any, Any]:
    """Features and targets of all hospitals: those that train (0) or are kept aside (1)."""
    parts = [both[half] for both in halves.values()]
    return np.concatenate([p.X for p in parts]), np.concatenate([p.y for p in parts])
