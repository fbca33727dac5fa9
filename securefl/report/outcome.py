"""Facts and figures of a finished model: worked out by the researcher, and again by each hospital
that checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.learning.artefact import ModelFacts
from securefl.learning.tasks import task_of
from securefl.privacy.explain import explain_epsilon
from securefl.report.explain_study import worst_epsilon
from securefl.report.quality import quality_words
from securefl.report.run import lost_hospitals
from securefl.study.schema import quality_of
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from securefl.report.run import Round
    from securefl.study.schema import Study, Verdict


def model_facts(
    study: Study,
    digest: str,
    evaluation: Any,  # noqa: ANN401 - each task has figures of its own
    rounds: Sequence[Round],
    *,
    split: Mapping[str, str] | None = None,
    verdict: Verdict | None = None,
) -> ModelFacts:
    """Facts of a model besides its weights: they follow from the study, the released
    figures and who was in each round.

    Args:
        study: the sealed study.
        digest: its digest.
        evaluation: from the released histogram.
        rounds: records or transcripts of all rounds, in order.
        verdict: how the quality rule was judged; None where it is judged on all patients alone.
        split: label and text of the lowest figures of hospitals and subgroups.
    """
    task = task_of(study.data)
    told = task.told(evaluation)
    rule = quality_of(study)
    figures = {told.metric: f"{told.headline}; from a noised, encrypted {task.released_as}"}
    if task.asks(rule):
        judged = verdict or task.judge(evaluation, rule)
        figures[f"{told.metric} asked for"] = quality_words(judged, rule.minimum, rule.minimum_each)
    figures |= split or {}
    return ModelFacts(
        title=study.study.title,
        study_digest=digest,
        intended_use=study.outputs.intended_use,
        licence=study.outputs.licence,
        owner=study.outputs.owner,
        privacy=explain_epsilon(worst_epsilon(study), study.privacy.delta),
        figures=figures,
        participants=study.cohort,
        lost=lost_hospitals(study, rounds),
        probability=told.probability,
        calibration=(*told.sentences, *told.lines),
        words=study.words,
        continues=study.continues or "",
        expires=_moment(study.outputs.expires),
        owners={p.name: p.signing_public for p in study.participants},
    )


def _moment(time: datetime | None) -> str:
    """A time in UTC; empty where there is none."""
    if time is None:
        return ""
    return time_text(time)
