"""Finished model on its hospital's own screen: its release, and what only the owner may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report.page import Page, Paragraph, Quoted, Section, Tone, facts, page, section
from securefl.report.shown_model import edits_section, standing_section
from securefl.report.told import told_section, told_table
from securefl.report.wording import in_words

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.learning.tasks.told import Told
    from securefl.report.page import Block


#: What the owner reads whose patients the model orders the wrong way round.
WRONG_WAY: Final = (
    "Attention: the model orders your patients the wrong way round, more than chance explains."
    " Compare the outcome of a few patients in your table with their records: it may be recorded the"
    " other way round here. If so, tell the researcher before the model is used."
)


def own_model_page(
    model: Model,
    folder: str,
    told: Told | None,
    *,
    why_not: str,
    wrong_way: bool = False,
) -> Page:
    """The page of ``securefl site model show``.

    Args:
        model: the model.
        folder: where it is.
        told: the figures on the hospital's own held-out patients; None where they cannot be worked
            out.
        why_not: why there are none.
        wrong_way: whether the model orders these patients the wrong way round.
    """
    about = model.facts
    shown = page(
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
        standing_section(model),
        section(
            "What was released, of all hospitals together",
            facts(about.figures.items()),
        ),
        edits_section(model),
        section("On your own patients, exactly", *_own(told, why_not, wrong_way=wrong_way)),
        *_contributions(model),
    )
    return in_words(shown, about.words)


def _contributions(model: Model) -> list[Section]:
    """The model itself, where it can be read."""
    told = model.contributions
    if told is None:
        return []
    return [told_section(told)]


def _own(
    told: Told | None,
    why_not: str,
    *,
    wrong_way: bool,
) -> list[Block]:
    if told is None:
        return [Paragraph(why_not, Tone.WARN)]
    warned = []
    if wrong_way:
        warned = [Paragraph(WRONG_WAY, Tone.WARN)]
    return [
        *warned,
        facts(told.rows),
        told_table(told),
        Paragraph(
            "These figures have no noise. They stand on your screen only: whoever passes them on"
            " tells something of your patients that no budget has paid for.",
            Tone.QUIET,
        ),
    ]
