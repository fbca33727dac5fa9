"""Strategies beside plain loops written from their papers, and beside the published figures of
FLamby's four centres.
"""

import os
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from binary_models import logistic_gradients
from completed_study import finish
from flamby_heart import centres, mean_accuracy
from in_process_federation import sealed_study
from known_losses import Quadratics, strategy
from small_study import FixedDraws, rows, rule, strategy_protocol
from worker_hospital import room_of

from securefl.errors import StudyError
from securefl.learning.features import Prepared, feature_names
from securefl.learning.mock import mock_table
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.learning.stages.stage import Rows
from securefl.learning.steps import PrivateSteps
from securefl.learning.strategies import STRATEGIES, strategy_of
from securefl.learning.strategies.strategy import NoisedSum
from securefl.privacy.accounting import PldAccountant
from securefl.report.study import study_page
from securefl.report.terminal import plain_text
from securefl.study.consistency import check_consistency
from securefl.study.parse import parse_protocol
from securefl.study.plausible import learning_faults
from securefl.study.training import training_of
from securefl.study.wire import GRID, planned_patients, wire_of

NAMES = STRATEGIES.names()
ROOT = Path(__file__).parents[2]


def test_fedsgd_and_fedavg_are_gradient_descent_with_one_step():
    q = Quadratics()
    w = q.start.copy()
    for _ in range(5):
        w -= 0.5 * np.mean([q.gradient(h, w) for h in range(3)], axis=0)
    for name in ("fedsgd", "fedavg"):
        made = strategy(name, local_learning_rate="0.5")
        np.testing.assert_allclose(q.rounds(made, 5, 1), w, rtol=1e-9)


def test_fedavg_with_several_steps_averages_local_models():
    q = Quadratics()
    w = q.start.copy()
    for _ in range(4):
        ends = []
        for h in range(3):
            y = w.copy()
            for _ in range(3):
                y -= 0.3 * q.gradient(h, y)
            ends.append(y)
        w = np.mean(ends, axis=0)
    made = strategy("fedavg", local_learning_rate="0.3")
    np.testing.assert_allclose(q.rounds(made, 4, 3), w, rtol=1e-9)


def test_fedavgm_keeps_nine_tenths_of_its_velocity_by_default():
    q = Quadratics()
    w, velocity = q.start.copy(), 0.0
    for _ in range(5):
        velocity = 0.9 * velocity + np.mean([q.gradient(h, w) for h in range(3)], axis=0)
        w = w - velocity
    np.testing.assert_allclose(q.rounds(strategy("fedavgm"), 5, 1), w, rtol=1e-9)


def test_fedprox_steps_along_gradients_on_the_drawn_back_path():
    q = Quadratics()
    w = q.start.copy()
    for _ in range(4):
        sums = []
        for h in range(3):
            y, total = w.copy(), np.zeros(4)
            for _ in range(3):
                g = q.gradient(h, y)
                total += g
                y = y - 0.3 * (g + 0.5 * (y - w))
            sums.append(total)
        w = w - 0.3 * np.mean(sums, axis=0)
    made = strategy("fedprox", local_learning_rate="0.3", mu="0.5")
    np.testing.assert_allclose(q.rounds(made, 4, 3), w, rtol=1e-9)


def scaffold_of_the_paper(q, rate, count, steps):
    """Algorithm 1 of Karimireddy et al. 2020, option II, everybody taking part."""
    w, common = q.start.copy(), np.zeros(4)
    own = [np.zeros(4) for _ in range(3)]
    for _ in range(count):
        ends, changed = [], []
        for h in range(3):
            y = w.copy()
            for _ in range(steps):
                y = y - rate * (q.gradient(h, y) - own[h] + common)
            ends.append(y)
            changed.append(own[h] - common + (w - y) / (steps * rate))
        w = w + np.mean([y - w for y in ends], axis=0)
        common = common + np.mean([n - o for n, o in zip(changed, own, strict=True)], axis=0)
        own = changed
    return w


def test_scaffold_is_that_of_its_paper_without_a_second_vector():
    q = Quadratics()
    made = strategy_of(
        training_of(
            strategy_protocol(
                "scaffold",
                ('local_learning_rate = "1"', 'local_learning_rate = "0.3"'),
                ("local_steps = 1", "local_steps = 3"),
                ("steps = 4", "steps = 12"),
            )
        )
    )
    found = q.rounds(made, 6, 3)
    np.testing.assert_allclose(found, scaffold_of_the_paper(q, 0.3, 6, 3), rtol=1e-6)
    # and it is not FedAvg
    plain = q.rounds(strategy("fedavg", local_learning_rate="0.3"), 6, 3)
    assert np.abs(found - plain).max() > 1e-3


