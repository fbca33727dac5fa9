"""Notices on a finished model, in the folder ``notices`` beside its files: recalls by its owners,
each signed, and its expiry.

The model's own description says whose signature counts, and until when it is used, so a copy of its
folder is judged without a store. Who takes a notice out of a copy can use that copy: a notice
protects those who want to be told. Every use of a :class:`~securefl.learning.artefact.Model` asks
here, by its :meth:`~securefl.learning.artefact.Model.check_usable`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import StringConstraints

from securefl.errors import MessageError, NotApprovedError, UntrustedError, UsageError
from securefl.files import names_in, read_file, replace_file
from securefl.identity import Verifier
from securefl.statement import MAX_SMALL, Hex32, Statement
from securefl.study.fields import LINE
from securefl.utc_times import read_time

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import Identity, IdentityCard
    from securefl.learning.artefact import Model

#: In a model's folder; a notice is ``NAME.json``, NAME being the hospital's.
NOTICES: Final = "notices"
#: Characters of a reason.
MOST_REASON: Final = 400
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MOST_REASON, pattern=LINE)]


@dataclass(frozen=True)
class Recall(Statement):
    """Hospital's word that a model is to be used no more.

    Args:
        study: the digest of the study that made the model.
        model: SHA-256 (hex) of its ``model.json``.
        site: whose word it is.
        reason: in its own words; everybody who has the notice reads it.
        at: when, UTC in ISO 8601.
    """

    TYPE: ClassVar[str] = "securefl-model-recall/1"
    WHAT: ClassVar[str] = "A recall"

    study: Hex32
    model: Hex32
    site: str
    reason: Reason
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


@dataclass(frozen=True)
class ModelStanding:
    """Standing of a model: whether it may be used, and what was said of it.

    Attributes:
        expired: day until which it was to be used, where that is over; else empty.
        recalls: valid ones, by hospital.
        unknown: files among the notices that are no valid notice on this model.
        recalled: more than half of its hospitals recalled it, or the one that asks.
    """

    expired: str
    recalls: tuple[Recall, ...]
    unknown: tuple[str, ...]
    recalled: bool

    @property
    def refused(self) -> bool:
        """It is not to be used."""
        return self.recalled or bool(self.expired)

    @property
    def state(self) -> str:
        """Say if the model may be used, in a word or two."""
        if self.recalled:
            return "recalled"
        if self.expired:
            return "expired"
        if self.recalls:
            return "recalled by some"
        return "usable"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person is told, a line each."""
        lines = [f"Recalled by {r.site} on {r.at[:10]}: {r.reason}" for r in self.recalls]
        if self.expired:
            lines.append(f"It was to be used until {self.expired}, and that is over.")
        lines += [
            f"{name} is no valid notice on this model; it is not heeded." for name in self.unknown
        ]
        return tuple(lines)


def recall_model(
    folder: Path,
    model: Model,
    identity: Identity,
    reason: str,
    at: str,
) -> Path:
    """Sign a recall and put it beside the model; the file, to be handed to all who have the model.

    Raises:
        UntrustedError: this hospital's key is not one that counts for this model.
    """
    name = identity.card.name
    check_may_recall(model, identity.card)
    said = Recall(model.facts.study_digest, model.digest, name, reason, at)
    # what others would refuse is not handed out: it is read before it is kept
    keep_recall(folder, model, name, said.dump(identity.sign))
    return notice_file(folder, name)


def check_may_recall(model: Model, card: IdentityCard) -> None:
    """Refuse a party whose recall of the model nobody would heed.

    Raises:
        UntrustedError: its key is not one of the model's owners.
    """
    if model.facts.owners.get(card.name) != card.signing_public:
        raise UntrustedError(
            f"The model does not name the key of {card.name} among those of its owners.",
            whose="the data owner",
            next_step="Ask a hospital whose key it names; the keys stand in its model.json.",
        )


def check_reason(reason: str) -> None:
    """Refuse a reason that no reader of a recall would take.

    Raises:
        UsageError: it is empty, too long, or has signs that a screen obeys.
    """
    if not 0 < len(reason) <= MOST_REASON or not re.fullmatch(LINE, reason):
        raise UsageError(
            f"A reason is one line of 1 to {MOST_REASON} characters without control characters;"
            f" this one has {len(reason)}. Nothing was signed.",
            next_step="Say it in a line.",
        )


def notice_file(folder: Path, site: str) -> Path:
    """Place of a hospital's notice beside the model in ``folder``."""
    return folder / NOTICES / f"{site}.json"


