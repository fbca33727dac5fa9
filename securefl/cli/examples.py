"""``securefl examples``: the notebooks that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

import click

from securefl.cli.screen import say
from securefl.errors import UsageError
from securefl.files import replace_file

#: Notebook to what it shows, in the order in which they are read.
NOTEBOOKS: Final = {
    "first_study.ipynb": "from a question to a study file, and a try of it",
    "statistics.ipynb": "counts of columns over all hospitals, without a model",
    "comparing_models.ipynb": "a straight line or a curve, at the same epsilon",
}


@click.command()
@click.option(
    "--copy",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the notebooks into this folder, which is made. Nothing is overwritten.",
)
def examples(directory: Path | None) -> None:
    """Notebooks to begin with: they run on invented patients, without hospitals and keys."""
    there = resources.files("securefl") / "notebooks"
    if directory is None:
        for name, words in NOTEBOOKS.items():
            say(f"{name}: {words}")
        say("`securefl examples --copy DIR` copies them, for `jupyter lab DIR`.")
        return
    taken = [name for name in NOTEBOOKS if (directory / name).exists()]
    if taken:
        raise UsageError(
            f"{directory} has {', '.join(taken)} already; nothing was copied.",
            next_step="Name another folder: --copy DIR.",
        )
    for name in NOTEBOOKS:
        replace_file(directory / name, (there / name).read_bytes(), mode=0o644)
    say(f"{directory} has {len(NOTEBOOKS)} notebooks. Open them with: jupyter lab {directory}")
