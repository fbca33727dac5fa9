"""``securefl site data``: the tables that a hospital registers."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from securefl.learning.reading import DecimalSign, Separator
    from securefl.node.owner.data import OwnCount, TableCheck, TableFile, TablePlan
    from securefl.node.owner.folder import Site
    from securefl.node.owner.origins import Taken


@click.group()
def data() -> None:
    """Data sets: the private table stays where it is; others see its declared columns and invented
    rows.
    """


_SEPARATOR_NAMES: dict[str, Separator] = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_SIGN_NAMES: dict[str, DecimalSign] = {"point": ".", "comma": ","}


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
            "--sheet",
            default="",
            help="Of a workbook with several sheets: the one that is meant.",
        ),
        click.option(
            "--mapping",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="A file (TOML) with your own names, spellings and units for these columns.",
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
    sheet: str,
    mapping: Path | None,
    mock_rows: int,
    yes: bool,
    folder: str | None,
) -> None:
    """Register a table. A text table (CSV) is not copied and not opened by anything but your own
    commands and approved studies.

    An Excel workbook, a Parquet file, a database's answer or a FHIR export is taken out into your
    folder as text, which studies read. To take it out again later, repeat the command.

    How it is read is kept with it: studies read it in the same way. How many of its rows studies
    could use is counted for your screen alone; `securefl site data check` counts it without
    registering anything.
    """
    from securefl.node.owner import data as owner

    here = open_site(folder)
    with _taken_out(here, table, sheet) as taken:
        given = _table_file(taken, columns, encoding, separator, decimal, mapping=mapping)
        plan = owner.plan_registration(here, name, given, population, mock_rows)
        _ask_file(plan, name, table, yes=yes)
        _ask_patients(plan, yes=yes)
        here = owner.register(here, plan)
    say(f"'{name}' is registered for the patients of '{population}'. The table stays at {table}.")
    if taken.words:
        say("Studies read what was taken out of it, as it is now.")
    _say_reading(plan)
    say(
        f"Others will see its columns and {mock_rows} invented rows. Next: securefl site budget set"
        f" {population} ..."
    )
    # after all that others can see: how long it takes tells nobody how many rows there are
    _say_rows(owner.registered_count(here, plan))


def _ask_file(
    plan: TablePlan,
    name: str,
    table: Path,
    *,
    yes: bool,
) -> None:
    """Ask before a name stands for another file than it did."""
    if plan.other_file is not None:
        say(
            f"'{name}' is registered already, for the file {plan.other_file}. From now on it would"
            f" stand for {table}."
        )
        confirm(f"Let '{name}' stand for {table}?", yes=yes, read="the line above")


@data.command("check")
@click.argument("table", type=click.Path(path_type=Path, exists=True))
@_how_to_read
@json_option
@site_option
def data_check(
    *,
    table: Path,
    columns: Path,
    encoding: str,
    separator: str | None,
    decimal: str,
    sheet: str,
    mapping: Path | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Look at a table and register nothing: how it would be read, how many rows studies could use,
    and what stands in the others.

    Everything is for your screen alone.
    """
    from securefl.node.owner import data as owner

    here = open_site(folder)
    with _taken_out(here, table, sheet) as taken:
        given = _table_file(taken, columns, encoding, separator, decimal, mapping=mapping)
        found = owner.check_table(here, given)
    if json_file:
        write_json(_check_json(found), json_file)
    if json_file != "-":
        _say_reading(found)
        _say_rows(found.count)
    if found.broken is not None:
        raise found.broken


def _check_json(found: TableCheck) -> dict[str, Any]:
    """The look at a table for programs; for its owner's eyes, as the screen is."""
    from securefl.cli.request_json import fault_json, rows_json

    fault = found.broken or found.count.fault
    return {
        "read_as": found.looked.source.words,
        "missing": found.looked.missing,
        "rows": None if found.count.rows is None else rows_json(found.count.rows),
        "fault": None if fault is None else fault_json(fault),
    }


