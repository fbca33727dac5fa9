import numpy as np
import pytest
from learning_room import SPEC

from securefl.learning.features import label_value, prepare
from securefl.learning.mock import mock_table
from securefl.learning.table import read_table
from securefl.study.columns import Label


def test_a_mock_fits_the_declared_columns_completely():
    prepared = prepare(read_table(mock_table(SPEC, 500, 1)), SPEC, b"s" * 32)
    assert prepared.X.shape == (500, 6)
    assert prepared.set_aside == {}
    assert 150 < prepared.y.sum() < 350


def test_a_mock_fills_the_ranges_and_leaves_gaps_where_they_are_allowed():
    X = prepare(read_table(mock_table(SPEC, 500, 1)), SPEC, b"s" * 32).X  # noqa: N806 - the field's own name
    assert X[:, 0].min() < -0.9
    assert X[:, 0].max() > 0.9
    assert 20 < X[:, 2].sum() < 90


def test_a_mock_is_the_same_for_the_same_seed_and_another_for_another():
    assert mock_table(SPEC, 20, 1) == mock_table(SPEC, 20, 1)
    assert mock_table(SPEC, 20, 1) != mock_table(SPEC, 20, 2)
    assert mock_table(SPEC, 0, 1) == b"patient_id,age,TSH,sex,sick,target\n"


def test_the_label_of_a_mock_has_nothing_to_do_with_its_features():
    prepared = prepare(read_table(mock_table(SPEC, 2000, 5)), SPEC, b"s" * 32)
    correlations = [np.corrcoef(column, prepared.y)[0, 1] for column in prepared.X.T]
    assert max(map(abs, correlations)) < 0.1


@pytest.mark.parametrize(
    ("kind", "positive"), [("any-of-letters", ("-", "E")), ("equals", ("yes", "-")), ("threshold", ("1",)), ("threshold", ("0.5",))]
)
def test_a_mock_has_positives_and_negatives_for_every_kind_of_label(kind, positive):
    label = Label(column="target", kind=kind, positive=positive)
    column = read_table(mock_table(SPEC.model_copy(update={"label": label}), 100, 1)).columns["target"]
    values = [label_value(cell, label) for cell in column]
    assert None not in values
    assert 20 < sum(values) < 80
