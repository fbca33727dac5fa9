"""Personal models at a hospital: made of a finished one that came home, kept beside it, used here.

In the hospital's folder, for its owner alone (0600)::

    personal/NAME/personal.json          what was tried and judged; which model is kept
    personal/NAME/personal.safetensors   the weights, where the personal model is kept

These files hold what patients' rows taught without noise, so they are as confidential as the
records. No message, no study and no backup takes anything from this folder, and neither file can be
read as a released model: the name of the first and the names of the second's tensors are others.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from securefl.errors import DataError, RoundError, UnreadableError, UsageError
from securefl.files import private_folder, read_file, replace_file
from securefl.learning.artefact import PERSONAL
from securefl.learning.models import family_of
from securefl.learning.personal.facts import PersonalFacts
from securefl.node.launcher import Worker
from securefl.node.models import find_model
from securefl.node.patients import patient_key
from securefl.node.removed_patients import removed_patients
from securefl.node.requests import find_request, kept_study
from securefl.node.worker_rules import worker_rules
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.node.models import ModelRow
    from securefl.node.site import Site
    from securefl.study.schema import Study
    from securefl.types import FloatArray

WEIGHTS: Final = "personal.safetensors"
_TENSOR: Final = "personal/"
_MOST_FACTS = 1 << 24
_MOST_WEIGHTS = 1 << 30
_Hex: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PersonalRecord(BaseModel):
    """What ``personal.json`` says.

    Attributes:
        study: digest of the study.
        model: digest of its model.
        dataset: name of the data set.
        snapshot: keyed hash of the table that was read.
        made_at: UTC, ISO 8601.
        facts: what was tried and judged, and which model is kept.
        weights: SHA-256 of the weights' file; empty where the study's model is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["securefl-personal/1"] = "securefl-personal/1"
    study: _Hex
    model: _Hex
    dataset: str
    snapshot: _Hex
    made_at: str
    facts: PersonalFacts
    weights: _Hex | Literal[""]


@dataclasses.dataclass(frozen=True)
class Personal:
    """A personal model in a hospital's folder.

    Attributes:
        name: of the study.
        folder: where it lies.
        record: what its file says.
        study: that the model comes from.
        common: the study's model.
        kept: the model to use here: the personal one, or the study's.
    """

    name: str
    folder: Path
    record: PersonalRecord
    study: Study
    common: Model
    kept: Model


def make_personal(site: Site, name: str, now: str) -> Personal:
    """Make a personal model of a study's that came home, compare both, keep the better.

    The ledger notes it before the table is read. Nothing is charged: a budget bounds what others
    learn, and nobody else gets anything of this.

    Args:
        site: the hospital.
        name: of the study.
        now: UTC, ISO 8601.

    Raises:
        UsageError: no model of that name is here, or its study trains none.
        NotApprovedError: the study's model expired or was recalled.
        DataError: the table cannot be read, does not fit, or changed while it was read; or no
            model can be made of it.
        RoundError: the worker ended.
    """
    row, common = _model(site, name)
    common.check_usable()
    sealed = kept_study(site, row.digest)
    data = sealed.study.data
    source = site.table(data.dataset)
    snapshot = source.fingerprint(site.secret)
    site.ledger.personalize(row.digest, snapshot=snapshot)
    log = site.path / "worker.log"
    removed = removed_patients(site, data.population)
    longest = 8 * common.theta.size
    rules = worker_rules(site)
    try:
        with Worker(source, max_bytes=longest, log=log, rules=rules) as worker:
            made = worker.personalize(
                sealed.text,
                common.theta,
                site.split_secret(data.population),
                patient_key(site),
                removed.hashes,
            )
    except RoundError as error:
        raise RoundError(
            error.what,
            whose=error.whose,
            next_step=f"See {log}; `securefl doctor` checks the machine. Nothing was changed.",
        ) from None
    if site.keyed_snapshot(made.sha256) != snapshot:
        raise DataError(
            "The table changed while it was read.",
            next_step="Repeat the command when nobody writes to the table.",
        )
    weights = b""
    if made.facts.kept == "personal":
        weights = _dump(made.theta, common)
    record = PersonalRecord(
        study=row.digest,
        model=common.digest,
        dataset=data.dataset,
        snapshot=snapshot,
        made_at=now,
        facts=made.facts,
        weights=hashlib.sha256(weights).hexdigest() if weights else "",
    )
    _write(site, row.name, record, weights)
    return read_personal(site, row.name)


