"""``securefl site data``: the tables that a hospital registers."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option


@click.group()
def data() -> None:
    """Data sets: the private table stays where it is; others see its declared columns and invented rows."""


@data.command("add")
@click.argument("name")
@click.argument("table", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--population", required=True, help="Whose patients; all data sets of a population spend from one budget.")
@click.option("--columns", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A protocol or study file that declares the columns.")
@click.option("--mock-rows", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Invented rows to show.")
@click.option("--yes", is_flag=True, help="The name may stand for another file from now on.")
@site_option
def data_add(*, name: str, table: Path, population: str, columns: Path, mock_rows: int, yes: bool, folder: str | None) -> None:
    """Register a table (CSV). It is not copied and not opened by anything but your own commands and approved studies.

    How many of its rows studies could use is counted for your screen alone.
    """
    from securefl.errors import DataError
    from securefl.learning.mock import mock_table
    from securefl.node.public_side import keep_public
    from securefl.node.tables import count_rows, missing_columns
    from securefl.privacy.accounting import PldAccountant
    from securefl.report.rows import rows_warning, rows_words
    from securefl.study.consistency import parse_consistent

    here = open_site(folder)
    declared = parse_consistent(columns.read_bytes(), PldAccountant())
    missing = missing_columns(table, declared.data)
    known = here.other_file(name, table, population)
    if known is not None:
        say(f"'{name}' is registered already, for the file {known}. From now on it would stand for {table}.")
        confirm(f"Let '{name}' stand for {table}?", yes=yes, read="the line above")
    here = here.with_dataset(name, table, population)
    spec = declared.data.model_copy(update={"dataset": name, "population": population})
    keep_public(here, spec, mock_table(spec, mock_rows, seed=1))
    say(f"'{name}' is registered for the patients of '{population}'. The table stays at {table}.")
    if missing:
        say(f"Warning: the table has no column {', '.join(missing)}; studies that need them cannot run here.")
    say(f"Others will see its columns and {mock_rows} invented rows. Next: securefl site budget set {population} ...")
    if not missing:  # after all that others can see: how long it takes tells nobody how many rows there are
        try:
            count = count_rows(here, table, declared.model_copy(update={"data": spec}))
        except DataError as error:
            say(f"Warning: {error.what}")
            return
        say(f"For your eyes only, by the protocol's columns: {rows_words(count)}")
        if warning := rows_warning(count):
            say(f"WARNING: {warning}")


@data.command("list")
@json_option
@site_option
def data_list(json_file: str | None, folder: str | None) -> None:
    """List the registered data sets: name, whose patients, and the file. For your screen; others never see the file's name."""
    here = open_site(folder)
    rows = [{"name": d.name, "population": d.population, "file": str(here.path / d.path), "there": (here.path / d.path).is_file()} for d in here.settings.datasets]
    if json_file:
        write_json({"datasets": rows}, json_file)
        if json_file == "-":
            return
    if not rows:
        say("No data set is registered. Next: securefl site data add NAME FILE --population NAME --columns FILE")
    for row in rows:
        say(f"{row['name']}  patients of {row['population']}  {row['file']}{'' if row['there'] else '  (the file is not there now)'}")
