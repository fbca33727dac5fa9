from decimal import Decimal
from fractions import Fraction

import pytest

from securefl.errors import UsageError
from securefl.privacy.mechanisms import (
    Gaussian,
    SubsampledGaussian,
    decimal_text,
    mechanism_from_json,
    ratio_text,
)

STEP = SubsampledGaussian(Decimal("4.98"), Fraction(1, 5), 40)


@pytest.mark.parametrize(
    "mechanism", [STEP, Gaussian(Decimal("5.1"), 3), SubsampledGaussian(Decimal(1), Fraction(1), 1)]
)
def test_a_mechanism_survives_its_json(mechanism):
    assert mechanism_from_json(mechanism.to_json()) == mechanism


def test_json_holds_no_float():
    assert STEP.to_json() == {
        "kind": "subsampled-gaussian",
        "noise_multiplier": "4.98",
        "sample_rate": "1/5",
        "steps": 40,
    }
    assert Gaussian(Decimal("5.10")).to_json() == {
        "kind": "gaussian",
        "noise_multiplier": "5.1",
        "releases": 1,
    }


def test_counts_and_noise_can_be_exchanged():
    assert STEP.with_count(2).count == 2
    assert STEP.with_noise(Decimal(6)).noise_multiplier == 6
    assert Gaussian(Decimal(5)).with_count(4).count == 4
    assert Gaussian(Decimal(5), 2).with_noise(Decimal(6)) == Gaussian(Decimal(6), 2)
    assert Gaussian(Decimal(5)).sample_rate == 1


@pytest.mark.parametrize(
    "values",
    [
        (Decimal(0), Fraction(1, 5), 1),
        (Decimal("NaN"), Fraction(1, 5), 1),
        (Decimal("1e7"), Fraction(1, 5), 1),
        (4.98, Fraction(1, 5), 1),
        (Decimal(5), Fraction(0), 1),
        (Decimal(5), Fraction(6, 5), 1),
        (Decimal(5), 0.2, 1),
        (Decimal(5), Fraction(1, 5), 0),
        (Decimal(5), Fraction(1, 5), True),
        (Decimal(5), Fraction(1, 5), 1.0),
        (Decimal(5), Fraction(1, 5), 10**9),
    ],
)
def test_inexact_or_impossible_parameters_are_refused(values):
    with pytest.raises(UsageError) as refusal:
        SubsampledGaussian(*values)
    assert refusal.value.next_step


def test_a_gaussian_checks_its_parameters_too():
    with pytest.raises(UsageError, match="releases"):
        Gaussian(Decimal(5), 0)
    with pytest.raises(UsageError, match="noise multiplier"):
        Gaussian(Decimal(-1))


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "laplace"},
        {"kind": ["gaussian"]},
        {"kind": "gaussian", "noise_multiplier": "5"},
        {"kind": "gaussian", "noise_multiplier": "5", "releases": 1, "steps": 1},
        {"kind": "gaussian", "noise_multiplier": 5, "releases": 1},
        {"kind": "gaussian", "noise_multiplier": "5", "releases": "1"},
        {"kind": "gaussian", "noise_multiplier": "5", "releases": True},
        {"kind": "gaussian", "noise_multiplier": "five", "releases": 1},
        {"kind": "subsampled-gaussian", "noise_multiplier": "5", "sample_rate": "1/0", "steps": 1},
        {"kind": "subsampled-gaussian", "noise_multiplier": "5", "sample_rate": "a/b", "steps": 1},
        {"kind": "subsampled-gaussian", "noise_multiplier": "5", "sample_rate": 0.2, "steps": 1},
    ],
)
def test_json_of_another_shape_is_refused(data):
    with pytest.raises(UsageError):
        mechanism_from_json(data)


@pytest.mark.parametrize(
    ("value", "text"),
    [("1e-5", "0.00001"), ("10.0", "10"), ("100", "100"), ("-0", "0"), ("0.50", "0.5")],
)
def test_a_decimal_has_one_spelling(value, text):
    assert decimal_text(Decimal(value)) == text


def test_a_ratio_has_one_spelling():
    assert ratio_text(Fraction(2, 10)) == "1/5"
    assert ratio_text(Fraction(1)) == "1/1"


def test_cells_stand_in_a_file_where_there_are_several():
    several, one = Gaussian(Decimal(5), cells=3), Gaussian(Decimal(5))
    assert several.to_json()["cells"] == 3
    assert "cells" not in one.to_json()
    for mechanism in (several, one):
        assert mechanism_from_json(mechanism.to_json()) == mechanism
    with pytest.raises(UsageError, match="names no cells"):
        mechanism_from_json({**one.to_json(), "cells": 1})
    with pytest.raises(UsageError, match="has the keys"):
        mechanism_from_json({**STEP.to_json(), "cells": 3})
    for cells in (0, -1, True, 2.0):
        with pytest.raises(UsageError, match="cells must be a whole number"):
            Gaussian(Decimal(5), cells=cells)