def fednova_of_the_paper(q, rate, count, steps):
    """Wang et al. 2020, equation 3 with plain SGD, and tau_eff the mean of the steps."""
    w = q.start.copy()
    for _ in range(count):
        means = []
        for h in range(3):
            y = w.copy()
            for _ in range(steps[h]):
                y -= rate * q.gradient(h, y)
            means.append((w - y) / (rate * steps[h]))
        w = w - rate * np.mean(steps) * np.mean(means, axis=0)
    return w


def test_fednova_is_that_of_its_paper():
    q, steps = Quadratics(), [1, 3, 6]
    server = str(np.mean(steps) / 6)
    made = strategy("fednova", local_learning_rate="0.1", server_learning_rate=server)
    made = replace(made, local_steps=6)
    found = q.rounds(made, 5, steps)
    np.testing.assert_allclose(found, fednova_of_the_paper(q, 0.1, 5, steps), rtol=1e-9)
    # with equal steps it is FedAvg, to the last bit
    plain = strategy("fedavg", local_learning_rate="0.1")
    again = replace(made, server_learning_rate=Decimal(1))
    np.testing.assert_array_equal(q.rounds(again, 5, 6), q.rounds(plain, 5, 6))


def test_fednova_goes_where_the_mean_loss_is_least_and_fedavg_elsewhere():
    """Theorem 1 of the paper: with steps of its own at each hospital FedAvg solves another problem."""
    q, steps = Quadratics(), [1, 5, 20]
    least = (q.curves * q.ends).sum(axis=0) / q.curves.sum(axis=0)
    made = replace(strategy("fednova", local_learning_rate="0.002"), local_steps=20)
    plain = strategy("fedavg", local_learning_rate="0.002")
    away, drawn = (np.linalg.norm(q.rounds(s, 600, steps) - least) for s in (made, plain))
    weighed = np.array(steps)[:, None] * q.curves
    other = (weighed * q.ends).sum(axis=0) / weighed.sum(axis=0)
    assert away < 0.05 * np.linalg.norm(other - least)
    assert drawn > 0.9 * np.linalg.norm(other - least)


def test_fednova_scales_a_noised_sum_to_the_nearest_unit_without_overflow():
    values = np.array([0, 1, -1, 7, -7, 3 * (1 << 59), -3 * (1 << 59)], dtype=np.int64)
    made = replace(strategy("fednova"), local_steps=5)
    found = made.contribution(NoisedSum(values, 1.0, 3, 0.0))
    assert found.dtype == np.int64
    for got, value in zip(found.tolist(), values.tolist(), strict=True):
        assert abs(got - Fraction(value) * 5 / 3) <= Fraction(1, 2)


def fednova_edits(**fewer):
    """The small study by FedNova with three local steps, at some hospitals fewer."""
    listed = ", ".join(f"{site} = {steps}" for site, steps in fewer.items())
    return (
        ("local_steps = 1", "local_steps = 3"),
        ("steps = 4", "steps = 12"),
        ('normaliser = "200"', f'fewer_steps = {{ {listed} }}\nnormaliser = "200"'),
    )


def fednova_plan(**fewer):
    """It with its hospitals, sealed."""
    chosen = ('strategy = "fedavg"', 'strategy = "fednova"')
    server = ('server_learning_rate = "4"\nserver_momentum = "0.8"\n', "")
    return sealed_study(chosen, server, *fednova_edits(**fewer))[1]


def fednova_study(**fewer):
    """It and its page."""
    plan = fednova_plan(**fewer)
    return plan.study, " ".join(plain_text(study_page(plan.study, plan.digest), 200).split())


def test_each_hospital_takes_its_own_steps_and_the_wire_shows_the_largest_noise():
    name, *others = fednova_study()[0].cohort
    study, page = fednova_study(**{name: 1})
    training = training_of(study)
    assert training.steps_at(name) == 1
    assert {training.steps_at(site) for site in others} == {3}
    # one step scaled to three has three times a step's noise, three steps have its root
    noise = float(training.noise_multiplier) * GRID
    assert wire_of(study).sigma == pytest.approx(3 * noise)
    assert wire_of(fednova_study()[0]).sigma == pytest.approx(np.sqrt(3) * noise)
    assert f"takes 3 steps ({name} 1 step)" in page


