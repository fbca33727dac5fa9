"""``securefl consortium vouch``: a hospital's word for a card that it compared."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.consortium_party import required_folder
from securefl.cli.screen import confirm, say, say_quoted


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.argument("name")
@click.option("--days", default=90, show_default=True, help="How long your word holds.")
@click.option("--yes", is_flag=True, help="You have read the lines that are shown.")
@click.option("--site", metavar="DIR", help="The hospital's folder; else $SECUREFL_SITE.")
def vouch(directory: Path, name: str, days: int, yes: bool, site: str | None) -> None:
    """Vouch for the card of NAME, which you compared by telephone.

    For parties who know you and cannot telephone NAME. They see that they take your word, and each
    of them says yes or no. Only a hospital vouches, and only for a card that it compared itself.
    """
    from datetime import UTC, datetime

    from securefl.party.consortium import open_folder
    from securefl.party.vouch import plan_vouch, write_vouch

    folder = open_folder(directory)
    mine = required_folder(site, None, None)
    card = plan_vouch(mine, folder, name, days)
    say(f"{mine.name} vouches for {days} days that this is the card of {name}:")
    say_quoted(f"{card.legal_name}, {card.email}")
    say(f"  {card.role:<10}  {card.spoken}")
    question = f"Did you yourself compare these groups with {name}, and do you vouch for them?"
    confirm(question, yes=yes, read="the lines above")
    file = write_vouch(mine, folder, card, days, datetime.now(UTC))
    say(f"Signed. Give {file} to whoever cannot telephone {name}, for {file.parent.name}/ of their")
    say("copy of the consortium's folder. There `securefl consortium join` shows what to type.")
