"""``securefl site counter-offer``: a request is refused, and the researcher told what would do."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from securefl.cli.screen import confirm, say
from securefl.cli.site_folder import open_site, site_option
from securefl.cli.site_requests import request_argument


@click.command("counter-offer")
@request_argument
@click.option("--epsilon", metavar="X", help="The most that a new study may cost.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day (UTC) before which a new study must end.",
)
@click.option("--yes", is_flag=True, help="You know that this study is refused for good.")
@site_option
def counter_offer(
    *,
    request_id: str,
    epsilon: str | None,
    until: datetime | None,
    yes: bool,
    folder: str | None,
) -> None:
    """Refuse a request, and offer the researcher a study with a lower epsilon or an earlier end.

    The offer is signed, and everybody who can read the study's store can read it. It approves
    nothing: the researcher makes another study, and you decide on that one.
    """
    from securefl.node.owner.offers import plan_offer, send_offer

    here = open_site(folder)
    day = None
    if until is not None:
        day = until.date()
    plan = plan_offer(here, request_id, epsilon, day, datetime.now(UTC).date())
    short = plan.request.short
    if not yes:
        say(f"- {short} asks for epsilon {plan.asked_epsilon}, and closes on {plan.asked_until}.")
        say(f"- It is refused, for good; you offer {plan.words}.")
    confirm(f"Refuse {short}, and offer this?", yes=yes, read="the lines above")
    send_offer(here, plan)
    say(f"Refused {short}, and offered {plan.words}. Nothing of it runs here.")
