"""Header lines that real programs write: unnamed columns are told by their place, Excel's sep= line
is understood.
"""

import pytest
from hospital_folder import HEADER, register, registered, row

LINE = row("p1", "E")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            f",{HEADER}\n0,{LINE}\n",
            "column 1 of 7 (',' between them) has no name. Often these are row numbers",
        ),
        (
            f"{HEADER},\n{LINE},\n",
            "column 7 of 7 (',' between them) has no name. The line ends in a separator.",
        ),
        (
            f"{HEADER.replace(',', ',,', 1)}\n{LINE}\n",
            "column 2 of 7 (',' between them) has no name.",
        ),
        ("", "the table is empty"),
        (f"\n{HEADER}\n{LINE}\n", "its first line is empty"),
        (f'{HEADER},"note\nmore"\n{LINE},x\n', "a quotation mark is not closed"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_by_place(tmp_path, content, what):
    done = register(tmp_path, content.encode())
    assert what in done.error
    assert registered(tmp_path) == []


@pytest.mark.parametrize(
    ("sep", "quoted"), [(",", False), (";", False), ("\t", False), (";", True)]
)
def test_a_line_that_names_the_separator_is_understood_and_line_numbers_stay_right(
    tmp_path, sep, quoted
):
    first = f'"sep={sep}"' if quoted else f"sep={sep}"
    lines = [first, HEADER, LINE, row("p2", age="300")]
    done = register(
        tmp_path, "\n".join([lines[0], *(line.replace(",", sep) for line in lines[1:])]).encode()
    )
    assert "2 rows, 1 can be used (1 positive)" in done.words
    assert "found '300' once, first in line 4" in done.words
