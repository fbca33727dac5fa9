"""Tables as text: whoever is or is not in the file, everybody else is read the same, whatever
stands in notes.
"""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from small_study import SPEC

from securefl.learning.features import prepare
from securefl.learning.reading import Reading
from securefl.learning.table import read_table

SECRET = b"s" * 32
NOTE = st.text(alphabet='ab"\n\r,; é\u2028', max_size=12)
ROW = st.tuples(
    st.sampled_from(["30", "119,5", "?", "x", "Ж", "300"]),
    st.sampled_from(["1", "", "2,5"]),
    st.sampled_from(["F", "M", "f", "NA"]),
    st.sampled_from(["t", "f", "yes"]),
    st.sampled_from(["E", "-", "pending", "K|F", ""]),
    NOTE,
)
TABLE = st.dictionaries(
    st.integers(0, 20), st.lists(ROW, min_size=1, max_size=3), min_size=2, max_size=8
)
HEADER = ["patient_id", "age", "TSH", "sex", "sick", "target", "note"]


def written(table, separator=";", encoding="utf-8"):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerows([f"p{patient}", *row] for patient, rows in table.items() for row in rows)
    return out.getvalue().encode(encoding, errors="replace")


def used(table, separator=";", encoding="utf-8", extra=b""):
    reading = Reading(encoding, separator, ",")
    found = prepare(read_table(written(table, separator, encoding) + extra, reading), SPEC, SECRET)
    by_patient = {}
    for patient, x, y in zip(found.patients, found.X, found.y, strict=True):
        by_patient.setdefault(patient, []).append((x.tobytes(), int(y)))
    return by_patient, sum(found.set_aside.values())


@given(
    TABLE,
    st.data(),
    st.sampled_from([(";", "utf-8"), (",", "utf-8"), ("\t", "cp1252"), ("|", "utf-8")]),
)
def test_without_one_patient_all_others_are_read_as_they_were(table, data, how):
    gone = data.draw(st.sampled_from(sorted(table)))
    with_all, _ = used(table, *how)
    without, _ = used({p: rows for p, rows in table.items() if p != gone}, *how)
    with_all.pop(f"p{gone}", None)
    assert with_all == without


@given(TABLE)
def test_each_row_is_used_or_set_aside_once(table):
    by_patient, aside = used(table)
    assert sum(map(len, by_patient.values())) + aside == sum(map(len, table.values()))


@given(
    TABLE,
    st.sampled_from(
        [
            b'p99;"open',
            b"p99;30",
            b"\xff;30;1;F;f;E;",
            b'p99;30;1;F;f;E;"a"b"',
            b"p99" + b";" * 9,
            b"\x00",
            b'"',
        ]
    ),
)
def test_a_broken_record_at_the_end_changes_nobody(table, broken):
    before, aside = used(table)
    after, aside_after = used(table, extra=broken)
    assert after == before
    assert aside_after == aside + 1


@given(TABLE)
def test_quoted_or_not_a_table_says_the_same(table):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    writer.writerows([f"p{patient}", *row] for patient, rows in table.items() for row in rows)
    reading = Reading("utf-8", ";", ",")
    plain = prepare(read_table(written(table), reading), SPEC, SECRET)
    quoted = prepare(read_table(out.getvalue().encode(), reading), SPEC, SECRET)
    assert (plain.X.tobytes(), plain.y.tobytes(), plain.patients, plain.set_aside) == (
        quoted.X.tobytes(),
        quoted.y.tobytes(),
        quoted.patients,
        quoted.set_aside,
    )
