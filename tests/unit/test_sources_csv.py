import hashlib
import os
from pathlib import Path

import pytest

from securefl.errors import DataError, UsageError
from securefl.learning.reading import USUAL, Reading
from securefl.learning.table import read_table
from securefl.party.folder import DatasetEntry
from securefl.sources.csv import CsvSource
from securefl.sources.source import GivenReading, find_source, keyed_fingerprint, kind_of
from securefl.sources.table_file import table_descriptor

KEY = bytes(range(32))


def open_here():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_that_may_be_read_is_read_and_no_descriptor_stays_open(tmp_path):
    content = b"a\n" + b"1\n" * 10
    (tmp_path / "t.csv").write_bytes(content)
    before = open_here()
    source = CsvSource(tmp_path / "t.csv")
    assert source.content() == content
    assert source.columns() == ("a",)
    assert source.fingerprint(KEY) == keyed_fingerprint(KEY, hashlib.sha256(content).hexdigest())
    os.mkfifo(tmp_path / "p")
    for path in (tmp_path / "p", tmp_path, tmp_path / "none"):
        for ask in (
            CsvSource.open,
            CsvSource.columns,
            CsvSource.content,
            lambda s: s.fingerprint(KEY),
        ):
            with pytest.raises(DataError):
                ask(CsvSource(path))
    assert open_here() == before


def test_a_file_that_is_not_there_is_a_data_error_without_its_folder(tmp_path):
    with pytest.raises(DataError, match=r"the table none\.csv cannot be opened"):
        CsvSource(tmp_path / "none.csv").content()


def test_a_file_is_read(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a\n1\n")
    assert read_table(CsvSource(tmp_path / "t.csv").content()).rows == 1


def test_a_path_that_cannot_be_one_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be the name of a file"):
        table_descriptor(tmp_path / "a\0b")


def test_a_file_that_became_a_pipe_between_the_look_and_the_opening_is_refused_and_closed(
    tmp_path, monkeypatch
):
    (tmp_path / "t.csv").write_bytes(b"a\n")
    opened = os.open

    def exchanged(path, *more):
        path.unlink()
        os.mkfifo(path)
        return opened(path, *more)

    before = open_here()
    monkeypatch.setattr(os, "open", exchanged)
    with pytest.raises(DataError, match="is a pipe"):
        table_descriptor(tmp_path / "t.csv")
    assert open_here() == before


def test_the_version_is_another_when_the_file_changed_and_none_when_it_is_gone(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(b"a\n1\n")
    source = CsvSource(file)
    with source.open() as opened:
        assert opened.version == source.version() is not None
    file.write_bytes(b"a\n1\n2\n")
    assert source.version() != opened.version
    file.unlink()
    assert source.version() is None


def test_a_table_is_found_with_the_reading_that_its_first_line_shows(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a;b\n1,5;2\n")
    found = find_source(tmp_path / "t.csv", {"b"}, GivenReading(decimal=","))
    assert found == CsvSource(tmp_path / "t.csv", Reading("utf-8", ";", ","))
    assert found.columns() == ("a", "b")
    said = find_source(tmp_path / "t.csv", {"b"}, GivenReading(separator=","))
    assert said.columns() == ("a;b",)


@pytest.mark.parametrize("name", ["t.csv", "t.TSV", "t.txt", "export", "t.dat"])
def test_a_file_is_taken_for_csv_unless_its_name_tells_another_kind(name):
    assert kind_of(Path(name)) == "csv"


def test_settings_name_the_kind_and_those_without_it_mean_csv(tmp_path):
    entry = DatasetEntry(name="records", population="clinic", path="t.csv")
    assert entry.table(tmp_path) == CsvSource(tmp_path / "t.csv", USUAL)
    unknown = DatasetEntry(name="records", population="clinic", path="t", source="unheard-of")
    with pytest.raises(UsageError, match="There is no source 'unheard-of'"):
        unknown.table(tmp_path)
