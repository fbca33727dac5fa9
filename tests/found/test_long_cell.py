"""A cell of many thousand characters: what no study needs spoils no row, and a record without end
is named by its line.
"""

from hospital_folder import HEADER, register, row


def test_a_long_note_spoils_nothing(tmp_path):
    done = register(
        tmp_path, f"{HEADER},note\n{row('p1', 'E')},{'x' * 200_000}\n{row('p2')},\n".encode()
    )
    assert "2 rows, 2 can be used (1 positive)." in done.words


def test_a_record_longer_than_a_megabyte_is_set_aside_with_its_line(tmp_path):
    done = register(
        tmp_path, f"{HEADER},note\n{row('p1', 'E')},\n{row('p2')},{'x' * 1_100_000}\n".encode()
    )
    assert "2 rows, 1 can be used" in done.words
    assert "no record: it is longer than 1,048,576 characters (once, first in line 3)" in done.words


def test_a_long_cell_is_shown_in_short(tmp_path):
    done = register(tmp_path, f"{HEADER}\n{row('p1', age='9' * 500)}\n{row('p2')}\n".encode())
    assert f"found '{'9' * 40}...' once" in done.words
