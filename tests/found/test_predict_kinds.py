"""Rows to be scored in files that are no plain CSV: each kind is read, or named with what to do."""

import os

import pytest
from hospital_folder import saved_model, typed

LINES = "age,TSH,sex,sick\n30,1,F,f\n40.5,2,M,t\n"


@pytest.fixture
def model(tmp_path):
    saved_model(tmp_path / "model")
    return tmp_path / "model"


def scored(model, content, *options):
    (model.parent / "rows.csv").write_bytes(content)
    done = typed("predict", model, model.parent / "rows.csv", *options)
    scores = [word for word in done.words.split() if word.startswith("0.") and len(word) == 6]
    return done, scores


@pytest.mark.parametrize(
    ("content", "options", "read"),
    [
        (LINES.replace(",", ";").encode(), (), "';' between the values"),
        (LINES.replace(",", "\t").encode(), (), "tabs between the values"),
        (
            b"\xef\xbb\xbf" + LINES.replace(",", "|").replace("\n", "\r\n").encode(),
            (),
            "'|' between the values",
        ),
        (("sep=;\n" + LINES.replace(",", ";")).encode(), (), "';' between the values"),
        (
            LINES.replace(",", ";").replace("40.5", "40,5").encode("cp1252"),
            ("--decimal", "comma", "--encoding", "cp1252"),
            "text in cp1252",
        ),
    ],
)
def test_a_table_is_read_by_what_stands_between_its_values_and_that_is_said(
    model, content, options, read
):
    plain = scored(model, LINES.encode())[1]
    assert len(plain) == 2
    done, scores = scored(model, content, *options)
    assert scores == plain
    assert read in done.words


@pytest.mark.parametrize(
    ("content", "what", "mend"),
    [
        (LINES.encode("utf-16"), "it is text in UTF-16", "iconv -f UTF-16"),
        (LINES.encode("utf-16-le"), "it is text in UTF-16", "CSV UTF-8"),
        (b"PK\x03\x04" + bytes(40), "it is a spreadsheet", "save it as 'CSV UTF-8'"),
        (b"PAR1" + bytes(40), "it is a Parquet file", "read_parquet"),
        (b"\x1f\x8b" + bytes(40), "it is a packed file (gzip)", "Unpack it"),
        (
            f",{LINES}".replace("\n", "\n0,").encode(),
            "column 1 of 5 (',' between them) has no name",
            "Give every column a name",
        ),
        (
            LINES.replace("TSH", "\u200bTSH").encode(),
            "There is '<U+200B>TSH'",
            "Add or rename that column",
        ),
        (LINES.replace("TSH", "age").encode(), "names a column twice: age", "Keep one of them"),
        (b"", "the table is empty", "first line names every column"),
    ],
)
def test_what_is_no_such_table_is_named_with_what_to_do(model, content, what, mend):
    done, _ = scored(model, content)
    assert what in done.error
    assert mend in done.mend


def test_a_pipe_is_not_waited_for(model):
    os.mkfifo(model.parent / "pipe.csv")
    done = typed("predict", model, model.parent / "pipe.csv")
    assert "pipe.csv is a pipe (FIFO), not a file" in done.error
    assert "is a folder" in typed("predict", model, model.parent).error
