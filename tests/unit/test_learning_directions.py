"""Dense directions that a public lot draws: square to one another, and the same for everybody."""

import hashlib

import numpy as np
import pytest

from securefl.learning.families.directions import Directions


@pytest.mark.parametrize(("size", "dimensions"), [(12, 4), (7, 7), (400, 10), (5, 0)])
def test_directions_are_orthonormal(size, dimensions):
    rows = Directions("a lot", size, dimensions).upward(np.eye(dimensions))
    assert rows.shape == (dimensions, size)
    np.testing.assert_allclose(rows @ rows.T, np.eye(dimensions), atol=1e-14)


def test_downward_is_upwards_transpose():
    directions = Directions("a lot", 30, 6)
    rows = directions.upward(np.eye(6))
    gradients = np.random.default_rng(1).normal(size=(9, 30))
    np.testing.assert_allclose(directions.downward(gradients), gradients @ rows.T, atol=1e-14)


def test_a_rows_numbers_do_not_depend_on_the_rows_beside_it():
    directions = Directions("a lot", 401, 7)
    gradients = np.random.default_rng(2).normal(size=(50, 401))
    together = directions.downward(gradients)
    for i in range(50):
        np.testing.assert_array_equal(
            together[i : i + 1], directions.downward(gradients[i : i + 1])
        )


def test_every_machine_has_the_same_directions():
    """Additions, products and roots alone, which IEEE 754 defines to the last bit."""
    rows = Directions("a lot", 33, 5).upward(np.eye(5))
    found = hashlib.sha256(np.ascontiguousarray(rows, dtype="<f8").tobytes()).hexdigest()
    assert found.startswith("75e5dd8ce17ecee0")


def test_another_seed_draws_other_directions():
    one, other = (Directions(seed, 20, 3).upward(np.eye(3)) for seed in ("a", "b"))
    assert np.abs(one - other).max() > 0.1
