"""Patients who are taken out, as their hospital's owner reads it: what it changes and what it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.privacy.explain import explain_epsilon
from securefl.report.page import Outside, Page, Paragraph, Table, Tone, bullets, page, section
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.report.page import Row


class TouchedLine(NamedTuple):
    """A study whose releases may hold something of the patients."""

    name: str
    state: str
    releases: int
    last_round: int
    model: bool


def removal_page(
    population: str,
    *,
    named: int,
    already: int,
    found: int,
    unread: Sequence[str],
    touched: Sequence[TouchedLine],
    bound: tuple[Decimal, Decimal] | None,
    going_on: Sequence[str],
) -> Page:
    """The page before patients are taken out.

    Args:
        population: whose patients.
        named: how many identifiers were given.
        already: how many of them are out already.
        found: how many of the rest stand in a registered table.
        unread: data sets that could not be read.
        touched: studies that released something before.
        bound: epsilon and delta of all these releases together; None where there are none.
        going_on: studies that run, or may start.
    """
    return page(
        f"Patients to be taken out of {population}",
        section(
            "For your eyes only",
            bullets(_found(named, already, found, unread)),
        ),
        section("From now on", bullets(_from_now_on(going_on))),
        section("Released before", *_released(touched, bound)),
        Paragraph(
            "Your folder keeps keyed hashes, and no identifier. The table itself is yours to change."
            " It cannot be undone.",
            Tone.QUIET,
        ),
    )


def _found(
    named: int,
    already: int,
    found: int,
    unread: Sequence[str],
) -> list[str]:
    lines = [f"{plural(named, 'identifier')} given; {found} of them in your tables now."]
    absent = named - already - found
    if already:
        lines.append(f"{already} of them are out already.")
    if absent:
        lines.append(
            f"{absent} of them stand in no table that is registered now: look for a slip of the"
            " pen. They are kept out all the same, should they come."
        )
    if unread:
        lines.append(f"Not looked into: {', '.join(unread)}.")
    return lines


def _from_now_on(going_on: Sequence[str]) -> list[str]:
    lines = [
        "No study of this hospital reads their rows, and no count and no personal model either.",
        "Their budget stays as it is, and so does what was charged to it.",
    ]
    if going_on:
        named = ", ".join(going_on)
        lines.insert(1, f"Studies under way go on without them from their next round on: {named}.")
    return lines


def _released(
    touched: Sequence[TouchedLine],
    bound: tuple[Decimal, Decimal] | None,
) -> list[Paragraph | Table]:
    if bound is None:
        return [Paragraph("Nothing has left this hospital that their rows could have touched.")]
    rows: tuple[Row, ...] = tuple(
        (
            Outside(line.name),
            line.state,
            f"{plural(line.releases, 'release')}, the last in round {line.last_round}",
            "a model" if line.model else "figures",
        )
        for line in touched
    )
    epsilon, delta = bound
    promise = explain_epsilon(epsilon, delta, of="all of these together")
    return [
        Paragraph(
            "What these studies released cannot be called back. The patients' rows may have"
            " touched it, if they were in the table then:"
        ),
        Table(("Study", "State", "What left", "For"), rows),
        Paragraph(f"The bound still holds for each of them, with epsilon {epsilon:f}: {promise}"),
    ]
