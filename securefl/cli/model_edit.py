"""``securefl model edit`` and ``securefl model show``: curves edited by hand, and a model's page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.predict import say_notices
from securefl.cli.screen import (
    confirm,
    html_option,
    json_option,
    say,
    show_page,
    write_json,
    write_page,
)
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.learning.curve_edits import PlannedEdit
    from securefl.learning.edit_statement import Way
    from securefl.party.folder import PartyFolder

_WAYS = ("flat", "straight", "rising", "falling")


@click.command()
@click.argument(
    "model", metavar="MODEL", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option("--column", required=True, help="The number whose curve is edited.")
@click.option("--from", "low", required=True, type=float, help="Lower end, in the column's unit.")
@click.option("--to", "high", required=True, type=float, help="Upper end, in the column's unit.")
@click.option(
    "--way",
    required=True,
    type=click.Choice(_WAYS),
    help=(
        "flat at --height; straight between the points beside; rising or falling: the nearest curve"
        " that never goes the other way."
    ),
)
@click.option("--height", type=float, help="Of --way flat, as the model's card shows heights.")
@click.option("--score", default="", help="Which score, where the model says several.")
@click.option("--who", required=True, help="The person who edits: name and profession.")
@click.option("--why", required=True, help="The reason, on one line.")
@click.option(
    "--folder",
    metavar="DIR",
    help="The folder of the hospital or researcher whose key signs; else the current one.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The new folder; else MODEL-edited.")
@click.option("--yes", is_flag=True, help="You saw the points before and after.")
@json_option
def edit(
    *,
    model: Path,
    column: str,
    low: float,
    high: float,
    way: Way,
    height: float | None,
    score: str,
    who: str,
    why: str,
    folder: str | None,
    out: Path | None,
    yes: bool,
    json_file: str | None,
) -> None:
    """Edit a curve of MODEL, an additive model's folder, by hand, and sign the edit.

    MODEL stays as it is. The new folder holds it, every edit with its signature, and a card that
    shows old and new curve; `securefl predict` scores with the edited one. A point moves if it lies
    in the range; between points the curve is drawn straight.

    Recalls of MODEL hold for the edited one as well: their notices are copied with it.
    """
    from securefl.learning.artefact import load_model
    from securefl.learning.curve_edits import Wish, plan_edit
    from securefl.learning.edit_statement import make_statement
    from securefl.learning.edited_model import describe_edits, folder_for, last_edit, save_edited
    from securefl.party.clock import utc_now

    found = load_model(model)
    party = _party(folder)
    unedited = found if found.edited is None else found.edited.unedited
    wish = Wish(column, low, high, way, height, score)
    planned = plan_edit(found.theta, found.spec, found.data, unedited.theta, wish)
    statement = make_statement(
        planned,
        wish,
        party.identity.card,
        model=unedited.digest,
        before=last_edit(found, model),
        who=who,
        why=why,
        at=utc_now(),
    )
    if json_file != "-":
        _show(planned)
    confirm(f"Sign this edit with the key of {party.name}?", yes=yes, read="the points above")
    target = out or folder_for(model)
    made = save_edited(found, model, statement.dump(party.identity.sign), target)
    notices = made.standing().sentences
    say_notices(notices)
    if json_file:
        write_json(
            {
                "written": str(target),
                "model_digest": made.digest,
                "unedited_digest": unedited.digest,
                "edits": describe_edits(made),
                "notices": list(notices),
            },
            json_file,
        )
    if json_file != "-":
        say(f"Wrote {target}; the unedited model is in its original/, as it was.")
        say(f"Next: securefl model show {target}")


@click.command()
@click.argument(
    "model", metavar="MODEL", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--folder",
    metavar="DIR",
    help="Your own folder: who signed an edit is looked up among your partners.",
)
@html_option
@json_option
def show(
    *,
    model: Path,
    folder: str | None,
    html_file: str | None,
    json_file: str | None,
) -> None:
    """Show MODEL, a model's folder: its released figures, its curves, and edits by hand.

    All that can be checked is checked: the files against their hashes, each edit's signature, and
    that the edits lead from the unedited model to this one.
    """
    from securefl.learning.artefact import load_model
    from securefl.learning.edited_model import describe_edits
    from securefl.party.model_signers import signer_words
    from securefl.report.shown_model import shown_model_page

    found = load_model(model)
    party = None if folder is None else _party(folder)
    edits = () if found.edited is None else found.edited.edits
    signers = [signer_words(edit, party) for edit in edits]
    page = shown_model_page(found, str(model), signers)
    if json_file:
        write_json(
            {
                "model_digest": found.digest,
                "title": found.facts.title,
                "released": found.facts.figures,
                "notices": list(found.standing().sentences),
                "usable": not found.standing().refused,
                "unedited_digest": found.edited.unedited.digest if found.edited else found.digest,
                "edits": [
                    {**one, "signer": signer}
                    for one, signer in zip(describe_edits(found), signers, strict=True)
                ],
            },
            json_file,
        )
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)


def _show(planned: PlannedEdit) -> None:
    unit = f" {planned.column.unit}" if planned.column.unit else ""
    say(f"{planned.column.name}, the points that move:")
    for knot, old, new in zip(
        planned.knots,
        planned.old,
        planned.new,
        strict=True,
    ):
        say(f"  {knot:>10.4g}{unit}  {old:+.3f} → {new:+.3f}")
    say(f"The drawn curve changes from {planned.reaches[0]:.4g} to {planned.reaches[1]:.4g}{unit}.")


def _party(folder: str | None) -> PartyFolder:
    from securefl.party.model_signers import party_of

    found = party_of(Path(folder or "."))
    if found is None:
        raise UsageError(
            f"{folder or 'The current folder'} is no party's folder, so no key is there.",
            next_step="Name the folder of the hospital or researcher with --folder.",
        )
    return found
