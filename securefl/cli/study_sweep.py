"""``securefl study sweep``: study files of several settings, to be run on patients' records."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import html_option, json_option, say, show_page, write_json, write_page
from securefl.errors import UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--points",
    multiple=True,
    required=True,
    metavar="FIELD=V,V",
    help="Values of a field of the train stage; may be repeated: all combinations are made.",
)
@click.option(
    "--keep-epsilon",
    is_flag=True,
    help="More noise for each, so that all together cost what the file costs.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A new folder for the files; left out, only the price is shown.",
)
@html_option
@json_option
def sweep(
    *,
    file: Path,
    points: tuple[str, ...],
    keep_epsilon: bool,
    out: Path | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Make a study of each setting, and say what all of them cost a patient together.

    Each is asked for, approved and charged like any study. Try settings on public or invented rows
    first, with `study simulate --sweep`: that costs nothing.
    """
    from securefl.designer.sweep_files import sweep_files
    from securefl.files import replace_file
    from securefl.learning.graphs.graph_template import read_template
    from securefl.report.sweep_files import sweep_files_page
    from securefl.simulation.settings import read_sweep

    text = read_template(file)
    speak_as_file(text)
    found = sweep_files(text, read_sweep(points, option="--points"), keep_epsilon=keep_epsilon)
    if out is not None:
        if out.exists():
            raise UsageError(f"{out} exists already.", next_step="Name a folder that is not there.")
        out.mkdir(parents=True)
        for one in found.studies:
            replace_file(out / one.name, one.text.encode(), mode=0o644)
    made = sweep_files_page(found)
    if json_file:
        write_json(found.to_dict(), json_file)
    if json_file == "-":
        if html_file:
            write_page(made, html_file)
        return
    show_page(made, html_file)
    if out is None:
        say("Nothing was written. --out DIR writes the study files.")
        return
    say(f"The study files are in {out}.")
    say(f"Next, for each: securefl study check {out / found.studies[0].name}")
