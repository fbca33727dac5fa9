"""Versions of a model on a page, and the models that a hospital has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.report.model_standing import standing_blocks
from securefl.report.page import (
    Code,
    Moment,
    Outside,
    Page,
    Paragraph,
    Section,
    Table,
    Tone,
    facts,
    page,
    section,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.model_versions import ModelVersion
    from securefl.report.page import Block, Value, Words


class OwnModelUse(Protocol):
    """A model at a hospital, with how it is used there
    (:class:`securefl.node.owner.model_lines.ModelInUse`).
    """

    @property
    def version(self) -> ModelVersion:
        """Study and model."""

    @property
    def researcher(self) -> str:
        """Who coordinated its study."""

    @property
    def first(self) -> str:
        """When it scored here first; empty where it never did."""

    @property
    def last(self) -> str:
        """When it scored here last."""

    @property
    def in_use(self) -> bool:
        """It scored last, of all versions of its line."""

    @property
    def newer(self) -> str:
        """Name of a usable later version that is here; empty where there is none."""


def versions_page(line: Sequence[ModelVersion], asked: str) -> Page:
    """The page of ``securefl model versions``.

    Args:
        line: the versions, the oldest first.
        asked: digest of the study that was asked about.
    """
    known = {version.digest: version for version in line}
    return page(
        "Versions of a model",
        _line_words(len(line)),
        *(_version(version, known, asked=version.digest == asked) for version in line),
    )


def _line_words(number: int) -> str:
    if number == 1:
        return "No study that is kept here continues it, and it continues none."
    return (
        f"{number} studies, the oldest first; each starts from the model of the one it continues."
    )


def _version(
    version: ModelVersion,
    known: dict[str, ModelVersion],
    *,
    asked: bool,
) -> Section:
    rows: list[tuple[str, Value] | None] = [
        ("title", Outside(version.title)) if version.title else None,
        ("digest", Code(version.digest)),
        ("continues", Code(version.continues)) if version.continues else None,
        ("hospitals", Outside(", ".join(version.hospitals))) if version.hospitals else None,
        *_changed(version, known.get(version.continues)),
        ("here since", Moment(version.at)) if version.at else None,
        ("digest of the model", Code(version.model)) if version.model else None,
        ("folder", Code(version.folder)) if version.folder else None,
        *((name, Outside(text)) for name, text in version.figures.items()),
    ]
    name: Words = Outside(version.name)
    if asked:
        name = (Outside(version.name), ", which you asked about")
    return section(name, facts(rows), *_standing(version))


def _changed(
    version: ModelVersion,
    before: ModelVersion | None,
) -> list[tuple[str, Value]]:
    """Hospitals that are new in a version, and those that are gone."""
    if before is None or not before.hospitals:
        return []
    then = set(before.hospitals)
    now = set(version.hospitals)
    rows: list[tuple[str, Value]] = []
    if now - then:
        rows.append(("new since then", Outside(", ".join(sorted(now - then)))))
    if then - now:
        rows.append(("gone since then", Outside(", ".join(sorted(then - now)))))
    return rows


def _standing(version: ModelVersion) -> list[Block]:
    found = version.standing
    if found is None:
        return [Paragraph("Its model is not kept here.", Tone.QUIET)]
    return standing_blocks(found)


def site_models_page(models: Sequence[OwnModelUse], site: str) -> Page:
    """The page of ``securefl site models``.

    Args:
        models: that are here.
        site: the hospital's name.
    """
    if not models:
        return page(
            ("Models of ", Outside(site)),
            "No model has come home: the studies of this hospital are not over, or name it as no"
            " recipient.",
        )
    rows = tuple(
        (
            Outside(found.version.name),
            _use_word(found),
            Moment(found.first) if found.first else "",
            Moment(found.last) if found.last else "",
            found.version.state,
        )
        for found in models
    )
    return page(
        ("Models of ", Outside(site)),
        Table(("model", "in use", "first scored", "last scored", "it is"), rows),
        *(_own(found) for found in models),
        Paragraph(
            "In use is the version that scored a table here last. What a program of another kind"
            " does with an exported model is not known here. This stays on your screen.",
            Tone.QUIET,
        ),
    )


def _use_word(found: OwnModelUse) -> str:
    if found.in_use:
        return "yes"
    return "earlier" if found.first else "not yet"


def _own(found: OwnModelUse) -> Section:
    version = found.version
    rows: list[tuple[str, Value] | None] = [
        ("title", Outside(version.title)),
        ("study led by", Outside(found.researcher)),
        ("hospitals", Outside(", ".join(version.hospitals))),
        ("here since", Moment(version.at)) if version.at else None,
        ("continues", Code(version.continues)) if version.continues else None,
        ("digest of the model", Code(version.model)),
    ]
    newer = None
    if found.newer:
        newer = Paragraph(("A later version is here: ", Outside(found.newer)), Tone.WARN)
    return section(Outside(version.name), facts(rows), newer, *_standing(version))