def read_personal(site: Site, name: str) -> Personal:
    """The personal model that was made of a study's.

    Raises:
        UsageError: none was made, or not of the model that is here; or as :func:`make_personal`.
        UnreadableError: a file is altered or missing.
    """
    row, common = _model(site, name)
    folder = site.path / "personal" / row.name
    if not (folder / PERSONAL).exists():
        raise UsageError(
            f"No personal model was made of {row.name} here.",
            next_step=f"`securefl site personalize {row.name}` makes one.",
        )
    record = _read_record(folder)
    if (record.study, record.model) != (row.digest, common.digest):
        raise UsageError(
            f"The personal model in {folder} was made of another study's model than the one that is"
            " here.",
            next_step=f"`securefl site personalize {row.name}` makes it anew.",
        )
    kept = common
    if record.facts.kept == "personal":
        kept = dataclasses.replace(common, theta=_read_weights(folder, record, common))
    return Personal(
        row.name,
        folder,
        record,
        kept_study(site, row.digest).study,
        common,
        kept,
    )


def check_same_table(site: Site, personal: Personal) -> None:
    """Refuse a personal model whose table is not the one that is registered now.

    Raises:
        UsageError: it was made of another table, or the table changed since.
        DataError: the table cannot be read.
    """
    record = personal.record
    if site.table(record.dataset).fingerprint(site.secret) != record.snapshot:
        raise UsageError(
            f"The table '{record.dataset}' is not the one that the personal model of {personal.name}"
            f" was made of on {record.made_at[:10]}: another is registered, or rows changed.",
            next_step=(
                f"`securefl site personalize {personal.name}` makes it anew; `securefl site model"
                f" predict {personal.name} ROWS` uses the study's own model."
            ),
        )


def _model(site: Site, name: str) -> tuple[ModelRow, Model]:
    """The study's model that came home; a study that trains none is told apart."""
    try:
        return find_model(site, name)
    except UsageError as missing:
        try:
            request, sealed = find_request(site, name)
        except UsageError:
            raise missing from None
        if makes_model(sealed.study):
            raise
        raise UsageError(
            f"{request.short} trains no model: there is nothing to make a personal one of.",
            next_step="`securefl site model list` shows the models that are here.",
        ) from None


def _dump(theta: FloatArray, common: Model) -> bytes:
    """Weights as safetensors, under names that no released model has."""
    from safetensors.numpy import save

    tensors = family_of(common.spec, common.data).tensors(theta)
    return save(
        {f"{_TENSOR}{name}": np.ascontiguousarray(value) for name, value in tensors.items()},
        metadata={"securefl": "personal model: as confidential as the records it was made of"},
    )


def _write(
    site: Site,
    name: str,
    record: PersonalRecord,
    weights: bytes,
) -> None:
    """Put both files in place of those of an earlier one."""
    root = private_folder(site.path / "personal")
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=root))
    try:
        if weights:
            replace_file(part / WEIGHTS, weights)
        replace_file(part / PERSONAL, record.model_dump_json(indent=1).encode())
        target = root / name
        if target.exists():
            shutil.rmtree(target)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _read_record(folder: Path) -> PersonalRecord:
    try:
        return PersonalRecord.model_validate_json(read_file(folder / PERSONAL, _MOST_FACTS))
    except (OSError, ValidationError):
        raise _unreadable(folder, f"{PERSONAL} is not one that securefl wrote") from None


def _read_weights(folder: Path, record: PersonalRecord, common: Model) -> FloatArray:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    wrong = _unreadable(folder, f"{WEIGHTS} is not the file that {PERSONAL} names")
    try:
        data = read_file(folder / WEIGHTS, _MOST_WEIGHTS)
    except OSError:
        raise wrong from None
    if hashlib.sha256(data).hexdigest() != record.weights:
        raise wrong
    try:
        tensors = {name.removeprefix(_TENSOR): value for name, value in load(data).items()}
        theta = family_of(common.spec, common.data).from_tensors(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise wrong from None
    return theta


def _unreadable(folder: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"{folder} holds no personal model that can be used: {why}.",
        whose="this hospital",
        next_step=f"`securefl site personalize {folder.name}` makes it anew.",
    )
