"""Line breaks inside quoted notes: no patient is lost, and none is made out of a note."""

from hospital_folder import HEADER, register, registered, table

from securefl.learning.features import prepare
from securefl.learning.table import read_table
from securefl.study.parse import parse_protocol

LINES = (
    'P1,30,1,F,f,E,"first line\nsecond, line"',
    "P2,31,1,M,f,-,ok",
    'P3,32,1,M,f,-,"copied:\nP9,60,1,F,f,E,see above"',
)
WITH_NOTES = (f"{HEADER},note\n" + "\n".join(LINES) + "\n").encode()


def test_a_note_over_two_lines_loses_no_patient_and_makes_none():
    from conftest import protocol_text

    read = read_table(WITH_NOTES)
    assert (read.rows, read.malformed, read.lines) == (3, {}, (2, 4, 5))
    prepared = prepare(read, parse_protocol(protocol_text()).data, b"s" * 32)
    assert dict(zip(prepared.patients, prepared.y.tolist(), strict=True)) == {
        "P1": 1,
        "P2": 0,
        "P3": 0,
    }


def test_the_owner_sees_three_patients(tmp_path):
    done = register(tmp_path, WITH_NOTES)
    assert "3 rows, 3 can be used (1 positive)." in done.words
    assert "WARNING" not in done.words


def test_a_table_in_which_a_quotation_mark_is_broken_is_not_registered(tmp_path):
    broken = WITH_NOTES.replace(b'"copied:', b'"copied "so:')
    done = register(tmp_path, broken)
    assert "quotation marks are broken in 1 records, which begin on line 5" in done.error
    assert "each mark inside is doubled" in done.mend
    assert registered(tmp_path) == []


def test_a_broken_quotation_mark_is_shown_by_a_look_that_registers_nothing(tmp_path):
    from hospital_folder import typed

    register(tmp_path, table("P1,30,1,F,f,E"))
    (tmp_path / "broken.csv").write_bytes(table('"P1,30,1,F,f,E', "P2,30,1,F,f,-"))
    done = typed(
        "site",
        "data",
        "check",
        tmp_path / "broken.csv",
        "--columns",
        tmp_path / "protocol.toml",
        "--site",
        tmp_path / "hospital",
    )
    assert "2 rows, 1 can be used (0 positive)" in done.words
    assert "no record: a quotation mark is not closed (once, first in line 2)" in done.words
    assert "which begin on line 2" in done.error
