"""``securefl site backup`` and ``securefl site restore``: all that a hospital cannot make again,
and putting it back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import confirm, say
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from securefl.node.owner.backups import BackupFacts


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@site_option
def backup(directory: Path, folder: str | None) -> None:
    """Write a backup of this hospital into a new folder DIRECTORY, also while the agent works.

    In it are the keys, the list of partners, the settings, the ledger, the studies and the
    checkpoints, each with its hash in a signed list. Guard it like the folder itself: who has the
    keys can sign in your hospital's name. Private tables are not in it.
    """
    from securefl.node.owner.backups import make_backup
    from securefl.party.clock import utc_now

    made = make_backup(open_site(folder), directory, utc_now())
    first, *others = _about(made)
    say(f"The backup is {made.folder}: {first}")
    for line in others:
        say(line)
    say(f"To put it back: securefl site restore {made.folder} --site FOLDER")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--yes", is_flag=True, help="The hospital's folder is used nowhere else.")
@site_option
def restore(directory: Path, yes: bool, folder: str | None) -> None:
    """Put the backup DIRECTORY back, into a new folder or over the hospital's own.

    Refused where the ledger that lies there, or anything beside it, knows more than the backup.
    What happened after the backup was made only the partners know: the agent asks them, and starts
    nothing before they have answered.
    """
    from securefl.node.owner import backups
    from securefl.party.folder import find_folder

    plan = backups.plan_restore(directory, find_folder(folder, "SECUREFL_SITE"))
    card = plan.facts.card
    target = plan.target
    for line in _about(plan.facts):
        say(line)
    if not yes:
        say(f"Its card: {card.spoken}")
        say(
            f"From now on {target} is the folder of {card.name}. The same hospital must run"
            " nowhere else: two copies spend one budget twice."
        )
    confirm(f"Put it back into {target}?", yes=yes)
    done = backups.restore(plan)
    say(f"Put back into {target}.")
    if done.aside is not None:
        say(f"The ledger that was there lies in {done.aside}.")
    if done.missing:
        say(f"Not there now, and not in a backup: {', '.join(done.missing)}")
    partners = ", ".join(done.partners) or "nobody (no hospital is on its list)"
    say(
        f"At its start the agent asks which checkpoints of this ledger they hold: {partners}. One"
        " that holds a newer one stops it; then take a newer backup."
    )
    say("Next: securefl audit --verify   then   securefl site start")


def _about(found: BackupFacts) -> list[str]:
    """Lines about a backup for its owner."""
    events = f"{found.events:,} event{'' if found.events == 1 else 's'}"
    ledger = f"{events} of the ledger of {found.card.name}, the last is {found.head[:12]}"
    return [
        f"{found.files} files and {ledger}; made {found.made_at}.",
        "Not in it: private tables, personal models, and the keys of studies at work.",
    ]
