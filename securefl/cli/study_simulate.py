"""``securefl study simulate``: a study in one process, on data that anybody may see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import (
    html_option,
    json_option,
    show_page,
    write_json,
    write_page,
    write_text,
)
from securefl.errors import UsageError
from securefl.files import read_given

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--data",
    "--table",
    "data",
    type=click.Path(path_type=Path, exists=True),
    help="A folder with a CSV file for each hospital, or one CSV file.",
)
@click.option("--mock", is_flag=True, help="Invented rows, by the columns that the study declares.")
@click.option("--public", metavar="NAME", help="A published table: thyroid or heart.")
@click.option("--by", metavar="COLUMN", help="Column of one table whose values are the hospitals.")
@click.option(
    "--sites",
    type=int,
    help="Virtual hospitals among which patients are drawn by lot; 5 by default.",
)
@click.option("--repeat", default=5, show_default=True, help="Runs of each setting.")
@click.option("--seed", default=0, show_default=True, help="Noise, split and lots follow from it.")
@click.option(
    "--sweep",
    multiple=True,
    metavar="FIELD=V,V",
    help="Other values of a field of the train stage; may be repeated: all combinations are run.",
)
@click.option("--encrypted", is_flag=True, help="Put every sum through the real cipher.")
@click.option(
    "--participation",
    metavar="P",
    help="Each hospital trains in a round with this probability, as 1/10 or 0.1. Real studies do"
    " not sample.",
)
@click.option(
    "--clients-per-round",
    type=int,
    metavar="K",
    help="So many hospitals train in a round, drawn by lot. Real studies do not sample.",
)
@click.option(
    "--engine",
    type=click.Choice(("own", "flower")),
    default="own",
    show_default=True,
    help="Who runs the hospitals' steps; the figures are the same.",
)
@click.option(
    "--no-advice", is_flag=True, help="Do not also try half and twice the clip norm and rate."
)
@click.option("--svg", "svg_file", metavar="FILE", help="Also write the picture, as SVG.")
@html_option
@json_option
def simulate(
    *,
    file: Path,
    data: Path | None,
    mock: bool,
    public: str | None,
    by: str | None,
    sites: int | None,
    repeat: int,
    seed: int,
    sweep: tuple[str, ...],
    encrypted: bool,
    participation: str | None,
    clients_per_round: int | None,
    engine: str,
    no_advice: bool,
    svg_file: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Run a template or study here, on your own, invented or published rows, to choose its figures.

    The stages, clipping, noise and rounding are those of a real run. Nothing is protected: noise
    follows from a seed, and there are no keys, no network and no budget.
    """
    from securefl.rehearsal import simulate as rehearse

    speak_as_file(read_given(file))
    watch, stop = _progress()
    try:
        found = rehearse(
            file,
            data,
            public=public,
            mock=mock,
            by=by,
            sites=sites,
            repeat=repeat,
            seed=seed,
            sweep=sweep,
            encrypted=encrypted,
            participation=participation,
            clients_per_round=clients_per_round,
            engine=engine,
            advise=not no_advice,
            watch=watch,
        )
    finally:
        stop()
    if json_file:
        write_json(found.to_dict(), json_file)
    if json_file != "-":
        show_page(found.page(), html_file)
    elif html_file:
        write_page(found.page(), html_file)
    # Last: a study without a picture has cost its time, and its page is shown all the same.
    if svg_file:
        picture = found.picture()
        if not picture:
            raise UsageError("There is nothing to draw.", next_step="Leave out --svg.")
        write_text(picture, svg_file)


def _progress() -> tuple[Callable[[int, int], None], Callable[[], None]]:
    """A bar on standard error, and what takes it away; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.disable = not bar.console.is_terminal
    task = bar.add_task("rounds", total=None)
    bar.start()

    def watch(done: int, due: int) -> None:
        bar.update(task, completed=done, total=due)

    return watch, bar.stop
