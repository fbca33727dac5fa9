"""Global models of single rounds, kept at the hospital.

What is kept is what the coordinator sent to everybody: nothing of this hospital's patients is in it.
Their figures (:mod:`securefl.node.round_figures`) are worked out when the owner asks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from securefl.files import entries, private_folder, replace_file
from securefl.learning.stages.evaluate import Evaluate
from securefl.learning.stages.train import Train

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.node.site import Site

_FOLDER: Final = "round-models"
#: Bytes of all models of a study that are kept at most; a longer study of a large model keeps none.
MOST_BYTES: Final = 64 << 20


def keep_round_model(
    site: Site,
    plan: RoundPlan,
    number: int,
    model: bytes | bytearray,
) -> None:
    """Keep what a round started from, where it is a model. A full disk costs the figures and not the
    round.
    """
    if not is_kept(plan):
        return
    stage = plan.step(number).stage
    if not isinstance(stage, (Train, Evaluate)):
        return
    folder = private_folder(_folder(site, plan.digest))
    with suppress(OSError):
        replace_file(folder / f"{number:05d}", bytes(model))


def is_kept(plan: RoundPlan) -> bool:
    """True if the models of all rounds together are small enough."""
    longest = max(plan.public_length(number) for number in range(1, plan.last_round + 1))
    return longest * 8 * plan.last_round <= MOST_BYTES


def kept_round_models(
    site: Site,
    plan: RoundPlan,
) -> list[tuple[int, Path]]:
    """Number of the round and file of each model that is kept."""
    folder = _folder(site, plan.digest)
    if not folder.is_dir():
        return []
    files = [file for file in entries(folder) if file.name.isdecimal()]
    numbered = ((int(file.name), file) for file in files)
    return [(number, file) for number, file in numbered if 1 <= number <= plan.last_round]


def _folder(
    site: Site,
    digest: str,
) -> Path:
    return site.study_folder(digest) / _FOLDER
