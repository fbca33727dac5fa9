"""A model whose curves were edited by hand, as a folder: ``original/`` (the released model's three
files, byte by byte), ``edits/`` (each edit, signed), ``model_card.md`` and ``edited.json``.

No weights are stored beside the original's: they are worked out from it and the edits whenever the
folder is read. So the unedited model stays what the hospitals verified, and an edited one cannot
drift from what people signed. A folder is written once and never changed: a further edit makes a
further folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rfc8785

from securefl.errors import MessageError, UnreadableError, UsageError
from securefl.files import read_file, replace_file
from securefl.learning.artefact import (
    CARD,
    EDITED,
    FACTS,
    WEIGHTS,
    EditedBy,
    Model,
    ModelFacts,
    load_model,
    model_card,
)
from securefl.learning.curve_edits import applied, curves_of
from securefl.learning.edit_statement import CurveEdit, open_edit
from securefl.learning.families.contributions import curve_lines, curve_picture, knots_of
from securefl.learning.model_notices import copy_notices
from securefl.learning.tasks import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.tasks.told import Curves, Told
    from securefl.types import FloatArray

ORIGINAL: Final = "original"
EDITS: Final = "edits"
_SCHEMA: Final = "securefl-edited-model/1"
_MAX_FACTS: Final = 1 << 20
#: Edits of one model; more is another model.
MOST_EDITS: Final = 100
#: Ends of the files' names, in their order.
_FILE: Final = "{number:04d}.signed"


def load_edited(folder: Path) -> Model:
    """Read an edited model and check it from the ground up.

    Raises:
        UnreadableError: a file is missing, altered, or not what it should be.
    """
    raw = _read(folder, folder / EDITED, _MAX_FACTS)
    try:
        body = json.loads(raw)
        if body["schema"] != _SCHEMA:
            raise _unreadable(folder, f"its schema is not {_SCHEMA!r}")
        named = [str(digest) for digest in body["edits"]]
        model = str(body["model"])
        card = str(body["card"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(folder, f"{EDITED} is no description ({type(error).__name__})") from error
    if not 1 <= len(named) <= MOST_EDITS:
        raise _unreadable(folder, f"it has {len(named)} edits")
    unedited = load_model(folder / ORIGINAL)
    if unedited.edited is not None or unedited.digest != model:
        raise _unreadable(folder, "its original is another model than the one that was edited")
    files = [
        _read(folder, folder / EDITS / _FILE.format(number=number), CurveEdit.MAX_BYTES)
        for number in range(1, len(named) + 1)
    ]
    if [hashlib.sha256(file).hexdigest() for file in files] != named:
        raise _unreadable(folder, "an edit is not the file that it names")
    shown = _read(folder, folder / CARD, _MAX_FACTS)
    if hashlib.sha256(shown).hexdigest() != card:
        raise _unreadable(folder, f"{CARD} is not the file that it names")
    try:
        edited = _with_edits(unedited, files, hashlib.sha256(raw).hexdigest())
    except MessageError as error:
        raise _unreadable(folder, error.what.rstrip(".")) from error
    return replace(edited, folder=folder)


def save_edited(
    model: Model,
    source: Path,
    statement: bytes,
    target: Path,
) -> Model:
    """Write a model with one edit more, whole or not at all; notices on the model go with it.

    Args:
        model: as loaded from ``source``, with or without edits.
        source: its folder.
        statement: the new edit, signed.
        target: the new folder; it must not be there yet.

    Raises:
        UsageError: something is there, or there are too many edits.
        MessageError: the edit does not fit the model.
    """
    if target.exists() or target.is_symlink():
        raise UsageError(
            f"{target} is there already; nothing is overwritten.",
            next_step="Name another folder with --out.",
        )
    earlier = model.edited
    unedited = model
    from_folder = source
    files = [statement]
    if earlier is not None:
        unedited = earlier.unedited
        from_folder = source / ORIGINAL
        many = len(earlier.edits)
        files = [*(_edit_file(source, number) for number in range(1, many + 1)), statement]
    if len(files) > MOST_EDITS:
        raise UsageError(
            f"A model takes {MOST_EDITS} edits.", next_step="Ask for a new study instead."
        )
    made = _with_edits(unedited, files, "")
    card = _card(made).encode()
    body = {
        "schema": _SCHEMA,
        "model": unedited.digest,
        "edits": [hashlib.sha256(file).hexdigest() for file in files],
        "card": hashlib.sha256(card).hexdigest(),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        for name in (WEIGHTS, CARD, FACTS):
            content = _read(source, from_folder / name, 1 << 30)
            replace_file(_below(part, ORIGINAL) / name, content)
        for number, file in enumerate(files, 1):
            replace_file(_below(part, EDITS) / _FILE.format(number=number), file)
        copy_notices(source, model, part)
        replace_file(part / CARD, card)
        replace_file(part / EDITED, rfc8785.dumps(body))
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return load_edited(target)


def last_edit(model: Model, source: Path) -> str:
    """SHA-256 (hex) of the last edit of a model's folder; empty where there is none."""
    if model.edited is None:
        return ""
    return hashlib.sha256(_edit_file(source, len(model.edited.edits))).hexdigest()


