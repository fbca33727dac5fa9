"""A hospital's mapping of its own table, on its owner's screen, where it stays (rule 1)."""

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
from securefl.report.readiness import ONLY_HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.learning.cell_mapping import MappingEffect
    from securefl.report.page import Block, Row, Section, Value


def table_page(
    dataset: str,
    population: str,
    file: str,
    read_as: str,
    effects: Sequence[MappingEffect],
) -> Page:
    """A registered table, and what its mapping does to it.

    Args:
        dataset: its name.
        population: whose patients.
        file: that studies read.
        read_as: how it is read.
        effects: of the mapping, a column each; none where there is no mapping.
    """
    rows: list[tuple[str, Value]] = [
        ("patients of", population),
        ("file", Outside(file)),
        ("read as", read_as),
    ]
    return page(
        f"Table '{dataset}'",
        Paragraph(ONLY_HERE, Tone.QUIET),
        facts(rows),
        *mapping_sections(effects),
        when(not effects, Paragraph("No mapping: studies read it as it lies there.", Tone.QUIET)),
    )


def mapping_page(dataset: str, effects: Sequence[MappingEffect]) -> Page:
    """The page before a mapping is signed."""
    return page(
        f"Mapping of '{dataset}'",
        Paragraph(ONLY_HERE, Tone.QUIET),
        *mapping_sections(effects),
    )


def no_mapping_page(dataset: str) -> Page:
    """The page before a mapping is taken away."""
    return page(
        f"Mapping of '{dataset}' to be taken away",
        Paragraph("Studies read the table as it lies there, with its own names and spellings."),
    )


def mapping_sections(effects: Sequence[MappingEffect]) -> Iterator[Section]:
    """A section for each column that is translated."""
    for effect in effects:
        yield section(f"Column {effect.column}", *_blocks(effect))


def _blocks(effect: MappingEffect) -> Iterator[Block]:
    if not effect.there:
        yield Paragraph("The table has no such column.", Tone.BAD)
        return
    rows: list[tuple[str, Value]] = [("in the table", Outside(effect.source))]
    if effect.times is not None:
        rows.append(("numbers times", effect.times))
        rows.append(("numbers that it multiplies", f"{effect.multiplied:,}"))
    if effect.missing:
        rows.append(("cells that become 'not recorded'", f"{effect.missing:,}"))
    rows.append(("cells that stay as they are", f"{effect.kept:,}"))
    yield facts(rows)
    if effect.values:
        yield Table(
            ("in the table", "for studies", "cells"),
            tuple(_row(*value) for value in effect.values),
        )


def _row(text: str, target: str, cells: int) -> Row:
    count: Value = f"{cells:,}"
    if not cells:
        count = Span("none", Tone.WARN)
    return (Outside(text), Outside(target), count)
