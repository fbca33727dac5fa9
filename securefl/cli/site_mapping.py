"""``securefl site data map``, ``unmap`` and ``show``: a table's own names, spellings and units."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from securefl.cli.screen import (
    confirm,
    html_option,
    json_option,
    say,
    show_page,
    write_json,
    write_page,
)
from securefl.cli.site_folder import open_site, site_option


@click.command("map")
@click.argument("dataset")
@click.option(
    "--file",
    "file",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The mapping, a TOML file.",
)
@click.option("--yes", is_flag=True, help="You have read what it does.")
@site_option
def data_map(
    dataset: str,
    file: Path,
    yes: bool,
    folder: str | None,
) -> None:
    """Translate a registered table's own names, spellings and units to the columns of studies.

    The file says schema = "securefl-mapping/1" and, for each column, any of: from (its name in your
    table), values (your text = the study's), times (an exact factor, as text), missing (your texts
    for "not recorded"). What it does to the table is counted for your screen; then it is signed,
    and studies read the table through it. It cannot change while an approved study may read the
    table.
    """
    from securefl.files import read_given
    from securefl.node.owner import mapping as owner
    from securefl.node.owner.pages import mapping_page
    from securefl.study.table_mapping import MAX_MAPPING_BYTES

    here = open_site(folder)
    plan = owner.plan_mapping(here, dataset, read_given(file, MAX_MAPPING_BYTES))
    show_page(mapping_page(plan))
    confirm(f"Sign this mapping of '{dataset}'?", yes=yes, read="the page above")
    owner.set_mapping(here, plan)
    say(f"Signed: studies read '{dataset}' through it from now on.")


@click.command("unmap")
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="You know that studies read the table as it lies there.")
@site_option
def data_unmap(dataset: str, yes: bool, folder: str | None) -> None:
    """Take a table's mapping away: studies read it as it lies there."""
    from securefl.node.owner import mapping as owner

    here = open_site(folder)
    owner.check_unmapping(here, dataset)
    confirm(f"Take away the mapping of '{dataset}'?", yes=yes)
    say("Taken away." if owner.unmap(here, dataset) else "There was none.")


@click.command("show")
@click.argument("dataset")
@html_option
@json_option
@site_option
def data_show(
    dataset: str,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Show a registered table: where it is, how it is read, and how often your mapping translates
    which text.

    Everything is for your screen alone.
    """
    from securefl.node.owner.mapping import shown_table
    from securefl.node.owner.pages import table_page

    found = shown_table(open_site(folder), dataset)
    if json_file:
        told = {
            "dataset": found.dataset,
            "population": found.population,
            "file": found.file,
            "read_as": found.read_as,
            "mapping": None if found.mapping is None else found.mapping.content(),
            "effects": [asdict(effect) for effect in found.effects],
        }
        write_json(told, json_file)
    if html_file:
        write_page(table_page(found), html_file)
    if json_file != "-":
        show_page(table_page(found))
