"""Scores as facts: every row keeps its place, and every cause names its first row."""

from __future__ import annotations

import numpy as np
import pytest
from model_facts import DETAILS
from small_study import SPEC, protocol

from securefl.errors import DataError
from securefl.learning.artefact import save_model
from securefl.party.scoring import Cause, score_table
from securefl.sources.source import GivenReading
from securefl.study.training import training_of

HEADER = "age,TSH,sex,sick"


@pytest.fixture
def model(tmp_path):
    save_model(
        tmp_path / "model", np.linspace(-1, 1, 7), training_of(protocol()).model, SPEC, DETAILS
    )
    return tmp_path / "model"


def scored(model, *lines):
    rows = model.parent / "rows.csv"
    rows.write_text("\n".join([HEADER, *lines]) + "\n")
    return score_table(model, rows, GivenReading())


def test_causes_are_the_most_frequent_first_each_with_its_first_row_and_line(model):
    found = scored(model, "30,1,F,f", "old,1,F,f", ",1,F,f", "40,2,M,t", "older,1,F,f")
    assert len(found.scores) == 5
    assert list(found.without) == [2, 3, 5]
    assert found.causes == (
        Cause("age: not a number", 2, first_row=2, first_line=3),
        Cause("age: not recorded", 1, first_row=3, first_line=4),
    )
    assert found.intended_use == DETAILS.intended_use


def test_a_table_without_a_column_is_refused(model):
    rows = model.parent / "rows.csv"
    rows.write_text("age,TSH,sex\n30,1,F\n")
    with pytest.raises(DataError, match="sick"):
        score_table(model, rows, GivenReading())
