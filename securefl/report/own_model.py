"""A finished model on its hospital's own screen: what was released, and what only the owner may
see.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.report.page import Page, Paragraph, Quoted, Table, Tone, facts, page, section

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.learning.tasks.binary.own_figures import OwnFigures
    from securefl.report.page import Block


def own_model_page(
    model: Model, folder: str, figures: OwnFigures | None, *, why_not: str, units: str
) -> Page:
    """The page of ``securefl site model show``.

    Args:
        model: the model.
        folder: where it is.
        figures: on the hospital's own held-out patients; None where they cannot be worked out.
        why_not: why there are none.
        units: what the study counts, "patients" or "records".
    """
    about = model.facts
    return page(
        about.title,
        section(
            "The model",
            facts(
                [
                    ("study", about.study_digest),
                    ("hospitals", ", ".join(about.participants)),
                    ("intended use", Quoted(about.intended_use)),
                    ("owner", Quoted(about.owner)),
                    ("licence", Quoted(about.licence)),
                    ("folder", folder),
                    ("its digest", model.digest),
                ]
            ),
        ),
        section(
            "What was released, of all hospitals together",
            facts(about.figures.items()),
        ),
        section("On your own patients, exactly", *_own(figures, why_not, units)),
    )


def _own(figures: OwnFigures | None, why_not: str, units: str) -> list[Block]:
    if figures is None:
        return [Paragraph(why_not, Tone.WARN)]
    share = figures.positives / figures.patients
    rows: list[tuple[str, ...]] = []
    for band in figures.bands:
        real = (
            f"{band.positives:,} ({100 * band.positives / band.patients:.1f} %)"
            if band.patients
            else "–"
        )
        mean = f"{100 * band.mean_score:.1f} %" if band.patients else "–"
        rows.append((f"{band.low:g} to {band.high:g}", f"{band.patients:,}", real, mean))
    auc = (
        "cannot be worked out: all have the same outcome"
        if math.isnan(figures.auc)
        else f"{figures.auc:.3f}"
    )
    return [
        facts(
            [
                (
                    f"{units} held out",
                    (
                        f"{figures.patients:,}, {figures.positives:,} of them positive"
                        f" ({100 * share:.1f} %)"
                    ),
                ),
                ("AUC", auc),
                ("mean score", f"{100 * figures.mean_score:.1f} %"),
            ]
        ),
        Table(
            ("score", units, "really positive", "mean score"),
            tuple(rows),
            right=frozenset({1, 2, 3}),
        ),
        Paragraph(
            "These figures have no noise. They stand on your screen only: whoever passes them on"
            " tells something of your patients that no budget has paid for.",
            Tone.QUIET,
        ),
    ]