def keep_recall(
    folder: Path,
    model: Model,
    site: str,
    signed: bytes,
) -> Recall:
    """Put a hospital's recall beside the model, once it is verified.

    The first that holds stays: another one of the same hospital says nothing more.

    Args:
        folder: of the model.
        model: as it was read from there.
        site: whose recall it is to be.
        signed: the bytes as they came.

    Returns:
        The recall that lies there now.

    Raises:
        MessageError: it is no recall of this model by that hospital; nothing is kept.
    """
    released = released_of(model)
    new = _open(signed, site, released)
    file = notice_file(folder, site)
    kept = _kept(file, site, released)
    if kept is not None:
        return kept
    file.parent.mkdir(exist_ok=True)
    replace_file(file, signed)
    return new


def kept_recall(folder: Path, model: Model, site: str) -> Recall | None:
    """A hospital's valid recall beside a model; None where there is none."""
    return _kept(notice_file(folder, site), site, released_of(model))


def released_of(model: Model) -> Model:
    """The model that hospitals released: the one before edits, where curves were edited."""
    return model if model.edited is None else model.edited.unedited


def _kept(file: Path, site: str, released: Model) -> Recall | None:
    try:
        return _open(read_file(file, MAX_SMALL), site, released)
    except (OSError, MessageError):
        return None


def standing(
    folder: Path | None,
    model: Model,
    now: datetime,
    own: str = "",
) -> ModelStanding:
    """Judge a model by its description and the notices beside it.

    More than half of its hospitals, or the hospital itself that asks, can forbid its use; a recall
    by fewer is a warning, so that no single one takes it from all.

    Args:
        folder: of the model; None of one that lies nowhere, and so has no notices.
        model: as it was read from there; of an edited one the notices on the model before the edits
            count.
        now: the time, with its zone.
        own: the hospital that asks; empty elsewhere.
    """
    recalls: list[Recall] = []
    unknown: list[str] = []
    if folder is not None:
        recalls, unknown = _notices(folder, model)
    expired = model.facts.expires
    if not expired or now <= _moment(expired):
        expired = ""
    most = 2 * len(recalls) > len(model.facts.participants)
    of_own = any(recall.site == own for recall in recalls)
    return ModelStanding(
        expired[:10],
        tuple(recalls),
        tuple(unknown),
        recalled=most or of_own,
    )


def copy_notices(source: Path, model: Model, target: Path) -> None:
    """Copy the valid notices on a model to the folder of one that was made of it."""
    recalls, _ = _notices(source, model)
    for recall in recalls:
        name = f"{recall.site}.json"
        (target / NOTICES).mkdir(exist_ok=True)
        replace_file(target / NOTICES / name, read_file(source / NOTICES / name, MAX_SMALL))


def _notices(folder: Path, model: Model) -> tuple[list[Recall], list[str]]:
    """Valid notices in a model's folder, and names of files there that are none."""
    released = released_of(model)
    recalls = []
    unknown = []
    for file_name in names_in(folder / NOTICES):
        site = file_name.removesuffix(".json")
        found = _kept(folder / NOTICES / file_name, site, released)
        if found is None:
            unknown.append(ascii(file_name)[:80])
        else:
            recalls.append(found)
    return recalls, unknown


def _moment(text: str) -> datetime:
    """A time of a model's description; one that is none is long over."""
    try:
        return read_time(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def check_usable(found: ModelStanding) -> None:
    """Refuse a model that expired or was recalled.

    Raises:
        NotApprovedError: with what its owners said.
    """
    if found.refused:
        raise NotApprovedError(
            "The model is not to be used any more.\n" + "\n".join(found.sentences),
            whose="the model's owners",
            next_step=(
                "Ask them for a later version. To use it all the same, for a study of the past:"
                " `--anyway`, where the command has it; in Python"
                " `load_model(FOLDER, anyway=True)`."
            ),
        )


def check_not_recalled(found: ModelStanding) -> None:
    """Refuse a model from which no other is to be learnt: a recalled one.

    One that merely expired may be: a later version is what its owners then want.

    Raises:
        NotApprovedError: with what its owners said.
    """
    if found.recalled:
        raise NotApprovedError(
            "No study can start from this model: it was recalled.\n" + "\n".join(found.sentences),
            whose="the model's owners",
            next_step="Ask them, or train anew: a study without `continues` starts from its seed.",
        )


def _open(data: bytes, site: str, model: Model) -> Recall:
    """Read a notice of that hospital on this model.

    Raises:
        MessageError: it is none.
    """
    key = model.facts.owners.get(site)
    if key is None:
        raise MessageError(f"A notice of {ascii(site)[:60]} is refused: it is no owner.", whose="")
    read = partial(Recall.open, study=model.facts.study_digest, model=model.digest)
    return read(data, verify=Verifier(site, key), site=site)
