"""Page of a designed study: figures with their reasons, and what people still have to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.page import (
    Outside,
    Page,
    Paragraph,
    Section,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from securefl.designer.draft import Draft

_HEADINGS = {
    "[data]": "Data",
    "[privacy]": "Privacy",
    "[[stages]]": "Stages",
    "[stages.model]": "Model",
    "[secagg]": "The encrypted sum",
    "[schedule]": "Times",
    "[quality]": "What is asked of the model",
    "[data.label]": "Label",
    "[study]": "About",
}


def design_page(made: Draft) -> Page:
    """The page of ``securefl study design``.

    Args:
        made: a finished design.
    """
    study = made.study.study
    return page(
        ("Designed study: ", Outside(study.study.title)),
        Paragraph(_told(made)),
        *_figures(made),
        _left_out(made),
        when(
            made.open_points(),
            section("Yours to write", bullets(made.open_points())),
        ),
    )


def _told(made: Draft) -> str:
    if not made.question.makes_model and not made.counts_only:
        return (
            "A complete study file that `securefl study check` accepts. It draws survival curves from"
            " one noised list of counts, and makes no model."
        )
    if made.counts_only and made.draws_curves:
        return (
            "Sizes were left out, so this study draws one survival curve first. It costs a tenth of"
            " the epsilon. Run it, and design the study with its result."
        )
    if made.counts_only:
        return (
            "Sizes were left out, so this study counts patients first. It costs a tenth of the"
            " epsilon. Run it, and design the study with its result."
        )
    return (
        "A complete study file that `securefl study check` accepts. Every figure follows from public"
        " facts by the rule beside it."
    )


def _figures(made: Draft) -> list[Section]:
    by_table: dict[str, list[tuple[str, str]]] = {}
    for table, figure, why in made.reasons():
        by_table.setdefault(_HEADINGS.get(table, table), []).append((figure, why))
    return [section(heading, facts(rows)) for heading, rows in by_table.items()]


def _left_out(made: Draft) -> Section | None:
    left = made.question.table.left_out
    if not left:
        return None
    note = Paragraph("A column that should be there can be added by hand.", Tone.QUIET)
    return section(
        "Columns left out", bullets(f"{name}: {why}" for name, why in left.items()), note
    )
