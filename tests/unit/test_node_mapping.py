"""A table's own names, spellings and units, translated as its owner signed."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from click.testing import CliRunner
from command_line_hospital import here, hospital, protocol_file
from conftest import make_study
from small_study import SPEC

from securefl.cli.main import cli
from securefl.errors import DataError, UnreadableError
from securefl.learning.cell_mapping import mapping_effects
from securefl.learning.features import prepare
from securefl.learning.mock import mock_table
from securefl.learning.reading import Reading, made_reading
from securefl.learning.table import header_names, read_table
from securefl.node.mappings import drop_mapping, keep_mapping, kept_mapping, mapping_file
from securefl.node.owner.data import registered_tables
from securefl.node.owner.mapping import plan_mapping, set_mapping
from securefl.node.owner.readiness import readiness
from securefl.node.policy import _check_dataset
from securefl.node.site import Site
from securefl.study.parse import parse_study
from securefl.study.table_mapping import check_mapping, read_mapping

HEAD = 'schema = "securefl-mapping/1"\n'
SEX = HEAD + '[columns.sex]\nfrom = "Geschlecht"\nvalues = {"männlich" = "M", "weiblich" = "F"}\n'
TSH = '[columns.TSH]\nfrom = "TSH_mmol"\ntimes = "18.016"\nmissing = ["-9"]\n'
GERMAN = (
    "patient_id;age;TSH_mmol;Geschlecht;sick;target\n"
    "P1;50;0,1;männlich;t;E\nP2;60;0,25;weiblich;f;-\nP3;61;-9;divers;f;-\n"
).encode()
COMMA = Reading(separator=";", decimal=",")


def mapping(text=SEX + TSH):
    return read_mapping(text.encode())


def german(table):
    """An English mock table, as another hospital would have written it."""
    text = table.decode().replace(",sex,", ",Geschlecht,", 1)
    return text.replace(",M,", ",männlich,").replace(",F,", ",weiblich,").encode()


# --- cells


def test_german_spellings_names_and_units_become_the_studys():
    read = read_table(GERMAN, replace(COMMA, mapping=mapping()))
    assert read.column("sex") == ("M", "F", "divers")
    assert read.column("TSH") == ("1,8016", "4,50400", None)
    assert "Geschlecht" not in read.columns
    assert header_names(GERMAN, replace(COMMA, mapping=mapping()))[2:4] == ("TSH", "sex")


def test_what_neither_mapping_nor_study_declares_is_set_aside_as_before():
    optional = SPEC.model_copy(
        update={"columns": tuple(c for c in SPEC.columns if c.name != "TSH")}
    )
    plain = read_table(GERMAN.replace(b"Geschlecht", b"sex"), COMMA)
    assert len(prepare(plain, optional, bytes(32), "patient").y) == 0  # the control
    found = prepare(
        read_table(GERMAN, replace(COMMA, mapping=mapping(SEX))), optional, bytes(32), "patient"
    )
    assert len(found.y) == 2
    assert sum(found.set_aside.values()) == 1


@pytest.mark.parametrize(
    ("cell", "factor"),
    [
        ("0.1", "3"),
        ("5.55", "18.016"),
        ("123456789.123456789", "0.000000000001"),
        ("0." + "3" * 200, "18.016"),
        ("1e-400", "18.016"),
    ],
)
def test_a_product_is_exact(cell, factor):
    text = f'{HEAD}[columns.TSH]\ntimes = "{factor}"\n'
    (found,) = read_table(f"TSH\n{cell}\n".encode(), Reading(mapping=mapping(text))).column("TSH")
    assert Fraction(found) == Fraction(cell) * Fraction(factor)


@pytest.mark.parametrize("cell", ["<5", "1_000", "inf", "0e99999999999999999999"])
def test_what_is_no_number_and_what_is_zero_stay_as_they_are(cell):
    text = f'{HEAD}[columns.TSH]\ntimes = "2"\n'
    read = read_table(f"TSH\n{cell}\n".encode(), Reading(mapping=mapping(text)))
    assert read.column("TSH") == (cell,)


def test_numbers_compare_as_numbers_and_a_code_as_text():
    text = f'{HEAD}[columns.sex]\nvalues = {{"1" = "M", "02" = "F"}}\n'
    read = read_table(b"sex\n1.0\n01\n02\n2\n", Reading(mapping=mapping(text)))
    assert read.column("sex") == ("M", "01", "F", "2")


def test_a_cell_is_translated_once_and_by_itself():
    text = f'{HEAD}[columns.sex]\nvalues = {{"M" = "F", "F" = "M"}}\n'
    reading = Reading(mapping=mapping(text))
    assert read_table(b"sex\nM\nF\n", reading).column("sex") == ("F", "M")
    assert read_table(b"sex\nF\n", reading).column("sex") == ("M",)


def test_two_columns_of_one_name_are_refused():
    table = b"Geschlecht,sex\nm,M\n"
    with pytest.raises(DataError, match="names a column twice: sex"):
        read_table(table, Reading(mapping=mapping(SEX)))


def test_a_worker_is_told_the_same_mapping():
    reading = replace(COMMA, mapping=mapping())
    assert made_reading(json.loads(json.dumps(reading.content()))) == reading


def test_effects_are_counted():
    sex, tsh = mapping_effects(read_table(GERMAN, COMMA).columns, mapping(), ",")
    assert sex.values == (("männlich", "M", 1), ("weiblich", "F", 1))
    assert (sex.kept, sex.source, tsh.multiplied, tsh.missing) == (1, "Geschlecht", 2, 1)


# --- files that are no mapping of these columns


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[columns.sex]\nfrom = 'a'\n", "schema"),
        (HEAD, "columns"),
        (HEAD + "[columns.sex]\n", "translates nothing"),
        (HEAD + '[columns.sex]\nvalues = {"1" = "M", "1.0" = "F"}\n', "translated twice"),
        (HEAD + '[columns.TSH]\ntimes = "1e3"\n', "times"),
        (HEAD + '[columns.TSH]\ntimes = "0.0"\n', "above 0"),
        (HEAD + "[columns.TSH]\ntimes = 18.0\n", "times"),
        (HEAD + '[columns.a]\nfrom = "x"\n[columns.b]\nfrom = "x"\n', "would be two columns"),
        (HEAD + '[columns.a]\nfrom = "x"\nto = "y"\n', "to"),
    ],
)
def test_what_is_no_mapping_is_refused_with_the_reason(text, why):
    with pytest.raises(DataError, match=why) as refused:
        mapping(text)
    assert "docs/data-owner.md" in refused.value.next_step


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[columns.sex]\nvalues = {"männlich" = "male"}\n', "'male' is no declared value of sex"),
        ('[columns.sick]\nvalues = {"ja" = "yes"}\n', "'yes' is no declared value of sick"),
        ('[columns.sex]\ntimes = "2"\n', "sex is no number"),
        ('[columns.patient_id]\nvalues = {"P1" = "P2"}\n', "only its name can be translated"),
    ],
)
def test_a_level_that_the_study_does_not_know_is_refused(text, why):
    with pytest.raises(DataError, match=why):
        check_mapping(mapping(HEAD + text), SPEC)


def test_a_code_for_not_recorded_is_never_multiplied():
    columns = tuple(
        c.model_copy(update={"missing_codes": ("-9",)}) if c.name == "TSH" else c
        for c in SPEC.columns
    )
    coded = SPEC.model_copy(update={"columns": columns})
    with pytest.raises(DataError, match="'-9' means 'not recorded' in TSH"):
        check_mapping(mapping(f'{HEAD}[columns.TSH]\ntimes = "2"\n'), coded)
    check_mapping(mapping(HEAD + TSH), coded)


def test_a_column_that_the_study_does_not_name_is_not_looked_at():
    check_mapping(mapping(f'{HEAD}[columns.glucose]\nvalues = {{"a" = "b"}}\n'), SPEC)


# --- a hospital


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A hospital with a table in German, registered through its mapping."""
    root = tmp_path_factory.mktemp("mapping")
    folder = hospital(root)
    columns = protocol_file(root)
    table = root / "table.csv"
    table.write_bytes(german(mock_table(SPEC, 200, seed=3)))
    (root / "mapping.toml").write_text(SEX, "utf-8")
    add = ("site", "data", "add", "records", table, "--population", "clinic")
    plain = CliRunner().invoke(cli, [*map(str, add), "--columns", str(columns), "--site", folder])
    assert "the table has no column sex" in str(plain.output)
    said = here(*add, "--columns", columns, "--mapping", root / "mapping.toml", "--site", folder)
    assert "Your mapping translates sex." in said
    return root, folder


