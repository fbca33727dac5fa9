import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securefl.learning import records as module
from securefl.learning.records import MOST_LINES, NOT_CLOSED, NOT_DOUBLED, TOO_LONG, records

CELL = st.text(alphabet='ab,;"\n ', max_size=6)


def read(text, separator=","):
    return [
        (r.line, list(r.fields) if r.wrong is None else r.wrong)
        for r in records(text.split("\n"), separator)
    ]


@given(
    st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6),
    st.sampled_from(",;"),
    st.booleans(),
)
def test_whatever_a_program_wrote_by_the_rfc_is_read_as_it_was(rows, separator, everything):
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=separator, lineterminator="\n", quoting=quoting).writerows(rows)
    found = list(records(out.getvalue()[:-1].split("\n"), separator))
    assert [list(r.fields) for r in found] == [
        row for row in rows if any(cell.strip() for cell in row) or len(row) > 1
    ]
    assert {r.wrong for r in found} == {None}
    lines = out.getvalue().split("\n")
    for record, following in zip(found, [*(r.line for r in found[1:]), len(lines)], strict=True):
        assert record.last == following - 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('P1,"a\nb"\nP2,c', [(1, ["P1", "a\nb"]), (3, ["P2", "c"])]),
        ('P1,"a\n\nb"\n\nP2,""', [(1, ["P1", "a\n\nb"]), (5, ["P2", ""])]),
        ('P1,"a ""b"" c"\n"P2",5" pipe', [(1, ["P1", 'a "b" c']), (2, ["P2", '5" pipe'])]),
        # never closed: that line alone
        ('P1,"a\nP2,b', [(1, NOT_CLOSED), (2, ["P2", "b"])]),
        # opened anew: the quote before was no quote over lines
        ('P1,"a\nP2,"b, c"\n"P3",d', [(1, NOT_CLOSED), (2, ["P2", "b, c"]), (3, ["P3", "d"])]),
        # a mark inside is not doubled: the record goes on to its true end, and nothing comes out of
        # its inside
        ('P1,"he "said\nP9,60\nend"\nP2,b', [(1, NOT_DOUBLED), (4, ["P2", "b"])]),
        ('P1,"he "said" so"\nP2,b', [(1, NOT_DOUBLED), (2, ["P2", "b"])]),
    ],
)
def test_records_begin_where_the_rfc_or_the_rule_for_broken_ones_says(text, found):
    assert read(text) == found


GOOD = st.lists(
    st.lists(st.text(alphabet='ab," x', max_size=5), min_size=2, max_size=2), min_size=1, max_size=5
)


@given(GOOD, GOOD, st.sampled_from(['p,"open', 'p,"a"b"c', '"p"q,x', 'p,"']))
def test_a_broken_line_takes_no_neighbour_with_it_whose_quotes_are_whole(before, after, broken):
    def written(rows):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([f"k{cell}" for cell in row] for row in rows)
        return out.getvalue().splitlines()

    first, last = written(before), written(after)
    alone = [list(r.fields) for r in (*records(first, ","), *records(last, ","))]
    mixed = list(records([*first, broken, *last], ","))
    assert [list(r.fields) for r in mixed if r.wrong is None] == alone
    assert sum(r.wrong is not None for r in mixed) == 1


def test_a_record_has_a_longest_length_and_a_largest_number_of_lines():
    long = "x" * (1 << 20)
    assert read(f"a,{long}\nb,c") == [(1, TOO_LONG), (2, ["b", "c"])]
    assert read(f'a,"{long}"\nb,c') == [(1, TOO_LONG), (2, ["b", "c"])]
    lines = ['a,"note', *["more"] * MOST_LINES, 'end"']
    assert read("\n".join(lines))[0] == (1, NOT_CLOSED)
    assert read("\n".join(lines[:1] + lines[3:])) == [
        (1, ["a", "\n".join(["note", *["more"] * (MOST_LINES - 2), "end"])])
    ]


@pytest.mark.parametrize("lines", [['a,"b'], ['"a"b,c'], ['a,"b', "c"], ['a,"b', 'x"y']])
def test_a_file_full_of_broken_quotes_is_looked_at_a_few_times_not_once_for_each_line(
    monkeypatch, lines
):
    fed = []
    feed = module._Reader.feed
    monkeypatch.setattr(
        module._Reader, "feed", lambda self, text: (fed.append(text), feed(self, text))[1]
    )
    many = lines * (6000 // len(lines))
    assert any(record.wrong for record in records(many, ","))
    assert len(fed) < 3 * len(many)
