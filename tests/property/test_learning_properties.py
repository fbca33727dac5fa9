from contextlib import suppress
from fractions import Fraction
from itertools import pairwise

import numpy as np
from binary_models import flat_vector, named_tensors, parameter_count
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_study import HEADER, SPEC, protocol

from securefl.errors import DataError
from securefl.learning.clipping import (
    Factors,
    clip_to_grid,
    clipped_sum,
    clipped_sum_of_factors,
    written_out,
)
from securefl.learning.features import prepare, rows_for_predict
from securefl.learning.models import weights_from_bytes, weights_to_bytes
from securefl.learning.split import held_out
from securefl.learning.table import read_table
from securefl.learning.tasks.binary.discrimination import histogram_auc
from securefl.learning.tasks.binary.evaluation import evaluate, exact_auc, score_histogram
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, width=64)
CELL = st.one_of(
    st.sampled_from(
        ["", "?", "NaN", "inf", "-1e999", "65526", "F", "t", "0", "120", "1e-3", '"', "é"]
    ),
    st.text(max_size=6),
)


@given(
    arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(1, 40)), elements=ANY_FLOAT),
    st.floats(1e-6, 1e6),
    st.integers(1, 1 << 20),
)
def test_no_gradient_leaves_the_grid_ball(gradients, clip, grid):
    units = clip_to_grid(gradients, clip, grid)
    assert units.dtype == np.int64
    assert ((units.astype(object) ** 2).sum(axis=1) <= grid * grid).all()


@given(
    arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 40)), elements=st.floats(-3, 3)),
    st.integers(1, 4096),
)
def test_rounding_is_toward_zero_and_by_less_than_a_unit(gradients, grid):
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    exact = gradients / np.maximum(norms, 1.0) * grid
    units = clip_to_grid(gradients, 1.0, grid)
    assert (np.abs(units) <= np.abs(exact) + 1e-6).all()
    assert (np.abs(exact - units) < 1 + 1e-6).all()
    assert (units * exact >= 0).all()


@given(st.binary(max_size=300))
def test_any_bytes_under_a_good_header_are_read_or_set_aside(body):
    prepared = prepare(read_table(HEADER.encode() + b"\n" + body), SPEC, b"s" * 32)
    assert np.isfinite(prepared.X).all()


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_read_or_refused_with_a_data_error(data):
    with suppress(DataError):  # the error people are told about; anything else fails the test
        prepare(read_table(data), SPEC, b"s" * 32)


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL, CELL, CELL), max_size=8))
def test_features_are_always_finite_within_one_and_rows_are_all_accounted_for(records):
    columns = (
        dict(zip(HEADER.split(","), zip(*records, strict=True), strict=True))
        if records
        else dict.fromkeys(HEADER.split(","), ())
    )
    from securefl.learning.table import table_from_frame

    table = table_from_frame(columns)
    prepared = prepare(table, SPEC, b"s" * 32)
    assert np.isfinite(prepared.X).all()
    assert (np.abs(prepared.X) <= 1).all()
    assert len(prepared.y) + sum(prepared.set_aside.values()) == len(records)
    X, reasons = rows_for_predict(table, SPEC)  # noqa: N806 - the field's own name
    assert not X[[reason is not None for reason in reasons]].any()


@given(
    st.sets(st.text(max_size=8), min_size=1, max_size=30),
    st.fractions(0, 1),
    st.binary(min_size=32, max_size=32),
)
def test_each_patient_is_decided_alone(patients, ratio, secret):
    names = sorted(patients)
    together = held_out(secret, names, ratio)
    assert together.tolist() == [bool(held_out(secret, [name], ratio)[0]) for name in names]
    assert held_out(secret, names, Fraction(1)).all()
    assert not held_out(secret, names, Fraction(0)).any()


@given(st.lists(st.integers(1, 6), max_size=3), st.integers(1, 5), st.data())
def test_weights_survive_tensors_and_bytes(hidden, features, data):
    model = training_of(protocol()).model.model_copy(
        update={"kind": "mlp" if hidden else "logistic-regression", "hidden": tuple(hidden)}
    )
    count = parameter_count(model, features)
    theta = data.draw(arrays(np.float64, count, elements=st.floats(-1e6, 1e6)))
    np.testing.assert_array_equal(
        flat_vector(named_tensors(theta, model, features), model, features), theta
    )
    np.testing.assert_array_equal(weights_from_bytes(weights_to_bytes(theta), count), theta)


@given(arrays(np.int64, 8, elements=st.integers(-(1 << 40), 1 << 40)), st.integers(2, 20))
def test_any_opened_sum_gives_figures_in_their_ranges(total, contributors):
    got = evaluate(total, evaluation_of(protocol()), contributors)
    assert 0 <= got.low <= got.high <= 1
    assert (got.auc is None) == (got.low <= 0.5 <= got.high)
    assert got.auc is None or got.low <= got.auc <= got.high
    assert 0 <= got.accuracy_low <= got.accuracy_high <= 1
    assert got.accuracy is None or got.accuracy_low <= got.accuracy <= got.accuracy_high
    assert (got.calibration[0].low, got.calibration[-1].high) == (0, 1)
    assert all(a.high == b.low for a, b in pairwise(got.calibration))
    for row in got.calibration:
        assert 0 <= row.certain_low <= row.share_low <= row.share_high <= row.certain_high <= 1
        assert row.positive_share is None or row.share_low <= row.positive_share <= row.share_high


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=60))
def test_binning_moves_the_auc_by_at_most_half_the_pairs_within_a_bin(pairs):
    scores, y = np.array([s for s, _ in pairs]), np.array([label for _, label in pairs])
    counts = score_histogram(scores, y, evaluation_of(protocol()).edges).astype(float)
    negatives, positives = counts[:4], counts[4:]
    if negatives.sum() and positives.sum():
        within = (negatives * positives).sum() / (negatives.sum() * positives.sum())
        assert abs(histogram_auc(negatives, positives) - exact_auc(y, scores)) <= within / 2 + 1e-12


@given(
    arrays(np.float64, st.tuples(st.integers(0, 9), st.integers(1, 12)), elements=ANY_FLOAT),
    st.floats(1e-3, 1e3),
    st.integers(1, 4096),
)
def test_the_sum_of_clipped_rows_is_the_same_without_keeping_them(gradients, clip, grid):
    np.testing.assert_array_equal(
        clipped_sum(gradients, clip, grid), clip_to_grid(gradients, clip, grid).sum(axis=0)
    )


@given(
    st.data(),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 4),
    st.floats(1e-3, 1e3),
    st.integers(1, 1 << 20),
)
def test_what_a_record_adds_by_its_factors_is_its_own_within_the_ball_and_near_its_gradient(
    data, rows, inputs, outputs, clip, grid
):
    def some(columns):
        return data.draw(
            arrays(
                np.float64,
                (rows, columns),
                elements=st.integers(-1024, 1024).map(lambda n: n / 1024),
            )
        )

    layers = [Factors(some(inputs), some(outputs)), Factors(some(outputs), some(1))]
    alone = np.array(
        [
            clipped_sum_of_factors([f.of(np.array([i])) for f in layers], clip, grid)
            for i in range(rows)
        ]
    )
    np.testing.assert_array_equal(alone.sum(axis=0), clipped_sum_of_factors(layers, clip, grid))
    assert ((alone.astype(object) ** 2).sum(axis=1) <= grid * grid).all()
    # a product on a grid line may fall on either side of it
    assert np.abs(alone - clip_to_grid(written_out(layers), clip, grid)).max() <= 1
