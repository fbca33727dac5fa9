"""A trained model as a folder: ``model.safetensors`` (weights), ``model.json`` (how to use it),
``model_card.md``.

safetensors, never pickle: opening a model from elsewhere must not run code. ``model.json`` names
the SHA-256 of the other two files, so that weights and card cannot drift from it. The folder is not
signed: this protects against accidents, not against somebody who rewrites all three. Compare
:attr:`Model.digest` with the one that the researcher announced.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError

from securefl.errors import DataError, UnreadableError
from securefl.learning.features import rows_for_predict
from securefl.learning.model_notices import ModelStanding, check_usable, standing
from securefl.learning.models import family_of, predict
from securefl.learning.table import Table, table_from_frame
from securefl.learning.tasks import task_of
from securefl.shown import Shown
from securefl.study.columns import DataSpec
from securefl.study.meanings import column_notes
from securefl.study.training import ModelSpec
from securefl.study.words import USUAL, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.edit_statement import CurveEdit
    from securefl.learning.portable.torch_module import TorchModel
    from securefl.learning.tasks.task import Task
    from securefl.learning.tasks.told import Told
    from securefl.study.columns import Column
    from securefl.types import FloatArray

WEIGHTS = "model.safetensors"
CARD = "model_card.md"
FACTS = "model.json"
_SCHEMA = "securefl-model/1"
#: The file that a hospital's personal model has in the place of ``model.json``: its folder is never
#: taken for a released model.
PERSONAL = "personal.json"
#: The file that a folder with edited curves has in the place of ``model.json``.
EDITED = "edited.json"
_MAX_BYTES = {WEIGHTS: 1 << 30, CARD: 1 << 20, FACTS: 1 << 20}


class ModelFacts(BaseModel):
    """Facts of a model besides its weights; all of them public.

    Attributes:
        title: the study's title.
        study_digest: SHA-256 (hex) of the sealed study.
        intended_use: what the model is for, and what not.
        licence: under which others may use it.
        owner: whose it is.
        privacy: in plain words, what training cost the patients.
        figures: name to text, released figures only ("AUC": "95 % interval 0.943 to 1.000, around
            0.975").
        participants: names of the hospitals that took part.
        lost: hospital to the first round without it, in words ("round 5 of 8"), for those that were
            lost on the way.
        probability: whether the released calibration supports that the score is an estimated
            probability.
        calibration: what it shows, a sentence and a line for each band of the score; released
            figures only.
        words: what the study calls parties and subjects.
        continues: digest of the study whose model this one started from; empty where there is none.
        expires: time after which it is not to be used, UTC in ISO 8601; empty where there is none.
        owners: hospital to the Ed25519 key (hex) with which it can recall the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str
    study_digest: str
    intended_use: str
    licence: str
    owner: str
    privacy: str
    figures: dict[str, str]
    participants: tuple[str, ...]
    lost: dict[str, str] = {}
    probability: bool = False
    calibration: tuple[str, ...] = ()
    words: Words = USUAL
    continues: str = ""
    expires: str = ""
    owners: dict[str, str] = {}


@dataclass(frozen=True)
class EditedBy:
    """Edits by hand that a model carries (:mod:`securefl.learning.edited_model`).

    Attributes:
        edits: in their order, each checked.
        unedited: the released model.
    """

    edits: tuple[CurveEdit, ...]
    unedited: Model

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns whose curves were edited, in the order of their first edit."""
        return tuple(dict.fromkeys(edit.column for edit in self.edits))

    @property
    def sentence(self) -> str:
        """The edits in a sentence."""
        return (
            f"Curves of this model were edited by hand: {', '.join(self.columns)}. Its released"
            " figures are those before the edits."
        )


@dataclass(frozen=True, repr=False)
class Model(Shown):
    """A model that was loaded: weights, the columns it needs, and what it is for.

    Attributes:
        theta: float64[p].
        spec: the declarative model.
        data: the columns that a table to be scored must have.
        facts: see :class:`ModelFacts`.
        digest: SHA-256 (hex) of ``model.json``, which fixes the weights and the card; of
            ``edited.json`` where curves were edited.
        edited: edits by hand and the model before them; None of a released model.
        folder: from which it was read, with the notices beside it; None of one in memory alone.
        own: hospital that uses it, whose own recall forbids the use; empty elsewhere.
        anyway: it is used though it expired or was recalled.
    """

    _page_name: ClassVar[str] = "model"

    theta: FloatArray
    spec: ModelSpec
    data: DataSpec
    facts: ModelFacts
    digest: str
    edited: EditedBy | None = None
    folder: Path | None = None
    own: str = ""
    anyway: bool = False

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("title", self.facts.title),
            ("kind", family_of(self.spec, self.data).words(task_of(self.data))),
            ("parameters", f"{self.theta.size:,}"),
            ("digest", self.digest[:12]),
        ]

    @property
    def contributions(self) -> Told | None:
        """What each column adds to a score, where the model can be read so."""
        if self.edited is not None:
            from securefl.learning.edited_model import edited_contributions

            return edited_contributions(self)
        return _contributions(self.theta, self.spec, self.data)

    @property
    def intended_use(self) -> str:
        """Purpose of the model, from its card."""
        return self.facts.intended_use

    def predict(self, frame: Any) -> FloatArray:  # noqa: ANN401 - a DataFrame, a mapping of columns or a Table
        """Predictions for the rows, in their order; NaN where there can be none.

        For a binary task a score, float64[n] in [0, 1]: higher means more likely positive, and
        ``facts.probability`` says whether it may be read as a probability. Other tasks may say
        several figures of a row, float64[n, q].

        Raises:
            NotApprovedError: the model expired, or its owners recalled it.
            DataError: a column is missing.
        """
        return self.scored(frame)[0]

    def standing(self) -> ModelStanding:
        """Standing of the model now: its expiry, and the notices beside it."""
        return standing(self.folder, self, datetime.now(UTC), self.own)

    def check_usable(self) -> None:
        """Refuse a model that expired or was recalled, unless it was loaded to be used anyway.

        Every use asks: a program that loaded the model months ago is refused as well.

        Raises:
            NotApprovedError: with what its owners said.
        """
        if not self.anyway:
            check_usable(self.standing())

    @property
    def score_words(self) -> str:
        """Meaning of a prediction, in a sentence: whether it may be read as a probability, and
        which curves were edited by hand.
        """
        task = task_of(self.data)
        said = self.facts.words.say(task.score_words(probability=self.facts.probability))
        if self.edited is None:
            return said
        return f"{said} {self.edited.sentence}"

    def as_sklearn(self, **settings: Any) -> Any:  # noqa: ANN401 - scikit-learn ships no types
        """A scikit-learn estimator of this model (:mod:`securefl.learning.portable.estimators`).

        Args:
            settings: of the estimator, as ``unusable="nan"`` or ``threshold=0.2``.

        Raises:
            UsageError: scikit-learn is not installed.
            NotApprovedError: the model expired, or its owners recalled it; each prediction asks
                again.
        """
        from securefl.learning.portable.estimators import estimator

        self.check_usable()
        return estimator(self, **settings)

    def as_torch(self) -> TorchModel:
        """A PyTorch module from features float64[n, d] to predictions float64[n, q].

        The module knows of no notice: it is judged here, once.

        Raises:
            UsageError: the model is of an extension that does not say its steps.
            NotApprovedError: the model expired, or its owners recalled it.
        """
        from securefl.learning.portable.of_model import program_of
        from securefl.learning.portable.torch_module import TorchModel

        self.check_usable()
        return TorchModel(program_of(self))

    def features(self, frame: Any) -> FloatArray:  # noqa: ANN401 - as predict
        """Features of rows, float64[n, d], as the study encodes them; NaN where a row has none.

        Raises:
            DataError: a column is missing.
        """
        x, reasons = rows_for_predict(frame, self.data)
        found = x.astype(np.float64)
        found[[reason is not None for reason in reasons]] = np.nan
        return found

    def scored(self, frame: Any) -> tuple[FloatArray, list[str | None]]:  # noqa: ANN401 - as predict
        """:meth:`predict`, and for each row why it has no score ("age: outside 0 to 120"), None
        where it has one.

        Raises:
            NotApprovedError: the model expired, or its owners recalled it.
            DataError: a column is missing, stands there twice, or columns differ in length.
        """
        self.check_usable()
        table = frame
        if not isinstance(frame, Table):
            table = table_from_frame(frame)
        try:
            x, reasons = rows_for_predict(table, self.data)
        except DataError as error:
            raise DataError(
                error.what, whose="whoever made the table", next_step="Add or rename that column."
            ) from error
        usable = np.array([reason is None for reason in reasons], dtype=np.bool_)
        family = family_of(self.spec, self.data)
        task = task_of(self.data)
        found = predict(self.theta, family, task, x)
        found[~usable] = np.nan
        return found, reasons


def save_model(
    folder: Path,
    theta: FloatArray,
    spec: ModelSpec,
    data: DataSpec,
    facts: ModelFacts,
) -> Model:
    """Write the three files (the folder is made if need be) and return the model as
    :func:`load_model` would.
    """
    from safetensors.numpy import save

    tensors = {
        name: np.ascontiguousarray(value)
        for name, value in family_of(spec, data).tensors(theta).items()
    }
    weights = save(tensors)
    card = model_card(spec, data, facts, _contributions(theta, spec, data)).encode()
    body = {
        "schema": _SCHEMA,
        "model": _plain(spec.model_dump()),
        "data": _plain(data.model_dump()),
        "facts": _plain(facts.model_dump()),
        "files": {
            WEIGHTS: hashlib.sha256(weights).hexdigest(),
            CARD: hashlib.sha256(card).hexdigest(),
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    # model.json last: without it the folder is not a model yet
    for name, content in ((WEIGHTS, weights), (CARD, card), (FACTS, rfc8785.dumps(body))):
        (folder / name).write_bytes(content)
    return load_model(folder)


def load_model(
    folder: Path | str,
    *,
    own: str = "",
    anyway: bool = False,
) -> Model:
    """Read a model folder, also one whose curves were edited by hand: ``edited`` then says so.

    A model that expired or was recalled is read, to be looked at and checked; its use is refused.

    Args:
        folder: of the model.
        own: hospital that uses it, whose own recall forbids the use; empty elsewhere.
        anyway: use it though it expired or was recalled.

    Raises:
        UnreadableError: a file is missing, too large, altered, or not what it should be.
    """
    folder = Path(folder)
    if (folder / EDITED).exists():
        from securefl.learning.edited_model import load_edited

        return replace(load_edited(folder), own=own, anyway=anyway)
    if (folder / PERSONAL).exists():
        raise UnreadableError(
            f"{folder} is a hospital's personal model: it holds what its patients' rows taught it,"
            " without noise.",
            whose="the data owner of that hospital",
            next_step=(
                "Leave it where it is. There it is used with `securefl predict STUDY ROWS --site"
                " FOLDER`, and for nothing else."
            ),
        )
    raw = _read(folder, FACTS)
    try:
        body = json.loads(raw)
        if body["schema"] != _SCHEMA:
            raise _unreadable(folder, f"its schema is {body['schema']!r}, not {_SCHEMA!r}")
        spec = ModelSpec.model_validate_json(json.dumps(body["model"]))
        data = DataSpec.model_validate_json(json.dumps(body["data"]))
        facts = ModelFacts.model_validate_json(json.dumps(body["facts"]))
        hashes = {name: str(body["files"][name]) for name in (WEIGHTS, CARD)}
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise _unreadable(
            folder, f"{FACTS} is not a model description ({type(error).__name__})"
        ) from error
    content = {name: _read(folder, name) for name in hashes}
    for name, digest in hashes.items():
        if hashlib.sha256(content[name]).hexdigest() != digest:
            raise _unreadable(
                folder, f"{name} is not the file that {FACTS} names (its SHA-256 differs)"
            )
    theta = _theta(folder, content[WEIGHTS], spec, data)
    digest = hashlib.sha256(raw).hexdigest()
    return Model(
        theta,
        spec,
        data,
        facts,
        digest,
        folder=folder,
        own=own,
        anyway=anyway,
    )


def _theta(
    folder: Path,
    content: bytes,
    spec: ModelSpec,
    data: DataSpec,
) -> FloatArray:
    """Weights of a model's file as one vector, each a finite number."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    wrong = _unreadable(folder, f"{WEIGHTS} does not hold the weights of this model")
    try:
        tensors = {
            name: np.asarray(value, dtype=np.float64) for name, value in load(content).items()
        }
        theta = family_of(spec, data).from_tensors(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise wrong from error
    if not np.isfinite(theta).all():
        raise wrong
    return theta


def _contributions(theta: FloatArray, spec: ModelSpec, data: DataSpec) -> Told | None:
    return family_of(spec, data).contributions(theta, data.columns, task_of(data))


def model_card(
    spec: ModelSpec,
    data: DataSpec,
    facts: ModelFacts,
    contributions: Told | None = None,
    edits: Sequence[str] = (),
) -> str:
    """The card as Markdown (headings after Mitchell et al. 2019, arXiv:1810.03993).

    Args:
        spec: the declarative model.
        data: the study's columns.
        facts: of the model.
        contributions: of its columns, where it can be read.
        edits: lines on edits by hand; none of a released model.
    """
    task = task_of(data)
    kind = family_of(spec, data).words(task)
    say = facts.words.say
    lines = [
        f"# {facts.title}",
        "",
        f"- Model: {kind}",
        *_origin(facts),
        "",
        *edits,
        "## Intended use",
        "",
        facts.intended_use,
        "",
        "## How well it does",
        "",
        *(f"- {name}: {say(text)}" for name, text in facts.figures.items()),
        "",
        say("## Privacy of the patients it learnt from"),
        "",
        say(facts.privacy),
        "",
        "## What a table to be scored needs",
        "",
        (
            f"A row outside these ranges or levels gets no {task.noun}, nor does one with a value"
            " missing that may not be missing."
        ),
        "",
        "| column | values | may be missing |",
        "|---|---|---|",
        *(_column_row(column) for column in data.columns),
        "",
        *_readable(contributions),
        *_score_meaning(facts, task),
        "",
    ]
    return "\n".join(lines)


def _origin(facts: ModelFacts) -> list[str]:
    """Lines on where the model comes from, its later life, and whose it is."""
    lines = [f"- Study digest: `{facts.study_digest}`"]
    if facts.continues:
        lines.append(f"- Continues the study: `{facts.continues}`")
    hospitals = ", ".join(facts.participants)
    lines.append(f"{facts.words.say('- Hospitals:')} {hospitals}")
    if facts.lost:
        lost = [f"{site} (from {first} on)" for site, first in facts.lost.items()]
        lines.append(f"- Lost on the way: {', '.join(lost)}")
    lines += _later_life(facts)
    lines.append(f"- Owner: {facts.owner}")
    lines.append(f"- Licence: {facts.licence}")
    return lines


def _column_row(column: Column) -> str:
    """A column's line in the table of what a table to be scored needs."""
    if column.kind == "numeric":
        values = f"{column.low} to {column.high} {column.unit}".strip()
    elif column.kind == "category":
        values = ", ".join(column.levels)
    else:
        values = f"{column.true} or {column.false}"
    notes = column_notes(column)
    if notes:
        values = f"{values}; {notes}"
    may_be_missing = "yes" if column.missing == "flag" else "no"
    return f"| {column.name} | {values} | {may_be_missing} |"


def _later_life(facts: ModelFacts) -> list[str]:
    """Lines on expiry and recalls. A recall comes later, so the card says where it would lie."""
    lines = []
    if facts.expires:
        lines.append(f"- Not to be used after: {facts.expires[:10]}")
    if facts.owners:
        lines.append(
            "- Recalls by its hospitals: signed files in the folder `notices` beside this card;"
            " `securefl model show` tells them"
        )
    return lines


def _readable(told: Told | None) -> list[str]:
    """The model itself, where it can be read."""
    if told is None:
        return []
    lines = [f"## {told.metric}", "", *told.sentences, ""]
    lines += [f"- {line}" for line in told.lines]
    for row in told.cells:
        cells = " ".join(cell or "" for cell in row)
        lines.append(f"- {cells}")
    return [*lines, ""]


def _score_meaning(facts: ModelFacts, task: Task) -> list[str]:
    """The score in words: a probability only where the released calibration supports it, and the
    figures either way.
    """
    said = facts.words.say(task.score_words(probability=facts.probability))
    lines = [f"## What the {task.noun} means", "", said]
    if facts.calibration:
        lines.append("")
        lines += [f"- {facts.words.say(line)}" for line in facts.calibration]
    return lines


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a study section holds
    """Study values as JSON: decimals and ratios are texts, as in the study file."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Fraction):
        return str(value)
    return value


def _read(folder: Path, name: str) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            data = file.read(_MAX_BYTES[name] + 1)
    except OSError as error:
        raise _unreadable(folder, f"{name} cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES[name]:
        raise _unreadable(folder, f"{name} is larger than {_MAX_BYTES[name]} bytes")
    return data


def _unreadable(folder: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"{folder} is not a model that can be used: {why}.",
        whose="whoever gave you the model",
        next_step="Take the folder again from the study's outputs.",
    )
