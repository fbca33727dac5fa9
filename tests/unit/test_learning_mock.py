import numpy as np
import pytest
from small_study import SPEC

from securefl.learning.features import prepare
from securefl.learning.mock import mock_table
from securefl.learning.table import read_table
from securefl.learning.tasks.binary.labels import outcomes
from securefl.study.binary_label import CombinedLabel, NumberCondition, TextCondition

DIED = TextCondition(column="died", kind="equals", positive=("yes",), negative=("no", "-"))
LACTATE = NumberCondition(column="lactate", kind="at-least", value="4", low="0", high="30")


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
    "label",
    [
        TextCondition(column="t", kind="any-of-letters", positive=("-", "E"), negative=("A",)),
        DIED,
        LACTATE,
        *(
            NumberCondition(column="t", kind=k, value="0.5", low="-1", high="2")
            for k in ("at-least", "above", "at-most", "below")
        ),
        CombinedLabel(kind="any-of", conditions=(DIED, LACTATE)),
        CombinedLabel(kind="all-of", conditions=(DIED, LACTATE)),
    ],
)
def test_a_mock_has_positives_and_negatives_of_declared_texts_and_numbers_for_every_kind_of_label(
    label,
):
    table = read_table(mock_table(SPEC.model_copy(update={"label": label}), 100, 1))
    values, _ = outcomes(table, label)
    assert set(values) == {0, 1}
    assert 20 < sum(values) < 80


def test_a_sign_between_letters_does_not_stand_alone_as_a_label():
    column = read_table(mock_table(SPEC, 300, 1)).columns["target"]
    assert {"-", "E", "F", "A", "K"} <= set(column)
    assert "|" not in column


def test_a_mock_crowds_in_the_middle_of_a_range_and_not_at_its_ends():
    ages = [float(cell) for cell in read_table(mock_table(SPEC, 2000, 7)).columns["age"]]
    assert sum(30 <= age <= 90 for age in ages) > 1400  # an even spread has 1000
    assert sum(age < 6 or age > 114 for age in ages) < 40  # an even spread has 200