def fresh(start):
    return Site.at(start[1])


def test_studies_of_the_owner_read_the_table_through_its_mapping(start):
    found = readiness(fresh(start), "records")
    assert (found.rows.usable, found.mapped) == (200, ("sex",))
    assert [column.there for column in found.look.columns] == [True] * len(SPEC.columns)
    (listed,) = registered_tables(fresh(start))
    assert (listed.mapped, listed.fault) == (("sex",), "")


def test_the_effect_is_shown_and_told_to_programs(start):
    told = json.loads(here("site", "data", "show", "records", "--json", "-", "--site", start[1]))
    assert told["mapping"]["columns"]["sex"]["from"] == "Geschlecht"
    (effect,) = told["effects"]
    assert sum(count for _, _, count in effect["values"]) > 100
    assert effect["kept"] == 0
    page = here("site", "data", "show", "records", "--site", start[1])
    assert "männlich" in page


def test_a_mapping_is_signed_after_a_yes_and_taken_away(start):
    root, folder = start
    words = ("site", "data", "map", "records", "--file", root / "mapping.toml")
    assert "Signed" in here(*words, "--yes", "--site", folder)
    asked = CliRunner().invoke(cli, [*map(str, words), "--site", str(folder)], input="n\n")
    assert "Signed" not in asked.output
    assert "Taken away" in here("site", "data", "unmap", "records", "--yes", "--site", folder)
    site = fresh(start)
    assert "sex" not in site.table("records").columns()
    set_mapping(site, plan_mapping(site, "records", SEX.encode()))
    assert "sex" in fresh(start).table("records").columns()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'{HEAD}[columns.sex]\nfrom = "Sex"\n', "no column 'Sex'"),
        (f'{HEAD}[columns.sex]\nvalues = {{"m" = "male"}}\n', "'male' is no declared value"),
        (f'{HEAD}[columns.patient_id]\nfrom = "age"\n', "takes 'age' for it"),
    ],
)
def test_a_mapping_that_does_not_fit_the_table_is_refused_before_the_yes(start, text, why):
    with pytest.raises(DataError, match=why):
        plan_mapping(fresh(start), "records", text.encode())


