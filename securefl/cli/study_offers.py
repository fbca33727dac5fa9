"""``securefl study offers``: what hospitals that refused would agree to."""

from __future__ import annotations

from dataclasses import asdict

import click

from securefl.cli.screen import json_option, say, write_json
from securefl.cli.study_folder import open_study, researcher_option


@click.command()
@click.argument("name")
@json_option
@researcher_option
def offers(name: str, json_file: str | None, folder: str | None) -> None:
    """Show what hospitals that refused a study would agree to, each offer signed by its hospital.

    An offer approves nothing: make another study, with another id, and ask again.
    """
    from securefl.report.offers import lowest, offer_words

    found = open_study(folder, name).offers()
    if json_file:
        write_json({"offers": [asdict(offer) for offer in found]}, json_file)
        if json_file == "-":
            return
    if not found:
        say("No hospital has offered anything.")
        return
    for offer in found:
        say(f"{offer.site}, {offer.at}: {offer_words(offer.epsilon, offer.closes)}")
    if len(found) > 1:
        pairs = [(offer.epsilon, offer.closes) for offer in found]
        say(f"All of them would agree to {lowest(pairs)}.")
    say(
        "Next: change the protocol (`securefl study design` finds the noise for an epsilon;"
        " schedule.closes is the end), then `securefl study new` with another --id."
    )
