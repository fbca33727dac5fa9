"""Bytes of ended studies before they leave the store: what goes, what stays, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.report.page import Page, Paragraph, Tone, bullets, facts, page, section, when
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence


class CleanedLine(NamedTuple):
    """Study with the number of rounds in which long bytes of this party lie.

    ``model``: whether its sealed model does. ``why_not``: why they stay; empty where they go.
    """

    name: str
    rounds: int
    model: bool
    why_not: str


def cleaning_page(studies: Sequence[CleanedLine]) -> Page:
    """The page that ``securefl store clean`` shows before it asks."""
    goes = [line for line in studies if not line.why_not and (line.rounds or line.model)]
    stays = [line for line in studies if line.why_not]
    return page(
        "Ended studies in the store",
        section(
            "What leaves the store",
            facts([(line.name, _going(line)) for line in goes]),
            when(not goes, Paragraph("Nothing of yours.", Tone.QUIET)),
        ),
        section("What stays for now", facts([(line.name, line.why_not) for line in stays])),
        section(
            "What this means",
            bullets(
                [
                    "Only bytes that you wrote go: what sums were made with.",
                    "All that was signed stays: approvals, transcripts, answers, last words.",
                    (
                        "A round can then be checked by its transcript, and not added again. That is"
                        " said where somebody checks it."
                    ),
                    "Your own folder stays as it is, and so does your ledger.",
                    "What left is not put back.",
                ]
            ),
        ),
    )


def _going(line: CleanedLine) -> str:
    rounds = plural(line.rounds, "round")
    if not line.rounds:
        return "its sealed model"
    if line.model:
        return f"long bytes of {rounds}, and its sealed model"
    return f"long bytes of {rounds}"
