"""``securefl study questions`` and ``answer``: what data owners ask before they decide."""

from __future__ import annotations

from dataclasses import asdict

import click

from securefl.cli.screen import json_option, say, say_quoted, write_json
from securefl.cli.study_folder import folder_hint, open_study, researcher_option


@click.command()
@click.argument("name")
@json_option
@researcher_option
def questions(name: str, json_file: str | None, folder: str | None) -> None:
    """Show what data owners asked about a study, each question signed by its hospital."""
    found = open_study(folder, name)
    asked = found.questions()
    if json_file:
        write_json({"questions": [asdict(one) for one in asked]}, json_file)
        if json_file == "-":
            return
    if not asked:
        say("Nobody has asked anything.")
    for one in asked:
        say(f"{one.site}, question {one.number}, {one.at}:")
        say_quoted(one.text)
        if one.reply is None:
            say(
                f"  Next: securefl study answer {found.name} {one.site} {one.number} TEXT"
                f"{folder_hint(folder)}"
            )
            continue
        say("  Your answer:")
        say_quoted(one.reply)


@click.command()
@click.argument("name")
@click.argument("site")
@click.argument("number", type=int)
@click.argument("text")
@researcher_option
def answer(
    *,
    name: str,
    site: str,
    number: int,
    text: str,
    folder: str | None,
) -> None:
    """Answer question NUMBER of the hospital SITE with TEXT, signed. One answer to a question.

    Everybody who can read the study's store can read it.
    """
    open_study(folder, name).answer(site, number, text)
    say(f"Answered question {number} of {site}.")
