"""``securefl site budget``: what the owner grants to a patient population, and takes back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import confirm, json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option
from securefl.errors import UsageError
from securefl.files import read_given

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.privacy.ledger_state import StudyState


@click.group()
def budget() -> None:
    """Grant a population a privacy budget, or take it back."""


@budget.command("set")
@click.argument("population")
@click.option("--epsilon", required=True, help="What is added to the budget, like 3.")
@click.option(
    "--delta", default="1e-5", show_default=True, help="The chance that the promise does not hold."
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
    *, population: str, epsilon: str, delta: str, typical: Path, yes: bool, folder: str | None
) -> None:
    """Grant a budget to a population, for all studies of all researchers together. It never renews
    by itself.

    Where there is a budget already, EPSILON is added to it; you see the total and are asked first.
    You are also asked where no data set of that population is registered: a misspelt name would
    have the budget for ever.

    The typical study decides how the budget is accounted for (the order of the filter), and a
    budget that could not pay for one such study is refused.
    """
    from securefl.node.policy import charges_of
    from securefl.party.folder import NAME_RULE
    from securefl.privacy.accounting import PldAccountant
    from securefl.privacy.explain import explain_epsilon, explain_share, guess_percent
    from securefl.privacy.mechanisms import decimal_text
    from securefl.privacy.planning import choose_order
    from securefl.study.consistency import parse_consistent
    from securefl.study.fields import NAME

    here, plain = open_site(folder), parse_consistent(read_given(typical), PldAccountant())
    if not re.fullmatch(NAME, population):
        raise UsageError(f"'{population}' cannot be the name of a population.", next_step=NAME_RULE)
    amount, chance = (
        _decimal(epsilon, "--epsilon", "0.0001", "1000"),
        _decimal(delta, "--delta", "1e-30", "1e-3"),
    )
    before = here.ledger.state.budgets.get(population)
    if before is None and population not in (
        known := sorted({d.population for d in here.settings.datasets})
    ):
        have = (
            f"Those registered are: {', '.join(known)}."
            if known
            else "No data set is registered here yet."
        )
        say(f"No data set of the population '{population}' is registered here. {have}")
        say(
            "Check the spelling: a budget for a name that no data set has serves no study, and it"
            " stays in the ledger for ever."
        )
        confirm(f"Grant a budget to '{population}' all the same?", yes=yes)
    after = here.ledger.state.epsilon_after(population, amount)
    choice = choose_order(after, chance, charges_of(plain), plain.privacy.max_attempts)
    if before is not None and not before.revoked:
        if not yes:
            say(
                f"The patients of '{population}' have a budget already: epsilon"
                f" {decimal_text(before.epsilon)} is granted now, {decimal_text(after)} after this."
            )
            say(
                f"The guess can then rise to {guess_percent(after)}, where it was"
                f" {guess_percent(before.epsilon)}. A grant cannot be made smaller later; `securefl"
                " site budget revoke` takes back all that is left."
            )
        confirm(
            f"Add epsilon {decimal_text(amount)} to the budget of '{population}'?",
            yes=yes,
            read="the lines above",
        )
    here.ledger.grant(
        population,
        epsilon=amount,
        delta=chance,
        choice=choice,
        typical=plain.study.id,
        charges=charges_of(plain),
        attempts=plain.privacy.max_attempts,
    )
    quote = here.ledger.quote(population, charges_of(plain), plain.privacy.max_attempts)
    total = here.ledger.state.budget(population)
    if before is not None and before.revoked:
        say(
            f"Opened again: what was used of the earlier budget stays used, and epsilon {amount}"
            " comes on top of it. What was left of it does not come back."
        )
    say(
        f"Granted: epsilon {total.epsilon} at delta {total.delta} in all for the patients of"
        f" '{population}'."
    )
    say(
        explain_epsilon(total.epsilon, total.delta).replace(
            "Whoever studies the result", "Whoever studies all that is ever released under it"
        )
    )
    say(explain_share(quote.used_share, quote.room))
    say(f"For specialists: {total.grants[-1].reason}")


@budget.command("revoke")
@click.argument("population")
@click.option("--note", default="", help="For your own ledger: why.")
@click.option("--yes", is_flag=True, help="You have read what it does.")
@json_option
@site_option
def budget_revoke(
    population: str, note: str, yes: bool, json_file: str | None, folder: str | None
) -> None:
    """Take back what is left of a population's budget.

    No later study is approved on these patients. What was spent stays spent. Studies that you
    approved before go on with the part that was reserved for them; `securefl site withdraw ID` ends
    one. `securefl site budget set` opens the budget again with a new grant; what is left now does
    not come back with it.
    """
    from securefl.node.decisions import reserved_here, revoke_budget
    from securefl.privacy.explain import percent
    from securefl.privacy.planning import share

    here = open_site(folder)
    held, studies = here.ledger.state.open_budget(population), reserved_here(here, population)
    used = share(here.ledger.state.used(population), held.cap)
    if not yes:
        for line in _what_it_does(population, used, studies):
            say(line)
    confirm(f"Take back the rest of the budget of '{population}'?", yes=yes, read="the lines above")
    revoke_budget(here, population, note)
    if json_file:
        going_on = [{"id": s.approval.id, "digest": s.digest, "status": s.status} for s in studies]
        write_json(
            {
                "population": population,
                "revoked": True,
                "share_used": float(used),
                "going_on": going_on,
            },
            json_file,
        )
    if json_file != "-":
        say(
            f"Taken back: {percent(used)} of the budget stays spent, and nothing more is charged to"
            f" the patients of '{population}'."
        )
        say(
            "Requests on these patients can no longer be approved. `securefl site budget set` would"
            " open a new budget; `securefl audit` shows both."
        )


def _what_it_does(population: str, used: Decimal, studies: Sequence[StudyState]) -> list[str]:
    """The page before the question."""
    from securefl.privacy.explain import percent
    from securefl.report.audit_words import study_name

    lines = [
        (
            f"The budget of the patients of '{population}': {percent(used)} is used. If you take back"
            " the rest:"
        )
    ]
    lines.append(
        f"- {percent(used)} stays spent, and stays in the audit: what left the house cannot be"
        " called back"
        if used
        else "- nothing was spent so far"
    )
    for study in studies:
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


def _decimal(text: str, option: str, least: str, most: str) -> Decimal:
    from decimal import Decimal, InvalidOperation

    from securefl.privacy.mechanisms import decimal_text

    try:
        value = Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{text!r} is not a number", param_hint=option) from None
    if not value.is_finite() or not Decimal(least) <= value <= Decimal(most):
        raise click.BadParameter(f"must be at least {least} and at most {most}", param_hint=option)
    if len(decimal_text(value)) > 40:
        raise click.BadParameter(
            "has more digits than a budget needs: write at most 40 characters in plain digits",
            param_hint=option,
        )
    return value
