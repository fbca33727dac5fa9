"""Promises that every task, family and strategy gives, as checks: run for all that are registered
(``tests/property/test_extension_promises.py``) and for the toys of ``tests/extension``.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from small_study import FixedDraws, rule

from securefl.errors import RoundError
from securefl.learning.features import Prepared, prepare
from securefl.learning.mock import mock_table
from securefl.learning.models import predict
from securefl.learning.personal.choosing import LocalRows, candidates, chosen, cross_validated
from securefl.learning.personal.judging import judge
from securefl.learning.personal.methods import METHODS
from securefl.learning.personal.personalize import fitted
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps
from securefl.learning.strategies.strategy import NoisedSum, OwnRound
from securefl.learning.table import read_table
from securefl.learning.tasks.counted import CountedTask

SECRET = b"s" * 32


def example_rows(task, generator, n, features):
    """X float64[n, features] in [-1, 1] and targets that the task's strata can tell apart."""
    x = generator.uniform(-1, 1, (n, features)).astype(np.float32).astype(np.float64)
    return x, generator.choice(known_targets(task), n).astype(np.float64)


def known_targets(task):
    """Whole numbers from 0 on that are targets of the task."""
    found = [y for y in range(10) if task.check(np.array([y], dtype=task.dtype))]
    assert found, "the promises are checked on small whole targets"
    return found


def check_task(task, generator):
    """Loss, gradient and predictions of a task."""
    scores = generator.normal(0, 1, (64, task.outputs))
    y = generator.choice(known_targets(task), 64).astype(np.float64)
    gradient = task.loss_gradient(scores, y)
    assert gradient.shape == scores.shape
    step = 1e-6
    for k in range(task.outputs):
        moved = step * (np.arange(task.outputs) == k)
        slope = (task.loss(scores + moved, y) - task.loss(scores - moved, y)) / (2 * step)
        inside = np.abs(slope) < task.steepest - 1e-3
        np.testing.assert_allclose(gradient[inside, k], slope[inside], atol=1e-5)
    order = generator.permutation(64)
    for wild in (scores, scores * 1e3, np.sign(scores) * 1e300):
        together = np.clip(task.loss_gradient(wild, y), -task.steepest, task.steepest)
        assert np.isfinite(together).all()
        again = np.clip(task.loss_gradient(wild[order], y[order]), -task.steepest, task.steepest)
        np.testing.assert_array_equal(again, together[order])
        np.testing.assert_array_equal(task.predictions(wild[order]), task.predictions(wild)[order])
    strata = task.stratum(y)
    assert strata.min() >= 0
    assert strata.max() < len(task.strata)


def check_personal(family, task, evaluation, features, generator):
    """A hospital can make a model of its own and judge it, knowing nothing of task or family."""
    x, y = example_rows(task, generator, 40, features)
    patients = tuple(f"p{number}" for number in range(len(y)))
    rows = Prepared(x.astype(np.float32), y.astype(task.dtype), patients, {})
    local = LocalRows(family, task, rows, "patient")
    start, loss = family.initial_weights("seed"), local.loss()
    best = chosen(candidates(cross_validated(local, start, METHODS, SECRET)))
    assert np.isfinite(best.loss)
    for method in METHODS:
        for theta in method.fit(loss, start).values():
            assert theta.shape == start.shape
            assert loss.of_rows(theta).mean() <= loss.of_rows(start).mean() + 1e-9
    figure = judge(local, evaluation, fitted(local, start, best), start).figure
    assert None in {figure.value, figure.low} or figure.low <= figure.value <= figure.high


def check_tally(task, evaluation, generator):
    """A row adds to an evaluation's list what follows from it alone, and no more than the noise is
    drawn for, whatever the model says and beside whom.
    """
    predictions = task.predictions(generator.normal(0, 3, (64, task.outputs)))
    y = generator.choice(known_targets(task), 64)
    whole = task.tally(predictions, y, evaluation)
    assert whole.shape == (task.histogram_size(evaluation),)
    assert whole.dtype == np.int64
    each = [task.tally(predictions[i : i + 1], y[i : i + 1], evaluation) for i in range(64)]
    np.testing.assert_array_equal(np.sum(each, axis=0), whole)
    for row in each:
        # exact decimals: the row's length times the multiplier is at most the noise's deviation
        squared = int(row @ row) * evaluation.noise_multiplier**2
        assert 0 < squared <= evaluation.sigma**2
    order = generator.permutation(64)
    np.testing.assert_array_equal(task.tally(predictions[order], y[order], evaluation), whole)
    if isinstance(task, CountedTask):
        check_places(task, evaluation, predictions, y)


