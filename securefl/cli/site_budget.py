"""``securefl site budget``: what the owner grants to a patient population, and takes back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.nouns import speak_as_file
from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option
from securefl.files import read_given

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from securefl.node.owner.budgets import Granted, GrantPlan, Revocation


@click.group()
def budget() -> None:
    """Grant a population a privacy budget, or take it back."""


@budget.command("set")
@click.argument("population")
@click.option("--epsilon", required=True, help="What is added to the budget, like 3.")
@click.option(
    "--delta",
    default="1e-5",
    show_default=True,
    help="The chance that the promise does not hold.",
)
@click.option(
    "--typical",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A protocol or study of the kind that you expect.",
)
@click.option(
    "--yes",
    is_flag=True,
    help=(
        "You know that it is added to what was granted before, or that no data set has this"
        " population yet."
    ),
)
@site_option
def budget_set(
    *,
    population: str,
    epsilon: str,
    delta: str,
    typical: Path,
    yes: bool,
    folder: str | None,
) -> None:
    """Grant a budget to a population, for all studies of all researchers together. It never renews
    by itself.

    Where there is a budget already, EPSILON is added to it; you see the total and are asked first.
    You are also asked where no data set of that population is registered: a misspelt name would
    have the budget for ever.

    The typical study decides how the budget is accounted for (the order of the filter), and a
    budget that could not pay for one such study is refused.
    """
    from securefl.node.owner import budgets

    here = open_site(folder)
    text = read_given(typical)
    speak_as_file(text)
    amount = _read(budgets.read_epsilon, epsilon, "--epsilon")
    chance = _read(budgets.read_delta, delta, "--delta")
    plan = budgets.plan_grant(here, population, amount, chance, text)
    if plan.unknown_population:
        _ask_unknown(plan, yes=yes)
    if plan.kind is budgets.GrantKind.ADDED:
        _ask_added(plan, yes=yes)
    _say_granted(budgets.grant(here, plan))


def _read(read: Callable[[str], Decimal], text: str, option: str) -> Decimal:
    try:
        return read(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _ask_unknown(plan: GrantPlan, *, yes: bool) -> None:
    """Ask where no data set has this population."""
    known = ", ".join(plan.populations)
    have = "No data set is registered here yet."
    if known:
        have = f"Those registered are: {known}."
    say(f"No data set of the population '{plan.population}' is registered here. {have}")
    say(
        "Check the spelling: a budget for a name that no data set has serves no study, and it"
        " stays in the ledger for ever."
    )
    confirm(f"Grant a budget to '{plan.population}' all the same?", yes=yes)


def _ask_added(plan: GrantPlan, *, yes: bool) -> None:
    """Ask where the grant is added to an earlier one."""
    from securefl.privacy.explain import guess_percent
    from securefl.privacy.mechanisms import decimal_text

    if not yes and plan.before is not None:
        say(
            f"The patients of '{plan.population}' have a budget already: epsilon"
            f" {decimal_text(plan.before)} is granted now, {decimal_text(plan.after)} after this."
        )
        say(
            f"The guess can then rise to {guess_percent(plan.after)}, where it was"
            f" {guess_percent(plan.before)}. A grant cannot be made smaller later; `securefl"
            " site budget revoke` takes back all that is left."
        )
    confirm(
        f"Add epsilon {decimal_text(plan.amount)} to the budget of '{plan.population}'?",
        yes=yes,
        read="the lines above",
    )


def _say_granted(made: Granted) -> None:
    from securefl.node.owner.budgets import GrantKind
    from securefl.privacy.explain import explain_epsilon, explain_share

    total = made.budget
    if made.plan.kind is GrantKind.REOPENED:
        say(
            "Opened again: what was used of the earlier budget stays used, and epsilon"
            f" {made.plan.amount} comes on top of it. What was left of it does not come back."
        )
    say(
        f"Granted: epsilon {total.epsilon} at delta {total.delta} in all for the patients of"
        f" '{total.population}'."
    )
    say(explain_epsilon(total.epsilon, total.delta, of="all that is ever released under it"))
    say(explain_share(made.used, made.room))
    say(f"For specialists: {made.reason}")


@budget.command("revoke")
@click.argument("population")
@click.option("--note", default="", help="For your own ledger: why.")
@click.option("--yes", is_flag=True, help="You have read what it does.")
@json_option
@site_option
def budget_revoke(
    population: str,
    note: str,
    yes: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Take back what is left of a population's budget.

    No later study is approved on these patients. What was spent stays spent. Studies that you
    approved before go on with the part that was reserved for them; `securefl site withdraw ID` ends
    one. `securefl site budget set` opens the budget again with a new grant; what is left now does
    not come back with it.
    """
    from securefl.node.owner import budgets
    from securefl.privacy.explain import percent

    here = open_site(folder)
    plan = budgets.plan_revocation(here, population)
    if not yes:
        for line in _what_it_does(plan):
            say(line)
    confirm(f"Take back the rest of the budget of '{population}'?", yes=yes, read="the lines above")
    budgets.revoke(here, plan, note)
    if json_file:
        going_on = [
            {"id": s.approval.id, "digest": s.digest, "status": s.status} for s in plan.going_on
        ]
        write_json(
            {
                "population": population,
                "revoked": True,
                "share_used": float(plan.used),
                "going_on": going_on,
            },
            json_file,
        )
    if json_file != "-":
        say(
            f"Taken back: {percent(plan.used)} of the budget stays spent, and nothing more is"
            f" charged to the patients of '{population}'."
        )
        say(
            "Requests on these patients can no longer be approved. `securefl site budget set` would"
            " open a new budget; `securefl audit` shows both."
        )


def _what_it_does(plan: Revocation) -> list[str]:
    """The page before the question."""
    from securefl.privacy.explain import percent
    from securefl.report.audit_words import study_name

    used = percent(plan.used)
    whose = f"The budget of the patients of '{plan.population}'"
    lines = [f"{whose}: {used} is used. If you take back the rest:"]
    if plan.used:
        lines.append(
            f"- {used} stays spent, and stays in the audit: what left the house cannot be called"
            " back"
        )
    else:
        lines.append("- nothing was spent so far")
    for study in plan.going_on:
        name = study_name(study.approval.id, study.digest)
        lines.append(
            f"- {name} ({study.status}) goes on with the part reserved for it; `securefl site"
            f" withdraw {name}` ends it"
        )
    lines.append(
        "- no later study is approved on these patients, unless you grant a new budget: then what"
        " is left today does not come back with it"
    )
    return lines
