"""A hospital's check of the finished model against what it made of it while the study ran. Pure:
bytes in, a model or a refusal out.

What is checked, and why it can be:

- the model is, bit by bit, the one that this hospital worked out from the totals that it verified
  (:mod:`securefl.federation.following`), whose hash it answered the evaluation under;
- the figures are read off the released histogram by this hospital's own program, and card and
  description follow from them;
- the transcripts are those of all rounds, each signed and naming the one before.

Nothing of the training is taken from the coordinator, not even the server's memory before the last
step: many moments lead from one model to the next.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.errors import MessageError
from securefl.federation import bundle
from securefl.learning.artefact import model_card
from securefl.learning.models import weights_sha256
from securefl.learning.stages.roles import judged
from securefl.report.outcome import model_facts
from securefl.secagg.total_check import total_sha256
from securefl.study.schema import quality_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.transcript import Transcript
    from securefl.learning.artefact import Model


@dataclass(frozen=True)
class OwnResult:
    """Results that this hospital worked out for itself while the study ran.

    Attributes:
        model_sha256: hash of the trained model, by the study's rule from the totals that this
            hospital verified.
        histogram_sha256: hash of the evaluation's total as this hospital verified it; empty where
            it could not.
    """

    model_sha256: str
    histogram_sha256: str = ""


def check_model(
    model: Model,
    files: Mapping[str, bytes],
    plan: RoundPlan,
    own: OwnResult,
    verify: Callable[[bytes, bytes], bool],
) -> None:
    """Check a finished model, opened from a bundle.

    Args:
        model: as loaded from the bundle's files.
        files: all files of the bundle.
        plan: the study.
        own: what this hospital kept.
        verify: the coordinator's signature.

    Raises:
        MessageError: naming the first check that failed.
    """
    if weights_sha256(model.theta) != own.model_sha256:
        raise _refused(
            "it is another model than the one that follows from the totals which this hospital"
            " verified, and that all hospitals evaluated"
        )
    check_by_transcripts(model, files, plan, verify)
    if own.histogram_sha256 and own.histogram_sha256 != _histogram_sha256(files):
        raise _refused("its histogram is not the total that this hospital verified")


def check_by_transcripts(
    model: Model,
    files: Mapping[str, bytes],
    plan: RoundPlan,
    verify: Callable[[bytes, bytes], bool],
) -> None:
    """Check what a recipient can that verified no total, as an aggregator.

    Raises:
        MessageError: transcripts, the evaluated model or the figures do not fit each other.
    """
    rounds = bundle.read_transcripts(files[bundle.TRANSCRIPTS], plan, verify)
    if _evaluation_round(plan, rounds).model_sha256 != weights_sha256(model.theta):
        raise _refused("the transcript of the evaluation names another model")
    _check_figures(model, files, plan, rounds)


def _check_figures(
    model: Model,
    files: Mapping[str, bytes],
    plan: RoundPlan,
    rounds: Sequence[Transcript],
) -> None:
    study = plan.study
    check = judged(plan.programme)
    try:
        told = json.loads(files[bundle.EVALUATION])
        histogram = np.array(told["histogram"], dtype=np.int64)
        whole = all(type(value) is int for value in told["histogram"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise _refused("its evaluation is malformed") from None
    if not whole or histogram.shape != (check.layout.length,):
        raise _refused("its histogram has another shape than the study's")
    contributors = len(_evaluation_round(plan, rounds).contributions)
    result = check.read(histogram, contributors)
    if not _alike(told, _as_json(result.record())):
        raise _refused("its figures do not follow from the released histogram")
    rule = quality_of(study)
    verdict = result.verdict(rule)
    if rule.withholds(verdict):
        raise _refused("the study's quality rule withholds it")
    facts = model_facts(
        study, plan.digest, result.evaluation, rounds, split=result.card_rows(), verdict=verdict
    )
    if (model.spec, model.data) != (training_of(study).model, study.data):
        raise _refused("its description is not that of the study")
    if model.facts != facts or files[bundle.CARD].decode("utf-8", "replace") != model_card(
        model.spec, model.data, facts, model.contributions
    ):
        raise _refused("its card does not say what follows from the study and the figures")


def _histogram_sha256(files: Mapping[str, bytes]) -> str:
    """Hash of the histogram in the bundle, whose form was checked."""
    told = json.loads(files[bundle.EVALUATION])
    return total_sha256(np.array(told["histogram"], dtype=np.int64))


def _evaluation_round(plan: RoundPlan, rounds: Sequence[Transcript]) -> Transcript:
    """The transcript of the round whose figures the model card names."""
    (step,) = plan.programme.rounds_of(judged(plan.programme))
    return rounds[step.number - 1]


def _as_json(record: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON values
    return json.loads(json.dumps(record))


def _alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON values
    """Equal JSON values, but for the last bits of a number: machines may add floats in another
    order.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9) or (
            math.isnan(one) and math.isnan(other)
        )
    return type(one) is type(other) and bool(one == other)


def _refused(why: str, whose: str = "the coordinator") -> MessageError:
    return MessageError(
        f"The finished model is refused: {why}.",
        whose=whose,
        next_step="Do not use it; tell the other hospitals and ask the researcher.",
    )
