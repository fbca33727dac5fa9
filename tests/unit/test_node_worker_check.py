"""The worker's look at a table before its study begins: the header line, and no row."""

import os

import pytest
from conftest import make_study

from securefl.errors import DataError
from securefl.learning import reading as text_reading
from securefl.learning import table as tables
from securefl.learning.patient_hashes import patient_hash
from securefl.node import worker

HEADER = b"patient_id,age,sex,TSH,sick,target\n"
ROW = b"p1,40,F,3,t,-\n"
USUAL = {"encoding": "utf-8", "separator": ",", "decimal": "."}


@pytest.fixture(scope="module")
def study():
    return make_study(5)[0]


def check(path, content, study, **reading):
    path.write_bytes(content)
    found = os.open(path, os.O_RDONLY)
    try:
        worker._check({"reading": USUAL | reading}, study, found)
        return os.lseek(found, 0, os.SEEK_CUR)
    finally:
        os.close(found)


MAPPING = {
    "schema": "securefl-mapping/1",
    "columns": {"sex": {"from": "Geschlecht", "values": {"weiblich": "F"}}},
}


@pytest.mark.parametrize("mapping", [None, MAPPING])
@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_a_table_of_any_size_is_ready_at_the_same_time(tmp_path, study, monkeypatch, rows, mapping):
    """What is read and parsed is the same for all of them, also through a mapping."""
    header = HEADER
    if mapping is not None:
        header = HEADER.replace(b"sex", b"Geschlecht")
    asked, parsed = [], []
    pread, read_table = os.pread, tables.read_table
    monkeypatch.setattr(os, "pread", lambda fd, n, at: asked.append((n, at)) or pread(fd, n, at))
    monkeypatch.setattr(
        tables, "read_table", lambda data, how: parsed.append(data) or read_table(data, how)
    )
    # nothing is read otherwise
    assert check(tmp_path / "t.csv", header + rows * ROW, study, mapping=mapping) == 0
    assert parsed == [header]
    assert asked == [(worker._CHECKED_BYTES, 0)] + [(text_reading.FIRST_BYTES, 0)] * (rows == 0)


def test_all_rows_are_refused_or_taken_by_their_header(tmp_path, study):
    """A row that is no record, or not in the encoding, refuses no table: it is set aside later."""
    check(tmp_path / "t.csv", HEADER + b'"\xff\n,,\n', study)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HEADER.replace(b"age", b"years") + ROW, "no column 'age'"),
        (HEADER.replace(b"patient_id", b"id") + ROW, "no column 'patient_id'"),
        (HEADER.replace(b"target", b"outcome") + ROW, "no column 'target'"),
        (HEADER.replace(b"age", b"sex") + ROW, "names a column twice"),
        (b"", "empty"),
        (b"PK\x03\x04" + bytes(80), "spreadsheet"),
        ("patient_id,age".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_its_first_bytes(tmp_path, study, content, why):
    with pytest.raises(DataError, match=why):
        check(tmp_path / "t.csv", content, study)


def test_a_header_longer_than_the_first_look_is_read_to_its_end(tmp_path, study):
    many = b"".join(b"c%d," % n for n in range(20_000))
    assert len(many) > worker._CHECKED_BYTES
    check(tmp_path / "t.csv", many + HEADER, study)
    with pytest.raises(DataError, match="no column 'age'"):
        check(tmp_path / "t.csv", many + HEADER.replace(b"age", b"years"), study)


def test_a_line_that_names_the_separator_is_read_with_the_header(tmp_path, study):
    line = b"\xef\xbb\xbfsep=;\r\n"
    check(tmp_path / "t.csv", line + HEADER.replace(b",", b";") + ROW, study, separator=";")


# --- patients who were taken out


def prepared(path, content, study, removed=()):
    """Counts of the real worker's own preparation."""
    path.write_bytes(content)
    found = os.open(path, os.O_RDONLY)
    key = b"k" * 32
    hashes = b"".join(sorted(patient_hash(name, key) for name in removed))
    header = {
        "site": "SVI",
        "split_secret": "00" * 32,
        "text": len(study),
        "reading": USUAL,
        "patient_key": key.hex(),
        "removed": len(removed),
    }
    try:
        return worker._prepare(header, study.encode() + hashes, found)[1]
    finally:
        os.close(found)


def test_the_worker_reads_no_row_of_a_patient_who_was_taken_out(tmp_path, study):
    rows = b"".join(ROW.replace(b"p1", f"p{n}".encode()) for n in range(20))
    content = HEADER + rows + ROW.replace(b"p1", b"p7")
    whole = prepared(tmp_path / "t.csv", content, study)
    assert (whole["rows"], whole["taken_out"], whole["training"] + whole["held_out"]) == (21, 0, 20)
    left = prepared(tmp_path / "t.csv", content, study, ("p7", "p8", "nobody"))
    assert (left["rows"], left["taken_out"], left["training"] + left["held_out"]) == (21, 3, 18)
    # the file's own hash and the hospital's patients are those of the table as it lies there
    assert (left["sha256"], left["patients"]) == (whole["sha256"], whole["patients"])
