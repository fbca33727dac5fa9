"""A model of the researcher's own, as a section of the request: what runs, and the text beside it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from securefl.learning.models import family_of
from securefl.report.page import (
    Code,
    Details,
    Outside,
    Paragraph,
    Quoted,
    Section,
    Table,
    Tone,
    bullets,
    section,
)
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.learning.graphs.graph_parts import OwnModel
    from securefl.study.schema import Template

#: Lines of a text that are compared, and lines of a difference that are shown.
_COMPARED: Final = 2000
_SHOWN: Final = 80
#: Fields of a study file whose values are compared line by line.
SOURCE: Final = ".model.source"
GRAPH: Final = ".model.graph"


def own_graph_section(study: Template) -> Section | None:
    """The section; None where the study trains no model of the researcher's own."""
    train = training_if_any(study)
    if train is None:
        return None
    own = family_of(train.model, study.data).own
    if own is None:
        return None
    return section(
        "The model, which the researcher wrote",
        bullets(_sentences(own)),
        _operations(own),
        Details("The researcher's text, which does not run", _text(own), open=True),
    )


def _sentences(own: OwnModel) -> list[str]:
    return [
        (
            f"What runs here is a list of {len(own.parts):,} operations, all of them below. It is no"
            " program: it reads one row at a time and nothing else, draws nothing, keeps nothing."
        ),
        f"It learns {own.learns:,} numbers.",
        (
            f"One row needs at most {own.numbers:,} numbers of memory and {own.products:,}"
            " multiplications. Both are known before it runs."
        ),
    ]


def _operations(own: OwnModel) -> Table:
    rows = [
        (
            part.does,
            Code(part.result),
            f"{part.learns:,}" if part.learns else "",
            Outside(part.layer),
        )
        for part in own.parts
    ]
    return Table(
        ("what it does", "makes", "learns", "in the researcher's words"),
        tuple(rows),
        right=frozenset({2}),
    )


def _text(own: OwnModel) -> tuple[Paragraph | Quoted, ...]:
    said = (
        "The list was made from this text on the researcher's machine. Nobody here runs the text;"
        " what counts is the list above."
    )
    return Paragraph(said, Tone.QUIET), Quoted(own.source, fill=False)


def text_differences(place: str, before: str, after: str) -> list[str]:
    """Lines of a model that differ, as `diff` writes them, at most so many.

    Args:
        place: of the field.
        before: its earlier value.
        after: its value now.
    """
    old = _lines(place, before)
    new = _lines(place, after)
    if max(len(old), len(new)) > _COMPARED:
        return ["too long to be compared line by line"]
    found = list(_changed(old, new))
    if len(found) > _SHOWN:
        return [*found[:_SHOWN], f"and {len(found) - _SHOWN:,} lines more"]
    return found


def _changed(old: list[str], new: list[str]) -> Iterator[str]:
    lines = difflib.unified_diff(
        old,
        new,
        lineterm="",
        n=0,
    )
    for line in lines:
        if not line.startswith(("---", "+++")):
            yield line[:200]


def _lines(place: str, value: str) -> list[str]:
    """Lines of a text; of a graph, one for each tensor and each operation."""
    if place.endswith(SOURCE):
        return value.splitlines()
    from securefl.learning.graphs.graph import read_graph

    graph = read_graph(value)
    learnt = [f"learns {one.name} {one.shape}" for one in graph.parameters]
    fixed = [f"constant {one.shape} {one.numbers}"[:200] for one in graph.constants]
    done = [
        f"{number}: {node.name} {list(node.inputs)} {dict(node.options)}"
        for number, node in enumerate(graph.nodes)
    ]
    return [*learnt, *fixed, *done]