def check_places(task, evaluation, predictions, y):
    """A row counts once in as many numbers of the histogram as the section says."""
    places = task.place(predictions, y, evaluation)
    assert places.reshape(64, -1).shape == (64, evaluation.cells)
    assert (np.diff(places.reshape(64, -1), axis=1) > 0).all()
    assert places.min() >= 0
    assert places.max() < task.histogram_size(evaluation)


def check_label(task, data):
    """Mock tables hold every target and nothing else; a row's target is its own."""
    table = read_table(mock_table(data, 200, 1))
    targets, cells = task.targets(table)
    assert not any(isinstance(target, str) for target in targets)
    assert all(cell is None for cell in cells)
    assert task.check(np.array(targets, dtype=task.dtype))
    assert set(task.stratum(np.array(targets, dtype=task.dtype)).tolist()) == set(
        range(len(task.strata))
    )
    lines = mock_table(data, 200, 1).decode().splitlines()
    turned = read_table("\n".join([lines[0], *reversed(lines[1:]), ""]).encode())
    assert list(task.targets(turned)[0]) == list(targets)[::-1]
    train, held_out = split_rows(prepare(table, data, SECRET), SECRET, Fraction(3, 10))
    assert len(train.y) + len(held_out.y) == 200
    assert train.y.dtype == task.dtype


def check_family(family, task, features, generator):
    """Shapes, tensors, scores and gradients of a family, whatever stands beside a row."""
    theta = generator.normal(0, 0.5, family.parameters)
    assert theta.shape == family.initial_weights("a seed").shape
    np.testing.assert_array_equal(family.initial_weights("s"), family.initial_weights("s"))
    tensors = {name: value.copy() for name, value in family.tensors(theta).items()}
    np.testing.assert_array_equal(family.from_tensors(tensors), theta)
    with pytest.raises((KeyError, ValueError)):
        family.from_tensors({**tensors, "more": np.zeros(1)})
    x, y = example_rows(task, generator, 150, features)
    gradients = family.gradients(task)
    _check_slopes(family, task, theta, x, y)
    together, said = gradients(theta, x, y), predict(theta, family, task, x)
    lengths = np.linalg.norm(together, axis=1)
    assert lengths.max() <= family.longest_gradient(task.steepest)
    for size in (1, 2, 63, 64, 65, 149):
        some = generator.permutation(150)[:size]
        np.testing.assert_array_equal(gradients(theta, x[some], y[some]), together[some])
        np.testing.assert_array_equal(predict(theta, family, task, x[some]), said[some])
    assert gradients(theta, x[:0], y[:0]).shape == (0, family.parameters)


