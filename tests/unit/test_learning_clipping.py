import numpy as np
import pytest

from securefl.learning.clipping import (
    Factors,
    clip_to_grid,
    clipped_sum,
    clipped_sum_of_factors,
    within_ball,
    written_out,
)


def test_a_short_gradient_is_only_rounded_toward_zero():
    np.testing.assert_array_equal(
        clip_to_grid(np.array([[0.5, -0.29, 0.0]]), 1.0, 10), [[5, -2, 0]]
    )


def test_a_long_gradient_is_clipped_to_the_grid():
    np.testing.assert_array_equal(clip_to_grid(np.array([[3.0, 4.0]]), 0.5, 10), [[6, 8]])


def test_clipping_looks_at_each_row_alone():
    gradients = np.random.default_rng(0).normal(0, 5, (50, 9))
    together = clip_to_grid(gradients, 1.0, 48)
    for i in range(50):
        np.testing.assert_array_equal(clip_to_grid(gradients[i : i + 1], 1.0, 48)[0], together[i])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_counts_as_zero_and_does_not_spread(bad):
    np.testing.assert_array_equal(
        clip_to_grid(np.array([[1.0, bad], [0.65, 0.75]]), 1.0, 10), [[0, 0], [6, 7]]
    )


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e300, 1.7e308])
def test_extreme_gradients_neither_overflow_nor_crash(size):
    units = clip_to_grid(np.array([[size, -size]]), 1.0, 1000)
    assert (units**2).sum() <= 1000**2
    assert units[0, 0] == (707 if size > 1 else 0)


def test_no_rows_clip_to_no_rows():
    assert clip_to_grid(np.zeros((0, 3)), 1.0, 10).shape == (0, 3)


def test_a_row_that_is_too_long_is_shortened_and_the_others_stay():
    np.testing.assert_array_equal(
        within_ball(np.array([[6, 8], [7, -8], [-12, 0]]), 10), [[6, 8], [6, -7], [-10, 0]]
    )


def test_rows_on_the_sphere_itself_stay_within_it():
    # 3-4-5 triangles and equal entries sit exactly on the sphere, where rounding may fall on the
    # wrong side
    for p in (1, 2, 3, 4, 9, 16, 25, 10_000):
        units = clip_to_grid(np.full((1, p), 1.0) * (1 + 1e-15), 1.0, 1 << 20)
        assert (units * units).sum() <= (1 << 40)


def factors(rows=70, sizes=((5, 3), (3, 1)), bits=20, seed=2, scale=1.0):
    """Layers of factors on a grid of 2^-bits: their squares add up exactly."""
    generator = np.random.default_rng(seed)

    def on_grid(*shape):
        return np.rint(generator.uniform(-1, 1, shape) * 2.0**bits) / 2.0**bits

    return [Factors(on_grid(rows, into), on_grid(rows, out) * scale) for into, out in sizes]


def test_gradients_are_written_out_layer_by_layer_weight_before_bias():
    first, second = factors(rows=2)
    want = [
        np.concatenate([np.outer(b, a).ravel(), b])
        for a, b in zip(first.activations, first.backprops, strict=True)
    ]
    got = written_out([first, second])
    assert got.shape == (2, 5 * 3 + 3 + 3 + 1)
    np.testing.assert_array_equal(got[:, :18], want)
    np.testing.assert_array_equal(got[:, 21], second.backprops[:, 0])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1024.0])
def test_the_sum_of_factors_is_the_sum_of_the_gradients_written_out(scale):
    layers = factors(scale=scale)
    # generic values stand on no grid line, so the rounding of a product decides nothing
    np.testing.assert_array_equal(
        clipped_sum_of_factors(layers, 0.7, 48), clipped_sum(written_out(layers), 0.7, 48)
    )


@pytest.mark.parametrize(("rows", "numbers"), [((1, 3), 7), ((16, 512), 64), ((5, 5), 1 << 17)])
def test_tiles_decide_nothing_and_a_record_adds_what_it_adds_alone(monkeypatch, rows, numbers):
    layers = factors()
    whole = clipped_sum_of_factors(layers, 0.7, 1 << 20)
    monkeypatch.setattr("securefl.learning.clipping._LEAST_ROWS", rows[0])
    monkeypatch.setattr("securefl.learning.clipping._MOST_ROWS", rows[1])
    monkeypatch.setattr("securefl.learning.clipping._CACHED_NUMBERS", numbers)
    np.testing.assert_array_equal(clipped_sum_of_factors(layers, 0.7, 1 << 20), whole)
    alone = [
        clipped_sum_of_factors([f.of(np.array([i])) for f in layers], 0.7, 1 << 20)
        for i in range(70)
    ]
    np.testing.assert_array_equal(np.sum(alone, axis=0), whole)
    assert all((units.astype(object) ** 2).sum() <= 1 << 40 for units in alone)


def test_no_records_add_up_to_nothing():
    np.testing.assert_array_equal(
        clipped_sum_of_factors(factors(rows=0), 1.0, 48), np.zeros(22, dtype=np.int64)
    )


@pytest.mark.parametrize(
    ("value", "units"), [(0.0, 0), (np.nan, 0), (np.inf, 0), (1e160, 7), (1e-160, 0)]
)
def test_extraordinary_factors_neither_spread_nor_crash(value, units):
    ordinary = Factors(np.array([[0.0]]), np.array([[0.5]]))
    both = Factors(np.array([[0.0], [1.0]]), np.array([[0.5], [value]]))
    moved = clipped_sum_of_factors([both], 1.0, 10) - clipped_sum_of_factors([ordinary], 1.0, 10)
    np.testing.assert_array_equal(moved, [units, units])


def test_a_tiny_gradient_counts_in_full_where_the_clip_norm_is_tinier():
    tiny = Factors(np.array([[1.0]]), np.array([[1e-120]]))
    np.testing.assert_array_equal(clipped_sum_of_factors([tiny], 1e-150, 10), [7, 7])


def test_factors_beyond_the_ball_are_shortened_and_the_others_stay(monkeypatch):
    layers = factors(rows=9)
    # rounding away from zero makes every clipped record too long: the check in integers must find
    # that
    monkeypatch.setattr(
        "securefl.learning.clipping.np.trunc",
        lambda v, out=None: np.copysign(np.ceil(np.abs(v)), v, out=out),
    )
    each = [
        clipped_sum_of_factors([f.of(np.array([i])) for f in layers], 0.7, 48) for i in range(9)
    ]
    assert all((units**2).sum() <= 48 * 48 for units in each)
    np.testing.assert_array_equal(np.sum(each, axis=0), clipped_sum_of_factors(layers, 0.7, 48))
    monkeypatch.setattr("securefl.learning.clipping.within_ball", lambda units, _grid: units)
    each = [
        clipped_sum_of_factors([f.of(np.array([i])) for f in layers], 0.7, 48) for i in range(9)
    ]
    assert any((units**2).sum() > 48 * 48 for units in each)
