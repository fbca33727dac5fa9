"""Membership by the size of the data set: an update must not tell 96 rows from 97.

Opacus' ``make_private`` takes sampling rate, steps and normaliser from ``len(dataset)``
(pytorch/opacus issues 571 and 819). The attacker needs no gradient: noise divided by another
normaliser has another size, and a thousand coordinates measure it well.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from binary_models import logistic_gradients
from small_study import rows, rule

from securefl.learning.steps import PrivateSteps, RandomDraws
from securefl.privacy.randomness import SystemRandomness

FEATURES, TRIALS = 1000, 40


def guessed(release):
    """How often the size of an update tells which of two data sets it came from, threshold chosen
    on the same updates.
    """
    sizes = {n: np.array([np.std(release(n)) for _ in range(TRIALS)]) for n in (96, 97)}
    thresholds = np.concatenate(list(sizes.values()))
    right = max(abs((sizes[96] > t).sum() + (sizes[97] <= t).sum() - TRIALS) for t in thresholds)
    return (right + TRIALS) / (2 * TRIALS)


def test_an_update_does_not_tell_96_rows_from_97():
    x, y = rows(97, FEATURES)
    settings = rule(
        sample_rate=Fraction(1, 3), share=32.0, noise_multiplier=rule().noise_multiplier
    )
    draws = RandomDraws(SystemRandomness())
    steps = {n: PrivateSteps(settings, logistic_gradients, x[:n], y[:n], draws) for n in (96, 97)}
    theta = np.zeros(FEATURES + 1)
    # 40 guesses of each kind with the best of 80 thresholds: chance stays below 0.8 but once in
    # 10^6 runs
    assert guessed(lambda n: steps[n].noised_steps(theta) / (settings.grid * settings.share)) < 0.8


def test_control_a_normaliser_from_the_number_of_rows_tells_them_apart_every_time():
    x, y = rows(97, FEATURES)
    draws, theta = RandomDraws(SystemRandomness()), np.zeros(FEATURES + 1)

    def release(n):
        batches = -(-n // 32)
        settings = replace(rule(), sample_rate=Fraction(1, batches), share=float(n // batches))
        return PrivateSteps(settings, logistic_gradients, x[:n], y[:n], draws).noised_steps(
            theta
        ) / (settings.grid * settings.share)

    assert guessed(release) == 1.0


@pytest.mark.filterwarnings("ignore")
def test_control_opacus_make_private_tells_them_apart_every_time():
    torch = pytest.importorskip("torch")
    from opacus import PrivacyEngine

    x, y = rows(97, FEATURES)

    def release(n):
        model = torch.nn.Linear(FEATURES, 1)
        data = torch.utils.data.TensorDataset(
            torch.from_numpy(x[:n]), torch.from_numpy(y[:n].astype(np.float32))
        )
        model, optimizer, loader = PrivacyEngine().make_private(
            module=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
            data_loader=torch.utils.data.DataLoader(data, batch_size=32),
            noise_multiplier=2.14,
            max_grad_norm=1.0,
        )
        before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        features, labels = next(iter(loader))
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(
            model(features).squeeze(1), labels
        ).backward()
        optimizer.step()
        return (torch.cat([p.detach().flatten() for p in model.parameters()]) - before).numpy()

    assert guessed(release) == 1.0
