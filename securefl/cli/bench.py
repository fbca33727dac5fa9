"""``securefl bench``: figures of this machine, for comparing; never a promise."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import json_option, say, write_json


@click.group()
def bench() -> None:
    """Measure the secure sum and whole rounds on this machine."""


@bench.command()
@click.option(
    "--parameters",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1),
)
@click.option("--sites", default=5, show_default=True, type=click.IntRange(2))
@click.option("--bits", default=16, show_default=True, type=click.IntRange(4, 24))
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Leave the contribution files in this folder."
)
@json_option
def secagg(
    parameters: int,
    sites: int,
    bits: int,
    keep: Path | None,
    json_file: str | None,
) -> None:
    """The secure sum, stage by stage, in one process."""
    from securefl.bench.sums import bench_secagg

    _show(bench_secagg(parameters, sites, bits, keep), json_file)


@bench.command("round")
@click.option(
    "--parameters",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(2),
)
@click.option("--sites", default=5, show_default=True, type=click.IntRange(2))
@click.option("--bits", default=16, show_default=True, type=click.IntRange(6, 24))
@click.option(
    "--rounds",
    default=6,
    show_default=True,
    type=click.IntRange(6, 1000),
    help="The first is not counted.",
)
@click.option(
    "--on-dropout",
    default="fail",
    show_default=True,
    type=click.Choice(["fail", "continue"]),
    help=(
        "What the study does when a hospital is lost; 'continue' adds a survivor set, signatures"
        " and answers to every round."
    ),
)
@click.option(
    "--store",
    default="",
    metavar="URL",
    help="Where the rounds' objects go and stay; a folder that is removed unless given.",
)
@json_option
def round_(
    *,
    parameters: int,
    sites: int,
    bits: int,
    rounds: int,
    on_dropout: str,
    store: str,
    json_file: str | None,
) -> None:
    """Whole rounds between real processes over a store; everything but training."""
    from securefl.bench.rounds import bench_round

    _show(
        bench_round(
            parameters,
            sites,
            bits,
            rounds,
            on_dropout=on_dropout,
            store=store,
        ),
        json_file,
    )


def _show(figures: dict[str, object], json_file: str | None) -> None:
    if json_file:
        write_json(figures, json_file)
    if json_file != "-":
        for name, value in figures.items():
            say(f"{name:<28} {value:.6g}" if isinstance(value, float) else f"{name:<28} {value}")
