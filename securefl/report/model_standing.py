"""Standing of a model in words for a page: recalls, expiry, and what is no notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.report.page import Outside, Paragraph, Section, Tone, bullets, section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.page import Block, Words


class SaidRecall(Protocol):
    """A hospital's recall (:class:`securefl.learning.model_notices.Recall`)."""

    @property
    def site(self) -> str:
        """Hospital that recalled the model."""

    @property
    def at(self) -> str:
        """When, UTC in ISO 8601."""

    @property
    def reason(self) -> str:
        """In its own words."""


class Standing(Protocol):
    """Standing of a model (:class:`securefl.learning.model_notices.ModelStanding`)."""

    @property
    def expired(self) -> str:
        """Day until which it was to be used, where that is over."""

    @property
    def recalls(self) -> Sequence[SaidRecall]:
        """Valid recalls."""

    @property
    def unknown(self) -> Sequence[str]:
        """Names of files that are no valid notice."""

    @property
    def refused(self) -> bool:
        """It is not to be used."""


def standing_lines(found: Standing) -> list[Words]:
    """All that was said of a model, a line each; a hospital's reason as its own words."""
    lines: list[Words] = [recall_line(said) for said in found.recalls]
    if found.expired:
        lines.append(f"It was to be used until {found.expired}, and that is over.")
    lines += [
        (Outside(name), " is no valid notice on this model; it is not heeded.")
        for name in found.unknown
    ]
    return lines


def recall_line(said: SaidRecall) -> Words:
    """One recall."""
    return ("Recalled by ", Outside(said.site), f" on {said.at[:10]}: ", Outside(said.reason))


def notices_section(found: Standing | None) -> Section | None:
    """What was said of a model, as a part of a page; None where there is nothing to say."""
    told = [] if found is None else standing_blocks(found)
    if not told:
        return None
    return section("Notices on this model", *told)


def standing_blocks(found: Standing) -> list[Block]:
    """What a page says of a model's standing; nothing where there is nothing to say."""
    lines = standing_lines(found)
    if not lines:
        return []
    verdict = Paragraph("The model may be used all the same.", Tone.WARN)
    if found.refused:
        verdict = Paragraph("The model is not to be used any more.", Tone.BAD)
    return [verdict, bullets(lines)]
