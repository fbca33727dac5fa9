"""What can be registered as a table, what the owner is told about its rows, and that nobody else is
told anything by it.
"""

import json

import pytest
from click.testing import CliRunner
from conftest import protocol_text
from small_study import SPEC

from securefl.cli.main import cli
from securefl.errors import DataError, StudyError, UnreadableError, UsageError
from securefl.learning.mock import mock_table
from securefl.learning.reading import USUAL, Reading
from securefl.node.site import Site

GOOD = mock_table(SPEC, 50, seed=1)
ROW = "{},30,1,F,f,-"


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
    (tmp_path / "good.csv").write_bytes(GOOD)
    return tmp_path


def type_in(place, *words):
    done = CliRunner().invoke(cli, [*words, "--site", str(place / "A")])
    return done, " ".join(done.output.split())


def add(place, content, *more, name="records", population="clinic", file="table.csv"):
    (place / file).write_bytes(content)
    return type_in(
        place,
        "site",
        "data",
        "add",
        name,
        str(place / file),
        "--population",
        population,
        "--columns",
        str(place / "columns.toml"),
        *more,
    )


def registered(place):
    return {d.name: d.path for d in Site.at(place / "A").settings.datasets}


@pytest.mark.parametrize(
    ("content", "what", "mend"),
    [
        (b"\x8f\x07\x91\x00\xff\xfe" * 300, "it is not text in UTF-8", "Save the table as CSV"),
        (b"PK\x03\x04" + b"x" * 90, "it is a spreadsheet", "save it as 'CSV UTF-8'"),
        (
            protocol_text().encode(),
            "no column 'patient_id' (the patients' identifiers) and no column 'target' (the label)",
            "Name the right file",
        ),
        (
            GOOD.replace(b",", b";").replace(b"target", b"outcome"),
            "no column 'target' (the label)",
            "write these names into its first line",
        ),
        (
            GOOD.replace(b"patient_id", b"person"),
            "no column 'patient_id' (the patients' identifiers)",
            "write these names into its first line",
        ),
        (
            GOOD.replace(b"target", b"outcome"),
            "no column 'target' (the label)",
            "write these names into its first line",
        ),
        (b"", "no readable header line", "first line names every column"),
    ],
)
def test_a_file_that_no_study_could_use_is_refused_with_the_mend(place, content, what, mend):
    done, _ = add(place, content)
    assert isinstance(done.exception, DataError)
    assert what in done.exception.what
    assert mend in done.exception.next_step
    assert registered(place) == {}


@pytest.mark.parametrize(
    "encoded",
    [
        GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\r\n", b"\n").replace(b"\n", b"\r"),
        GOOD.replace(b"sick", b"sick,un\xc2\xa0named"),
    ],
)
def test_a_table_is_registered_whatever_program_wrote_it(place, encoded):
    assert add(place, encoded)[0].exit_code == 0
    assert list(registered(place)) == ["records"]


@pytest.mark.parametrize(
    ("content", "options", "words", "reading"),
    [
        (GOOD.replace(b",", b";"), (), "';' between the values", Reading("utf-8", ";", ".")),
        (GOOD.replace(b",", b"\t"), (), "tabs between the values", Reading("utf-8", "\t", ".")),
        (
            b"sep=|\r\n" + GOOD.replace(b"|", b"-").replace(b",", b"|"),
            (),
            "'|' between the values",
            Reading("utf-8", "|", "."),
        ),
        (
            GOOD.replace(b",", b";").replace(b".", b","),
            ("--decimal", "comma"),
            "a comma in decimal numbers",
            Reading("utf-8", ";", ","),
        ),
        (
            GOOD,
            ("--encoding", "latin-1", "--separator", "comma"),
            "text in iso8859-1",
            Reading("iso8859-1", ",", "."),
        ),
    ],
)
def test_how_a_table_is_read_is_said_kept_and_used_for_the_count(
    place, content, options, words, reading
):
    _, out = add(place, content, *options)
    assert words in out
    assert "50 rows, 50 can be used" in out
    (entry,) = Site.at(place / "A").settings.datasets
    assert entry.reading == reading


