import math

import numpy as np
import pytest
from small_study import SPEC, csv

from securefl.errors import DataError
from securefl.learning.encoding import MALFORMED
from securefl.learning.features import (
    EXTRA_ROW,
    NO_PATIENT,
    feature_names,
    prepare,
    rows_for_predict,
)
from securefl.learning.table import read_table
from securefl.learning.tasks.binary.labels import NO_LABEL

SECRET = b"s" * 32


def one(line: str):
    return prepare(read_table(csv(line)), SPEC, SECRET)


def test_feature_names_follow_the_columns():
    assert feature_names(SPEC) == (
        "age",
        "TSH",
        "TSH: not recorded",
        "sex = M",
        "sex: not recorded",
        "sick",
    )


def test_values_are_scaled_by_the_declared_range_alone():
    x = one("p1,30,1.5,M,t,E").X[0]
    middle = 2 * math.log(1.5 / 0.005) / math.log(600 / 0.005) - 1
    np.testing.assert_allclose(x, [-0.5, middle, 0, 1, 0, 1], rtol=1e-6)


def test_the_ends_of_a_range_belong_to_it():
    np.testing.assert_array_equal(one("p1,0,0.005,F,f,-").X[0], [-1, -1, 0, 0, 0, 0])
    np.testing.assert_array_equal(one("p1,120,600,F,f,-").X[0], [1, 1, 0, 0, 0, 0])


def test_a_missing_value_is_flagged_where_the_column_says_so():
    np.testing.assert_array_equal(one("p1,60,,?,f,-").X[0], [0, 0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("p1,65526,1,F,f,-", "age: outside 0 to 120"),
        ("p1,-1,1,F,f,-", "age: outside 0 to 120"),
        ("p1,,1,F,f,-", "age: not recorded"),
        ("p1,NaN,1,F,f,-", "age: not recorded"),
        ("p1,inf,1,F,f,-", "age: not a number"),
        ("p1,1_0,1,F,f,-", "age: not a number"),
        ("p1,old,1,F,f,-", "age: not a number"),
        ("p1,30,1,x,f,-", "sex: not one of the declared levels"),
        ("p1,30,1,F,yes,-", "sick: neither t nor f"),
        ("p1,30,1,F,,-", "sick: not recorded"),
        ("p1,999,1,x,yes,-", "age: outside 0 to 120"),
        (",30,1,F,f,-", NO_PATIENT),
        ("p1,30,1,F,f,", NO_LABEL),
        ("p1,30", MALFORMED),
    ],
)
def test_a_row_that_does_not_fit_is_set_aside_with_its_first_reason(line, reason):
    prepared = one(line)
    assert prepared.X.shape == (0, 6)
    assert prepared.set_aside == {reason: 1}


def test_setting_one_row_aside_leaves_the_others_as_they_were():
    good = ["p1,30,1,F,f,-", "p2,40,2,M,t,E"]
    alone = prepare(read_table(csv(*good)), SPEC, SECRET)
    mixed = prepare(read_table(csv(good[0], "p9,nan,x,?,?,", good[1])), SPEC, SECRET)
    np.testing.assert_array_equal(alone.X, mixed.X)
    assert mixed.patients == ("p1", "p2")


def test_an_empty_table_gives_no_rows():
    prepared = prepare(read_table(csv()), SPEC, SECRET)
    assert prepared.X.shape == (0, 6)
    assert prepared.y.shape == (0,)


@pytest.mark.parametrize("column", ["patient_id", "age", "TSH", "sex", "sick", "target"])
def test_a_column_that_is_missing_is_named(column):
    with pytest.raises(DataError, match=f"no column '{column}'"):
        prepare(read_table(csv("1,2,3,4,5,6").replace(column.encode(), b"other")), SPEC, SECRET)


def test_of_several_rows_of_a_patient_one_stays_whatever_the_order_of_the_file():
    lines = [f"p1,{age},1,F,f,-" for age in (20, 30, 40, 50)]
    kept = {
        prepare(read_table(csv(*order)), SPEC, SECRET).X.tobytes()
        for order in (lines, lines[::-1], lines[2:] + lines[:2])
    }
    assert len(kept) == 1
    assert prepare(read_table(csv(*lines)), SPEC, SECRET).set_aside == {EXTRA_ROW: 3}


def test_which_row_stays_depends_on_the_secret():
    lines = [f"p1,{age},1,F,f,-" for age in range(20, 60)]
    kept = {prepare(read_table(csv(*lines)), SPEC, bytes([i]) * 32).X.tobytes() for i in range(8)}
    assert len(kept) > 1


def test_rows_to_be_scored_need_neither_label_nor_patient():
    x, reasons = rows_for_predict(
        {"age": [30, 500], "TSH": [None, 1.0], "sex": ["F", "F"], "sick": ["t", "t"]}, SPEC
    )
    assert reasons == [None, "age: outside 0 to 120"]
    assert x[1].tolist() == [0] * 6
