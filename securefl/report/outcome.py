"""Facts and figures of a finished model: worked out by the researcher, and again by each hospital
that checks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.artefact import ModelFacts
from securefl.learning.tasks import task_of
from securefl.privacy.explain import explain_epsilon
from securefl.report.evaluation import auc_words, calibration_lines, calibration_words
from securefl.report.explain_study import worst_epsilon
from securefl.report.quality import quality_words
from securefl.report.run import lost_hospitals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.tasks.binary.evaluation import Evaluation
    from securefl.report.run import Round
    from securefl.study.schema import Study


def model_facts(
    study: Study, digest: str, evaluation: Evaluation, rounds: Sequence[Round]
) -> ModelFacts:
    """Facts of a model besides its weights: they follow from the study, the released
    figures and who was in each round.

    Args:
        study: the sealed study.
        digest: its digest.
        evaluation: from the released histogram.
        rounds: records or transcripts of all rounds, in order.
    """
    verdict = task_of(study.data).judge(evaluation, study.quality)
    return ModelFacts(
        title=study.study.title,
        study_digest=digest,
        intended_use=study.outputs.intended_use,
        licence=study.outputs.licence,
        owner=study.outputs.owner,
        privacy=explain_epsilon(worst_epsilon(study), study.privacy.delta),
        figures={
            "AUC": (
                f"{auc_words(evaluation.low, evaluation.high, evaluation.auc)}; from a noised,"
                " encrypted score histogram"
            ),
            "AUC asked for": quality_words(verdict, study.quality.minimum),
        },
        participants=study.cohort,
        lost=lost_hospitals(study, rounds),
        probability=evaluation.calibrated == "supported",
        calibration=(
            calibration_words(evaluation.calibrated),
            *calibration_lines(evaluation.calibration),
        ),
    )
