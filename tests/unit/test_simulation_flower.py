"""Flower's simulation runtime runs the hospitals' steps, and no figure moves."""

import importlib.util
import threading

import numpy as np
import pytest
from conftest import protocol_text
from simulated_tables import tables_of
from small_study import COUNTED

from securefl.errors import RoundError, UsageError
from securefl.rehearsal import SimulatedStudy
from securefl.report.terminal import plain_text
from securefl.simulation import flower_engine
from securefl.simulation.flower_engine import FlowerEngine
from securefl.simulation.participation import Participation
from securefl.simulation.simulate import Wishes, simulate_study
from securefl.simulation.tables import Source

FEW = (("min_contributors = 5", "min_contributors = 2"), ("colluders = 3", "colluders = 0"))
installed = pytest.mark.skipif(
    importlib.util.find_spec("flwr") is None,
    reason="NOT TESTED: Flower's simulation runtime, for the extra flower is not installed",
)


def simulated(*edits, **wishes):
    text = protocol_text(*FEW, *edits).encode()
    source = Source("tables of a test", tables_of(4, 80))
    found = simulate_study(text, source, Wishes(**({"repeat": 1, "advise": False} | wishes)))
    return found, found.to_dict() | {"seconds": 0, "engine": ""}


@installed
@pytest.mark.parametrize(
    "wishes",
    [{"repeat": 2}, {"participation": Participation(count=2)}],
)
def test_flowers_engine_gives_the_same_figures_bit_by_bit(wishes):
    own, said = simulated(COUNTED, **wishes)
    flower, same = simulated(COUNTED, flower=True, **wishes)
    assert said == same
    assert flower.base.models == own.base.models
    assert "Flower's simulation runtime" in plain_text(SimulatedStudy(flower).page(), 200)
    assert (own.to_dict()["engine"], flower.to_dict()["engine"]) == ("own", "flower")


@installed
def test_control_another_seed_gives_other_figures_there_too():
    first, other = (simulated(flower=True, seed=seed)[0].base.models for seed in (0, 1))
    assert first != other


class Failing:
    """A hospital whose step fails."""

    clamped = 0

    def __init__(self, error=None):
        self.error = error

    def answer(self, release, public):
        raise self.error


@installed
@pytest.mark.parametrize(
    "error",
    [
        RoundError("the global model is not a vector of finite numbers.", whose="nobody"),
        ZeroDivisionError("not finite numbers"),
    ],
)
def test_what_a_hospitals_step_raises_comes_through_and_the_runtime_ends(error):
    before = threading.active_count()
    with FlowerEngine(2) as engine, pytest.raises(type(error), match="finite numbers"):
        engine.answers([Failing(error), Failing(error)], [0, 1], None, np.zeros(1))
    assert threading.active_count() == before


@installed
def test_a_runtime_that_dies_is_told_and_not_waited_for():
    with FlowerEngine(2) as engine:
        engine._runtime.stop.set()
        engine._thread.join()
        with pytest.raises(UsageError, match="--engine own"):
            engine.answers([Failing()], [0], None, np.zeros(1))


def test_without_flower_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(flower_engine, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="not installed") as refused:
        FlowerEngine(2)
    assert "securefl[flower]" in refused.value.next_step