def edited_contributions(model: Model) -> Told | None:
    """What each column adds to a score: edited curves beside those before."""
    edited = model.edited
    if edited is None:
        return model.contributions
    told = edited.unedited.contributions
    if told is None:
        return None
    old = curves_of(
        edited.unedited.theta,
        model.spec,
        model.data,
        edited.unedited.theta,
    )
    new = curves_of(
        model.theta,
        model.spec,
        model.data,
        edited.unedited.theta,
    )
    pictures: list[Curves] = []
    lines: list[str] = []
    names = _names(model)
    for name, before in old.items():
        heights = before.heights
        shown = names
        if name in edited.columns:
            heights = np.concatenate([before.heights, new[name].heights])
            shown = _beside(names)
        lines += curve_lines(before.column, heights, shown)
        pictures.append(curve_picture(before.column, heights, shown))
    return replace(
        told,
        lines=tuple(lines),
        curves=tuple(pictures),
    )


def edit_lines(model: Model) -> list[str]:
    """Edits of a model in words, a line each, for its card."""
    if model.edited is None:
        return []
    return [
        (
            f"{number}. {_moved(model, edit)} Why: “{edit.why}” By {edit.who}, {edit.at[:10]};"
            f" signed by {edit.party} ({edit.legal_name}), fingerprint {edit.card.spoken}."
        )
        for number, edit in enumerate(model.edited.edits, 1)
    ]


def moved_points(model: Model, edit: CurveEdit) -> list[tuple[float, float, float]]:
    """Points that an edit moved: value in the column's unit, height before, height after."""
    curves = curves_of(model.theta, model.spec, model.data, model.theta)
    curve = curves[edit.column]
    knots = knots_of(curve.column, curve.heights.shape[1])
    moved = zip(
        knots[edit.first : edit.last + 1],
        edit.old,
        edit.new,
        strict=True,
    )
    return [(knot, float(old), float(new)) for knot, old, new in moved]


def _moved(model: Model, edit: CurveEdit) -> str:
    """One edit in a sentence."""
    names = _names(model)
    which = f" ({names[edit.score]})" if len(names) > 1 else ""
    points = ", ".join(
        f"{knot:.4g}: {old:+.2f} → {new:+.2f}" for knot, old, new in moved_points(model, edit)
    )
    return f"{edit.column}{which}, {edit.low} to {edit.high}, {edit.way}: {points}."


def _with_edits(unedited: Model, files: Sequence[bytes], digest: str) -> Model:
    """The model after these edits; raises :class:`MessageError` at the first that does not fit."""
    theta = unedited.theta
    before = ""
    edits = []
    for file in files:
        edit = open_edit(file)
        if edit.model != unedited.digest or edit.before != before:
            raise MessageError(
                f"The edit of {edit.column} by {edit.who} is refused: it was made on another model.",
                whose=edit.party,
                next_step=CurveEdit.NEXT_STEP,
            )
        theta = applied(
            theta,
            unedited.spec,
            unedited.data,
            unedited.theta,
            edit,
        )
        before = hashlib.sha256(file).hexdigest()
        edits.append(edit)
    by = EditedBy(tuple(edits), unedited)
    return replace(
        unedited,
        theta=theta,
        facts=_edited_facts(unedited.facts),
        digest=digest,
        edited=by,
    )


