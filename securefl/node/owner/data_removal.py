"""Data sets that their owner takes away: no study reads the table any more, and others see it no
longer.

What was spent on its patients stays spent, and their keyed hashes stay: the same people do not get
a second budget under another name.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.node.mappings import drop_mapping
from securefl.node.owner.readiness import forget_looks
from securefl.node.public_side import public_folder
from securefl.node.training_look import forget_training_looks
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.party.folder import DatasetEntry


@dataclass(frozen=True)
class DataRemoval:
    """A data set before it is taken away.

    Attributes:
        name: of the data set.
        population: whose patients.
        table: the file that its owner named; it stays as it is.
        copy: the text that was taken out of it into this hospital's folder, which is deleted; None
            where studies read the table itself.
    """

    name: str
    population: str
    table: Path
    copy: Path | None


def plan_data_removal(site: Site, name: str) -> DataRemoval:
    """Work out what taking a data set away would do; nothing is written.

    Raises:
        UsageError: there is no such data set, or a study on it was approved and is not over.
    """
    entry = site.dataset(name)
    check_idle(site, name)
    file = site.path / entry.path
    if entry.origin:
        return DataRemoval(name, entry.population, Path(entry.origin), file)
    return DataRemoval(name, entry.population, file, None)


def remove_data(site: Site, plan: DataRemoval) -> Site:
    """Take the data set away: the settings, what others see of it, and the copy of its table.

    Returns:
        The site with its settings as they are now.

    Raises:
        UsageError: it is gone already, or a study on it was approved meanwhile.
    """
    with site.deciding():
        site = site.refreshed()
        site.dataset(plan.name)
        check_idle(site, plan.name)
        others = tuple(entry for entry in site.settings.datasets if entry.name != plan.name)
        site = site.save(site.settings.model_copy(update={"datasets": others}))
    shutil.rmtree(public_folder(site, plan.name), ignore_errors=True)
    forget_looks(site, plan.name)
    forget_training_looks(site, plan.name)
    drop_mapping(site, plan.name)
    if plan.copy is not None and not _is_read(others, site.path, plan.copy):
        plan.copy.unlink(missing_ok=True)
    return site


def _is_read(entries: tuple[DatasetEntry, ...], folder: Path, file: Path) -> bool:
    return any(folder / entry.path == file for entry in entries)


def check_idle(site: Site, name: str) -> None:
    """Refuse while a study may read the table.

    Raises:
        UsageError: with the studies' names.
    """
    studies = site.ledger.state.studies.values()
    busy = [s for s in studies if s.reservation.dataset == name and not s.ended]
    if busy:
        named = ", ".join(StudyId(s.approval.id, s.digest).name for s in busy)
        raise UsageError(
            f"'{name}' is promised to a study that you approved and that is not over: {named}.",
            next_step=(
                "`securefl site withdraw NAME` leaves a study within seconds; then repeat the"
                " command."
            ),
        )
