"""``securefl site data``: the tables that a hospital registers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.learning.patient_hashes import Patients
    from securefl.node.site import Site
    from securefl.node.tables import Looked
    from securefl.study.schema import Template


@click.group()
def data() -> None:
    """Data sets: the private table stays where it is; others see its declared columns and invented
    rows.
    """


_SEPARATOR_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_SIGN_NAMES = {"point": ".", "comma": ","}


def _how_to_read(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that say how a table is read, and which columns it should have."""
    for option in (
        click.option(
            "--decimal",
            type=click.Choice(list(_SIGN_NAMES)),
            default="point",
            show_default=True,
            help="The sign in decimal numbers. Never guessed.",
        ),
        click.option(
            "--separator",
            type=click.Choice(list(_SEPARATOR_NAMES)),
            help="What stands between the values. Without it the first line shows it.",
        ),
        click.option(
            "--encoding",
            default="utf-8",
            show_default=True,
            help="How the text is stored: cp1252 is that of Windows in western Europe.",
        ),
        click.option(
            "--columns",
            required=True,
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="A protocol or study file that declares the columns.",
        ),
    ):
        command = option(command)
    return command


@data.command("add")
@click.argument("name")
@click.argument("table", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--population",
    required=True,
    help="Whose patients; all data sets of a population spend from one budget.",
)
@_how_to_read
@click.option(
    "--mock-rows",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Invented rows to show.",
)
@click.option(
    "--yes",
    is_flag=True,
    help=(
        "The name may stand for another file from now on; patients that another population has too"
        " may have two budgets."
    ),
)
@site_option
def data_add(
    *,
    name: str,
    table: Path,
    population: str,
    columns: Path,
    encoding: str,
    separator: str | None,
    decimal: str,
    mock_rows: int,
    yes: bool,
    folder: str | None,
) -> None:
    """Register a table (CSV). It is not copied and not opened by anything but your own commands and
    approved studies.

    How it is read is kept with it: studies read it in the same way. How many of its rows studies
    could use is counted for your screen alone; `securefl site data check` counts it without
    registering anything.
    """
    from securefl.files import read_given
    from securefl.learning.mock import mock_table
    from securefl.node.patients import keep_patients, patients_of
    from securefl.node.public_side import keep_public
    from securefl.node.tables import check_records
    from securefl.privacy.accounting import PldAccountant
    from securefl.study.consistency import parse_consistent
    from securefl.study.parse import parse_any

    here = open_site(folder)
    text = read_given(columns)
    looked = _look(
        table, parse_any(text), encoding, separator, decimal
    )  # before what takes seconds
    declared = parse_consistent(text, PldAccountant())
    check_records(table, looked.reading)
    known = here.other_file(name, table, population)
    if known is not None:
        say(
            f"'{name}' is registered already, for the file {known}. From now on it would stand for"
            f" {table}."
        )
        confirm(f"Let '{name}' stand for {table}?", yes=yes, read="the line above")
    patients = patients_of(here, table, declared.data.patient, looked.reading)
    _same_patients(here, population, patients, yes=yes)
    here = here.with_dataset(name, table, population, looked.reading)
    keep_patients(here, population, patients)
    spec = declared.data.model_copy(update={"dataset": name, "population": population})
    keep_public(here, spec, mock_table(spec, mock_rows, seed=1))
    say(f"'{name}' is registered for the patients of '{population}'. The table stays at {table}.")
    _say_reading(looked)
    say(
        f"Others will see its columns and {mock_rows} invented rows. Next: securefl site budget set"
        f" {population} ..."
    )
    # after all that others can see: how long it takes tells nobody how many rows there are
    _say_rows(here, table, declared.model_copy(update={"data": spec}), looked)


@data.command("check")
@click.argument("table", type=click.Path(path_type=Path, exists=True))
@_how_to_read
@site_option
def data_check(
    *,
    table: Path,
    columns: Path,
    encoding: str,
    separator: str | None,
    decimal: str,
    folder: str | None,
) -> None:
    """Look at a table and register nothing: how it would be read, how many rows studies could use,
    and what stands in the others.

    Everything is for your screen alone.
    """
    from securefl.node.tables import check_records
    from securefl.study.parse import parse_any

    here = open_site(folder)
    from securefl.files import read_given

    declared = parse_any(read_given(columns))
    looked = _look(table, declared, encoding, separator, decimal)
    _say_reading(looked)
    _say_rows(here, table, declared, looked)
    check_records(table, looked.reading)


def _same_patients(here: Site, population: str, patients: Patients, *, yes: bool) -> None:
    """Refuse or ask where patients have a budget under another name already."""
    from securefl.node.patients import ASKED, check_same_patients, never_compared, overlaps

    found = overlaps(here, population, patients)
    check_same_patients(population, found)
    for overlap in found:
        say(
            f"For your eyes only: of the patients of this table, {overlap.words} are also among"
            f" those of '{overlap.population}'. They lose the sum of what both budgets allow."
        )
    if others := never_compared(here, population):
        say(
            f"Not compared with the patients of {', '.join(others)}: register their tables again"
            " (`securefl site data add`), then this is done."
        )
    if any(overlap.share >= ASKED for overlap in found):
        confirm(
            f"Let these patients have a budget as '{population}' too?",
            yes=yes,
            read="the lines above",
        )


def _look(
    table: Path, declared: Template, encoding: str, separator: str | None, decimal: str
) -> Looked:
    from securefl.node.tables import look

    chosen: Any = _SEPARATOR_NAMES.get(separator or "")
    sign: Any = _SIGN_NAMES[decimal]
    return look(table, declared.data, encoding=encoding, separator=chosen, decimal=sign)


def _say_reading(looked: Looked) -> None:
    say(f"It is read as {looked.reading.words}.")
    for column, near in looked.missing.items():
        say(
            f"Warning: the table has no column {column}; studies that need it cannot run"
            f" here.{f' {near}' if near else ''}"
        )


def _say_rows(here: Site, table: Path, declared: Template, looked: Looked) -> None:
    """The count of usable rows and all that was found, for the owner's screen."""
    from securefl.errors import DataError
    from securefl.node.tables import count_rows
    from securefl.report.rows import found_lines, rows_warning, rows_words

    if looked.missing:
        return
    try:
        count = count_rows(here, table, declared, looked.reading)
    except DataError as error:
        say(f"Warning: {error.what}")
        return
    say(f"For your eyes only, by the protocol's columns: {rows_words(count)}")
    for line in found_lines(count.found):
        say(f"  {line}")
    for note in count.notes:
        say(f"WARNING: {note}")
    if warning := rows_warning(count):
        say(f"WARNING: {warning}")


@data.command("list")
@json_option
@site_option
def data_list(json_file: str | None, folder: str | None) -> None:
    """List the registered data sets: name, whose patients, and the file.

    For your screen; others never see the file's name.
    """
    here = open_site(folder)
    rows = [
        {
            "name": d.name,
            "population": d.population,
            "file": str(here.path / d.path),
            "there": (here.path / d.path).is_file(),
            "read_as": d.reading.words,
        }
        for d in here.settings.datasets
    ]
    if json_file:
        write_json({"datasets": rows}, json_file)
        if json_file == "-":
            return
    if not rows:
        say(
            "No data set is registered. Next: securefl site data add NAME FILE --population NAME"
            " --columns FILE"
        )
    for row in rows:
        say(
            f"{row['name']}  patients of {row['population']} "
            f" {row['file']}{'' if row['there'] else '  (the file is not there now)'}"
        )
        say(f"  {row['read_as']}")
