"""A protocol that continues an earlier study: the released model becomes its first weights."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

from securefl.errors import StudyError, UsageError
from securefl.learning.artefact import load_model
from securefl.learning.model_notices import check_not_recalled
from securefl.learning.models import weights_to_bytes
from securefl.study.earlier_study import misfits
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of
from securefl.study.warm_start import MOST_WEIGHTS, weights_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.learning.artefact import Model
    from securefl.study.sealed import SealedStudy


class Earlier(Protocol):
    """A study of the researcher's folder that may be continued."""

    @property
    def sealed(self) -> SealedStudy:
        """The study."""

    @property
    def name(self) -> str:
        """Its id and the first twelve digits of its digest."""

    @property
    def digest(self) -> str:
        """Its digest."""

    def report(self) -> dict[str, Any]:
        """What its completed run left."""


def started(
    find: Callable[[str], Earlier],
    protocol: UnsealedStudy,
    continues: str | None,
) -> UnsealedStudy:
    """A protocol with the model of the study that it continues, where it continues one.

    Args:
        find: a study of the folder by its name.
        protocol: what is asked now.
        continues: name of the earlier study; None where only the protocol says it, if at all.

    Raises:
        UsageError: that study is not in the folder, or released no model.
        NotApprovedError, StudyError: as :func:`continued`.
    """
    named = protocol.study.continues
    if continues is None and named is None:
        return protocol
    earlier = find(continues or named or "")
    if named is not None and named != earlier.digest:
        raise UsageError(
            f"The protocol continues {named[:12]}, and {earlier.name} was named.",
            next_step="Name the same study in both places, or in one.",
        )
    folder = earlier.report().get("model")
    if folder is None:
        raise UsageError(
            f"{earlier.name} released no model.",
            next_step="A study can go on from a released model only.",
        )
    model = load_model(folder)
    made = continued(protocol, earlier.sealed, model)
    # a model that most recalled is refused; what fewer said is told
    for sentence in model.standing().sentences:
        warnings.warn(sentence, stacklevel=4)
    return made


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
