"""One module for everything that needs torch and opacus: importing them takes seconds."""

import math
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from binary_models import (
    initial_weights,
    layer_sizes,
    logistic_gradients,
    named_tensors,
    opacus_gradients,
    parameter_count,
    predict_scores,
    trainer,
)
from small_study import FixedDraws, protocol, rows, rule
from torch_model import TorchModel

from securefl.learning.exact_grids import exponent, factor_bits
from securefl.learning.steps import PrivateSteps, RandomDraws
from securefl.privacy.randomness import SystemRandomness
from securefl.study.training import training_of

LOGISTIC = training_of(protocol()).model
MLP = LOGISTIC.model_copy(update={"kind": "mlp", "hidden": (16, 8)})
MODELS = pytest.mark.parametrize("model", [LOGISTIC, MLP], ids=["logistic-regression", "mlp"])


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def by_autograd(model, theta, x, y):
    """Each row's gradient by plain autograd in float64, one row at a time."""
    features = x.shape[1]
    plain, found = TorchModel(model, features), []
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            parameter.copy_(torch.from_numpy(named_tensors(theta, model, features)[name].copy()))
    for i in range(len(x)):
        plain.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            plain(torch.from_numpy(x[i : i + 1])), torch.from_numpy(y[i : i + 1])
        )
        loss.backward()
        found.append(torch.cat([p.grad.reshape(-1) for p in plain.parameters()]).numpy())
    return np.array(found)


def on_grids(model, theta, features):
    """How far the grids can move a gradient, to first order, from ``factor_bits`` and the weights
    alone.

    A factor of at most 2^e is moved by at most half of 2^(e - bits). On the way out tanh passes an
    error on no larger than it came, and the sigmoid a quarter of it; on the way back an error of a
    value before tanh moves tanh' by at most 0.77 of it.
    """
    sizes, tensors = layer_sizes(model, features), named_tensors(theta, model, features)
    last = len(sizes) - 1
    weights = [np.abs(tensors[f"layers.{i}.weight"]) for i in range(last + 1)]
    tops = [exponent(np.append(w, tensors[f"layers.{i}.bias"])) for i, w in enumerate(weights)]
    half = [0.5 * 2.0 ** -factor_bits(into, out) for out, into in sizes]
    inputs, before, error = [], [], 0.0
    for w, top, h in zip(weights, tops, half, strict=True):
        inputs.append(error + h)
        error = w.sum(axis=1).max() * inputs[-1] + (w.shape[1] + 1) * h * 2.0**top
        before.append(error)
    largest, bound, error = 1.0, 0, error / 4 + half[-1]
    worst = inputs[-1] + error
    for i in range(last, 0, -1):
        out, through = sizes[i][0], weights[i].sum(axis=0).max()
        bound += tops[i] + math.ceil(math.log2(out + 1))
        error = (
            through * error
            + out * half[i] * 2.0 ** tops[i] * largest
            + 0.77 * before[i - 1] * through * largest
            + half[i - 1] * 2.0**bound
        )
        largest *= through
        worst = max(worst, largest * inputs[i - 1] + error)
    return worst


def example(model, n=64, features=27):
    generator = np.random.default_rng(3)
    theta = generator.normal(0, 0.5, parameter_count(model, features))
    x, y = rows(n=n, features=features)
    return theta, x.astype(np.float64), y.astype(np.float64)


@MODELS
def test_opacus_gradients_are_those_of_plain_autograd_row_by_row(model):
    theta, x, y = example(model)
    np.testing.assert_allclose(
        opacus_gradients(model, 27)(theta, x, y),
        by_autograd(model, theta, x, y),
        rtol=0,
        atol=on_grids(model, theta, 27),
    )


@MODELS
def test_but_for_the_grids_they_are_those_of_plain_autograd(model, monkeypatch):
    monkeypatch.setattr("securefl.learning.exact_grids.factor_bits", lambda _inputs, _outputs: 50)
    theta, x, y = example(model)
    np.testing.assert_allclose(
        opacus_gradients(model, 27)(theta, x, y),
        by_autograd(model, theta, x, y),
        rtol=0,
        atol=1e-12,
    )


def test_rows_and_weights_on_the_grid_leave_only_the_rounding_of_the_residual():
    theta, x, y = example(LOGISTIC)
    theta, x = (np.rint(v * 2.0**12) / 2.0**12 for v in (theta, x))
    got, want = opacus_gradients(LOGISTIC, 27)(theta, x, y), by_autograd(LOGISTIC, theta, x, y)
    half = 0.5 * 2.0 ** -factor_bits(27, 1)
    np.testing.assert_allclose(got[:, -1], want[:, -1], rtol=0, atol=half + 1e-15)
    np.testing.assert_array_equal(got[:, :-1], got[:, -1:] * x)


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)], ids=str)
def test_where_every_factor_is_on_its_grid_the_gradients_are_autograds(hidden):
    # rows and weights are whole numbers, times 64 for the weights: what comes out of a layer is a
    # multiple of 64, and tanh of that is -1, 0 or 1 to float64's last bit, the sigmoid 0, 1/2 or 1,
    # their slopes 0, 1/4 or 1
    model = LOGISTIC.model_copy(
        update={"kind": "mlp" if hidden else "logistic-regression", "hidden": hidden}
    )
    generator = np.random.default_rng(5)
    theta = 64.0 * generator.choice([-3, -2, -1, 1, 2, 3], parameter_count(model, 27))
    for tensor in list(named_tensors(theta, model, 27).values())[
        :-2
    ]:  # views: all layers but the last
        tensor[...] *= 0 if tensor.ndim == 1 else generator.uniform(size=tensor.shape) < 0.3
    x = generator.choice([-1.0, 0.0, 1.0], (256, 27), p=[0.1, 0.8, 0.1])
    y = generator.choice([0.0, 1.0], 256)
    got = opacus_gradients(model, 27)(theta, x, y)
    np.testing.assert_allclose(got, by_autograd(model, theta, x, y), rtol=0, atol=1e-12)
    assert (got != 0).any(axis=0).mean() > 0.5  # not because everything is 0


