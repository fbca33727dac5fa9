"""Page of a checked archive: what it proves, and what nobody compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.report.page import (
    Code,
    Outside,
    Page,
    Paragraph,
    Quoted,
    Section,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Named(Protocol):
    """A party of the study, as far as the page asks."""

    @property
    def name(self) -> str:
        """As the study names it."""

    @property
    def role(self) -> str:
        """Hospital, aggregator or researcher."""

    @property
    def spoken(self) -> str:
        """Its fingerprint."""

    @property
    def compared(self) -> bool:
        """A fingerprint was given for it."""


class Checked(Protocol):
    """A checked archive (:class:`securefl.party.study_archive.CheckedArchive`)."""

    @property
    def name(self) -> str:
        """Of the study."""

    @property
    def title(self) -> str:
        """Of the study."""

    @property
    def digest(self) -> str:
        """Of the study."""

    @property
    def parties(self) -> Sequence[Named]:
        """All of them."""

    @property
    def approvals(self) -> Mapping[str, str]:
        """Hospital to time."""

    @property
    def rounds(self) -> Sequence[int]:
        """Hospitals in each sum."""

    @property
    def added_again(self) -> bool:
        """From contributions."""

    @property
    def quality(self) -> str:
        """By the signed end."""

    @property
    def extracts(self) -> Mapping[str, float]:
        """Hospital to epsilon."""

    @property
    def missing(self) -> Sequence[str]:
        """Hospitals without an extract."""

    @property
    def model_digest(self) -> str:
        """Of the model."""

    @property
    def figures(self) -> Mapping[str, str]:
        """Of the model."""

    @property
    def notices(self) -> Sequence[str]:
        """On the model."""

    @property
    def strangers(self) -> Sequence[str]:
        """Parties whose fingerprint nobody gave."""


def archive_page(found: Checked) -> Page:
    """The page; only an archive that holds has one."""
    parties = [
        (
            party.name,
            party.role,
            Code(party.spoken),
            "compared" if party.compared else "NOT compared",
        )
        for party in found.parties
    ]
    return page(
        f"Archive of {found.name}",
        section(
            "What holds",
            Quoted(found.title),
            facts([("digest", Code(found.digest))]),
            bullets(_proven(found)),
        ),
        _notices(found),
        section(
            "Who signed",
            Table(("party", "role", "fingerprint", "with what you gave"), tuple(parties)),
            when(
                found.strangers,
                Paragraph(
                    "An archive can be made up as a whole, with invented parties. Get the"
                    f" fingerprints of {', '.join(found.strangers)} from these parties themselves,"
                    " and give them with --fingerprint NAME=DIGITS.",
                    Tone.WARN,
                ),
            ),
        ),
        section(
            "What it does not show",
            bullets(_open(found)),
        ),
    )


def _notices(found: Checked) -> Section | None:
    if not found.notices:
        return None
    return section(
        "Notices on the model",
        bullets([Outside(sentence) for sentence in found.notices]),
        "`securefl predict` heeds them. The archive holds what was, and stays good.",
    )


def _proven(found: Checked) -> list[str]:
    hospitals = len(found.approvals)
    how = "by their signed transcripts"
    if found.added_again:
        how = "and their sums were added again from the hospitals' signed contributions"
    lines = [
        "Every file is the one that the researcher signed.",
        f"All {hospitals} hospitals approved exactly this study.",
        f"All {len(found.rounds)} rounds follow from one another, {how}.",
    ]
    if found.extracts:
        most = max(found.extracts.values())
        lines.append(
            f"The ledgers of {', '.join(found.extracts)} charged it, epsilon {most:g} at most."
        )
    if found.model_digest:
        lines += [
            "The model's weights are what the study's rule makes of the opened sums.",
            f"The model's digest is {found.model_digest}.",
        ]
        lines += [f"{name}: {text}" for name, text in found.figures.items()]
    if found.quality:
        lines.append(f"The study's quality rule, by the signed end: {found.quality}.")
    return lines


def _open(found: Checked) -> list[str]:
    lines = ["Whether the hospitals' tables hold what they say: no archive can show that."]
    if not found.added_again:
        lines.append(
            "Whether each sum is that of the contributions: the archive holds their hashes alone."
            " Every hospital can add them again (`securefl study verify all`)."
        )
    if found.missing:
        lines.append(f"The ledgers of {', '.join(found.missing)}: no extract had come.")
    return lines
