"""Strategies that are registered from this file alone: FedProx, whose hospitals are drawn back to
where the round began, and FedCM, whose server says more than the model.

As `docs/extending/strategy.md` says.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
import pytest
from binary_models import logistic_gradients, predict_scores
from completed_study import finish, other_weights
from extension_promises import check_noised_steps_only, check_strategy
from in_process_federation import sealed_study
from small_study import FixedDraws, protocol, rows, rule
from whole_study import whole_study
from worker_hospital import room_of

from securefl.errors import MessageError, StudyError
from securefl.learning.mock import mock_table
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies import STRATEGIES, strategy_of
from securefl.learning.strategies.strategy import ServerState, Strategy, check_sum
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.privacy.randomness import SystemRandomness
from securefl.study.fields import DecimalText
from securefl.study.plausible import learning_faults
from securefl.study.training import TrainSection, training_of
from securefl.study.wire import sum_unit


class FedProxSection(TrainSection):
    """Training by FedProx: its keys beside those of every training."""

    strategy: Literal["toy-prox"]
    local_learning_rate: DecimalText
    mu: DecimalText


class FedCmSection(TrainSection):
    """Training by FedCM."""

    strategy: Literal["fedcm"]
    local_learning_rate: DecimalText


@dataclass(frozen=True)
class FedProx(Strategy):
    """A hospital's step is drawn back by ``mu`` times the way from the start of the round (Li et
    al. 2020, arXiv:1812.06127). The server takes the mean.
    """

    Section: ClassVar = FedProxSection
    rate: float
    mu: float

    @classmethod
    def of(cls, section):
        return cls(float(section.local_learning_rate), float(section.mu))

    def local_step(self, local, noised, unit, given, before):
        return local - self.rate * (noised / unit + self.mu * (local - given))

    def start(self, theta):
        return ServerState(theta, np.zeros(0))

    def absorb(self, state, total, unit):
        check_sum(state, total)
        return ServerState(state.theta - self.rate * total / unit, state.memory, state.rounds + 1)

    def faults(self, local_steps, rounds):
        return [("local_learning_rate", "is 0: nothing moves")] if self.rate == 0 else []


@dataclass(frozen=True)
class FedCm(Strategy):
    """A hospital's step is mixed with the last mean gradient, which is broadcast beside the model
    (Xu et al. 2021, arXiv:2106.10874). The server's memory is that gradient.
    """

    Section: ClassVar = FedCmSection
    rate: float
    own: float = 0.5

    @classmethod
    def of(cls, section):
        return cls(float(section.local_learning_rate))

    def broadcast(self, state):
        return np.concatenate([state.theta, state.memory])

    def broadcast_size(self, parameters):
        return 2 * parameters

    def weights(self, given):
        return given[: len(given) // 2]

    def local_step(self, local, noised, unit, given, before):
        before = given[len(given) // 2 :]
        return local - self.rate * (self.own * noised / unit + (1 - self.own) * before)

    def start(self, theta):
        return ServerState(theta, np.zeros(theta.shape))

    def absorb(self, state, total, unit):
        check_sum(state, total)
        mean = total / unit
        return ServerState(state.theta - self.rate * mean, mean, state.rounds + 1)

    def faults(self, local_steps, rounds):
        return []


@pytest.fixture(autouse=True)
def registered():
    undo = (STRATEGIES.register("toy-prox", FedProx), STRATEGIES.register("fedcm", FedCm))
    yield
    for take_away in undo:
        take_away()


SERVER = 'server_learning_rate = "4"\nserver_momentum = "0.8"\n'
TEXTS = {
    "toy-prox": (('strategy = "fedavg"', 'strategy = "toy-prox"'), (SERVER, 'mu = "0.5"\n')),
    "fedcm": (('strategy = "fedavg"', 'strategy = "fedcm"'), (SERVER, "")),
}


def chosen(name, rate="1"):
    """The small study with this strategy."""
    return protocol(
        *TEXTS[name],
        ('local_learning_rate = "1"', f'local_learning_rate = "{rate}"'),
        ("rounds = 4", "rounds = 20"),
        ("steps = 4", "steps = 20"),
    )


BOTH = pytest.mark.parametrize("name", ["toy-prox", "fedcm"])


@BOTH
def test_the_strategy_keeps_the_promises(name):
    check_strategy(strategy_of(training_of(chosen(name))), np.random.default_rng(1))
    check_noised_steps_only(
        lambda: strategy_of(training_of(chosen(name))),
        logistic_gradients,
        np.random.default_rng(1),
    )


@BOTH
def test_a_hospital_steps_by_it_and_the_sum_moves_the_model_by_it(name):
    study = chosen(name, "4")
    x, y = rows(n=1000)
    strategy, unit = strategy_of(training_of(study)), sum_unit(study)
    hospital = PrivateSteps(
        StepRule.from_study(study, Fraction(1)),
        logistic_gradients,
        x,
        y,
        RandomDraws(SystemRandomness()),
    )
    state = strategy.start(np.zeros(5))
    for _ in range(training_of(study).rounds):
        state = strategy.absorb(state, hospital.update(strategy.broadcast(state)), unit)
    assert exact_auc(y, predict_scores(state.theta, training_of(study).model, x)) > 0.9


def test_fedprox_draws_a_hospital_back_after_the_noise():
    x, y = rows()
    given, prox = np.full(5, 0.2), FedProx(1.0, 0.5)
    one, two = (
        PrivateSteps(
            rule(strategy=prox, local_steps=n), logistic_gradients, x, y, FixedDraws()
        ).noised_steps(given)
        for n in (1, 2)
    )
    unit = rule().grid * rule().share
    moved = prox.local_step(given, one, unit, given, None)
    again = PrivateSteps(rule(strategy=prox), logistic_gradients, x, y, FixedDraws()).noised_steps(
        moved
    )
    np.testing.assert_array_equal(two, one + again)
    back = prox.local_step(moved, again, unit, given, None)
    np.testing.assert_allclose(back - (moved - again / unit), -0.5 * (moved - given))


def test_a_study_that_cannot_learn_by_it_is_refused_with_the_strategys_words():
    study = chosen("toy-prox", "0")
    faults = learning_faults(study)
    assert (("local_learning_rate",), "is 0: nothing moves") in faults


@BOTH
def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(name, tmp_path):
    _, plan = sealed_study(*TEXTS[name])
    tables = [mock_table(plan.study.data, 150, seed) for seed in range(3)]
    done = finish(room_of(plan, tables))
    done.check(done.files, tmp_path / "model")
    theta = other_weights(done.outcome.theta)
    with pytest.raises(MessageError, match="another model"):
        done.check(done.with_model(theta, tmp_path / "other"), tmp_path / "refused")


@BOTH
def test_a_study_of_it_is_approved_charged_run_by_agents_and_audited(name, tmp_path, monkeypatch):
    done = whole_study(tmp_path, *TEXTS[name], patch=monkeypatch)
    assert training_of(done.study.file).strategy == name
    done.check_models()
    for said in done.audits().values():
        assert "rounds 1 to 3: 3 model updates" in said


def test_an_unknown_strategy_is_refused_with_those_there_are():
    with pytest.raises(StudyError, match=r'is no strategy; write "dp-fedexp" or .* or "toy-prox"'):
        protocol(('strategy = "fedavg"', 'strategy = "fedavgx"'))
