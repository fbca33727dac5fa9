"""Units of privacy: change one, and no other unit's contribution moves, whatever the rows, blocks
and batches are.
"""

import numpy as np
import pytest
from binary_models import logistic_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import SPEC, FixedDraws, csv, rule

from securefl.errors import DataError
from securefl.learning.features import EXTRA_ROW, prepare
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps
from securefl.learning.table import read_table
from securefl.learning.tasks.binary.evaluation import score_histogram

SECRET = b"s" * 32
ROW = st.tuples(
    st.integers(0, 120),
    st.sampled_from(["0.005", "1.5", "600", "?"]),
    st.sampled_from("FM?"),
    st.sampled_from("tf"),
    st.sampled_from(["E", "-", "F"]),
)
#: Tables of patients with one to six rows each.
TABLE = st.dictionaries(
    st.integers(0, 30), st.lists(ROW, min_size=1, max_size=6), min_size=2, max_size=12
)
THETA = np.linspace(-1.0, 1.0, 7)


def spec(limit):
    return SPEC.model_copy(update={"max_rows_per_patient": limit})


def lines(table, order=None):
    made = [
        f"p{patient},{','.join(map(str, row))}" for patient, rows in table.items() for row in rows
    ]
    return made if order is None else [made[i] for i in order]


def prepared(table, limit=3, unit="patient", order=None):
    return prepare(read_table(csv(*lines(table, order))), spec(limit), SECRET, unit)


def contribution(found, unit="patient"):
    """The un-noised sum when everybody is drawn, int64[7]."""
    steps = PrivateSteps(
        rule(), logistic_gradients, found.X, found.y, FixedDraws(), units=found.units(unit)
    )
    return steps.noised_steps(THETA)


def alone(table, patient, limit=3):
    return contribution(prepared({patient: table[patient]}, limit))


@settings(max_examples=60)
@given(TABLE, st.data())
def test_without_one_patient_all_others_contribute_exactly_what_they_did(table, data):
    gone = data.draw(st.sampled_from(sorted(table)))
    others = {p: rows for p, rows in table.items() if p != gone}
    moved = contribution(prepared(table)) - contribution(prepared(others))
    np.testing.assert_array_equal(moved, alone(table, gone))
    assert (moved.astype(object) ** 2).sum() <= rule().grid ** 2


@settings(max_examples=30)
@given(TABLE, st.data(), st.lists(ROW, min_size=1, max_size=6))
def test_other_rows_of_one_patient_move_nobody_else(table, data, rows):
    changed = data.draw(st.sampled_from(sorted(table)))
    other = {**table, changed: rows}
    moved = contribution(prepared(other)) - contribution(prepared(table))
    np.testing.assert_array_equal(moved, alone(other, changed) - alone(table, changed))


@settings(max_examples=30)
@given(TABLE, st.randoms(use_true_random=False))
def test_the_order_of_the_file_decides_nothing(table, source):
    order = list(range(len(lines(table))))
    source.shuffle(order)
    np.testing.assert_array_equal(
        contribution(prepared(table, order=order)), contribution(prepared(table))
    )


@settings(max_examples=40)
@given(TABLE, st.data())
def test_with_unit_record_one_row_moves_one_row(table, data):
    gone = data.draw(st.sampled_from(sorted(table)))
    which = data.draw(st.integers(0, len(table[gone]) - 1))
    fewer = {**table, gone: [r for i, r in enumerate(table[gone]) if i != which]}
    before, after = (prepared(t, limit=1, unit="record") for t in (table, fewer))
    assert len(before.y) == sum(map(len, table.values()))
    moved = contribution(before, "record") - contribution(after, "record")
    np.testing.assert_array_equal(
        moved, contribution(prepared({gone: [table[gone][which]]}, 1, "record"), "record")
    )


