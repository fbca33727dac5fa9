"""Notes on a table of many columns: a sentence, and not a line a column."""

from types import SimpleNamespace

from securefl.node.tables import _clipped


def test_many_columns_outside_their_range_are_one_sentence_the_most_frequent_first():
    found = SimpleNamespace(clipped={f"c{n}": 1000 + n for n in range(25)})
    (note,) = _clipped(found)
    start = "values outside the range count as its nearer end: c24 in 1,024 of the rows that can"
    assert note.startswith(start)
    assert note.endswith("c5 in 1,005 and 5 more")
    assert note.count(" in 1,0") == 20


def test_a_table_within_its_ranges_has_no_note():
    assert _clipped(SimpleNamespace(clipped={})) == []