@contextmanager
def _taken_out(here: Site, table: Path, sheet: str) -> Iterator[Taken]:
    """The table as text; what is taken out of something else is counted on the screen meanwhile."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from securefl.node.owner.origins import taken_out

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}: {task.completed:,.0f} records"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.disable = not bar.console.is_terminal
    task = bar.add_task(f"Taken out of {table.name}", total=None)
    with ExitStack() as stack:
        with bar:
            taken = stack.enter_context(
                taken_out(here, table, sheet, tick=lambda: bar.advance(task))
            )
        if taken.words:
            click.echo(f"{taken.records:,} records were taken out of {taken.words}.", err=True)
        yield taken


def _table_file(
    taken: Taken,
    columns: Path,
    encoding: str,
    separator: str | None,
    decimal: str,
    *,
    mapping: Path | None,
) -> TableFile:
    from securefl.files import read_given
    from securefl.node.owner.data import TableFile
    from securefl.study.table_mapping import MAX_MAPPING_BYTES, read_mapping

    declared = read_given(columns)
    translated = None
    if mapping is not None:
        translated = read_mapping(read_given(mapping, MAX_MAPPING_BYTES))
    speak_as_file(declared)
    if taken.words:  # its text is ours: how it is read need not be said
        return TableFile(
            taken.text,
            declared,
            separator=",",
            origin=taken.origin,
            sheet=taken.sheet,
            mapping=translated,
        )
    between = None
    if separator is not None:
        between = _SEPARATOR_NAMES[separator]
    return TableFile(
        taken.text,
        declared,
        encoding,
        between,
        _SIGN_NAMES[decimal],
        mapping=translated,
    )


def _ask_patients(plan: TablePlan, *, yes: bool) -> None:
    """Say which patients another population has too, and ask where they are many."""
    population = plan.spec.population
    for overlap in plan.overlaps:
        say(
            f"For your eyes only. {overlap.words} too. They lose the sum of what both budgets"
            " allow."
        )
    if plan.never_compared:
        say(
            f"Not compared with the patients of {', '.join(plan.never_compared)}: register their"
            " tables again (`securefl site data add`), then this is done."
        )
    if plan.second_budget:
        confirm(
            f"Let these patients have a budget as '{population}' too?",
            yes=yes,
            read="the lines above",
        )


def _say_reading(found: TableCheck | TablePlan) -> None:
    source = found.looked.source
    say(f"It is read as {source.words}.")
    if source.reading.mapping is not None:
        say(f"Your mapping translates {', '.join(source.reading.mapping.columns)}.")
    for column, near in found.looked.missing.items():
        say(
            f"Warning: the table has no column {column}; studies that need it cannot run"
            f" here.{f' {near}' if near else ''}"
        )
    if found.looked.missing:
        say(
            "Is there one under another name? A mapping file says which (--mapping FILE; see"
            " docs/data-owner.md, step 3). Rows are counted once all are there."
        )


def _say_rows(count: OwnCount) -> None:
    """The count of usable rows and all that was found, for the owner's screen."""
    from securefl.report.rows import found_lines, rows_warning, rows_words

    if count.fault is not None:
        say(f"Warning: {count.fault.what}")
    if count.rows is None:
        return
    say(f"For your eyes only, by the protocol's columns: {rows_words(count.rows)}")
    for line in found_lines(count.rows.found):
        say(f"  {line}")
    for note in count.rows.notes:
        say(f"WARNING: {note}")
    if warning := rows_warning(count.rows):
        say(f"WARNING: {warning}")


@data.command("list")
@json_option
@site_option
def data_list(json_file: str | None, folder: str | None) -> None:
    """List the registered data sets: name, whose patients, and the file.

    For your screen; others never see the file's name.
    """
    from securefl.node.owner.data import registered_tables

    rows: list[dict[str, Any]] = [
        {
            "name": table.name,
            "population": table.population,
            "file": str(table.file),
            "there": table.there,
            "read_as": table.read_as,
            "origin": table.origin,
            "sheet": table.sheet,
            "mapped": list(table.mapped),
            "fault": table.fault,
        }
        for table in registered_tables(open_site(folder))
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
            f" {row['origin'] or row['file']}{'' if row['there'] else '  (the file is not there now)'}"
        )
        if row["origin"]:
            say(f"  taken out into {row['file']}")
        say(f"  {row['read_as']}")
        if row["mapped"]:
            say(f"  your mapping translates {', '.join(row['mapped'])}")
        if row["fault"]:
            say(f"  {row['fault']}")


@data.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="You know that no study can use it any more.")
@site_option
def data_remove(name: str, yes: bool, folder: str | None) -> None:
    """Take a data set away: no study reads it any more, and others see it no longer.

    The table itself stays where it is, for you to delete. Text that was taken out of a workbook or
    a database into your folder is deleted. What was spent on its patients stays spent.
    """
    from securefl.node.owner.data_removal import plan_data_removal, remove_data

    here = open_site(folder)
    plan = plan_data_removal(here, name)
    if not yes:
        say(f"- '{name}' is the table {plan.table}; that file stays as it is.")
        if plan.copy is not None:
            say(f"- The text that was taken out of it is deleted: {plan.copy}")
        say(f"- What was spent on the patients of {plan.population} stays spent.")
    confirm(f"Take '{name}' away?", yes=yes, read="the lines above")
    remove_data(here, plan)
    say(f"'{name}' is gone: no study can use it. A running agent takes it off the others' screens.")
