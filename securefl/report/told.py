"""Figures that a task says in words, laid out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from securefl.report.bar_chart import bar_chart
from securefl.report.curve_chart import curve_chart
from securefl.report.page import Paragraph, Section, Span, Table, Tone, bullets, page, section
from securefl.report.quality import quality_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.tasks.told import Told
    from securefl.report.page import Block, Page, Words
    from securefl.study.schema import Verdict

_TONES = {"met": Tone.GOOD, "not-met": Tone.BAD, "cannot-be-judged": Tone.WARN}


def told_table(told: Told) -> Table:
    """The table of figures; a cell without one says so."""
    return Table(told.header, tuple(tuple(map(_cell, row)) for row in told.cells), right=told.right)


def told_section(told: Told) -> Section:
    """A table of figures in a section of its own, with its pictures."""
    parts: list[Block] = [told_table(told), *map(bar_chart, told.bars)]
    parts += map(curve_chart, told.curves)
    if told.note:
        parts.append(Paragraph(told.note, Tone.QUIET))
    return section(told.metric, *told.sentences, *parts)


def told_page(tables: Sequence[Told]) -> Page:
    """Tables of figures as a page of their own."""
    quiet = "These figures were read off encrypted, noised totals of all hospitals."
    return page("What was found", Paragraph(quiet, Tone.QUIET), *map(told_section, tables))


def plan_section(told: Told) -> Section:
    """The section of a plan on the check of the model."""
    heading = "What the check of the model will be able to say"
    if not told.header:
        return section(heading, Paragraph(told.note, Tone.QUIET))
    return section(heading, bullets(told.sentences), told_table(told))


def quality_text(verdict: Verdict, minimum: Decimal, each: Decimal | None = None) -> Span:
    """The judgement of the quality rule, in its tone."""
    return Span(quality_words(verdict, minimum, each), _TONES[verdict])


def _cell(text: str | None) -> Words:
    if text is None:
        return Span("too few to say", Tone.QUIET)
    return text


def told_quality(quality: Mapping[str, Any]) -> Span:
    """The judgement as a study's result keeps it; whether the model was withheld."""
    each = quality.get("minimum_each")
    said = quality_text(
        quality["verdict"],
        Decimal(quality["minimum"]),
        None if each is None else Decimal(each),
    )
    if not quality.get("withheld"):
        return said
    return Span(f"{said.text}; the model is withheld", said.tone)
