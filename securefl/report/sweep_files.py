"""Page of a sweep on patients' records: its studies, and what they cost together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.privacy.explain import percent
from securefl.report.page import (
    Code,
    Outside,
    Page,
    Paragraph,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
)
from securefl.report.words import decimal_words, plural

if TYPE_CHECKING:
    from securefl.designer.sweep_files import SweepFiles
    from securefl.privacy.forecast import BudgetShare


def sweep_files_page(found: SweepFiles) -> Page:
    """The page of ``securefl study sweep``."""
    price = found.price
    points = plural(price.points, "setting")
    return page(
        (f"Sweep of {points} on records: ", Outside(found.title)),
        f"Each setting is a study of its own. {points} are asked of every hospital, approved and"
        " charged one by one.",
        _studies(found),
        section(
            "What they cost together",
            facts(
                [
                    ("all together", f"epsilon {price.together} at delta {price.delta}"),
                    ("the costliest alone", f"epsilon {price.one}"),
                    ("the file as it stands", f"epsilon {decimal_words(found.alone)}"),
                    *map(_budget, found.budgets),
                ]
            ),
            Paragraph(
                "Shares of a budget are by the ledger's rule, which also holds for studies that are"
                " chosen in the light of these: it asks for more than the epsilon above.",
                Tone.QUIET,
            ),
        ),
        section(
            "How to choose among them",
            bullets(
                [
                    (
                        "All settings are fixed before the first is run. To choose among their released"
                        " figures costs nothing more."
                    ),
                    (
                        "Every party verifies the sums of every setting. So the lower price of a search"
                        " that shows its winner alone cannot be claimed."
                    ),
                    (
                        f"The best of {price.points} figures is the best in part by its noise. Compare"
                        " the intervals; where they overlap, the settings are not told apart."
                    ),
                    (
                        "On public or invented rows a sweep costs nothing: ",
                        Code("securefl study simulate --sweep"),
                        ". Begin there.",
                    ),
                ]
            ),
        ),
    )


def _studies(found: SweepFiles) -> Table:
    names = list(found.studies[0].changes)
    heads = (
        "file",
        *names,
        "training epsilon",
        "epsilon",
    )
    rows = tuple(
        (
            one.name,
            *one.changes.values(),
            decimal_words(one.training),
            decimal_words(one.whole),
        )
        for one in found.studies
    )
    return Table(heads, rows, frozenset(range(1, len(heads))))


def _budget(share: BudgetShare) -> tuple[str, str]:
    label = f"of a budget of {decimal_words(share.epsilon)}"
    if share.part is None:
        return label, "does not fit"
    return label, f"{percent(share.part)}, room for {plural(share.room, 'such sweep')}"
