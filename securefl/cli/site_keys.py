"""``securefl site rotate-key`` and ``securefl site checkpoint``: a hospital's own new keys, and
what it holds of others' ledgers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import confirm, json_option, say, show_page, write_json
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from securefl.node.owner.checkpoints import HeldCheckpoint, SignedCheckpoint
    from securefl.node.owner.folder import Site
    from securefl.node.owner.keys import Rotated, RotationPlan


@click.command("rotate-key")
@click.option("--yes", is_flag=True, help="You have read what it does.")
@json_option
@site_option
def rotate_key(yes: bool, json_file: str | None, folder: str | None) -> None:
    """Make new keys for this hospital, and erase the old ones.

    For when a copy of the keys may be in other hands, or where your institution asks for it every
    few years. The ledger notes the change, signed by both keys, and `securefl audit` goes on to
    check the whole of it. Afterwards every partner needs the new card: it says that the old key
    named it, and they still compare the fingerprint by telephone. Until they have, no study with
    this hospital can begin. Refused while the agent runs or a study is approved or running here.
    PySyft's own keys and the site's secret (it decides who is held out) stay.
    """
    from securefl.node.owner import keys
    from securefl.party.clock import utc_now

    here = open_site(folder)
    plan = keys.plan_rotation(here)
    if not yes:
        for line in _what_it_does(plan):
            say(line)
    confirm(f"Make new keys for {here.name} now?", yes=yes, read="the lines above")
    made = keys.rotate_key(here, plan, utc_now())
    if json_file:
        write_json(_rotated_json(made), json_file)
    if json_file != "-":
        _say_rotated(made)


def _rotated_json(made: Rotated) -> dict[str, Any]:
    return {
        "site": made.card.name,
        "since": made.since,
        "fingerprint": made.card.spoken,
        "replaced": made.plan.card.spoken,
        "card": str(made.card_file),
        "partners": [card.name for card in made.plan.partners],
        "waiting": list(made.plan.waiting),
    }


def _say_rotated(made: Rotated) -> None:
    since = made.since
    partners = _partners(made.plan) or "your partners"
    say(
        f"{made.card.name} has new keys since {since[:10]} {since[11:16]} UTC. The old private keys"
        " are erased from this folder."
    )
    say(
        "1. Back up now with `securefl site backup`; destroy older copies of the keys, older"
        " backups too, wherever they are."
    )
    say(f"2. Give {made.card_file} to {partners} and read them its new fingerprint by telephone:")
    say(f"     {made.card.spoken}")
    say(
        "   They type `securefl site trust CARD` (a researcher: `securefl study trust CARD`) and"
        " see that it replaces the older card."
    )
    if made.plan.waiting:
        say(
            "3. These requests name the old key and can no longer be approved; ask the researcher"
            f" to make them again: {', '.join(made.plan.waiting)}"
        )
    say("Then: securefl site start")


def _what_it_does(plan: RotationPlan) -> list[str]:
    """The page before the question."""
    old = plan.card
    partners = _partners(plan) or "nobody is on your list yet"
    lines = [
        f"{old.name} signs with the key of the card {old.spoken} until now. If you make new keys:",
        (
            "- the old private keys are erased; what they signed (ledger, approvals, checkpoints)"
            " can still be checked"
        ),
        f"- no study with {old.name} can begin before its partners trust the new card: {partners}",
    ]
    if plan.waiting:
        lines.append(
            "- requests that wait for you name the old key and can no longer be approved:"
            f" {', '.join(plan.waiting)}"
        )
    return lines


def _partners(plan: RotationPlan) -> str:
    return ", ".join(f"{card.name} ({card.role})" for card in plan.partners)


@click.command()
@click.argument("name", metavar="[SITE]", required=False)
@click.option(
    "--out",
    "out",
    metavar="FILE",
    help="Write the signed checkpoint of SITE to this file.",
)
@click.option(
    "--settled",
    is_flag=True,
    help=(
        "SITE has shown two pasts of its ledger, and you have telephoned: put what is held of it"
        " aside and go on."
    ),
)
@click.option(
    "--without",
    is_flag=True,
    help="SITE is silent, and is no longer waited for before a study starts.",
)
@click.option("--yes", is_flag=True, help="You have telephoned, or know why nobody can.")
@json_option
@site_option
def checkpoint(
    *,
    name: str | None,
    out: str | None,
    settled: bool,
    without: bool,
    yes: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Hand out the checkpoint held here of another ledger.

    It shows whether a restored or doubted ledger has forgotten anything. A checkpoint says how many
    events a ledger had, and what the last one was, signed by the ledger's own hospital. The newest
    one of each partner is kept here. Without SITE, list them. With your own name, write one of your
    own ledger as it is now, for a privacy officer or anybody else to keep. Whoever doubts the
    ledger types, in its folder: securefl audit --verify --checkpoint FILE
    """
    from securefl.errors import UsageError
    from securefl.node.owner import checkpoints

    here = open_site(folder)
    if name is None:
        if out or settled or without:
            raise UsageError(
                "--out, --settled and --without need the name of a hospital.",
                next_step="`securefl site checkpoint` lists them.",
            )
        _list_held(here, json_file)
        return
    if settled:
        _settle(here, name, yes=yes)
        return
    if without:
        _go_without(here, name, yes=yes)
        return
    found = checkpoints.find_checkpoint(here, name)
    if out:
        _write(out, found.signed)
    if json_file:
        write_json({"site": name, "size": found.size, "head": found.head}, json_file)
    if json_file != "-":
        _say_checkpoint(found, out, own=name == here.name)


