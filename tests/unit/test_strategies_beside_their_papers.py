"""The strategies without a figure of FLamby, held to exact statements of their papers.

FLamby ran six of the ten (``test_learning_strategies.py``). FedNova, DP-FedEXP, FedAvgM and FedSGD
have published figures on images alone, which are not here. Their papers have statements that can be
worked out by hand, so each of these is reproduced in numbers.
"""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flamby_heart import accuracy, centres, trained
from known_losses import UNIT, Quadratics, strategy

from securefl.learning.strategies.strategy import NoisedSum


class CaseStudy(Quadratics):
    """Section 3 of Wang et al. 2020 (FedNova, arXiv:2007.07481), equation 3 and figure 2: 30 clients
    with losses 1/2 |x - e_i|^2, e_i from N(0, .01 I), and 1 to 96 local steps with mean 30.
    """

    def __init__(self, seed=2, hospitals=30, weights=4):
        generator = np.random.default_rng(seed)
        self.ends = generator.normal(0, 0.1, size=(hospitals, weights))
        self.curves = np.ones((hospitals, weights))
        self.start = np.zeros(weights)
        drawn = np.clip(np.rint(generator.exponential(30, hospitals)), 1, 96).astype(int)
        self.steps = [int(step) for step in drawn]

    @property
    def surrogate(self):
        """Lemma 1: where FedAvg goes, (sum of tau_i e_i) / (sum of tau_i)."""
        return np.average(self.ends, axis=0, weights=self.steps)

    @property
    def optimum(self):
        """Equation 3: where the mean loss is least."""
        return self.ends.mean(axis=0)


def fednova(case, rate, server):
    made = strategy("fednova", local_learning_rate=rate, server_learning_rate=server)
    return replace(made, local_steps=max(case.steps))


def test_lemma_1_of_fednova_is_met_in_numbers():
    """FedAvg ends at the closed form of the paper's lemma 1 and FedNova at the true optimum.

    The lemma is for a small local rate; the server's only says how fast the point is reached.
    """
    case = CaseStudy()
    gap = np.linalg.norm(case.surrogate - case.optimum)
    plain = strategy("fedavg", local_learning_rate="0.0002", server_learning_rate="80")
    drawn = case.rounds(plain, 25, case.steps)
    true = case.rounds(fednova(case, "0.0002", "25"), 25, case.steps)
    assert np.linalg.norm(drawn - case.surrogate) < 0.02 * gap
    assert np.linalg.norm(true - case.optimum) < 0.02 * gap


def test_where_fedavg_and_fednova_stay_at_any_local_rate():
    """The more general form behind the lemma, derived: tau steps of rate eta on 1/2 |x - e|^2 leave
    (1 - eta)^tau of the distance to e. So FedAvg stays where the sum of (1 - (1 - eta)^tau_i) (x - e_i)
    is zero, and FedNova where that of the same over tau_i is. It is the paper's figure 2 at its
    rate of .05, middle panel, without rounds to wait for.
    """
    case = CaseStudy()
    moved = 1 - (1 - 0.05) ** np.array(case.steps)
    for made, weights in (
        (strategy("fedavg", local_learning_rate="0.05"), moved),
        (fednova(case, "0.05", "1"), moved / np.array(case.steps)),
    ):
        case.start = np.average(case.ends, axis=0, weights=weights)
        np.testing.assert_allclose(case.rounds(made, 1, case.steps), case.start, rtol=1e-7)
    # control: FedAvg leaves the point of FedNova
    plain = strategy("fedavg", local_learning_rate="0.05")
    assert np.abs(case.rounds(plain, 1, case.steps) - case.start).max() > 1e-3


class Lines(Quadratics):
    """Hospitals with one equation each, a_i' w = b_i with |a_i| = 1: a step of rate 1 is the
    projection onto its solutions, as in section 3 of Jhunjhunwala et al. 2023 (FedExP,
    arXiv:2301.09604).
    """

    def __init__(self, normals, solution, start):
        self.normals = np.array(normals)
        self.solution = np.array(solution)
        self.ends = np.zeros_like(self.normals)
        self.start = np.array(start)

    def gradient(self, hospital, w):
        normal = self.normals[hospital]
        return normal * (normal @ (w - self.solution))


