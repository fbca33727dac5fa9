"""Every registered task, family and strategy keeps the promises of its interface, above all that
nothing of one patient moves another's integers (rule 10).

Another one that is registered in the product fails here until an example of its section stands
below.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from binary_models import logistic_gradients
from classes_study import classes_protocol
from count_study import count_protocol
from extension_promises import (
    check_family,
    check_label,
    check_neighbours,
    check_noised_steps_only,
    check_personal,
    check_strategy,
    check_tally,
    check_task,
)
from graph_models import graph_section
from hypothesis import given, settings
from hypothesis import strategies as st
from number_study import number_protocol
from small_study import SPEC, protocol, strategy_protocol
from survival_study import survival_protocol

from securefl.learning.families import FAMILIES
from securefl.learning.strategies import STRATEGIES
from securefl.learning.strategies.fedavg import FedAvg
from securefl.learning.tasks import TASKS, task_of
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

#: Name → data whose label names the task, and an evaluation of it.
TASK_EXAMPLES = {
    "binary": (SPEC, evaluation_of(protocol())),
    "classes": (classes_protocol().data, evaluation_of(classes_protocol())),
    "count": (count_protocol().data, evaluation_of(count_protocol())),
    "number": (number_protocol().data, evaluation_of(number_protocol())),
    "time-to-event": (survival_protocol().data, evaluation_of(survival_protocol())),
}
low_rank = partial(SimpleNamespace, initial_seed="lot")
#: Name → sections of the study file, or what makes one for so many features and scores.
FAMILY_EXAMPLES = {
    "additive": [SimpleNamespace(knots=5, smoothing=0), SimpleNamespace(knots=12, smoothing=2)],
    "boosted-trees": [
        SimpleNamespace(trees=4, depth=2, columns_per_tree=2, base_score=1, initial_seed="lot"),
    ],
    "graph": [graph_section],
    "linear": [SimpleNamespace()],
    "low-rank": [
        low_rank(hidden=(5,), rank=2, stretch=Decimal(1), inner="moved"),
        low_rank(hidden=(33, 7), rank=4, stretch=Decimal("2.5"), inner="moved"),
        low_rank(hidden=(33, 7), rank=4, stretch=Decimal(1), inner="fixed"),
    ],
    "perceptron": [SimpleNamespace(hidden=(5,)), SimpleNamespace(hidden=(33, 7))],
    "subspace": [
        SimpleNamespace(hidden=(5,), dimensions=4, initial_seed="lot"),
        SimpleNamespace(hidden=(33, 7), dimensions=50, initial_seed="lot"),
    ],
}
STRATEGY_EXAMPLES = {name: [training_of(strategy_protocol(name))] for name in STRATEGIES.names()}
#: Families of which a look takes long: with one seed, one and several scores, in a test of their own.
SLOW = ("graph",)
SLOW_PAIRS = [
    (task, family, section)
    for task in ("binary", "classes")
    for family in SLOW
    for section in FAMILY_EXAMPLES[family]
]
PAIRS = [
    (task, family, section)
    for task in TASKS.names()
    for family in FAMILIES.names()
    for section in FAMILY_EXAMPLES[family]
    if family not in SLOW
]
SEED = st.integers(0, 10_000)
FEATURES = 6


def named(value):
    return getattr(value, "__name__", str(value))


def made(task, family, section):
    the_task = task_of(TASK_EXAMPLES[task][0])
    if callable(section):
        section = section(FEATURES, the_task.outputs)
    return FAMILIES[family](section, FEATURES, the_task.outputs), the_task


@pytest.mark.parametrize("name", TASKS.names())
@settings(max_examples=15, deadline=None)
@given(SEED)
def test_a_task_has_a_slope_and_handles_each_row_by_itself(name, seed):
    data, evaluation = TASK_EXAMPLES[name]
    check_task(task_of(data), np.random.default_rng(seed))
    check_tally(task_of(data), evaluation, np.random.default_rng(seed))


@pytest.mark.parametrize("name", TASKS.names())
def test_mock_tables_hold_every_target_of_a_task(name):
    data, _ = TASK_EXAMPLES[name]
    check_label(task_of(data), data)


def test_every_family_is_looked_at():
    assert {family for _, family, _ in (*PAIRS, *SLOW_PAIRS)} == set(FAMILIES.names())


@pytest.mark.parametrize(("task", "family", "section"), PAIRS, ids=named)
@settings(max_examples=5, deadline=None)
@given(SEED)
def test_a_family_handles_each_row_by_itself(task, family, section, seed):
    model, the_task = made(task, family, section)
    check_family(model, the_task, FEATURES, np.random.default_rng(seed))


@pytest.mark.parametrize(("task", "family", "section"), PAIRS, ids=named)
@settings(max_examples=5, deadline=None)
@given(SEED)
def test_no_patient_moves_anothers_integers(task, family, section, seed):
    model, the_task = made(task, family, section)
    check_neighbours(model, the_task, FEATURES, np.random.default_rng(seed))


@pytest.mark.parametrize(("task", "family", "section"), SLOW_PAIRS, ids=named)
def test_a_slow_family_keeps_all_promises(task, family, section):
    model, the_task = made(task, family, section)
    check_family(model, the_task, FEATURES, np.random.default_rng(0))
    check_neighbours(model, the_task, FEATURES, np.random.default_rng(0))


@pytest.mark.soak
@pytest.mark.parametrize(("task", "family", "section"), SLOW_PAIRS, ids=named)
def test_a_hospital_can_make_a_personal_model_of_a_slow_family(task, family, section, monkeypatch):
    test_a_hospital_can_make_a_personal_model(task, family, section, monkeypatch)


@pytest.mark.parametrize(("task", "family", "section"), PAIRS, ids=named)
def test_a_hospital_can_make_a_personal_model(task, family, section, monkeypatch):
    monkeypatch.setattr("securefl.learning.personal.local_loss._MOST_STEPS", 5)
    monkeypatch.setattr("securefl.learning.personal.choosing.PARTS", 2)
    model, the_task = made(task, family, section)
    evaluation = TASK_EXAMPLES[task][1]
    check_personal(model, the_task, evaluation, FEATURES, np.random.default_rng(1))


@pytest.mark.parametrize("name", STRATEGIES.names())
@settings(max_examples=10, deadline=None)
@given(SEED)
def test_a_strategys_step_is_the_same_for_all_who_take_it(name, seed):
    for section in STRATEGY_EXAMPLES[name]:
        check_strategy(STRATEGIES[name].of(section), np.random.default_rng(seed))


@pytest.mark.parametrize("name", STRATEGIES.names())
@settings(max_examples=5, deadline=None)
@given(SEED)
def test_no_patient_moves_another_through_a_strategys_steps(name, seed):
    for section in STRATEGY_EXAMPLES[name]:
        check_noised_steps_only(
            partial(STRATEGIES[name].of, section),
            logistic_gradients,
            np.random.default_rng(seed),
        )


@dataclass(frozen=True)
class Scaled(FedAvg):
    """FedAvg that breaks rule 10: its step is as long as the last batch's gradient before noise."""

    seen: list

    def local_step(self, local, noised, unit, given, before):
        moved = super().local_step(local, noised, unit, given, before)
        return local + (moved - local) * np.sqrt((self.seen[-1] ** 2).mean())


@dataclass(frozen=True)
class Counting(Scaled):
    """The same with the number of rows, to the last bit only."""

    def local_step(self, local, noised, unit, given, before):
        moved = super(Scaled, self).local_step(local, noised, unit, given, before)
        return np.nextafter(moved, 1.0) if len(self.seen[-1]) % 2 else moved


@pytest.mark.parametrize("broken", [Scaled, Counting])
def test_control_a_step_that_reads_rows_past_the_noise_is_caught(broken):
    seen = []

    def watched(theta, x, y):
        seen.append(logistic_gradients(theta, x, y))
        return seen[-1]

    made = partial(broken, Decimal(1), Decimal(1), Decimal(0), seen)
    with pytest.raises(AssertionError):
        check_noised_steps_only(made, watched, np.random.default_rng(1))
    # and the same harness lets the plain strategy pass
    plain = partial(FedAvg, Decimal(1), Decimal(1), Decimal(0))
    check_noised_steps_only(plain, watched, np.random.default_rng(1))
