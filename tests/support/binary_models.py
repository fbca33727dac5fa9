"""The product's families and FedAvg on the binary task, by a model section and a number of
features: as tests of the mathematics ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from small_study import SPEC

from securefl.learning.families import FAMILIES
from securefl.learning.families.linear import closed_gradients
from securefl.learning.models import predict
from securefl.learning.steps import PrivateSteps
from securefl.learning.strategies import strategy_of
from securefl.learning.tasks import task_of
from securefl.study.training import training_of
from securefl.study.wire import sum_unit

if TYPE_CHECKING:
    import numpy as np

    from securefl.learning.families.layers import Layers
    from securefl.learning.strategies.strategy import ServerState, Strategy

BINARY = task_of(SPEC)
logistic_gradients = closed_gradients(BINARY)


def family(model, features: int) -> Layers:
    """The model of a section for this many features."""
    return FAMILIES[model.family](model, features, BINARY.outputs)


def layer_sizes(model, features):
    return family(model, features).sizes


def parameter_count(model, features):
    return family(model, features).parameters


def initial_weights(model, features):
    return family(model, features).initial_weights(model.initial_seed)


def named_tensors(theta, model, features):
    return family(model, features).tensors(theta)


def flat_vector(tensors, model, features):
    return family(model, features).from_tensors(tensors)


def predict_scores(theta, model, x):
    return predict(theta, family(model, x.shape[1]), BINARY, x)


def opacus_gradients(model, features):
    return family(model, features).gradients(BINARY)


def trainer(model, rule, x, y, draws, *, units=None) -> PrivateSteps:
    """One hospital's noised steps with the family's own gradients."""
    return PrivateSteps(rule, opacus_gradients(model, x.shape[1]), x, y, draws, units=units)


@dataclass(frozen=True)
class Server:
    """The coordinator's step of a study as a value with its state."""

    strategy: Strategy
    unit: float
    state: ServerState

    @classmethod
    def start(cls, study, theta: np.ndarray) -> Server:
        strategy = strategy_of(training_of(study))
        return cls(strategy, sum_unit(study), strategy.start(theta))

    def apply(self, total: np.ndarray) -> Server:
        state = self.strategy.absorb(self.state, total, self.unit)
        return Server(self.strategy, self.unit, state)

    @property
    def theta(self) -> np.ndarray:
        return self.state.theta

    @property
    def rounds(self) -> int:
        return self.state.rounds
