"""``securefl study template``: a commented study file from a table that a researcher may see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import json_option, protocol_out_option, say, write_json
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.designer.description import Description


@click.command("template")
@click.option(
    "--columns",
    "table",
    metavar="FILE",
    required=True,
    type=click.Path(
        path_type=Path,
        exists=True,
        dir_okay=False,
    ),
    help="A CSV table that you may see, or what `study datasets --json` wrote.",
)
@click.option(
    "--label",
    help="What is predicted: 'died = yes', 'HbA1c >= 6.5', 'stage'.  [default: the last column]",
)
@click.option(
    "--patients",
    metavar="N",
    type=click.IntRange(min=1),
    help="Published number in all hospitals; left out, the file is a cheap count.",
)
@click.option("--share", help="Published share of positives, like 0.08.")
@click.option("--source", help="Where these sizes were published.")
@protocol_out_option("The study file")
@json_option
def study_template(
    *,
    table: Path,
    label: str | None,
    patients: int | None,
    share: str | None,
    source: str | None,
    out: Path,
    json_file: str | None,
) -> None:
    """Write a commented study file for a table's columns, to be changed by hand.

    It is what `securefl study design` writes with its usual answers. Describe a published table or
    your own this way, never a hospital's private one.
    """
    from securefl.designer.given import described
    from securefl.designing import design

    asked = label or _last_column(described(table).table)
    made = design(
        table,
        asked,
        patients=patients,
        share=share,
        source=source,
    )
    made.save(out)
    if json_file:
        write_json({"file": str(out), "label": asked, **made.to_dict()}, json_file)
        if json_file == "-":
            return
    where = asked or "what the data set declares"
    say(f"The study file is {out}. Predicted: {where}.")
    if label is None:
        say("--label NAME predicts something else.")
    if made.draft.counts_only:
        say("It counts patients. With --patients, --share and --source it trains a model.")
    say(f"Still to write: {', '.join(made.draft.open_points())}.")
    say(f"Next: securefl study check {out}")


def _last_column(table: Description) -> str | None:
    """The last declared column; None where the data set declares a label of its own.

    Raises:
        UsageError: there is one column alone, and nothing to predict it from.
    """
    if table.label is not None:
        return None
    if len(table.columns) < 2:
        raise UsageError(
            "The table has one usable column, and a study needs one more to predict it from.",
            next_step="Give a table with a column to predict and at least one other.",
        )
    return str(table.columns[-1]["name"])