def _check_slopes(family, task, theta, x, y):
    """The gradient is that of the task's loss at the family's scores."""
    rows = np.zeros((64, x.shape[1]))
    rows[:40] = x[:40]
    got, step = family.gradients(task)(theta, x[:40], y[:40]), 1e-6
    for place in range(0, family.parameters, max(1, family.parameters // 25)):
        moved = step * (np.arange(family.parameters) == place)
        high, low = (
            task.loss(family.scores(t, rows)[:40], y[:40]) for t in (theta + moved, theta - moved)
        )
        np.testing.assert_allclose(got[:, place], (high - low) / (2 * step), atol=2e-4)


def check_neighbours(family, task, features, generator):
    """Without one patient, all others add the integers that they added; the patient's own are in
    the ball.
    """
    x, y = example_rows(task, generator, 90, features)
    units = np.repeat(np.arange(60), [1] * 30 + [2] * 30)
    theta, the_rule = generator.normal(0, 0.5, family.parameters), rule(sample_rate=Fraction(1))

    def total(keep):
        rows = np.isin(units, keep)
        _, numbers = np.unique(units[rows], return_inverse=True)
        steps = PrivateSteps(
            the_rule, family.gradients(task), x[rows], y[rows], FixedDraws(), units=numbers
        )
        return steps.noised_steps(theta)

    everybody = np.arange(60)
    whole = total(everybody)
    for gone in (0, 29, 30, 59, int(generator.integers(60))):
        moved = whole - total(np.delete(everybody, gone))
        np.testing.assert_array_equal(moved, total([gone]))
        assert (moved.astype(object) ** 2).sum() <= the_rule.grid**2


class Recorded(PrivateSteps):
    """Steps of a hospital that remember what each used: the un-noised sum, and each row's gradient."""

    def __init__(self, strategy, x, y, draws, gradients):
        self.sums, self.by_row = [], []
        self._plain = gradients
        super().__init__(
            rule(sample_rate=Fraction(1), local_steps=3, strategy=strategy),
            self._remember,
            x,
            y,
            draws,
        )

    def _remember(self, theta, x, y):
        found = self._plain(theta, x, y)
        self.by_row[-1].update(zip((row.tobytes() for row in x), found.copy(), strict=True))
        return found

    def _batch_sum(self, theta):
        self.by_row.append({})
        self.sums.append(super()._batch_sum(theta))
        return self.sums[-1]


class SameRelease(FixedDraws):
    """Noise with which every noised sum is the same, whatever the rows are.

    Such noise is as likely to be drawn, up to the privacy that is paid for. What differs beside it
    is read from rows past the noise.
    """

    def __init__(self, noised):
        super().__init__()
        self.noised, self.steps = noised, None

    def gaussian(self, sigma, count):
        del sigma, count
        place = len(self.steps.sums) - 1
        return self.noised[place] - self.steps.sums[place]


def check_noised_steps_only(make, gradients, generator, parameters=5, rounds=3):
    """Without one patient, or with another in the same place, no other patient's gradient moves by
    a bit, in any step of any round, and what is sent is the same: given the noised sums, nothing
    else of the rows enters a strategy's step (rule 10).

    Args:
        make: () -> the strategy, new for each table.
        gradients: per-row gradients of ``parameters - 1`` features.
        generator: of rows and noise.
        parameters: of the model.
        rounds: of three local steps each.
    """
    x = generator.uniform(-1, 1, (40, parameters - 1)).astype(np.float32)
    y = generator.integers(0, 2, 40)
    noised = generator.integers(-(1 << 21), 1 << 21, (3 * rounds, parameters))
    theta = generator.normal(0, 0.5, parameters)
    gone = int(generator.integers(40))

    def trained(x, y):
        strategy, draws = make(), SameRelease(noised)
        draws.steps = steps = Recorded(strategy, x, y, draws, gradients)
        state, sent = strategy.start(theta), []
        for _ in range(rounds):
            sent.append(steps.update(strategy.broadcast(state)))
            state = strategy.absorb(state, sent[-1], 1000.0)
        return steps.by_row, np.array(sent)

    whole, sent = trained(x, y)
    assert len(whole) == 3 * rounds
    other = x.copy()
    other[gone] = generator.uniform(-1, 1, parameters - 1)
    neighbours = [
        (np.delete(x, gone, axis=0), np.delete(y, gone)),
        (other, np.where(np.arange(40) == gone, 1 - y, y)),
    ]
    for rows, targets in neighbours:
        again, sent_again = trained(rows, targets)
        np.testing.assert_array_equal(sent_again, sent)
        for before, after in zip(whole, again, strict=True):
            common = before.keys() & after.keys()
            assert len(common) == 39
            for row in common:
                np.testing.assert_array_equal(after[row], before[row])


def check_strategy(strategy, generator, parameters=7):
    """A pure step, the same to the last bit for all who take it."""
    state, unit = strategy.start(generator.normal(size=parameters)), 1000.0
    given = []
    for number in range(4):
        broadcast, memory = strategy.broadcast(state), state.memory
        assert broadcast.shape == (strategy.broadcast_size(parameters),)
        assert strategy.weights(broadcast).shape == (parameters,)
        assert memory.ndim == 1
        given = [*given, broadcast.copy()][-2:]
        total = generator.integers(-500, 500, strategy.sent_size(parameters))
        before = (state.theta.copy(), memory.copy())
        after = strategy.absorb(state, total, unit)
        np.testing.assert_array_equal(state.theta, before[0])
        np.testing.assert_array_equal(memory, before[1])
        assert after.rounds == number + 1
        again = strategy.absorb(replace(state, theta=before[0], memory=before[1]), total, unit)
        for one, other in ((again.theta, after.theta), (again.memory, after.memory)):
            np.testing.assert_array_equal(one, other)
        state = after
    size = strategy.sent_size(parameters)
    for wrong in (np.zeros(size + 1, dtype=np.int64), np.zeros(size)):
        with pytest.raises(RoundError, match="the model needs"):
            strategy.absorb(state, wrong, unit)
    for steps in (1, 3):
        own = NoisedSum(generator.integers(-500, 500, parameters), unit, steps, 2.0)
        kept = own.values.copy()
        sent = strategy.contribution(own)
        assert sent.shape == (size,)
        assert sent.dtype == np.int64
        np.testing.assert_array_equal(own.values, kept)
    still = np.zeros(parameters, dtype=np.int64)
    last = OwnRound(given[0], generator.integers(-500, 500, parameters), unit)
    for before in (None, last):
        local = strategy.local_step(strategy.weights(given[-1]), still, unit, given[-1], before)
        assert local.shape == (parameters,)
        assert np.isfinite(local).all()
    assert rule(strategy=strategy) == rule(strategy=replace(strategy))
