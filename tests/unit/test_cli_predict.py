"""Each row's score stands at that row's place, whatever is wrong with its neighbours, and the
screen says what that was.
"""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from model_facts import DETAILS
from number_study import number_protocol
from small_study import SPEC, protocol

from securefl.cli.main import cli
from securefl.learning.artefact import save_model
from securefl.study.training import training_of

GOOD = "30,1,F,f", "40,2,M,t", "50,,F,f"
HEADER = "age,TSH,sex,sick"


@pytest.fixture
def model(tmp_path):
    save_model(
        tmp_path / "model", np.linspace(-1, 1, 7), training_of(protocol()).model, SPEC, DETAILS
    )
    return tmp_path / "model"


def score(model, *lines, to="scores.json"):
    rows, out = model.parent / "rows.csv", model.parent / to
    rows.write_text("\n".join([HEADER, *lines]) + "\n")
    done = CliRunner().invoke(cli, ["predict", str(model), str(rows), "--json", str(out)])
    return done, json.loads(out.read_text()) if out.exists() else {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("30,1,F", "the line has too few or too many values, or a stray quote"),
        ("30,1,F,f,", "the line has too few or too many values, or a stray quote"),
        ('"30,1,F,f', "the line has too few or too many values, or a stray quote"),
        ("thirty,1,F,f", "age: not a number"),
        (",1,F,f", "age: not recorded"),
        ("300,1,F,f", "age: outside 0 to 120"),
        ("30,1,female,f", "sex: not one of the declared levels"),
        ("30,1,F,yes", "sick: neither t nor f"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_row_without_a_score_keeps_its_place_and_moves_no_neighbour(model, line, reason, place):
    alone = score(model, *GOOD)[1]["scores"]
    assert None not in alone
    done, found = score(model, *GOOD[:place], line, *GOOD[place:])
    assert done.exit_code == 0
    assert found["scores"] == [*alone[:place], None, *alone[place:]]
    assert found["without_score"] == [{"row": place + 1, "reason": reason}]
    words = " ".join(done.output.split())
    assert "3 of 4 rows scored, in the order of the rows" in words
    assert f"1 without a score: {reason} (row {place + 1}, line {place + 2} of the file)" in words
    if "not recorded" not in reason:  # an empty cell has nothing to show
        assert f"first in line {place + 2}" in words


def test_reasons_are_counted_on_the_screen(model):
    done, found = score(model, "30", "999,1,F,f", "30", GOOD[0])
    assert [s is None for s in found["scores"]] == [True, True, True, False]
    assert (
        "2 without a score: the line has too few or too many values, or a stray quote (first in row"
        " 1, line 2 of the file)" in " ".join(done.output.split())
    )


def test_an_empty_line_between_rows_is_refused(model):
    done, found = score(model, GOOD[0], "", GOOD[1])
    assert (done.exit_code != 0, found) == (True, {})
    assert "line 3 of the table is empty" in str(done.exception)


def test_without_a_file_each_row_has_a_line_of_its_own(model):
    rows = model.parent / "rows.csv"
    rows.write_text("\n".join([HEADER, GOOD[0], "7", GOOD[1]]) + "\n")
    done = CliRunner().invoke(cli, ["predict", str(model), str(rows)])
    lines = done.output.splitlines()
    assert [line.split("\t")[0] if "\t" in line else line.split()[0] for line in lines[:3]] == [
        "1",
        "2",
        "3",
    ]
    assert "no score: the line has too few" in lines[1]


def test_a_number_is_predicted_in_its_unit_and_no_line_speaks_of_a_score_for_want_of_one(tmp_path):
    study = number_protocol()
    save_model(tmp_path / "model", np.zeros(7), training_of(study).model, study.data, DETAILS)
    rows = tmp_path / "rows.csv"
    rows.write_text("\n".join([HEADER, *GOOD, "thirty,1,F,f"]) + "\n")
    done = CliRunner().invoke(cli, ["predict", str(tmp_path / "model"), str(rows)])
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert lines[:2] == ["row target in mmHg", "1 80.0000"]
    assert lines[4] == "4 no prediction: age: not a number"
    assert "1 without a prediction: age: not a number" in done.output
    found = score(tmp_path / "model", *GOOD)[1]
    assert found["scores"] == pytest.approx([80.0] * 3)
    assert found["names"] == ["target in mmHg"]