def test_a_decimal_comma_is_never_guessed_but_named(place):
    _, out = add(place, GOOD.replace(b",", b";").replace(b".", b","))
    assert "if the table's decimal sign were a comma" in out
    assert "50 can be used" not in out


def test_a_look_registers_nothing_and_says_the_same(place):
    (place / "table.csv").write_bytes(GOOD)
    _, looked = type_in(
        place,
        "site",
        "data",
        "check",
        str(place / "table.csv"),
        "--columns",
        str(place / "columns.toml"),
    )
    assert registered(place) == {}
    assert not (place / "A" / "public" / "records").exists()
    _, added = add(place, GOOD)
    assert "50 rows, 50 can be used" in looked
    assert (
        looked[looked.index("For your eyes only") :] == added[added.index("For your eyes only") :]
    )


def test_settings_written_before_tables_could_be_read_in_several_ways_still_open(place):
    add(place, GOOD)
    settings = place / "A" / "site.toml"
    lines = [
        line
        for line in settings.read_text().splitlines()
        if line.split(" = ")[0] not in {"encoding", "separator", "decimal"}
    ]
    settings.write_text("\n".join(lines) + "\n")
    (entry,) = Site.at(place / "A").settings.datasets
    assert entry.reading == Reading("utf-8", ",", ".")
    settings.write_text(
        settings.read_text().replace("[[datasets]]", '[[datasets]]\nencoding = "utf-16"')
    )
    with pytest.raises(UnreadableError, match=r"site\.toml cannot be read"):
        Site.at(place / "A")


@pytest.mark.parametrize(
    ("name", "population"),
    [("my thyroid", "clinic"), ("records", "Thyroid Referrals"), ("9", "clinic")],
)
def test_a_name_that_is_none_is_refused_with_the_rule_for_names(place, name, population):
    done, _ = add(place, GOOD, name=name, population=population)
    assert isinstance(done.exception, UsageError)
    assert "Names start with a letter" in done.exception.next_step
    assert registered(place) == {}


def test_the_owner_sees_how_many_rows_can_be_used_and_why_the_others_cannot(place):
    lines = [ROW.format(f"p{i}") for i in range(4)] + [
        "q1,200,1,F,f,-",
        "q2,30,1,F,f",
        ",30,1,F,f,-",
        "q3,30,1,F,f,E",
    ]
    _, out = add(place, "\n".join(["patient_id,age,TSH,sex,sick,target", *lines]).encode())
    assert "8 rows, 5 can be used (1 positive)" in out
    for reason in (
        "age: outside 0 to 120",
        "too few or too many values",
        "patient identifier is missing",
    ):
        assert f"1 set aside ({reason}" in out.replace(
            "1 set aside (the line has ", "1 set aside ("
        )
    assert "WARNING" not in out


def test_a_table_of_which_no_row_can_be_used_is_registered_with_a_loud_warning(place):
    _, out = add(
        place, b"patient_id,age,TSH,sex,sick,target\np1,30 years,1,F,f,-\np2,31 years,1,F,f,E\n"
    )
    assert "2 rows, 0 can be used (0 positive); 2 set aside (age: not a number)" in out
    assert "WARNING: NO ROW of your table can be used" in out


def test_what_others_can_see_is_the_same_whatever_the_rows_are(place):
    def shown(content):
        add(place, content, "--yes")
        return {p.name: p.read_bytes() for p in (place / "A" / "public" / "records").iterdir()}

    empty = GOOD.splitlines(keepends=True)[0]
    assert shown(GOOD) == shown(empty) == shown(GOOD + b"broken\n")
    kept = b"".join(p.read_bytes() for p in (place / "A").rglob("*") if p.is_file())
    assert b"set aside" not in kept
    assert b"can be used" not in kept


