"""Recall of a model before its owner's yes: what is signed, who reads it, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.model_standing import recall_line
from securefl.report.page import Code, Outside, Page, Quoted, bullets, facts, page, section
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.model_standing import SaidRecall


def recall_page(
    name: str,
    model_digest: str,
    reason: str,
    before: Sequence[SaidRecall],
    hospitals: Sequence[str],
) -> Page:
    """The page that ``securefl site model recall`` shows before it asks.

    Args:
        name: of the model's study.
        model_digest: of the model.
        reason: of the recall.
        before: recalls by other hospitals that are known here.
        hospitals: of the model.
    """
    does = (
        "Here the model scores no more, at once.",
        _elsewhere(len(before) + 1, len(hospitals)),
        "The notice goes into the store. Agents that run find it within some minutes.",
        (
            "Whoever can read the store reads the reason: it must name no patient and no figure of"
            " yours."
        ),
        (
            "Whoever operates the store can keep a notice back. Hand the file over as well to those"
            " who must not miss it."
        ),
        "It cannot be taken back.",
    )
    return page(
        ("Recall of the model of ", Outside(name)),
        facts([("its digest", Code(model_digest)), ("hospitals", Outside(", ".join(hospitals)))]),
        section("The reason that you sign", Quoted(reason)),
        section("What it does", bullets(does)),
        section("Recalled before", bullets([recall_line(said) for said in before])),
    )


def _elsewhere(recalls: int, hospitals: int) -> str:
    """What the recall does at the others."""
    count = f"{recalls:,} of {plural(hospitals, 'hospital')}"
    if 2 * recalls > hospitals:
        return f"With yours {count} recall it: nobody who has the notices is to use it any more."
    return (
        f"With yours {count} recall it: the others are warned at each use. From more than half on"
        " nobody is to use it."
    )
