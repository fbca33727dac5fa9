"""``securefl site policy``: rules of the owner that every request must keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option
from securefl.cli.site_people import two_option, typed_passphrases

if TYPE_CHECKING:
    from securefl.report.isolation import Isolation
    from securefl.study.owner_policy import OwnerPolicy


@click.group()
def policy() -> None:
    """Your own rules: a request against them cannot be approved, and its page says why.

    They are a TOML file: schema = "securefl-policy/1" and any of researchers, purposes,
    largest_epsilon, largest_epsilon_quarter, largest_share, least_hospitals, tasks, families,
    hours, jurisdictions, store_jurisdiction, approvers, studies_at_once, walls, memory_gb, cores,
    processor_hours, worker_may_have_network. A rule that is left out allows
    everything, but for the last: the network wall round the worker is required. Studies that you
    approved before go on. A table [[approve_alone]] is the other way round: the agent approves
    without you what it names, and nothing else.
    """


@policy.command("set")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@two_option
@click.option("--yes", is_flag=True, help="You have read what it says.")
@site_option
def policy_set(
    file: Path,
    two: tuple[str, ...],
    yes: bool,
    folder: str | None,
) -> None:
    """Sign the rules in FILE with this hospital's key; they replace the ones before."""
    from securefl.files import read_given
    from securefl.node.owner import policy as owner
    from securefl.study.owner_policy import MAX_POLICY_BYTES

    here = open_site(folder)
    plan = owner.plan_policy(here, read_given(file, MAX_POLICY_BYTES))
    _say_rules(plan.policy)
    _say_walls(plan.isolation())
    confirm(f"Sign these rules for {here.name}?", yes=yes, read="the lines above")
    owner.set_policy(here, plan, typed_passphrases(two))
    say("Signed: from now on a request against them cannot be approved.")


@policy.command("show")
@json_option
@site_option
def policy_show(json_file: str | None, folder: str | None) -> None:
    """Show the rules that hold, and which walls this machine puts round a worker."""
    from securefl.node.owner.policy import kept_policy, walls_here
    from securefl.report.isolation import walls_json

    here = open_site(folder)
    found = kept_policy(here)
    isolation = walls_here(here)
    if json_file:
        rules = None
        if found is not None:
            rules = found.model_dump(mode="json", by_alias=True, exclude_none=True)
        write_json({"policy": rules, "walls": walls_json(isolation)}, json_file)
    if json_file == "-":
        return
    if found is None:
        say("No policy was signed here: every request is yours to judge.")
    else:
        _say_rules(found)
    _say_walls(isolation)


@policy.command("drop")
@two_option
@click.option("--yes", is_flag=True, help="You know that every request can be approved then.")
@site_option
def policy_drop(two: tuple[str, ...], yes: bool, folder: str | None) -> None:
    """Take the rules away."""
    from securefl.node.owner.policy import drop_policy

    here = open_site(folder)
    confirm(f"Take away the rules of {here.name}?", yes=yes)
    say("Taken away." if drop_policy(here, typed_passphrases(two)) else "There were none.")


def _say_walls(found: Isolation) -> None:
    from securefl.report.isolation import isolation_spans

    for span in isolation_spans(found):
        say(span.text)


def _say_rules(found: OwnerPolicy) -> None:
    rows = found.rows()
    if not rows:
        say("It has no rule: everything is allowed.")
    for label, value in rows:
        say(f"  {label:<28} {value}")
