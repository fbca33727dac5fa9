"""Contributions to a study's rounds, as anybody can verify them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from securefl.report.page import Page, Section, Span, Table, Tone, bullets, facts, page, section
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from securefl.errors import SecureFLError
    from securefl.report.page import Words


class RoundLine(NamedTuple):
    """Round that holds: its number and kind, who is in its sum, who is not, two SHA-256; and
    whether it was added again, or checked by its transcript alone.
    """

    number: int
    kind: str
    contributed: Sequence[str]
    absent: Sequence[str]
    sum_sha256: str
    transcript_sha256: str
    added_again: bool = True


#: Of rounds whose contributions the study's own rule removed.
REMOVED = (
    "The contributions of the rounds that are marked were removed by the study's rule, once every"
    " hospital had verified their sum. Their signed transcripts hold; they were not added again."
)


def rounds_page(
    name: str,
    found: Sequence[RoundLine],
    failed: Mapping[int, SecureFLError],
    *,
    rounds: int,
    site: str = "",
) -> Page:
    """The page of a study's verified rounds.

    Args:
        name: the study's name.
        found: the rounds that hold, in order.
        failed: number of a round that does not → why.
        rounds: how many the study has.
        site: the hospital whose view it is, ``""`` for another party.
    """
    checked = len(found) + len(failed)
    lines = [
        "Each contribution carries its hospital's signature, for this study and round.",
        "The sum was added again from them: it is the one that the aggregator signed.",
        (
            "The coordinator signed a transcript of each round. All name the same contributions and"
            " sum, each the transcript before it."
        ),
        *(
            [f"What is counted as from {site} is what its own ledger says left the house."]
            if site
            else []
        ),
        *([] if all(line.added_again for line in found) else [REMOVED]),
        "No key was needed, and nothing was opened.",
    ]
    verdict = Span("all hold", Tone.GOOD)
    if failed:
        verdict = Span(f"{len(failed)} of {checked} do not hold", Tone.BAD)
    parts: list[Section] = []
    if found:
        rows = tuple(_row(first, last) for first, last in _alike(found))
        contributed = Table(("round", "contributed", "not in it"), rows)
        parts += [
            section("Who contributed", contributed),
            section("What was compared", bullets(lines)),
        ]
    if checked == len(found) == 1:
        parts.append(
            section(
                "For specialists",
                facts(
                    [
                        ("sum", found[0].sum_sha256),
                        ("transcript", found[0].transcript_sha256),
                    ]
                ),
            )
        )
    if failed:
        parts.append(
            section(
                "What does not hold",
                bullets((Span(f"round {n}: ", Tone.BAD), str(e)) for n, e in failed.items()),
            )
        )
    return page(
        f"Rounds of {name}, added again",
        (f"{checked} of {plural(rounds, 'round')} checked: ", verdict),
        *parts,
    )


_ABSENT = {True: Tone.PLAIN, False: Tone.QUIET}


def _row(first: RoundLine, last: RoundLine) -> tuple[Words, ...]:
    """A run of rounds with the same hospitals."""
    numbers = f"{first.number}"
    if first is not last:
        numbers = f"{first.number} to {last.number}"
    kind = first.kind and f", {first.kind}"
    if not first.added_again:
        numbers += " (transcript alone)"
    absent = Span(", ".join(first.absent) or "nobody", _ABSENT[bool(first.absent)])
    return (numbers + kind, ", ".join(first.contributed), absent)


def _alike(lines: Sequence[RoundLine]) -> Iterator[tuple[RoundLine, RoundLine]]:
    """First and last of each run of rounds with the same hospitals."""
    runs = groupby(
        enumerate(lines),
        lambda at: (
            at[1].number - at[0],
            at[1].kind,
            tuple(at[1].contributed),
            tuple(at[1].absent),
            at[1].added_again,
        ),
    )
    for _, run in runs:
        members = [line for _, line in run]
        yield members[0], members[-1]
