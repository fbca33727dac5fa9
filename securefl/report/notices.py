"""Settings of notices, on their owner's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.page import (
    Outside,
    Page,
    Paragraph,
    Span,
    Table,
    Tone,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.page import Value


def notices_page(rules: Sequence[tuple[str, str]] | None) -> Page:
    """The settings that hold, as a page.

    Args:
        rules: label and value; None where there are none.
    """
    return page(
        "Notices",
        Paragraph(
            "You are told of what happened, without looking. A notice holds names of studies and"
            " populations, and no figure.",
            Tone.QUIET,
        ),
        facts(_rows(rules or ())),
        when(rules is None, _nobody()),
    )


def new_notices_page(
    rules: Sequence[tuple[str, str]],
    before: Sequence[tuple[str, str]] | None,
    lost: Sequence[str],
) -> Page:
    """The page before settings are signed.

    Args:
        rules: that would hold.
        before: that hold now; None where there are none.
        lost: sections whose user and files are left out, since their address is another one.
    """
    return page(
        "New settings of notices",
        section("From now on", facts(_rows(rules))),
        section("Until now", facts(_rows(before or ())), when(before is None, _nobody())),
        when(
            "mail" in lost,
            Paragraph(
                "The mail server is another one, so user, password and authority of the old one are"
                " left out: a secret is never sent elsewhere.",
                Tone.WARN,
            ),
        ),
        when(
            "webhook" in lost,
            Paragraph(
                "The web address is another one, so token, authority and proxy of the old one are"
                " left out: a secret is never sent elsewhere.",
                Tone.WARN,
            ),
        ),
        Paragraph("What is so already is not told; what comes next is.", Tone.QUIET),
    )


def no_notices_page(before: Sequence[tuple[str, str]]) -> Page:
    """The page before the settings are taken away."""
    return page(
        "Notices to be taken away",
        section("Until now", facts(_rows(before))),
        section("From now on", _nobody()),
    )


def notice_trials_page(trials: Sequence[tuple[str, str]]) -> Page:
    """What came of a test by each way.

    Args:
        trials: name of the way, and why it failed; empty where the test got through.
    """
    rows = []
    for way, fault in trials:
        told: Value = Span("it was taken", Tone.GOOD)
        if fault:
            told = Span(fault, Tone.BAD)
        rows.append((way, told))
    return page("A test of the notices", Table(("way", "what came of it"), tuple(rows)))


def _rows(rules: Sequence[tuple[str, str]]) -> list[tuple[str, Value]]:
    return [(label, Outside(value)) for label, value in rules]


def _nobody() -> Paragraph:
    return Paragraph(
        "Nobody is told of anything: look yourself, at the requests and at what runs.", Tone.QUIET
    )