def test_what_stood_in_a_row_is_on_the_screen_and_nowhere_else(place):
    odd = b"zz9-plural-alpha"
    _, out = add(place, GOOD + b"q1,30,1," + odd + b",f,-\nq2,30,1,F,f," + odd + b"\n")
    assert out.count("found 'zz9-plural-alpha'") == 2
    others = [p for p in place.rglob("*") if p.is_file() and p != place / "table.csv"]
    assert len(others) > 8
    assert not [p for p in others if odd in p.read_bytes()]


def test_a_name_that_stands_for_another_file_is_asked_about(place):
    assert add(place, GOOD)[0].exit_code == 0
    assert add(place, GOOD + b"x9,30,1,F,f,-\n")[0].exit_code == 0  # the same file with new rows
    asked, out = add(place, GOOD, file="other.csv")
    assert f"registered already, for the file {place / 'table.csv'}" in out
    assert "nobody can be asked here" in str(asked.exception)
    assert registered(place) == {"records": str(place / "table.csv")}
    assert add(place, GOOD, "--yes", file="other.csv")[0].exit_code == 0
    assert registered(place) == {"records": str(place / "other.csv")}


def test_the_registered_data_sets_are_listed_with_their_files(place):
    assert "No data set is registered" in type_in(place, "site", "data", "list")[1]
    add(place, GOOD)
    add(place, GOOD, name="more", file="more.csv")
    (place / "more.csv").unlink()
    done, _ = type_in(place, "site", "data", "list")
    assert done.output.splitlines() == [
        f"records  patients of clinic  {place / 'table.csv'}",
        f"  {USUAL.words}",
        f"more  patients of clinic  {place / 'more.csv'}  (the file is not there now)",
        f"  {USUAL.words}",
    ]
    done, _ = type_in(place, "site", "data", "list", "--json", "-")
    assert [d["there"] for d in json.loads(done.output)["datasets"]] == [True, False]


def test_columns_from_a_study_that_contradicts_itself_are_refused_as_a_study_is(place):
    (place / "columns.toml").write_text(
        protocol_text(('noise_multiplier = "2.14"', 'noise_multiplier = "2.13"'))
    )
    done, _ = add(place, GOOD)
    assert isinstance(done.exception, StudyError)
    assert "stages.1.epsilon" in done.exception.what
    assert registered(place) == {}


# --- taking a data set away


def remove(place, name="records", *more):
    return type_in(place, "site", "data", "remove", name, *more)


def test_a_data_set_is_taken_away_and_its_file_stays(place):
    add(place, GOOD)
    public = place / "A" / "public" / "records"
    assert public.is_dir()
    asked, words = remove(place)
    assert asked.exit_code != 0
    assert "that file stays as it is" in words
    assert registered(place) == {"records": str(place / "table.csv")}
    assert remove(place, "records", "--yes")[0].exit_code == 0
    assert registered(place) == {}
    assert not public.exists()
    assert (place / "table.csv").read_bytes() == GOOD
    again, _ = remove(place, "records", "--yes")
    assert isinstance(again.exception, UsageError)


def test_its_patients_get_no_second_budget_after_it_was_taken_away(place):
    add(place, GOOD)
    remove(place, "records", "--yes")
    done, _ = add(place, GOOD + b"p-new,1,1,F,f,-\r\n", name="again", population="others")
    assert isinstance(done.exception, UsageError)
    assert "have a budget of their own" in done.exception.what


def test_text_that_was_taken_out_of_a_workbook_is_deleted_with_it(place):
    from openpyxl import Workbook

    book = Workbook()
    for line in GOOD.decode().splitlines():
        book.active.append(line.split(","))
    book.save(place / "book.xlsx")
    words = ("--population", "clinic", "--columns", str(place / "columns.toml"))
    type_in(place, "site", "data", "add", "records", str(place / "book.xlsx"), *words)
    (copy,) = (place / "A" / "private" / "tables").iterdir()
    assert remove(place, "records", "--yes")[0].exit_code == 0
    assert not copy.exists()
    assert (place / "book.xlsx").exists()