def _edited_facts(facts: ModelFacts) -> ModelFacts:
    """Facts of an edited model: nothing that was released holds for it without saying so."""
    figures = {f"{name}, before the edits": text for name, text in facts.figures.items()}
    return facts.model_copy(
        update={
            "title": f"{facts.title}, edited by hand",
            "figures": figures,
            "probability": False,
            "calibration": (),
        }
    )


def _card(model: Model) -> str:
    edited = model.edited
    lines: list[str] = []
    if edited is not None:
        lines = [
            "## Edited by hand",
            "",
            edited.sentence,
            f"The unedited model is in `{ORIGINAL}/`, with the digest `{edited.unedited.digest}`.",
            (
                "An edit costs no privacy as long as whoever made it went by the model and by what is"
                " published, not by single records."
            ),
            "",
            *edit_lines(model),
            "",
        ]
    return model_card(
        model.spec,
        model.data,
        model.facts,
        model.contributions,
        lines,
    )


def _names(model: Model) -> tuple[str, ...]:
    """Names of the scores that curves add to."""
    names = task_of(model.data).score_names
    some = _first_heights(model)
    if len(names) != len(some):
        return ("adds",)
    return tuple(names)


def _first_heights(model: Model) -> FloatArray:
    curves = curves_of(model.theta, model.spec, model.data, model.theta)
    return next(iter(curves.values())).heights


def _beside(names: Sequence[str]) -> tuple[str, ...]:
    """Names of old and new curves in one picture."""
    if len(names) == 1:
        return ("before", "edited")
    return (*(f"{name}, before" for name in names), *(f"{name}, edited" for name in names))


def _below(folder: Path, name: str) -> Path:
    found = folder / name
    found.mkdir(exist_ok=True)
    return found


def _edit_file(folder: Path, number: int) -> bytes:
    return _read(folder, folder / EDITS / _FILE.format(number=number), CurveEdit.MAX_BYTES)


def _read(folder: Path, file: Path, most: int) -> bytes:
    try:
        found = read_file(file, most)
    except OSError as error:
        raise _unreadable(folder, f"{file.name} cannot be read: {error.strerror}") from error
    if len(found) > most:
        raise _unreadable(folder, f"{file.name} is larger than {most} bytes")
    return found


def _unreadable(folder: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"{folder} is not an edited model that can be used: {why}.",
        whose="whoever gave you the model",
        next_step=f"Take the folder again, or use the unedited model in its {ORIGINAL}/.",
    )


def folder_for(source: Path) -> Path:
    """The first free name beside a model's folder: ``model-edited``, ``model-edited-2`` ..."""
    whole = source.resolve()
    start = whole.name
    number = 1
    head, _, tail = start.rpartition("-edited")
    if head and (not tail or tail.removeprefix("-").isdigit()):
        start = head
    while True:
        end = "-edited" if number == 1 else f"-edited-{number}"
        target = whole.parent / f"{start}{end}"
        if not target.exists():
            return target
        number += 1


def edited_beside(folder: Path) -> list[Path]:
    """Edited models that lie beside a model's folder, in the order of their names."""
    try:
        found = sorted(folder.parent.iterdir())
    except OSError:
        return []
    return [one for one in found if one != folder and (one / EDITED).is_file()]


def describe_edits(model: Model) -> list[dict[str, Any]]:
    """Edits as JSON values, for a command."""
    if model.edited is None:
        return []
    return [
        {
            "column": edit.column,
            "from": edit.low,
            "to": edit.high,
            "way": edit.way,
            "old": list(edit.old),
            "new": list(edit.new),
            "who": edit.who,
            "why": edit.why,
            "at": edit.at,
            "party": edit.party,
            "fingerprint": edit.card.fingerprint,
        }
        for edit in model.edited.edits
    ]
