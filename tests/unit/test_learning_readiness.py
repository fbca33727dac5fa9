"""What looks wrong in a table beside the columns of a study, and what does not."""

import pytest
from conftest import protocol_text

from securefl.learning.drift import drifts, summary
from securefl.learning.readiness import look_at
from securefl.learning.table import read_table
from securefl.report.readiness import ReadinessFacts, has_trouble, readiness_page, trouble_lines
from securefl.report.terminal import plain_text
from securefl.study.parse import parse_data

SPEC = parse_data(protocol_text()).data
HEAD = "patient_id,age,TSH,sex,sick,target\n"


def rows(number=100, **changed):
    """A table without trouble, with some columns otherwise."""
    lines = []
    for i in range(number):
        cells = {
            "patient_id": f"p{i}",
            "age": f"{20 + i % 60}",
            "TSH": f"{0.5 + i % 9}",
            "sex": "FM"[i % 2],
            "sick": "ft"[i % 3 == 0],
            "target": "E-"[i % 2],
        }
        for name, make in changed.items():
            cells[name] = make(i)
        lines.append(",".join(cells.values()))
    return HEAD + "\n".join(lines)


def look(text):
    return look_at(read_table(text.encode()), SPEC)


def found(text, before=None):
    """Sentences about a table, without the count of rows."""
    seen = look(text)
    drift = ()
    earlier = ""
    if before is not None:
        drift = drifts(seen, summary(look(before)))
        earlier = "2026-01-01"
    facts = ReadinessFacts("records", "", seen, None, "", earlier, 100, drift)
    lines = []
    for line in trouble_lines(facts):
        parts = (line,) if isinstance(line, str) else line
        lines.append("".join(getattr(part, "text", part) for part in parts))
    return lines


def test_a_table_without_trouble_is_one_line():
    facts = ReadinessFacts("records", "", look(rows()), None)
    assert not has_trouble(facts)
    said = plain_text(readiness_page(facts, whole=False), 200).strip()
    assert said.startswith("No trouble found in 'records'")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "make", "factors"),
    [
        ("age", lambda i: f"{300 + i}", "divided by 10"),
        ("age", lambda i: f"{20_000 + 500 * i}", "divided by 1000"),
        ("TSH", lambda i: f"{0.0001 + 0.00003 * (i % 100)}", "multiplied by 1000"),
    ],
)
def test_another_unit_is_told_with_its_factor(name, make, factors):
    lines = [line for line in found(rows(**{name: make})) if "another unit" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: is it in another unit? Those rows fit ")
    assert factors in lines[0]


def test_glucose_in_milligrams_where_millimoles_are_declared():
    text = protocol_text().replace('"0", high = "120", unit = "years"', '"3", high = "7"')
    text = text.replace('"age"', '"age"', 1)
    spec = parse_data(text).data
    seen = look_at(read_table(rows(age=lambda i: f"{72 + i % 50}").encode()), spec)
    assert seen.columns[0].scale.divide == (18.0,)


def test_a_few_values_outside_are_no_other_unit():
    lines = found(rows(age=lambda i: "300" if i < 4 else "50"))
    assert "age: rows outside the declared range: 4" in lines
    assert not any("another unit" in line for line in lines)


def test_numbers_on_the_edge_of_a_wide_range_are_asked_about():
    assert any("twentieth" in line for line in found(rows(age=lambda i: f"{1 + i / 100}")))
    assert not any("twentieth" in line for line in found(rows(age=lambda _: "50")))


def test_spellings_near_a_level_are_told_with_what_is_meant():
    lines = found(rows(sex=lambda i: "f" if i < 7 else "M"))
    assert "sex: rows with 'f' where the study declares 'F': 7" in lines
    assert "sex: rows with a text that the study does not declare: 7" in lines


def test_missing_columns_and_missing_values_are_told():
    assert "sick: the table has no such column" in found(rows().replace(",sick,", ",ill,"))
    assert "TSH: not recorded in 25 % of the rows" in found(
        rows(TSH=lambda i: "" if i % 4 == 0 else "2")
    )
    assert "TSH: nothing is recorded in any row" in found(rows(TSH=lambda _: "NA"))
    assert not any("TSH" in line for line in found(rows(TSH=lambda i: "" if i % 9 == 0 else "2")))


def test_doubles_are_counted_and_a_patient_with_two_visits_is_none():
    text = rows(10)
    again = text + "\n" + text.splitlines()[3]
    assert "Rows that repeat an earlier row: 1." in found(again)
    other = text.splitlines()[3].replace("p2,22", "p2,23")
    assert not any("repeat" in line for line in found(text + "\n" + other))


def test_a_broken_record_is_counted_nowhere():
    seen = look(rows(10) + "\np11,33")
    assert seen.rows == 11
    assert {column.cells for column in seen.columns} == {10}


def test_a_table_that_changed_is_told_and_one_like_it_is_not():
    before = rows()
    assert found(before, before) == []
    moved = rows(age=lambda i: f"{50 + i % 60}", sex=lambda i: "F" if i % 10 else "M")
    lines = found(moved, before)
    assert any(line.startswith("age: mean place in the range was 38 % and is ") for line in lines)
    assert any(line.startswith("sex: share of 'F' was 50 % and is 90 %") for line in lines)
    gone = found(rows(TSH=lambda i: "" if i % 3 == 0 else "2"), rows(TSH=lambda _: "2"))
    assert "TSH: not recorded was 0 % and is 34 % since the table of 2026-01-01" in gone
    assert any("had 100 rows on" in line for line in found(rows(50), before))


def test_chance_in_a_small_table_is_no_drift():
    before = rows(12, sex=lambda i: "F" if i < 6 else "M")
    after = rows(12, sex=lambda i: "F" if i < 8 else "M")
    assert not any("sex" in line for line in found(after, before))


def test_a_column_declared_otherwise_is_not_compared():
    earlier = summary(look(rows()))
    earlier["columns"]["age"]["labels"] = ["0", "1"]
    moved = look(rows(age=lambda i: f"{60 + i % 60}"))
    assert drifts(moved, earlier) == ()


def test_what_is_kept_of_a_look_holds_no_cell():
    text = rows(age=lambda i: "17.4242" if i == 3 else "50", sex=lambda i: "Qx7" if i == 5 else "F")
    kept = str(summary(look(text)))
    for cell in ("17.4242", "Qx7", "p3"):
        assert cell in text
        assert cell not in kept
