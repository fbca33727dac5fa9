from pathlib import Path

import pytest

from securefl.errors import DataError
from securefl.learning.table import cell_text, read_in_order, read_table, table_from_frame


def test_reads_columns_and_turns_unrecorded_values_into_none():
    table = read_table(b"a,b\n1, x \n?,NaN\n")
    assert table.columns == {"a": ("1", None), "b": ("x", None)}
    assert table.rows == 2


def test_a_broken_line_spoils_itself_and_no_neighbour():
    table = read_table(b'a,b\n1,2\n"3,4\n5,6\n7\n8,9,10\n11,12\n')
    assert table.columns["a"] == ("1", None, "5", None, None, "11")
    assert table.malformed == {1, 3, 4}
    assert table.rows == 6


def test_rows_that_get_an_answer_each_keep_the_place_of_their_line():
    assert read_in_order(b'a,b\n1,2\n"3,4\n5,6\n7\n11,"12"\n\n \n') == read_table(b'a,b\n1,2\n"3,4\n5,6\n7\n11,12\n')


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"a,b\n1,2\n\n3,4\n", "line 3 of the table is empty"), (b'a,b\n1,"x\ny"\n3,4\n', "several lines, down to line 3"), (b'a,b\n1,"x\r\ny"\n"3,4\n', "down to line 3")],
)
def test_a_table_of_which_it_is_not_clear_which_line_is_which_row_gets_no_answers(data, what):
    assert read_table(data).rows >= 2
    with pytest.raises(DataError, match=what):
        read_in_order(data)


def test_undecodable_bytes_spoil_one_value_only():
    assert read_table(b"a\n\xff\n2\n").columns["a"] == ("\ufffd", "2")


def test_unicode_line_separators_do_not_split_a_record():
    assert read_table("a\nx\u2028y\n".encode()).rows == 1


def test_a_byte_order_mark_and_windows_line_ends_are_fine():
    assert read_table(b"\xef\xbb\xbfa,b\r\n1,2\r\n").columns == {"a": ("1",), "b": ("2",)}


def test_a_missing_column_is_named_with_the_ones_that_are_there():
    with pytest.raises(DataError, match="no column 'TSH'; its columns are: a, b"):
        read_table(b"a,b\n1,2\n").column("TSH")


@pytest.mark.parametrize("data", [b"", b"\n1,2\n", b"a,,b\n", b'"a\n'])
def test_a_table_without_a_readable_header_is_refused(data):
    with pytest.raises(DataError, match="no readable header"):
        read_table(data)


def test_a_column_named_twice_is_refused():
    with pytest.raises(DataError, match="twice: a"):
        read_table(b"a,b,a\n1,2,3\n")


def test_a_file_that_is_not_there_is_a_data_error_without_its_folder(tmp_path):
    with pytest.raises(DataError, match=r"the table none\.csv cannot be read"):
        read_table(Path(tmp_path / "none.csv"))


def test_a_file_is_read(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a\n1\n")
    assert read_table(tmp_path / "t.csv").rows == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), (float("nan"), None), (3.0, "3"), (3.5, "3.5"), (7, "7"), ("  F ", "F"), ("<NA>", None)],
)
def test_values_of_a_frame_become_the_text_a_csv_would_hold(value, text):
    assert cell_text(value) == text


def test_a_data_frame_and_a_mapping_give_the_same_table():
    import pandas as pd

    columns = {"a": [1.0, None], "b": ["x", "y"]}
    assert table_from_frame(pd.DataFrame(columns)) == table_from_frame(columns)


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match="differ in length"):
        table_from_frame({"a": [1], "b": []})