@settings(max_examples=40)
@given(TABLE, st.data())
def test_one_unit_changes_one_count_of_an_evaluation_by_one(table, data):
    gone = data.draw(st.sampled_from(sorted(table)))
    others = {p: rows for p, rows in table.items() if p != gone}

    def histogram(t):
        found = prepared(t).one_row_each("patient")
        return score_histogram(np.abs(found.X[:, 0]).astype(float), found.y, SPEC_EDGES)

    difference = histogram(table) - histogram(others)
    assert np.abs(difference).sum() <= 1


SPEC_EDGES = (0.25, 0.5, 0.75)


@settings(max_examples=40)
@given(TABLE, st.integers(1, 6))
def test_at_most_so_many_rows_of_a_patient_are_used_and_the_rest_are_counted(table, limit):
    found = prepared(table, limit)
    kept = {p: found.patients.count(f"p{p}") for p in table}
    assert kept == {p: min(limit, len(rows)) for p, rows in table.items()}
    assert found.set_aside.get(EXTRA_ROW, 0) == sum(max(0, len(r) - limit) for r in table.values())


@settings(max_examples=40)
@given(TABLE)
def test_training_and_held_out_rows_never_share_a_patient_and_stay_together(table):
    from fractions import Fraction

    found = prepared(table)
    for part in split_rows(found, SECRET, Fraction(1, 2)):
        units = part.units("patient")
        assert (np.diff(units) >= 0).all()
        assert len(set(part.patients)) == len(set(units.tolist()))
        contribution(part)


def many_rows(patients=70, rows=5):
    generator = np.random.default_rng(4)
    x = generator.uniform(-1, 1, (patients * rows, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int8)
    return x, y, np.repeat(np.arange(patients), rows)


def test_a_patients_rows_are_clipped_together_not_one_by_one():
    x, y, units = many_rows()
    theta = np.full(7, 3.0)
    together = PrivateSteps(
        rule(clip_norm=0.05), logistic_gradients, x[:5], y[:5], FixedDraws(), units=units[:5]
    ).noised_steps(theta)
    single = PrivateSteps(
        rule(clip_norm=0.05), logistic_gradients, x[:5], y[:5], FixedDraws()
    ).noised_steps(theta)
    assert (
        np.linalg.norm(together.astype(float)) <= rule().grid < np.linalg.norm(single.astype(float))
    )


def test_portions_and_blocks_decide_nothing(monkeypatch):
    x, y, units = many_rows()
    settings_ = rule()
    whole = PrivateSteps(
        settings_, logistic_gradients, x, y, FixedDraws(), units=units
    ).noised_steps(THETA)
    monkeypatch.setattr("securefl.learning.steps._MOST_ROWS", 7)
    monkeypatch.setattr("securefl.learning.steps._LEAST_ROWS", 7)
    monkeypatch.setattr("securefl.learning.clipping._CACHED_NUMBERS", 16)
    np.testing.assert_array_equal(
        PrivateSteps(settings_, logistic_gradients, x, y, FixedDraws(), units=units).noised_steps(
            THETA
        ),
        whole,
    )
    drawn = np.arange(70) % 3 == 0
    some = PrivateSteps(
        settings_, logistic_gradients, x, y, FixedDraws(drawn), units=units
    ).noised_steps(THETA)
    only = drawn[units]
    fewer = PrivateSteps(
        settings_,
        logistic_gradients,
        x[only],
        y[only],
        FixedDraws(),
        units=np.unique(units[only], return_inverse=True)[1],
    ).noised_steps(THETA)
    np.testing.assert_array_equal(some, fewer)


@pytest.mark.parametrize("units", [[0, 1, 0], [1, 1, 2], [0, 2, 2], [0, 0]])
def test_rows_of_a_patient_that_do_not_stand_together_are_refused(units):
    x, y, _ = many_rows(1, 3)
    with pytest.raises(DataError, match="do not stand together"):
        PrivateSteps(rule(), logistic_gradients, x, y, FixedDraws(), units=np.array(units))