def fedexp():
    return replace(strategy("dp-fedexp", local_learning_rate="1"), local_steps=1)


def test_fedexp_steps_to_where_two_hospitals_agree_and_fedavg_creeps():
    """Two lines that meet at an angle of 2 phi, seen from the line between them. By hand: each
    projection moves r sin(phi), their mean r sin(phi)^2. The extrapolated step is 1 / sin(phi)^2
    times as long and lands where they meet; FedAvg keeps cos(phi)^2 of the distance a round.
    """
    phi, distance = 0.2, 2.0
    normals = [[-math.sin(phi), math.cos(phi)], [math.sin(phi), math.cos(phi)]]
    two = Lines(normals, [1.0, 1.0], [1.0 + distance, 1.0])
    np.testing.assert_allclose(two.rounds(fedexp(), 1, 1), two.solution, atol=1e-9)
    plain = strategy("fedavg", local_learning_rate="1")
    left = np.linalg.norm(two.rounds(plain, 10, 1) - two.solution)
    assert left == pytest.approx(distance * math.cos(phi) ** 20, rel=1e-9)


def test_fedexp_comes_nearer_to_every_common_solution_by_what_its_step_says():
    """The property that FedExP takes over from extrapolated projections (Pierra 1984), derived: for
    projections g_i and any common solution s, g_i' (x - s) = |g_i|^2, so a step of
    eta = mean |g_i|^2 / |G|^2 along their mean G makes |x - s|^2 less by eta mean |g_i|^2. No other
    step along G makes it less by more.
    """
    generator = np.random.default_rng(5)
    normals = generator.normal(size=(6, 60))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    case = Lines(normals, generator.normal(size=60), np.zeros(60))
    gradients = np.array([case.gradient(h, case.start) for h in range(6)])
    squares = float(np.mean(np.sum(gradients**2, axis=1)))
    step = squares / float(np.sum(gradients.mean(axis=0) ** 2))
    assert step > 2
    after = case.rounds(fedexp(), 1, 1)
    # another solution: the first, moved along a direction that no equation sees
    free = np.linalg.svd(normals)[2][-1]
    for solution in (case.solution, case.solution + 3 * free):
        before = np.sum((case.start - solution) ** 2)
        lost = before - np.sum((after - solution) ** 2)
        assert lost == pytest.approx(step * squares, rel=1e-6)
        for other in (0.8 * step, 1.2 * step):
            elsewhere = case.start - other * gradients.mean(axis=0)
            assert before - np.sum((elsewhere - solution) ** 2) < lost


def test_the_step_of_dp_fedexp_is_its_formula_on_noised_numbers():
    """Takakura et al. 2025 (arXiv:2504.09850) for hospitals with Gaussian noise of their own:
    eta = max(1, (mean |c_i|^2 - d sigma^2) / |mean c_i|^2) for noised moves c_i in d numbers.
    """
    generator, made, sigma, size = np.random.default_rng(6), fedexp(), 0.05, 40
    start = np.zeros(size)
    for spread in (0.0, 0.3):
        noised = 0.1 + generator.normal(0, spread + 1e-3, (5, size))
        noised += generator.normal(0, sigma, (5, size))
        sums = np.rint(noised * UNIT).astype(np.int64)
        total = sum(made.contribution(NoisedSum(one, UNIT, 1, sigma * UNIT)) for one in sums)
        found = made.absorb(made.start(start), total, UNIT * 5).theta
        mean = noised.mean(axis=0)
        squares = np.mean(np.sum(noised**2, axis=1)) - size * sigma**2
        step = max(1.0, squares / np.sum(mean**2))
        np.testing.assert_allclose(found, -step * mean, rtol=1e-6)
        assert (step > 1.5) == (spread > 0)


