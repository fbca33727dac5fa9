"""A completed study shown again: what it found, and the extract of each hospital's audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.report.audit import extract_page
from securefl.report.model_standing import notices_section
from securefl.report.page import Code, Page, Quoted, Section, Span, Tone, facts, page, section
from securefl.report.run import lost_words
from securefl.report.told import told_quality, told_section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.tasks.told import Told
    from securefl.report.model_standing import Standing
    from securefl.report.page import Value


def report_page(
    result: Mapping[str, Any],
    title: str,
    tables: Sequence[Told] = (),
    *,
    asks: bool = True,
    continues: str | None = None,
    standing: Standing | None = None,
) -> Page:
    """The page of ``securefl study report``.

    Args:
        result: as the completed run kept it; hospitals' extracts among it.
        title: the study's title.
        tables: what stages found that make no model.
        asks: whether the study's quality rule asks for anything.
        continues: digest of the study whose model this one started from.
        standing: of the model; None where it is not kept here.
    """
    rows: list[tuple[str, Value]] = []
    if figure := result.get("figure"):
        rows.append((figure["name"], Span(figure["words"], Tone.STRONG)))
    quality = result.get("quality")
    if quality and asks:
        asked = told_quality(quality)
        rows.append(("asked for", asked))
    rows += [(label, text) for label, text in result.get("found", ())]
    if result.get("lost"):
        rows.append(("lost", lost_words(result["lost"])))
    if continues is not None:
        rows.append(("continues", Code(continues)))
    if model := result.get("model"):
        rows.append(("model", model))
    return page(
        result["study"],
        Quoted(title),
        notices_section(standing),
        section("What was found", facts(rows)),
        *map(told_section, tables),
        *map(_extract, result["extracts"].values()),
    )


def _extract(extract: dict[str, Any]) -> Section:
    """One hospital's extract as a part of the page."""
    whole = extract_page(extract)
    return section(whole.title, *whole.blocks)
