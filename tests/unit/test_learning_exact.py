"""A row's gradient is the same to the last bit in whatever batch, at whatever place, beside
whatever else.
"""

import sys
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from binary_models import (  # noqa: E402 - after the skip
    BINARY,
    layer_sizes,
    opacus_gradients,
    parameter_count,
)

from securefl.learning.clipping import clipped_sum_of_factors  # noqa: E402 - after the skip
from securefl.learning.exact_factors import ExactFactors  # noqa: E402
from securefl.learning.exact_grids import exponent, factor_bits, snapped  # noqa: E402
from securefl.learning.families.linear import LinearSpec  # noqa: E402
from securefl.learning.families.perceptron import PerceptronSpec  # noqa: E402

MODELS = [
    LinearSpec(kind="logistic-regression", initial_seed="s"),
    *(PerceptronSpec(kind="mlp", hidden=h, initial_seed="s") for h in ((16,), (70, 33), (5, 4, 3))),
]
FEATURES = 27


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def example(model, scale, n=300):
    generator = np.random.default_rng(8)
    theta = generator.normal(0, scale, parameter_count(model, FEATURES))
    return (
        theta,
        generator.uniform(-1, 1, (n, FEATURES)),
        (generator.uniform(size=n) < 0.4).astype(float),
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda m: str(getattr(m, "hidden", ())))
@pytest.mark.parametrize("scale", [1e-9, 0.5, 40.0, 1e80])
def test_any_batch_any_place_any_company(model, scale):
    theta, x, y = example(model, scale)
    gradients = opacus_gradients(model, FEATURES)
    together = gradients(theta, x, y)
    generator = np.random.default_rng(9)
    for size in (1, 2, 7, 63, 64, 65, 200):
        chosen = generator.permutation(300)[:size]
        np.testing.assert_array_equal(gradients(theta, x[chosen], y[chosen]), together[chosen])


@pytest.mark.parametrize("model", MODELS, ids=lambda m: str(getattr(m, "hidden", ())))
@pytest.mark.parametrize("scale", [1e-9, 0.5, 40.0, 1e80])
def test_without_opacus_they_are_the_same_to_the_last_bit(model, scale):
    theta, x, y = example(model, scale)
    with_opacus = opacus_gradients(model, FEATURES)
    alone = ExactFactors(layer_sizes(model, FEATURES), BINARY)
    for size in (1, 64, 300):
        rows = slice(0, size)
        found, expected = alone(theta, x[rows], y[rows]), with_opacus(theta, x[rows], y[rows])
        np.testing.assert_array_equal(found, expected)
    assert found.any()


def test_a_machine_without_opacus_takes_the_other_way(monkeypatch):
    model = PerceptronSpec(kind="mlp", hidden=(4,), initial_seed="s")
    assert not isinstance(opacus_gradients(model, FEATURES), ExactFactors)
    monkeypatch.setitem(sys.modules, "opacus", None)
    assert isinstance(opacus_gradients(model, FEATURES), ExactFactors)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: str(getattr(m, "hidden", ())))
@pytest.mark.parametrize("scale", [0.5, 40.0])
def test_a_rows_integers_are_the_same_in_any_batch(model, scale):
    theta, x, y = example(model, scale, 66)
    gradients = opacus_gradients(model, FEATURES)

    def units(rows):
        return clipped_sum_of_factors(gradients.factors(theta, x[rows], y[rows]), 1.0, 1 << 20)

    alone = np.array([units([i]) for i in range(66)])
    assert all((row.astype(object) ** 2).sum() <= 1 << 40 for row in alone)
    generator = np.random.default_rng(9)
    for size in (2, 63, 64, 65, 66):
        chosen = generator.permutation(66)[:size]
        np.testing.assert_array_equal(units(chosen), alone[chosen].sum(axis=0))


@pytest.mark.parametrize("hidden", [(), (16,), (5, 4, 3)])
def test_a_hostile_global_model_whose_terms_cancel_does_not_undo_it(hidden):
    # 1e150 + 1e125 - 1e150 is 1e125 or 0, by the order of the terms; and the order follows the
    # batch's size
    model = PerceptronSpec(kind="mlp", hidden=hidden, initial_seed="s") if hidden else MODELS[0]
    generator = np.random.default_rng(0)
    gradients = opacus_gradients(model, FEATURES)
    for _ in range(5):
        theta = generator.choice(
            [1e150, -1e150, 1e125, -1e125, 0.0], parameter_count(model, FEATURES)
        )
        x, y = generator.choice([-1.0, 0.0, 1.0], (300, FEATURES)), np.zeros(300)
        together = gradients(theta, x, y)
        assert np.isfinite(together).all()
        for size in (1, 63, 64, 65, 200):
            chosen = generator.permutation(300)[:size]
            np.testing.assert_array_equal(gradients(theta, x[chosen], y[chosen]), together[chosen])


def test_products_of_factors_on_their_grids_are_exact():
    generator = np.random.default_rng(1)
    for into, out in ((1, 1), (27, 16), (4000, 3), (3, 4000)):
        bits = factor_bits(into, out)
        weight = generator.normal(0, 3, into)
        top = exponent(weight)
        a, b = snapped(generator.uniform(-1, 1, into), -bits), snapped(weight, top - bits)
        exact = sum(
            (Fraction(p) * Fraction(q) for p, q in zip(a.tolist(), b.tolist(), strict=True)),
            Fraction(0),
        )
        assert Fraction(float(a @ b)) == exact
        assert Fraction(float(a[::-1] @ b[::-1])) == exact


def test_control_unsnapped_products_depend_on_their_order():
    generator = np.random.default_rng(1)
    a, b = generator.uniform(-1, 1, 4000), generator.normal(0, 3, 4000)
    sums = {
        float(a[order] @ b[order]) for order in (generator.permutation(4000) for _ in range(20))
    }
    assert len(sums) > 1


def test_grids_do_not_follow_the_data():
    model = MODELS[1]
    theta, x, y = example(model, 0.5, 4)
    gradients = opacus_gradients(model, FEATURES)
    before = gradients(theta, x, y)
    wild = np.concatenate([x, np.full((1, FEATURES), 1.0)])
    np.testing.assert_array_equal(gradients(theta, wild, np.append(y, 1.0))[:4], before)


def test_a_feature_beyond_its_range_counts_as_the_end_of_it():
    model = MODELS[0]
    theta, x, y = example(model, 0.5, 3)
    far = x.copy()
    far[0, 0] = 1e9
    x[0, 0] = 1.0
    np.testing.assert_array_equal(
        opacus_gradients(model, FEATURES)(theta, far, y),
        opacus_gradients(model, FEATURES)(theta, x, y),
    )


@pytest.mark.parametrize(
    ("values", "want"), [([0.0], 0), ([1.0], 0), ([1.5, -3.0], 2), ([1e-300], -60), ([1e300], 400)]
)
def test_exponents_stay_where_products_are_finite(values, want):
    assert exponent(np.array(values)) == want


def test_no_rows_have_no_gradients():
    model = MODELS[1]
    theta, x, y = example(model, 0.5, 3)
    assert opacus_gradients(model, FEATURES)(theta, x[:0], y[:0]).shape == (0, theta.size)
