"""``securefl site notices``: what the owner is told of without looking."""

from __future__ import annotations

from pathlib import Path

import click

from securefl.cli.screen import confirm, json_option, say, show_page, write_json
from securefl.cli.site_folder import open_site, site_option


@click.group()
def notices() -> None:
    """Notices of a new request, one that waits, 80 % of a budget, a failure, a finished study, a
    recalled model: by a command, by mail, to a web address.

    They hold names of studies and populations, and no figure. The settings are a TOML file: schema
    = "securefl-notices/1", and any of [command], [mail], [webhook]. Secrets stand in files of their
    own.
    """


@notices.command("set")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--yes", is_flag=True, help="You have read what it says.")
@site_option
def notices_set(file: Path, yes: bool, folder: str | None) -> None:
    """Sign the settings in FILE with this hospital's key; they replace the ones before."""
    from securefl.files import read_given
    from securefl.node.owner import notices as owner
    from securefl.node.owner.pages import new_notices_page

    here = open_site(folder)
    plan = owner.plan_notices(here, read_given(file, owner.MAX_SETTINGS))
    show_page(new_notices_page(plan))
    confirm(f"Sign these settings for {here.name}?", yes=yes, read="the page above")
    owner.set_notices(here, plan.settings)
    say("Signed. Next: `securefl site notices test`")


@notices.command("show")
@json_option
@site_option
def notices_show(json_file: str | None, folder: str | None) -> None:
    """Show the settings that hold."""
    from securefl.node.owner.notices import kept_settings
    from securefl.report.notices import notices_page

    found = kept_settings(open_site(folder))
    if json_file:
        rules = None
        if found is not None:
            rules = found.model_dump(mode="json", by_alias=True, exclude_none=True)
        write_json({"notices": rules}, json_file)
    if json_file != "-":
        show_page(notices_page(None if found is None else found.rows()))


@notices.command("drop")
@click.option("--yes", is_flag=True, help="You know that nobody is told any more.")
@site_option
def notices_drop(yes: bool, folder: str | None) -> None:
    """Take the settings away: nobody is told of anything."""
    from securefl.node.owner.notices import drop_notices

    here = open_site(folder)
    confirm(f"Send no notices of {here.name} any more?", yes=yes)
    say("Taken away." if drop_notices(here) else "There were none.")


@notices.command("test")
@json_option
@site_option
def notices_test(json_file: str | None, folder: str | None) -> None:
    """Send a test by each way, and say what came of it."""
    from securefl.errors import StoreError
    from securefl.node.owner.notices import try_notices
    from securefl.node.owner.pages import notice_trials_page
    from securefl.party.clock import utc_now

    trials = try_notices(open_site(folder), utc_now())
    if json_file:
        write_json({"ways": [vars(trial) for trial in trials]}, json_file)
    if json_file != "-":
        show_page(notice_trials_page(trials))
    failed = [trial.channel for trial in trials if trial.fault]
    if failed:
        raise StoreError(
            f"The test did not get through: {', '.join(failed)}.",
            whose="this hospital",
            next_step="Mend the settings, sign them with `securefl site notices set FILE`, and try"
            " again.",
        )
