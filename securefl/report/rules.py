"""People who decide at a hospital, and its owner's own rules, before they are changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.report.isolation import isolation_spans
from securefl.report.page import (
    Code,
    Moment,
    Outside,
    Page,
    Paragraph,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.isolation import Isolation


class PersonLine(NamedTuple):
    """A person on the list: name, since when (UTC, ISO 8601), and public key in hex."""

    name: str
    since: str
    key: str


def people_page(people: Sequence[PersonLine]) -> Page:
    """Everybody on the list, as a page."""
    rows = tuple(
        (Outside(person.name), Moment(person.since), Code(f"{person.key[:16]}…"))
        for person in people
    )
    return page(
        "People who decide here",
        Table(("Name", "On the list since", "Key"), rows),
        when(
            not people,
            Paragraph("Nobody is listed: whoever works with this folder decides.", Tone.QUIET),
        ),
        Paragraph(
            "Where the policy asks two people, two of them give their word before this hospital"
            " approves, and two together change this list and the policy.",
            Tone.QUIET,
        ),
    )


def person_removal_page(name: str) -> Page:
    """The page before a person is taken off the list."""
    return page(
        "A person off the list",
        facts([("name", Outside(name))]),
        bullets(
            [
                "Their key is erased. It cannot be undone: added again, they have another one.",
                "Their words on open requests are void.",
                "What they signed before stays in the audit.",
            ]
        ),
    )


def rules_page(
    rules: Sequence[tuple[str, str]],
    before: Sequence[tuple[str, str]] | None,
    isolation: Isolation,
) -> Page:
    """The page before rules are signed.

    Args:
        rules: that would hold, label and value.
        before: those that hold now; None where there are none.
        isolation: walls of this machine, beside those that would be required.
    """
    return page(
        "New rules for this hospital",
        section("From now on", facts(rules), when(not rules, _everything())),
        section("Until now", facts(before or ()), when(not before, _everything())),
        section("Walls on this machine under these rules", bullets(isolation_spans(isolation))),
        Paragraph(
            "Signed with this hospital's key. A request against them cannot be approved. Studies"
            " that you approved before go on.",
            Tone.QUIET,
        ),
    )


def no_rules_page(before: Sequence[tuple[str, str]]) -> Page:
    """The page before all rules are taken away."""
    return page(
        "Rules to be taken away",
        section("Until now", facts(before), when(not before, _everything())),
        section("From now on", _everything()),
    )


def _everything() -> Paragraph:
    return Paragraph("No rule: every request is yours to judge.")