def test_a_hospital_draws_noise_for_its_own_steps_alone():
    name = fednova_study()[0].cohort[0]
    study, _ = fednova_study(**{name: 1})
    stage = trained(Programme(study))
    x, y = rows(20, features=len(feature_names(study.data)))
    prepared = Prepared(x, y, tuple(map(str, range(20))), {})
    for site in study.cohort:
        draws = FixedDraws()
        end = stage.local(study, site, Rows(prepared, prepared), draws)
        end.update(np.zeros(stage.parameters))
        assert len(draws.sigmas) == (1 if site == name else 3)


def test_a_whole_study_with_fewer_steps_at_one_hospital_runs_encrypted(tmp_path):
    plan = fednova_plan(**{fednova_plan().study.cohort[0]: 1})
    done = finish(room_of(plan, [mock_table(plan.study.data, 150, seed) for seed in range(3)]))
    done.check(done.files, tmp_path / "model")
    assert np.abs(done.outcome.theta).max() > 0


def test_fewer_steps_of_a_stranger_or_of_everybody_are_refused():
    stranger = (("fewer_steps", "Stranger"), "is no hospital of this study")
    study, _ = fednova_study(Stranger=1)
    assert learning_faults(study) == [stranger]
    study, _ = fednova_study(**dict.fromkeys(study.cohort, 2))
    ((where, fault),) = learning_faults(study)
    assert where == ("fewer_steps",)
    assert "write local_steps = 2" in fault
    # a template names no hospitals yet
    assert learning_faults(strategy_protocol("fednova", *fednova_edits(Stranger=1))) == []


class Regressions(Quadratics):
    """Hospitals with fewer rows than there are weights, whose least squares have a solution in common:
    the first experiment of Jhunjhunwala et al. 2023, smaller.
    """

    def __init__(self, seed=1, hospitals=6, rows=5, weights=60):
        generator = np.random.default_rng(seed)
        self.tables = generator.normal(size=(hospitals, rows, weights)) / np.sqrt(weights)
        self.solution = generator.normal(size=weights)
        self.ends = np.zeros((hospitals, weights))
        self.start = np.zeros(weights)

    def gradient(self, hospital, w):
        table = self.tables[hospital]
        return table.T @ (table @ (w - self.solution))

    def loss(self, w):
        return float(np.mean((self.tables @ (w - self.solution)) ** 2))


def fedexp_of_the_paper(q, rate, count, steps):
    """Algorithm 1 of Takakura et al. 2025 without noise: moves, their mean, and its length."""
    w = q.start.copy()
    for _ in range(count):
        moves = []
        for h in range(len(q.ends)):
            y = w.copy()
            for _ in range(steps):
                y -= rate * q.gradient(h, y)
            moves.append(y - w)
        mean = np.mean(moves, axis=0)
        longer = np.mean([move @ move for move in moves]) / (mean @ mean)
        w = w + max(1.0, longer) * mean
    return w


def fedexp(rate, steps):
    return replace(strategy("dp-fedexp", local_learning_rate=rate), local_steps=steps)


def test_fedexp_without_noise_is_that_of_its_paper():
    q = Quadratics()
    found = q.rounds(fedexp("0.3", 3), 6, 3)
    np.testing.assert_allclose(found, fedexp_of_the_paper(q, 0.3, 6, 3), rtol=1e-6)


def test_fedexp_learns_in_fewer_rounds_where_hospitals_differ():
    """As in the paper's first figure: the same steps, a fraction of the loss."""
    q = Regressions()
    plain = strategy("fedavg", local_learning_rate="0.5")
    slow, fast = (q.loss(q.rounds(s, 20, 4)) for s in (plain, fedexp("0.5", 4)))
    assert fast < 0.05 * slow


def squares(deviation, corrected=True):
    """Squared lengths that 400 hospitals with the same gradient send, with fresh noise each."""
    generator, unit, made = np.random.default_rng(3), 1e6, fedexp("1", 2)
    gradient = generator.normal(0, 0.02, 50)
    found = []
    for _ in range(400):
        noised = gradient + generator.normal(0, deviation, 50)
        own = NoisedSum(
            np.rint(noised * unit).astype(np.int64), unit, 2, deviation * unit * corrected
        )
        found.append(float(made.contribution(own)[-1]) / unit * 4)
    return np.array(found), float(gradient @ gradient)