def study_of():
    """A study on the hospital's table."""
    study = parse_study(make_study()[0])
    data = study.data.model_copy(update={"dataset": "records", "population": "clinic"})
    return study.model_copy(update={"data": data})


def test_a_study_that_knows_other_levels_than_the_mapping_is_a_fault_of_the_request(start):
    site = fresh(start)
    _check_dataset(site, study_of(), site.dataset("records"))
    study = study_of()
    columns = tuple(
        c.model_copy(update={"levels": ("male", "female")}) if c.name == "sex" else c
        for c in study.data.columns
    )
    other = study.model_copy(update={"data": study.data.model_copy(update={"columns": columns})})
    with pytest.raises(DataError, match="'F' is no declared value of sex"):
        _check_dataset(site, other, site.dataset("records"))


def changed(file):
    file.write_bytes(file.read_bytes().replace(b"weiblich", b"maennlich"))


def other_key(file):
    head, _, rest = file.read_bytes().partition(b"\n")
    file.write_bytes(head[:-4] + b"0000\n" + rest)


@pytest.mark.parametrize("attack", [changed, other_key, lambda file: file.unlink()])
def test_a_mapping_that_was_altered_or_taken_away_is_a_fault_of_every_study(start, attack):
    site = fresh(start)
    file = mapping_file("records").path(site)
    kept = file.read_bytes()
    _check_dataset(site, study_of(), site.dataset("records"))  # the control
    try:
        attack(file)
        with pytest.raises(UnreadableError, match=r"mapping-[a-p]{24}\.signed") as refused:
            _check_dataset(site, study_of(), site.dataset("records"))
        assert "site data map records" in refused.value.next_step
        with pytest.raises(UnreadableError):
            readiness(site, "records")
        (listed,) = registered_tables(site)
        assert listed.fault
        set_mapping(site, plan_mapping(site, "records", SEX.encode()))  # the same again
        _check_dataset(site, study_of(), site.dataset("records"))
    finally:
        file.write_bytes(kept)


def test_an_older_mapping_and_another_tables_are_refused(start):
    site = fresh(start)
    file = mapping_file("records").path(site)
    older = file.read_bytes()
    newer = SEX.replace('"M"', '"F"')
    set_mapping(site, plan_mapping(site, "records", newer.encode()))
    file.write_bytes(older)
    with pytest.raises(UnreadableError, match="older one was put back"):
        site.table("records")
    set_mapping(site, plan_mapping(site, "records", SEX.encode()))
    mapping_file("other").path(site).write_bytes(file.read_bytes())
    with pytest.raises(UnreadableError, match="not a mapping of 'other'"):
        kept_mapping(site, "other")
    mapping_file("other").path(site).unlink()


def test_a_name_with_capitals_and_figures_has_a_mapping_too(start):
    site = fresh(start)
    keep_mapping(site, "Records_2", mapping(SEX))
    assert kept_mapping(site, "Records_2") == mapping(SEX)
    assert drop_mapping(site, "Records_2")
    assert kept_mapping(site, "Records_2") is None
