"""Writing of a study's archive (:mod:`securefl.party.study_archive`) from the researcher's folder and
the store.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from securefl.boards.opening import open_board
from securefl.boards.slot import Slot, objects_below
from securefl.errors import UsageError
from securefl.federation import paths
from securefl.files import made_whole, replace_file
from securefl.party import study_archive as archive
from securefl.party.audit_extract import signed_extract
from securefl.researcher.durable_run import FOLDER, TOTALS
from securefl.researcher.results import read_result
from securefl.researcher.run_study import RESULT
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.party.folder import PartyFolder

#: Objects that are sealed to somebody: an archive's reader can open none of them.
_SEALED: Final = frozenset({"model", "opening", "extracts", "checkpoints"})
#: What holds the contributions, and what is needed besides to add them again.
_ONLY_TO_ADD: Final = frozenset({"contributions", "key", "sum", "answers", "complaints"})


def write_archive(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    target: Path,
    *,
    contributions: bool,
) -> int:
    """Write the archive of a completed study into a new folder; returns how many files it has.

    Args:
        lab: the researcher's folder.
        folder: the study's in it.
        plan: the study.
        target: where it goes.
        contributions: with the hospitals' encrypted contributions, so that rounds can be added
            again.

    Raises:
        UsageError: the study has no result, there is something at that place already, or the model
            is not where the run put it.
        StoreError: the store is away.
    """
    if target.exists():
        raise UsageError(
            f"{target} exists already; nothing is overwritten.",
            whose="the researcher",
            next_step="Name another folder.",
        )
    result = read_result(lab, folder, plan)
    if (result.get("quality") or {}).get("withheld"):
        raise UsageError(
            "The study's quality rule withholds its model, and the model follows from the opened"
            " sums that an archive holds.",
            whose="the researcher",
            next_step="`securefl study report` has the figures, which may be shown.",
        )
    model = Path(result.get("model", ""))
    if makes_model(plan.study) and not (model / "model.json").is_file():
        raise UsageError(
            f"The model is not in {model}, where the run put it.",
            whose="the researcher",
            next_step="Put it back there, and archive again.",
        )
    with made_whole(target, archive.MANIFEST) as building:
        _fill(lab, folder, plan, building, model, contributions=contributions)
        names = sorted(archive.archived_files(building))
        files = {name: archive.archived_sha256(building / name) for name in names}
        manifest = archive.ArchiveManifest(plan.digest, files)
        replace_file(building / archive.MANIFEST, manifest.dump(lab.identity.sign), mode=0o644)
    return len(files) + 1


def _fill(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    building: Path,
    model: Path,
    *,
    contributions: bool,
) -> None:
    replace_file(building / archive.STUDY, plan.sealed.text, mode=0o644)
    shutil.copyfile(folder / RESULT, building / archive.RESULT)
    left_out = _SEALED if contributions else _SEALED | _ONLY_TO_ADD
    (building / archive.BOARD).mkdir()
    there = open_board(str(building / archive.BOARD))
    _copy(lab.board, there, paths.study_root(plan.digest), left_out)
    (building / archive.EXTRACTS).mkdir()
    for site in plan.study.cohort:
        signed = signed_extract(lab.board, lab.identity, plan.digest, site)
        if signed is not None:
            replace_file(building / archive.EXTRACTS / site, signed, mode=0o644)
    totals = folder / FOLDER / TOTALS
    if totals.is_dir():
        shutil.copytree(totals, building / archive.TOTALS)
    if makes_model(plan.study):
        shutil.copytree(model, building / archive.MODEL)


def _copy(
    board: Board,
    there: Board,
    path: str,
    left_out: frozenset[str],
) -> None:
    """Copy the objects below a path, but those in a folder or of a name that is left out."""
    for found in objects_below(board, path, left_out):
        with Slot(board, found, archive.MAX_FILE).open() as file:
            if file is not None:
                Slot(there, found, archive.MAX_FILE).post_file(cast("IO[bytes]", file))
