"""A model's folder as a page: what was released, edits by hand, and the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.edited_model import moved_points
from securefl.learning.tasks import task_of
from securefl.report.curve_chart import curve_chart
from securefl.report.model_standing import notices_section
from securefl.report.page import (
    Code,
    Outside,
    Page,
    Paragraph,
    Picture,
    Quoted,
    Section,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
)
from securefl.report.told import told_section
from securefl.report.wording import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.learning.artefact import Model
    from securefl.learning.edit_statement import CurveEdit
    from securefl.report.page import Block, Value


def shown_model_page(model: Model, folder: str = "", signers: Sequence[str] = ()) -> Page:
    """The page of ``securefl model show``, and by which a model shows itself in a notebook.

    Args:
        model: with or without edits.
        folder: where it is; empty where that is not known.
        signers: each edit's signer, as it is known here; empty where nobody looked.
    """
    about = model.facts
    rows: list[tuple[str, Value] | None] = [
        ("study", Code(about.study_digest)),
        ("hospitals", Outside(", ".join(about.participants))),
        ("intended use", Quoted(about.intended_use)),
        ("owner", Quoted(about.owner)),
        ("licence", Quoted(about.licence)),
        ("folder", Code(folder)) if folder else None,
        ("its digest", Code(model.digest)),
    ]
    shown = page(
        Outside(about.title),
        section("The model", facts(rows)),
        standing_section(model),
        _reading(model),
        section("What was released, of all hospitals together", facts(about.figures.items())),
        edits_section(model, signers),
        *_contributions(model),
    )
    return in_words(shown, about.words)


def _reading(model: Model) -> Section:
    """Say if a prediction may be read as a probability, and the released shares that show it."""
    about = model.facts
    words = task_of(model.data).score_words(probability=about.probability)
    # the study's own label stands in these words
    return section("How to read a prediction", Outside(words), bullets(about.calibration))


def standing_section(model: Model) -> Section | None:
    """Notices on a model, and whether it may be used; None where there is nothing to say."""
    return notices_section(model.standing())


def edits_section(model: Model, signers: Sequence[str] = ()) -> Section | None:
    """Edits by hand, with the points before and after; None of a released model.

    Args:
        model: the edited one.
        signers: as :func:`shown_model_page` takes them; left out where nobody looked.
    """
    edited = model.edited
    if edited is None:
        return None
    parts: list[Block | str] = [
        edited.sentence,
        facts([("digest of the unedited model", Code(edited.unedited.digest))]),
    ]
    for place, edit in enumerate(edited.edits):
        known = signers[place] if signers else ""
        parts += _edit(model, edit, known)
    parts.append(
        Paragraph(
            "The signatures hold, and the edits lead from the unedited model to this one. An edit"
            " costs no privacy as long as whoever made it went by the model and by what is"
            " published, not by single records.",
            Tone.QUIET,
        )
    )
    return section("Edited by hand", *parts)


def changed_curves(model: Model) -> list[Picture]:
    """Pictures of the edited columns alone, old and new curve in each."""
    told = model.contributions
    if told is None or model.edited is None:
        return []
    both = {"before", "edited"}
    return [
        curve_chart(curves)
        for curves in told.curves
        if both <= {line.name.rpartition(", ")[2] for line in curves.lines}
    ]


def _edit(model: Model, edit: CurveEdit, known: str) -> Iterator[Block]:
    """One edit: who, why, and its points."""
    yield facts(
        [
            ("column", Outside(edit.column)),
            ("from", Outside(edit.low)),
            ("to", Outside(edit.high)),
            ("way", edit.way),
            ("who", Quoted(edit.who)),
            ("why", Quoted(edit.why)),
            ("when", Outside(edit.at)),
            ("signed by", Outside(f"{edit.party}, {edit.legal_name}")),
            ("fingerprint", Outside(edit.card.spoken)),
            ("the key", known) if known else None,
        ]
    )
    yield Table(
        ("point", "before", "edited"),
        tuple(
            (f"{knot:.4g}", f"{old:+.3f}", f"{new:+.3f}")
            for knot, old, new in moved_points(model, edit)
        ),
        right=frozenset({0, 1, 2}),
    )


def _contributions(model: Model) -> list[Section]:
    """The model itself, where it can be read."""
    told = model.contributions
    return [] if told is None else [told_section(told)]