def test_fedexp_takes_off_what_noise_adds_to_a_length():
    found, truth = squares(0.1)
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - truth) < 4 * error
    # control: without the correction the mean is off by 50 values of variance .01
    found, truth = squares(0.1, corrected=False)
    assert found.mean() - truth == pytest.approx(0.5, rel=0.1)


def test_what_fedexp_sends_beside_the_sum_fits_a_field():
    """At the figures of the heart template: four fifths of all patients pulling one way, beside the
    noise of any of 200 rounds.
    """
    text = (ROOT / "protocols/studies/heart/protocol.toml").read_text()
    server = 'server_learning_rate = "1"\nserver_momentum = "0.5"\n'
    study = parse_protocol(text.replace('"fedavg"', '"dp-fedexp"').replace(server, ""))
    made, wire, generator = (
        strategy_of(training_of(study)),
        wire_of(study),
        np.random.default_rng(4),
    )
    unit, weights = float(planned_patients(study)) * GRID, 20
    for length in (0.0, 0.8):
        gradient = np.full(weights, length / np.sqrt(weights)) * unit
        for _ in range(200):
            noised = gradient + generator.normal(0, wire.sigma, weights)
            own = NoisedSum(np.rint(noised).astype(np.int64), unit, 1, wire.sigma)
            assert abs(made.contribution(own)[-1]) < wire.largest * wire.step


def adaptive_of_the_paper(q, kind, count):
    """Algorithm 2 of Reddi et al. 2021, one local step of rate .5."""
    beta1, beta2, tau, eta = (0.0 if kind == "fedadagrad" else 0.9), 0.99, 1e-3, 0.1
    w, m, v = q.start.copy(), np.zeros(4), np.full(4, tau**2)
    for _ in range(count):
        move = -0.5 * np.mean([q.gradient(h, w) for h in range(3)], axis=0)
        m = beta1 * m + (1 - beta1) * move
        if kind == "fedadagrad":
            v = v + move**2
        elif kind == "fedadam":
            v = beta2 * v + (1 - beta2) * move**2
        else:
            v = v - (1 - beta2) * move**2 * np.sign(v - move**2)
        w = w + eta * m / (np.sqrt(v) + tau)
    return w


@pytest.mark.parametrize("kind", ["fedadagrad", "fedadam", "fedyogi"])
def test_adaptive_servers_are_those_of_their_paper(kind):
    q = Quadratics()
    made = strategy(kind, local_learning_rate="0.5")
    np.testing.assert_allclose(q.rounds(made, 8, 1), adaptive_of_the_paper(q, kind, 8), rtol=1e-6)


def test_a_worker_remembers_its_own_noised_sum_where_the_strategy_reads_it():
    """What is kept is what was noised, and nothing where no step reads it."""
    x, y = rows()
    made = replace(strategy("scaffold"), local_steps=1)
    given = [np.full(5, 0.1), np.full(5, 0.2)]

    def second(noise):
        steps = PrivateSteps(
            rule(strategy=made), logistic_gradients, x, y, FixedDraws(noise=lambda n: noise[:n])
        )
        first = steps.noised_steps(given[0])
        return first, steps.noised_steps(given[1]), steps

    first, again, steps = second(np.zeros(5, dtype=np.int64))
    assert steps._before.noised is not first
    np.testing.assert_array_equal(steps._before.noised, again)
    plain = PrivateSteps(rule(), logistic_gradients, x, y, FixedDraws())
    assert plain._before is None
    plain.noised_steps(given[0])
    assert plain._before is None


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(name, tmp_path):
    edits = (
        ('strategy = "fedavg"', f'strategy = "{name}"'),
        ('server_learning_rate = "4"\nserver_momentum = "0.8"\n', ""),
    )
    _, plan = sealed_study(*edits)
    check_consistency(strategy_protocol(name), PldAccountant())
    tables = [mock_table(plan.study.data, 150, seed) for seed in range(3)]
    done = finish(room_of(plan, tables))
    done.check(done.files, tmp_path / "model")
    assert np.abs(done.outcome.theta).max() > 0
    text = " ".join(plain_text(study_page(plan.study, plan.digest), 200).split())
    assert f"({name})" in text


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("fedprox", 'mu = "-1"', "at least 0"),
        ("fedprox", 'mu = "2"', "jumps over"),
        ("fedprox", 'beta1 = "0.5"', "unknown key"),
        ("scaffold", 'server_momentum = "0.5"', "must be 0 with SCAFFOLD"),
        ("fedadam", 'beta2 = "1"', "below 1"),
        ("fedyogi", 'tau = "0"', "above 0"),
        ("fedavgm", 'server_momentum = "1"', "below 1"),
        ("fednova", "fewer_steps = { A = 1 }", "below local_steps, 1"),
        ("fednova", "fewer_steps = { A = 0 }", "greater than or equal to 1"),
        ("fedavg", "fewer_steps = { A = 1 }", "unknown key"),
        ("dp-fedexp", 'server_learning_rate = "1"', "unknown key"),
    ],
)
def test_figures_that_cannot_be_are_refused(name, more, says):
    with pytest.raises(StudyError, match=says):
        strategy_protocol(name, ('normaliser = "200"', f'{more}\nnormaliser = "200"'))