@MODELS
def test_opacus_gradients_are_those_of_torch_func(model):
    theta, x, y = example(model)
    plain = TorchModel(model, 27)
    tensors = {
        name: torch.from_numpy(value.copy())
        for name, value in named_tensors(theta, model, 27).items()
    }

    def loss(parameters, row, label):
        logit = torch.func.functional_call(plain, parameters, (row[None],))[0]
        return torch.nn.functional.binary_cross_entropy_with_logits(logit, label)

    rowwise = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(
        tensors, torch.from_numpy(x), torch.from_numpy(y)
    )
    want = torch.cat(
        [rowwise[name].reshape(64, -1) for name, _ in plain.named_parameters()], dim=1
    ).numpy()
    np.testing.assert_allclose(
        opacus_gradients(model, 27)(theta, x, y), want, rtol=0, atol=on_grids(model, theta, 27)
    )


def test_the_closed_form_for_logistic_regression_equals_opacus():
    theta, x, y = example(LOGISTIC)
    np.testing.assert_allclose(
        logistic_gradients(theta, x, y),
        opacus_gradients(LOGISTIC, 27)(theta, x, y),
        rtol=0,
        atol=on_grids(LOGISTIC, theta, 27),
    )


@MODELS
def test_torch_and_numpy_score_alike(model):
    theta, x, _ = example(model)
    plain = TorchModel(model, 27)
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            parameter.copy_(torch.from_numpy(named_tensors(theta, model, 27)[name].copy()))
        want = torch.sigmoid(plain(torch.from_numpy(x))).numpy()
    np.testing.assert_allclose(predict_scores(theta, model, x), want, atol=1e-14)


@MODELS
def test_a_rows_gradient_does_not_depend_on_what_else_stands_in_the_block(model):
    theta, x, y = example(model)
    gradients = opacus_gradients(model, 27)
    together = gradients(theta, x, y)
    for i in range(0, 64, 7):
        alone_x, alone_y = np.zeros_like(x), np.zeros_like(y)
        alone_x[i], alone_y[i] = x[i], y[i]
        np.testing.assert_array_equal(gradients(theta, alone_x, alone_y)[i], together[i])


@MODELS
def test_one_patient_more_changes_the_update_by_that_patients_clipped_gradient_and_nothing_else(
    model,
):
    x, y = rows(n=300, features=27)
    theta = example(model)[0]

    def update(keep):
        return trainer(model, rule(), x[keep], y[keep], FixedDraws()).noised_steps(theta)

    everybody = update(np.arange(300))
    for i in (0, 1, 150, 299):
        without = update(np.delete(np.arange(300), i))
        np.testing.assert_array_equal(everybody - without, update(np.array([i])))
        assert ((everybody - without) ** 2).sum() <= rule().grid ** 2


@MODELS
def test_the_gradients_of_one_round_leave_nothing_behind_for_the_next(model):
    theta, x, y = example(model)
    gradients = opacus_gradients(model, 27)
    first = gradients(theta, x, y)
    gradients(theta * 2, x[::-1].copy(), y)
    np.testing.assert_array_equal(gradients(theta, x, y), first)


def test_opacus_is_used_without_a_warning():
    theta, x, y = example(MLP)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opacus_gradients(MLP, 27)(theta, x, y)


def test_noised_training_learns_an_easy_question():
    study = protocol(('noise_multiplier = "2.14"', 'noise_multiplier = "0.5"'))
    from binary_models import Server

    from securefl.learning.steps import StepRule
    from securefl.learning.tasks.binary.evaluation import exact_auc

    x, y = rows(n=1000)
    state = Server.start(study, initial_weights(training_of(study).model, 4))
    hospital = trainer(
        training_of(study).model,
        StepRule.from_study(study, Fraction(1)),
        x,
        y,
        RandomDraws(SystemRandomness()),
    )
    for _ in range(15):
        state = state.apply(hospital.update(state.theta))
    assert exact_auc(y, predict_scores(state.theta, training_of(study).model, x)) > 0.9


def test_opacus_and_the_closed_form_send_the_same_update():
    x, y = rows(n=300, features=27)
    theta = example(LOGISTIC)[0]
    one = trainer(LOGISTIC, rule(), x, y, FixedDraws()).noised_steps(theta)
    other = PrivateSteps(rule(), logistic_gradients, x, y, FixedDraws()).noised_steps(theta)
    assert np.abs(one - other).max() <= 300  # a unit, 2^-20 of the clip norm, for each record


def test_the_hooks_come_without_opacus_engine_and_the_whole_package_can_still_be_imported():
    program = (
        "import sys, securefl.learning.dpsgd\n"
        "assert 'opacus.grad_sample' in sys.modules\n"
        "assert not [m for m in sys.modules if m.startswith(('opacus.acc', 'opacus.priv'))]\n"
        "import opacus\n"
        "from securefl.learning.opacus_hooks import GradSampleModule\n"
        "assert opacus.GradSampleModule is GradSampleModule and opacus.PrivacyEngine"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
