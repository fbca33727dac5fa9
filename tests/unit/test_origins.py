"""Tables that are no text at home: what is taken out of them, value by value."""

import csv
import io
import json
import sys
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import protocol_text
from pyarrow import parquet
from small_study import SPEC

from securefl.cli.main import cli
from securefl.errors import DataError
from securefl.learning.mock import mock_table
from securefl.node.site import Site
from securefl.origins import origin as origins
from securefl.origins.cell_text import cell_text
from securefl.origins.origin import origin_of
from securefl.origins.writing import write_table

GOOD = mock_table(SPEC, 50, seed=1)


def taken(origin, folder):
    file = folder / "taken.csv"
    file.unlink(missing_ok=True)
    write_table(origin, file)
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (True, "true"),
        (7, "7"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+2"), "100"),
        (Decimal("NaN"), ""),
        (date(2025, 3, 1), "2025-03-01"),
        (datetime.fromisoformat("2025-03-01"), "2025-03-01"),
        (datetime.fromisoformat("2025-03-01T10:30"), "2025-03-01T10:30:00"),
        ("ä\0\ud800", "ä��"),
        ([1], "�"),
    ],
)
def test_a_value_is_text_by_itself(value, text):
    assert cell_text(value) == text


def workbook(file, *sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets:
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    book.save(file)
    return file


def test_a_sheet_is_taken_out_of_a_workbook(tmp_path):
    lines = [["id", "tsh", "seen", None], ["a", 2.0, date(2025, 3, 1)], [None], ["b", 0.25]]
    file = workbook(tmp_path / "one.xlsx", ("visits", lines))
    assert taken(origin_of(file), tmp_path) == "id,tsh,seen\na,2,2025-03-01\nb,0.25,\n"
    two = workbook(tmp_path / "two.xlsx", ("visits", lines), ("notes", [["n"], [1]]))
    with pytest.raises(DataError, match="the sheets 'visits', 'notes'"):
        taken(origin_of(two), tmp_path)
    assert taken(origin_of(two, "notes"), tmp_path) == "n\n1\n"
    with pytest.raises(DataError, match="no sheets"):
        origin_of(tmp_path / "table.csv", "notes")


def test_a_parquet_files_types_are_its_own_whatever_is_missing(tmp_path):
    table = pa.table(
        {
            "id": pa.array(["a", "b"]),
            "age": pa.array([40, None], pa.int32()),
            "share": pa.array([0.5, None], pa.float32()),
            "list": pa.array([[1], []]),
            "bytes": pa.array([b"x", b"y"]),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    assert taken(origin_of(tmp_path / "t.parquet"), tmp_path) == "id,age,share\na,40,0.5\nb,,\n"


@pytest.mark.parametrize("name", ["t.xlsx", "t.parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04rubbish", b"PAR1" + b"\0" * 90, b"a,b\n1,2\n"]
)
def test_rubbish_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        taken(origin_of(tmp_path / name), tmp_path)


@pytest.mark.parametrize(
    ("lines", "why"),
    [([["a", "a"], [1, 2]], "two columns called 'a'"), ([[None], [1]], "no columns with names")],
)
def test_columns_without_names_or_with_one_name_are_refused(tmp_path, lines, why):
    file = workbook(tmp_path / "t.xlsx", ("s", lines))
    with pytest.raises(DataError, match=why):
        taken(origin_of(file), tmp_path)


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    file = tmp_path / "t.xlsx"
    with pytest.raises(DataError, match="openpyxl is needed") as refused:
        taken(origin_of(file), tmp_path)
    assert "securefl[excel]" in refused.value.next_step


LOINC = "http://loinc.org|3016-3"
SNOMED = "http://snomed.info/sct|44054006"
MAPPING = f"""\
schema = "securefl-fhir/1"
folder = "export"
columns = [
  {{ name = "patient_id", patient = "id" }},
  {{ name = "age", patient = "age", on = 2025-06-30 }},
  {{ name = "sex", patient = "gender" }},
  {{ name = "tsh", observation = "{LOINC}", unit = "m[IU]/L" }},
  {{ name = "first", observation = "{LOINC}", unit = "m[IU]/L", take = "first" }},
  {{ name = "diabetes", condition = ["{SNOMED}"] }},
]
"""


def coded(code):
    system, _, word = code.partition("|")
    return {"coding": [{"system": system, "code": word}]}


def measured(whose, when, value, unit="m[IU]/L", **more):
    return {
        "resourceType": "Observation",
        "subject": {"reference": f"Patient/{whose}"},
        "code": coded(LOINC),
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "code": unit},
        **more,
    }


def export(folder, **kinds):
    (folder / "export").mkdir(exist_ok=True)
    for kind, resources in kinds.items():
        lines = [json.dumps(resource) for resource in resources]
        (folder / "export" / f"{kind}.ndjson").write_text("\n".join(lines) + "\n")
    (folder / "mapping.toml").write_text(MAPPING)
    return origin_of(folder / "mapping.toml")


PATIENTS = [
    {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1980-07-01"},
    {"resourceType": "Patient", "id": "b", "gender": "male", "birthDate": "1980"},
]


def test_a_record_is_made_of_one_patients_resources(tmp_path):
    made = export(
        tmp_path,
        Patient=PATIENTS,
        Observation=[
            measured("a", "2025-01-02T08:00:00+01:00", 2.5),
            measured("a", "2025-01-02T07:30:00Z", 2.0),
            measured("a", "2025-03-01", 9.0, status="entered-in-error"),
            measured("a", "2025-04-01", 90.0, unit="ng/dL"),
            measured("c", "2025-04-01", 7.0),
        ],
        Condition=[
            {
                "resourceType": "Condition",
                "subject": {"reference": "Patient/b"},
                "code": coded(SNOMED),
            },
            {
                "resourceType": "Condition",
                "subject": {"reference": "https://fhir.example/Patient/a"},
                "code": coded(SNOMED),
                "verificationStatus": {"coding": [{"code": "refuted"}]},
            },
        ],
    )
    rows = list(csv.reader(io.StringIO(taken(made, tmp_path))))
    assert rows == [
        ["patient_id", "age", "sex", "tsh", "first", "diabetes"],
        ["a", "44", "female", "2.0", "2.5", "false"],
        ["b", "", "male", "", "", "true"],
    ]


def test_a_patients_record_stays_when_another_comes(tmp_path):
    """Rule 10; the control changes that patient's own resources."""
    alone = export(tmp_path, Patient=PATIENTS[:1], Observation=[measured("a", "2025", 2)])
    first = taken(alone, tmp_path).splitlines()[1]
    more = [measured("a", "2025", 2), measured("b", "2026", 3)]
    export(tmp_path, Patient=[PATIENTS[1], PATIENTS[0]], Observation=more)
    assert taken(alone, tmp_path).splitlines()[2] == first
    export(tmp_path, Observation=[measured("a", "2025", 3)])
    assert taken(alone, tmp_path).splitlines()[2] != first


@pytest.mark.parametrize("line", ["no json", "[1]", '{"resourceType": "Group"}', "[" * 99_999])
def test_a_line_that_is_no_resource_is_named_without_its_content(tmp_path, line):
    made = export(tmp_path, Patient=PATIENTS, Observation=[], Condition=[])
    (tmp_path / "export" / "Patient.000.ndjson").write_text(line + "\n")
    with pytest.raises(DataError, match=r"Patient\.000\.ndjson, line 1 is no Patient"):
        taken(made, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("on = 2025-06-30", "since = 1", "columns"),
        ('folder = "export"', 'folder = "none"', "no Patient"),
        ("columns = [", "columns = 7 [", "no mapping"),
    ],
)
def test_a_mapping_that_says_something_else_is_refused(tmp_path, old, new, why):
    export(tmp_path, Patient=PATIENTS, Observation=[], Condition=[])
    (tmp_path / "mapping.toml").write_text(MAPPING.replace(old, new))
    with pytest.raises(DataError, match=why):
        taken(origin_of(tmp_path / "mapping.toml"), tmp_path)


def test_a_long_description_is_refused_and_another_toml_is_a_text_table(tmp_path, monkeypatch):
    (tmp_path / "t.toml").write_text("other = 1\n")
    assert origin_of(tmp_path / "t.toml") is None
    monkeypatch.setattr(origins, "_LONGEST_DESCRIPTION", 4)
    with pytest.raises(DataError, match="too long"):
        origin_of(tmp_path / "t.toml")


@pytest.fixture
def place(tmp_path):
    Site.init(
        tmp_path / "A",
        name="A",
        legal_name="Hospital",
        email="a@example.org",
        store=str(tmp_path / "store"),
    ).ledger.close()
    (tmp_path / "columns.toml").write_text(protocol_text())
    workbook(tmp_path / "t.xlsx", ("s", csv.reader(io.StringIO(GOOD.decode()))))
    return tmp_path


def data(place, *words):
    done = CliRunner().invoke(cli, ["site", "data", *words, "--site", str(place / "A")])
    assert done.exception is None, done.output
    return " ".join(done.output.split())


def tables(place):
    return sorted((place / "A" / "private" / "tables").iterdir())


def test_a_workbook_is_registered_looked_at_and_taken_out_again(place):
    table, columns = str(place / "t.xlsx"), ("--columns", str(place / "columns.toml"))
    said = data(place, "check", table, *columns)
    assert "50 records were taken out of an Excel workbook." in said
    assert tables(place) == []  # a look leaves nothing
    add = ("add", "records", table, "--population", "clinic", *columns)
    said = data(place, *add)
    assert "Studies read what was taken out of it" in said
    (first,) = tables(place)
    assert (
        Site.at(place / "A").dataset("records").table(place / "A").content() == first.read_bytes()
    )
    again = data(place, *add)
    assert "is registered already" not in again  # it stands for the same workbook
    assert len(tables(place)) == 1
    assert tables(place) != [first]
    assert f"records patients of clinic {table}" in data(place, "list")


def test_a_workbook_that_is_not_registered_leaves_nothing(place):
    file = workbook(place / "t.xlsx", ("s", [["id"], [1]]))
    words = ["site", "data", "add", "records", str(file), "--population", "clinic"]
    more = ["--columns", str(place / "columns.toml"), "--site", str(place / "A")]
    done = CliRunner().invoke(cli, [*words, *more])
    assert isinstance(done.exception, DataError)
    assert tables(place) == []