def test_fedsgd_takes_one_local_step():
    study = strategy_protocol(
        "fedsgd", ("local_steps = 1", "local_steps = 2"), ("steps = 4", "steps = 8")
    )
    with pytest.raises(StudyError, match='must be 1 with strategy "fedsgd"'):
        check_consistency(study, PldAccountant())


@pytest.mark.parametrize(("rate", "says"), [("101", "at most 100"), ("1e-5", "take 0.0025")])
def test_a_rate_of_fedexp_that_is_a_slip_is_refused(rate, says):
    edit = ('local_learning_rate = "1"', f'local_learning_rate = "{rate}"')
    ((where, fault),) = learning_faults(strategy_protocol("dp-fedexp", edit))
    assert where == ("local_learning_rate",)
    assert says in fault


#: Figures of FLamby's runs: rates, and what beside them is not the default.
FLAMBY = {
    "fedavg": {"local_learning_rate": "0.001"},
    "fedprox": {"local_learning_rate": "0.001", "mu": "0.01"},
    "scaffold": {"local_learning_rate": "0.001"},
    "fedadam": {"local_learning_rate": "0.01", "server_learning_rate": "0.01"},
    "fedyogi": {"local_learning_rate": "0.003162", "server_learning_rate": "0.01"},
    "fedadagrad": {
        "local_learning_rate": "0.003162",
        "server_learning_rate": "0.316228",
        "beta1": "0.9",
    },
}
#: Accuracy over the four centres and its spread over seeds 42 to 46, as FLamby publishes it.
PUBLISHED = {
    "fedavg": (0.685, 0.028),
    "fedprox": (0.685, 0.028),
    "scaffold": (0.684, 0.028),
    "fedadam": (0.726, 0.014),
    "fedyogi": (0.731, 0.013),
    "fedadagrad": (0.731, 0.013),
}
#: FLamby's server keeps .999 of the second moment and divides by at least 1e-8.
SERVER = {"beta2": "0.999", "tau": "1e-8"}


@pytest.mark.parametrize("name", FLAMBY)
def test_the_published_figure_of_the_four_heart_centres_is_reproduced(name):
    data = os.environ.get("SECUREFL_TEST_DATA")
    if not data:
        pytest.skip("SECUREFL_TEST_DATA names no folder with the heart data")
    figures = dict(FLAMBY[name])
    if name in {"fedadam", "fedyogi", "fedadagrad"}:
        figures |= SERVER
    made = strategy(name, **figures)
    if name == "scaffold":
        made = replace(made, local_steps=100)
    assert abs(np.mean(heart_accuracies(made, data)) - PUBLISHED[name][0]) <= 0.005


def heart_accuracies(made, data):
    """Of FLamby's five seeds."""
    parts = centres(Path(data) / "heart")
    return [mean_accuracy(made, parts, seed) for seed in range(42, 47)]


def test_fedexp_finds_on_the_heart_centres_what_fedavg_has_no_rounds_for():
    """FLamby's FedAvg is far from trained after its 15 rounds; at the same rate, with no figure
    tuned, DP-FedEXP comes to within FLamby's adaptive servers.
    """
    data = os.environ.get("SECUREFL_TEST_DATA")
    if not data:
        pytest.skip("SECUREFL_TEST_DATA names no folder with the heart data")
    accuracies = heart_accuracies(fedexp("0.001", 100), data)
    assert np.mean(accuracies) > PUBLISHED["fedadam"][0] - PUBLISHED["fedadam"][1]
    assert np.mean(accuracies) > PUBLISHED["fedavg"][0] + PUBLISHED["fedavg"][1]
