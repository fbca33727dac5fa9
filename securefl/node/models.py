"""Finished models at a hospital: hashes to check against, and the models that came home.

In the hospital's folder, for its owner alone::

    studies/DIGEST/verified/         hashes of what this hospital made of the totals that it verified, until the model came
    models/NAME/                     a model that passed every check

A study is settled whether or not its model comes; it may come days later, and is looked for
(:mod:`securefl.node.model_watch`). The hashes are
durable, so an agent that was started again in between, or while the study ran, checks it as well.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError, SecureFLError, UsageError
from securefl.federation import bundle
from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_board import StudyBoard
from securefl.files import entries, private_folder, replace_file
from securefl.identity import verify
from securefl.learning.artefact import load_model
from securefl.learning.stages.roles import judges
from securefl.node.earlier_study import keep_trained
from securefl.node.model_watch import VERIFIED, expected_models, forget_verified
from securefl.node.requests import kept_study
from securefl.node.study_receipts import give_receipt
from securefl.party.model_check import OwnResult, check_model
from securefl.study.recipients import recipients

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.learning.model_notices import ModelStanding
    from securefl.node.site import Site
    from securefl.secagg.round_context import RoundContext

#: Hash of the trained model, as this hospital worked it out; of the evaluation's total, where it
#: verified it.
_MODEL: Final = "model"
_HISTOGRAM: Final = "histogram"


@dataclass(frozen=True)
class ModelRow:
    """One line of the list of models.

    Attributes:
        name: id of the study and the first twelve digits of its digest.
        digest: the study's digest.
        state: ``here``, ``expected``, ``refused`` or ``never came``.
        folder: where it is, where it is here.
        said: why it was refused, or until when it is looked for.
        standing: whether one that is here may be used, and what was said of it.
    """

    name: str
    digest: str
    state: str
    folder: Path | None = None
    said: str = ""
    standing: ModelStanding | None = None


# --- while the study runs
# ----------------------------------------------------------------------------------------------


def remember_model(
    site: Site,
    plan: RoundPlan,
    facts: RoundContext,
) -> None:
    """Keep the hash of the trained model, where ``facts`` are those of its evaluation and this
    hospital is one of its recipients; and for a study that continues this one, wherever it is.

    The round was accepted: it starts from what this hospital itself made of the verified totals
    (:meth:`securefl.federation.following.Following.check_start`). A full disk costs the model and not
    the round.
    """
    judging = judges(plan.programme, plan.step(facts.round).stage)
    if judging and site.name in plan.study.cohort:
        keep_trained(site, plan.digest, facts.model_sha256)
    _remember(
        site,
        plan,
        facts.round,
        _MODEL,
        facts.model_sha256,
    )


def remember_total(
    site: Site,
    plan: RoundPlan,
    number: int,
    sha256: str,
) -> None:
    """Keep the hash of a verified total, where it is the evaluation's and this hospital a recipient.

    A full disk costs the check and not the round.
    """
    _remember(
        site,
        plan,
        number,
        _HISTOGRAM,
        sha256,
    )


def _remember(
    site: Site,
    plan: RoundPlan,
    number: int,
    name: str,
    sha256: str,
) -> None:
    """Keep a hash of the round in which the model is judged, at a recipient of the model."""
    stage = plan.step(number).stage
    if site.name not in recipients(plan.study) or not judges(plan.programme, stage):
        return
    folder = private_folder(private_folder(site.study_folder(plan.digest)) / VERIFIED)
    with suppress(OSError):
        replace_file(folder / name, sha256.encode())


# --- after its end
# -----------------------------------------------------------------------------------------------------


def fetch_model(site: Site, digest: str) -> Path | None:
    """Fetch, open and check the model of a study that was completed here; its folder, or None while
    it is not in the store.

    Raises:
        MessageError, UnreadableError: it is refused, and nothing of it is kept.
        StoreError: the store is away.
    """
    plan = RoundPlan(kept_study(site, digest))
    key = plan.study.coordinator.signing_public

    def by_coordinator(signature: bytes, message: bytes) -> bool:
        return verify(key, signature, message)

    on_board = StudyBoard(site.board, digest)
    statement = on_board.model_statement.read()
    if statement is None:
        return None
    _, size = bundle.open_statement(statement, plan, by_coordinator)  # before the large one is read
    sealed = on_board.model(size).read()
    if sealed is None:
        return None
    files = bundle.open_bundle(
        bundle.SealedBundle(statement, sealed), plan, site.identity, by_coordinator
    )
    del sealed
    own = _own_result(site, digest)
    target = private_folder(site.path / "models") / plan.sealed.name
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        for name, content in files.items():
            replace_file(part / name, content)
        check_model(load_model(part), files, plan, own, by_coordinator)
        if target.exists():  # a process that was killed between the next two lines
            shutil.rmtree(target)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    (site.path / "models" / "expected" / f"{digest}.json").unlink(missing_ok=True)
    forget_verified(site, digest)
    give_receipt(site, digest)
    return target


def _own_result(site: Site, digest: str) -> OwnResult:
    folder = site.study_folder(digest) / VERIFIED
    try:
        histogram = ""
        if (folder / _HISTOGRAM).exists():
            histogram = (folder / _HISTOGRAM).read_text("ascii")
        return OwnResult((folder / _MODEL).read_text("ascii"), histogram)
    except (OSError, ValueError):
        raise MessageError(
            "The finished model is refused: this hospital did not keep what it is checked against.",
            whose="this hospital",
            next_step=(
                "Ask another hospital whether its copy passed; `securefl predict` reads any model's"
                " folder."
            ),
        ) from None


# --- the owner's list
# --------------------------------------------------------------------------------------------------


def list_models(site: Site) -> tuple[ModelRow, ...]:
    """Models that are here, in the order of their names, then those that are looked for, were
    refused or never came.
    """
    root = site.path / "models"
    rows = []
    for folder in entries(root):
        if folder.name != "expected":
            with suppress(SecureFLError):
                model = load_model(folder, own=site.name)
                rows.append(
                    ModelRow(
                        folder.name,
                        model.facts.study_digest,
                        "here",
                        folder,
                        standing=model.standing(),
                    )
                )
    for digest, entry in sorted(expected_models(site).items(), key=lambda item: item[1]["name"]):
        if entry["until"] == "":
            rows.append(
                ModelRow(
                    entry["name"],
                    digest,
                    "never came",
                    said=entry["refused"],
                )
            )
        elif entry["refused"]:
            rows.append(
                ModelRow(
                    entry["name"],
                    digest,
                    "refused",
                    said=entry["refused"],
                )
            )
        else:
            rows.append(
                ModelRow(
                    entry["name"],
                    digest,
                    "expected",
                    said=f"looked for until {entry['until']}",
                )
            )
    return tuple(rows)


def find_model(site: Site, name: str) -> tuple[ModelRow, Model]:
    """The model of that study, by its id, its whole name or the beginning of one; an exact id wins.

    Raises:
        UsageError: none or several fit, or it is not here.
        UnreadableError: its folder was changed.
    """
    rows = list_models(site)
    exact = [row for row in rows if name in {row.name, row.name.rpartition("-")[0]}]
    exact = [row for row in exact if row.name == name] or exact
    fits = exact or [row for row in rows if row.name.startswith(name)]
    if len(fits) != 1:
        listed = ", ".join(row.name for row in fits or rows) or "none"
        said = f"No model fits '{name}'"
        if fits:
            said = f"{len(fits)} models fit '{name}'"
        raise UsageError(
            f"{said}: {listed}.",
            next_step="`securefl site model list` shows all; name one of them.",
        )
    (row,) = fits
    if row.folder is None:
        raise UsageError(
            f"The model of {row.name} is not here: {row.state}. {row.said}".rstrip(),
            next_step="`securefl site model list` shows all.",
        )
    return row, load_model(row.folder, own=site.name)
