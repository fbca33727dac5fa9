"""A protocol that continues an earlier study: the released model becomes its first weights."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from securefl.errors import StudyError, UsageError
from securefl.learning.model_notices import check_not_recalled
from securefl.learning.models import weights_to_bytes
from securefl.study.earlier_study import misfits
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of
from securefl.study.warm_start import MOST_WEIGHTS, weights_text

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.study.sealed import SealedStudy


def continued(
    protocol: UnsealedStudy,
    earlier: SealedStudy,
    model: Model,
) -> UnsealedStudy:
    """Write the earlier study's digest and its released model into a protocol.

    Args:
        protocol: what is asked now.
        earlier: the completed study.
        model: that it released.

    Raises:
        NotApprovedError: its hospitals recalled the model. One that expired may be learnt on from.
        StudyError: the model is of another family or other columns, too large, or not that study's.
    """
    if model.facts.study_digest != earlier.digest:
        raise UsageError(
            f"The model that lies there is not that of {earlier.name}.",
            next_step="Name the study that it is of.",
        )
    check_not_recalled(model.standing())
    reasons = misfits(earlier.study, protocol.study)
    if reasons:
        raise StudyError(
            f"The study cannot start from the model of {earlier.name}:\n"
            + "\n".join(f"  {reason}" for reason in reasons)
            + "\n",
            next_step=(
                "Start from the same protocol, or make a study of its own: without `continues`."
            ),
        )
    if model.theta.size > MOST_WEIGHTS:
        raise StudyError(
            f"The model of {earlier.name} has {model.theta.size:,} weights; a study file has room"
            f" for {MOST_WEIGHTS:,}.",
            next_step="Train it anew: a study without `continues` starts from its public seed.",
        )
    raw = deepcopy(protocol.raw)
    raw["continues"] = earlier.digest
    place = protocol.study.stages.index(training_of(protocol.study))
    raw["stages"][place]["start_weights"] = weights_text(weights_to_bytes(model.theta))
    return UnsealedStudy.read(dump_toml(raw))
