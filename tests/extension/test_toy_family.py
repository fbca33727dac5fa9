"""A family that is registered from this file alone: a linear model of squares of the features.

As `docs/extending/family.md` says. Its gradients are plain numpy, in whole vectors.
"""

from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from completed_study import finish, other_weights
from extension_promises import SECRET, check_family, check_neighbours
from in_process_federation import sealed_study
from small_study import SPEC, protocol
from whole_study import whole_study
from worker_hospital import room_of

from securefl.errors import MessageError, StudyError
from securefl.learning.families import FAMILIES
from securefl.learning.families.family import Family
from securefl.learning.features import prepare
from securefl.learning.mock import mock_table
from securefl.learning.models import family_of, predict
from securefl.learning.split import split_rows
from securefl.learning.steps import RandomDraws
from securefl.learning.strategies import strategy_of
from securefl.learning.summing import sum_in_order
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.learning.training import training_steps
from securefl.learning.whole_vectors import in_whole_vectors
from securefl.privacy.randomness import SystemRandomness
from securefl.report.explain_study import model_words
from securefl.study.training import ModelSpec, training_of
from securefl.study.wire import sum_unit


class SquaresSpec(ModelSpec):
    """Its table in the study file: no keys of its own."""

    kind: Literal["squares"]


class Squares(Family):
    """Scores are sums over the features of weight times square, and a bias."""

    Section = SquaresSpec

    def __init__(self, section, inputs, outputs):
        self._shape = (outputs, inputs + 1)

    @property
    def parameters(self):
        return self._shape[0] * self._shape[1]

    def initial_weights(self, seed):
        return np.zeros(self.parameters)

    def scores(self, theta, x):
        return np.column_stack(
            [sum_in_order(self._terms(x) * row) for row in theta.reshape(self._shape)]
        )

    def gradients(self, task):
        @in_whole_vectors
        def gradients(theta, x, y):
            slope = task.loss_gradient(self.scores(theta, x), y)
            return (slope[:, :, None] * self._terms(x)[:, None, :]).reshape(len(x), -1)

        return gradients

    def words(self, task):
        return f"a {task.regression} of squares"

    @staticmethod
    def _terms(x):
        return np.column_stack([x * x, np.ones(len(x))])


class Centred(Squares):
    """A control: rows are centred by their batch, so each one's gradient holds all others'."""

    def gradients(self, task):
        whole = super().gradients(task)
        return lambda theta, x, y: whole(theta, x - (x.mean(axis=0) if len(x) else 0.0), y)


@pytest.fixture(autouse=True)
def registered():
    undo = FAMILIES.register("squares", Squares)
    yield
    undo()


MODEL = ('kind = "logistic-regression"', 'kind = "squares"')


@pytest.fixture
def study():
    return protocol(MODEL, ("rounds = 4", "rounds = 30"), ("steps = 4", "steps = 30"))


def table(rows=1500):
    """Patients who are positive at the ends of the range of ages."""
    ages = np.random.default_rng(3).uniform(0, 120, rows)
    lines = [
        f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{'E' if abs(age - 60) > 40 else '-'}"
        for i, age in enumerate(ages)
    ]
    return read_table("\n".join(["patient_id,age,TSH,sex,sick,target", *lines, ""]).encode())


@pytest.mark.parametrize("seed", range(3))
def test_the_family_keeps_the_promises(seed):
    task = task_of(SPEC)
    family = FAMILIES["squares"](None, 6, task.outputs)
    check_family(family, task, 6, np.random.default_rng(seed))
    check_neighbours(family, task, 6, np.random.default_rng(seed))


@pytest.mark.parametrize("check", [check_family, check_neighbours])
def test_control_a_family_that_mixes_rows_breaks_them(check):
    task = task_of(SPEC)
    with pytest.raises(AssertionError):
        check(Centred(None, 6, task.outputs), task, 6, np.random.default_rng(0))


def test_a_hospital_trains_it_with_clip_noise_and_server_step(study):
    train, held_out = split_rows(prepare(table(), SPEC, SECRET), SECRET, SPEC.holdout)
    family, task = family_of(training_of(study).model, SPEC), task_of(SPEC)
    strategy, unit = strategy_of(training_of(study)), sum_unit(study)
    hospital = training_steps(study, Fraction(1), train, RandomDraws(SystemRandomness()))
    state = strategy.start(family.initial_weights("s"))
    for _ in range(training_of(study).rounds):
        state = strategy.absorb(state, hospital.update(strategy.broadcast(state)), unit)
    assert exact_auc(held_out.y, predict(state.theta, family, task, held_out.X)) > 0.8


def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(tmp_path):
    _, plan = sealed_study(MODEL)
    tables = [mock_table(plan.study.data, 150, seed) for seed in range(3)]
    done = finish(room_of(plan, tables))
    done.check(done.files, tmp_path / "model")
    assert done.unpacked(done.files, tmp_path / "model").spec.family == "squares"
    assert "a logistic regression of squares" in model_words(plan.study)
    theta = other_weights(done.outcome.theta)
    with pytest.raises(MessageError, match="another model"):
        done.check(done.with_model(theta, tmp_path / "other"), tmp_path / "refused")


def test_a_study_of_it_is_approved_charged_run_by_agents_and_audited(tmp_path, monkeypatch):
    done = whole_study(tmp_path, MODEL, patch=monkeypatch)
    done.check_models()
    assert done.result.model.spec.family == "squares"
    for said in done.audits().values():
        assert "rounds 1 to 3: 3 model updates" in said


def test_an_unknown_family_is_refused_with_those_there_are():
    with pytest.raises(StudyError, match=r"stages\.1\.model\.kind: .*is no model; write .*squares"):
        protocol((MODEL[0], 'kind = "forest"'))
