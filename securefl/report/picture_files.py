"""Pictures of a page as files that stand alone: SVG with the stylesheet and the legend inside."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING

from securefl.report.markup import joined
from securefl.report.page import Picture, Section, spans
from securefl.report.svg import WIDE, box, number, own_sheet, text

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOX = re.compile(rf'viewBox="0 0 {WIDE} ([0-9.]+)"')
_LINE = 20.0


@dataclass(frozen=True)
class PictureFile:
    """One picture: a name for its file, its SVG, and its height in user units."""

    name: str
    svg: str
    height: float


def picture_files(page: object) -> list[PictureFile]:
    """Every picture of a page, named by the heading above it."""
    found: list[PictureFile] = []
    for heading, picture in _pictures(page, ""):
        name = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "picture"
        same = sum(one.name == name or one.name.startswith(f"{name}-") for one in found)
        if same:
            name = f"{name}-{same + 1}"
        found.append(standing_alone(picture, name))
    return found


def _pictures(part: object, heading: str) -> Iterator[tuple[str, Picture]]:
    if isinstance(part, Picture):
        yield heading, part
    elif isinstance(part, tuple):
        for item in part:
            yield from _pictures(item, heading)
    elif is_dataclass(part):
        if isinstance(part, Section):
            heading = "".join(span.text for span in spans(part.heading)) or heading
        for field in fields(part):
            yield from _pictures(getattr(part, field.name), heading)


def standing_alone(picture: Picture, name: str) -> PictureFile:
    """The picture as one file: nothing is fetched, and there is no script."""
    before = float(_BOX.findall(picture.svg)[0])
    height = before + _LINE * len(picture.legend)
    style = own_sheet()
    paper = box(0, 0, WIDE, height, "paper")
    head, title, rest = picture.svg.partition("</title>")
    grown = _BOX.sub(f'viewBox="0 0 {WIDE} {number(height)}"', head, count=1)
    legend = []
    for place, key in enumerate(picture.legend):
        y = before + _LINE * place
        legend += [box(24, y, 12, 12, key.fill), text(44, y + 11, key.words)]
    body = rest.removesuffix("</svg>")
    whole = f"{grown}{title}{style}{paper}{body}{joined(*legend)}</svg>\n"
    return PictureFile(name, whole, height)
