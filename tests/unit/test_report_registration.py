"""What a study says of the data and its owner's registration does not."""

from conftest import make_study

from securefl.report.registration import unregistered
from securefl.study.parse import parse_study

DATA = parse_study(make_study()[0]).data


def registered(**changes):
    return DATA.model_dump(mode="json") | changes


def test_the_same_data_say_nothing():
    assert unregistered(DATA, registered()) == []
    assert unregistered(DATA, registered(holdout="1/2", dataset="other")) == []


def test_more_registered_columns_than_asked_for_are_nobodys_concern():
    more = [
        *registered()["columns"],
        {"name": "weight", "kind": "numeric", "low": "1", "high": "300"},
    ]
    assert unregistered(DATA, registered(columns=more)) == []


def test_a_column_that_was_not_registered_is_named():
    without = [c for c in registered()["columns"] if c["name"] != "TSH"]
    assert unregistered(DATA, registered(columns=without)) == [
        "TSH (0.005 to 600): you registered no such column"
    ]


def test_a_range_and_a_unit_that_differ_are_named_with_both_values():
    first, *rest = registered()["columns"]
    said = unregistered(
        DATA, registered(columns=[{**first, "high": "99", "unit": "months"}, *rest])
    )
    assert said == [
        (
            "age (0 to 120 years): you registered age (0 to 99 months) (high: 120, registered 99; unit:"
            " years, registered months)"
        )
    ]


def test_levels_that_differ_are_named():
    columns = [
        {**c, "levels": ["F", "M", "D"]} if c["name"] == "sex" else c
        for c in registered()["columns"]
    ]
    assert unregistered(DATA, registered(columns=columns)) == [
        "sex (F, M): you registered sex (F, M, D) (levels: F, M, registered F, M, D)"
    ]


def test_another_label_and_another_patient_column_are_named():
    label = registered()["label"]
    assert unregistered(DATA, registered(label={**label, "column": "outcome"})) == [
        "to be predicted from target: you registered outcome"
    ]
    assert unregistered(DATA, registered(label={**label, "positive": ["E"]})) == [
        (
            "to be predicted from target: you registered the same column, otherwise (positive: E, F,"
            " registered E)"
        )
    ]
    assert unregistered(DATA, registered(patient="case")) == [
        "patients are told apart by patient_id: you registered case"
    ]


def test_a_registration_that_says_nothing_of_a_part_is_no_crash():
    said = unregistered(DATA, {})
    assert "patients are told apart by patient_id: you registered nothing" in said
    assert "to be predicted from target: you registered nothing" in said
    assert len(said) == len(DATA.columns) + 2
