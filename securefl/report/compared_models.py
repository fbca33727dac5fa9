"""Page of a comparison of two models on one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.page import Page, Paragraph, Table, Tone, facts, page, section

if TYPE_CHECKING:
    from securefl.learning.comparing import Comparison, Figure


def comparison_page(
    found: Comparison,
    first: str,
    second: str,
) -> Page:
    """The page.

    Args:
        found: the comparison.
        first: what the first model is called.
        second: what the second one is called.
    """
    rows = (
        (f"first: {first}", *_cells(found.first)),
        (f"second: {second}", *_cells(found.second)),
        ("second less first", *_cells(found.difference)),
    )
    return page(
        "Two models on one table",
        section(
            found.metric,
            Table(("model", found.metric, "95 % interval"), rows),
            Paragraph(found.verdict, Tone.STRONG),
        ),
        section(
            "How it was compared",
            facts(
                [
                    ("rows", f"{found.rows:,}"),
                    ("patients", f"{found.patients:,}"),
                    ("rows left out", f"{found.left_out:,}"),
                ]
            ),
            Paragraph(
                "Both models scored the same rows. The intervals say what other patients of the same"
                " kind would change: patients are drawn again, and both models see the same ones."
            ),
            Paragraph(
                "These figures are exact and say something of the rows in this table. They are for"
                " whoever may see the table.",
                Tone.WARN,
            ),
        ),
    )


def _cells(figure: Figure) -> tuple[str, str]:
    return f"{figure.value:.4f}", f"{figure.low:.4f} to {figure.high:.4f}"
