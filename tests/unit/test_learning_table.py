import pytest

from securefl.errors import DataError
from securefl.learning.table import cell_text, read_in_order, read_table, table_from_frame


def test_reads_columns_of_texts_as_they_stand_and_empty_cells_as_none():
    table = read_table(b"a,b\n1, x \n?,NaN\n,  \n")
    assert table.columns == {"a": ("1", "?", None), "b": ("x", "NaN", None)}
    assert table.rows == 3
    assert table.lines == (2, 3, 4)


def test_a_broken_line_spoils_itself_and_no_neighbour():
    table = read_table(b'a,b\n1,2\n"3,4\n5,6\n7\n8,9,10\n11,12\n')
    assert table.columns["a"] == ("1", None, "5", None, None, "11")
    assert table.malformed == {
        1: "a quotation mark is not closed",
        3: "it has 1 values, the header names 2",
        4: "it has 3 values, the header names 2",
    }
    assert table.rows == 6


def test_rows_that_get_an_answer_each_keep_the_place_of_their_line():
    assert read_in_order(b'a,b\n1,2\n"3,4\n5,6\n7\n11,"12"\n\n \n') == read_table(
        b'a,b\n1,2\n"3,4\n5,6\n7\n11,12\n'
    )


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"a,b\n1,2\n\n3,4\n", 3), (b'a,b\n1,"x\n\ny"\n\n3,4\n', 5), (b"a,b\n\n1,2\n", 2)],
)
def test_a_table_with_an_empty_line_between_its_records_gets_no_answers(data, line):
    assert read_table(data).rows >= 1
    with pytest.raises(DataError, match=f"line {line} of the table is empty"):
        read_in_order(data)


@pytest.mark.parametrize(
    "data", [b'a,b\n1,"x\ny"\n3,4\n', b'a,b\r\n1,"x\r\ny"\r\n3,4\r\n', b'a,b\n1,"x\n\ny"\n3,4\n']
)
def test_a_record_over_several_lines_is_one_row_with_the_line_where_it_begins(data):
    table = read_in_order(data)
    assert (table.rows, table.malformed, table.columns["a"]) == (2, {}, ("1", "3"))
    assert table.columns["b"][0].split() == ["x", "y"]
    assert table.lines[0] == 2
    assert data.splitlines()[table.lines[1] - 1] == b"3,4"


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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (float("nan"), None),
        (3.0, "3"),
        (3.5, "3.5"),
        (7, "7"),
        ("  F ", "F"),
        ("<NA>", "<NA>"),
        ("", None),
        ("none", "none"),
    ],
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