def _say_checkpoint(found: SignedCheckpoint, out: str | None, *, own: bool) -> None:
    name = found.site
    what = "The newest checkpoint held here: the ledger"
    if own:
        what = "The ledger"
    events = f"{found.size:,} {'event' if found.size == 1 else 'events'}"
    say(f"{what} of {name} had {events}; the last one was {found.head[:12]}.")
    if out:
        say(
            f"It is in {out}, signed by {name}. To compare, {name} types: securefl audit --verify"
            " --checkpoint FILE"
        )
    else:
        say(f"To hand it on: securefl site checkpoint {name} --out FILE")


def _settle(here: Site, name: str, *, yes: bool) -> None:
    from securefl.node.owner import checkpoints
    from securefl.report.partners import settling_page

    checkpoints.check_doubted(here, name)
    if not yes:
        show_page(settling_page(name))
    confirm(f"Has {name} told you by telephone what it was, and that it was ended?", yes=yes)
    aside = checkpoints.settle_doubt(here, name)
    say(
        f"Settled: studies with {name} can start again. What it had signed lies in {aside};"
        " keep it."
    )


def _go_without(here: Site, name: str, *, yes: bool) -> None:
    """The page before the question, and the note."""
    from securefl.node.owner import checkpoints
    from securefl.node.owner.pages import excuse_page
    from securefl.party.clock import utc_now

    plan = checkpoints.plan_excuse(here, name)
    if not yes:
        show_page(excuse_page(here, plan))
    confirm(f"Start studies without a word of {name}?", yes=yes)
    checkpoints.excuse(here, plan, utc_now())
    say(f"{name} is not waited for any more, until it answers.")


def _list_held(here: Site, json_file: str | None) -> None:
    from securefl.node.owner.checkpoints import held_checkpoints

    rows = held_checkpoints(here)
    if json_file:
        write_json({"held": [_held_json(row) for row in rows]}, json_file)
    if json_file == "-":
        return
    if not rows:
        say(
            "No checkpoint of another hospital is held here yet: they are handed out with each"
            " round of a study."
        )
    for row in rows:
        say(f"{row.site:<16} {_held_words(row)}")
    if rows:
        say("To hand one on: securefl site checkpoint SITE --out FILE")


def _held_json(row: HeldCheckpoint) -> dict[str, Any]:
    """One held checkpoint for programs; ``fault`` where it cannot be read or is in doubt."""
    found: dict[str, Any] = {"site": row.site}
    if row.checkpoint is not None:
        found |= {"size": row.checkpoint.size, "head": row.checkpoint.head}
    if fault := _held_fault(row):
        found["fault"] = fault
    return found


def _held_words(row: HeldCheckpoint) -> str:
    fault = _held_fault(row)
    if fault or row.checkpoint is None:
        return fault
    return f"{row.checkpoint.size:>8,} events, ending in {row.checkpoint.head[:12]}"


def _held_fault(row: HeldCheckpoint) -> str:
    if row.doubted:
        return (
            f"has shown two pasts of its ledger: telephone {row.site}, then securefl site"
            f" checkpoint {row.site} --settled"
        )
    return row.unreadable


def _write(out: str, data: bytes) -> None:
    from securefl.errors import UsageError

    try:
        Path(out).write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror}.", next_step="Name another file."
        ) from None