def test_fedavgm_with_one_step_is_torchs_momentum_on_all_patients_together():
    """Hsu et al. 2019 (arXiv:1909.06335): v = beta v + move, x = x - v. With one step on all rows the
    moves of equal hospitals add up to the pooled gradient, so it is SGD with momentum.
    """
    import torch

    q = Quadratics()
    w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    ends, curves = torch.tensor(q.ends), torch.tensor(q.curves)
    optimiser = torch.optim.SGD([w], lr=0.3, momentum=0.9)
    for _ in range(12):
        optimiser.zero_grad()
        (0.5 * curves * (w - ends) ** 2).sum(dim=1).mean().backward()
        optimiser.step()
    made = strategy("fedavgm", local_learning_rate="0.3")
    np.testing.assert_allclose(q.rounds(made, 12, 1), w.detach().numpy(), rtol=1e-8)


class Slope(Quadratics):
    """Hospitals whose gradient is the same everywhere."""

    def gradient(self, hospital, w):
        return self.ends[hospital]


@pytest.mark.parametrize("momentum", ["0", "0.7", "0.9"])
def test_a_round_of_fedavgm_comes_to_the_effective_rate(momentum):
    """The effective learning rate by which Hsu et al. compare momenta, eta / (1 - beta): with the
    same gradient in every round the velocity comes to it, as a geometric series does.
    """
    slope, beta = Slope(), float(momentum)
    made = strategy("fedavgm", local_learning_rate="0.01", momentum=momentum)
    last = slope.rounds(made, 200, 1) - slope.rounds(made, 199, 1)
    effective = 0.01 / (1 - beta)
    np.testing.assert_allclose(last, -effective * slope.ends.mean(axis=0), rtol=1e-6)


def hospitals_of_unequal_size(seed=7):
    """(train x, train y, test x, test y) of three hospitals, as of the heart centres."""
    generator = np.random.default_rng(seed)
    found = []
    for rows in (150, 40, 11):
        x = generator.normal(rows / 100, 1, (rows, 3))
        y = (x @ [1.0, -1.0, 0.5] + generator.normal(size=rows) > 0).astype(int)
        found.append((x, y, x, y))
    return found


def centralised(parts, seed, rate, rounds=15):
    """Gradient descent on all rows in one place, by PyTorch."""
    import torch

    x = torch.tensor(np.concatenate([part[0] for part in parts]))
    y = torch.tensor(np.concatenate([part[1] for part in parts]), dtype=torch.float64)
    torch.manual_seed(seed)
    layer = torch.nn.Linear(x.shape[1], 1)
    layer = layer.double()
    optimiser = torch.optim.SGD(layer.parameters(), lr=rate)
    for _ in range(rounds):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(layer(x)[:, 0], y).backward()
        optimiser.step()
    return np.append(layer.weight.detach().numpy()[0], layer.bias.detach().numpy())


def of_fedsgd(parts, seed):
    """FedSGD of the heart task: one step of .3 a round, on all rows of each hospital."""
    made = strategy("fedsgd", local_learning_rate="0.3")
    return trained(made, parts, seed, updates=[1] * len(parts), batch=None)


def test_fedsgd_is_gradient_descent_on_all_patients_in_one_place():
    """McMahan et al. 2017 (arXiv:1602.05629), section 2: the sum of (n_k / n) g_k is the gradient of
    the whole loss, so hospitals of any sizes come to the model of one that holds all rows.
    """
    parts = hospitals_of_unequal_size()
    np.testing.assert_allclose(of_fedsgd(parts, 42), centralised(parts, 42, 0.3), rtol=1e-6)
    # control: with more than one step it is another model
    made = strategy("fedavg", local_learning_rate="0.3")
    drifted = trained(made, parts, 42, updates=[3] * 3, batch=None)
    assert np.abs(drifted - centralised(parts, 42, 0.1, 45)).max() > 1e-4


def test_fedsgd_of_the_four_heart_centres_is_the_pooled_model():
    """The same identity on FLamby's table: weights and mean accuracy, seed by seed."""
    data = os.environ.get("SECUREFL_TEST_DATA")
    if not data:
        pytest.skip("SECUREFL_TEST_DATA names no folder with the heart data")
    parts = centres(Path(data) / "heart")
    for seed in (42, 43):
        found = of_fedsgd(parts, seed)
        pooled = centralised(parts, seed, 0.3)
        np.testing.assert_allclose(found, pooled, rtol=1e-5, atol=1e-7)
        assert accuracy(found, parts) == accuracy(pooled, parts)
