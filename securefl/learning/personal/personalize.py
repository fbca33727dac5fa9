"""A hospital's own model, made of a finished one at home: fitted to its training rows, chosen by
cross-validation within them, and judged once on its held-out rows.

Nothing is drawn and no noise is added: the same rows and the same model give the same result. What
comes out knows the patients, and may not leave the hospital.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.errors import DataError
from securefl.learning.models import family_of
from securefl.learning.personal.choosing import (
    LocalRows,
    candidates,
    chosen,
    cross_validated,
    lowest,
)
from securefl.learning.personal.facts import PersonalFacts, Rows
from securefl.learning.personal.judging import judge
from securefl.learning.personal.methods import METHODS, Near
from securefl.learning.preparation import stratum_counts
from securefl.learning.tasks import task_of
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from securefl.learning.features import Prepared
    from securefl.learning.personal.facts import Candidate, Compared, Judged
    from securefl.study.schema import Template
    from securefl.types import FloatArray

_BY_NAME: Final = {method.name: method for method in METHODS}


def personalize(
    study: Template,
    common: FloatArray,
    halves: tuple[Prepared, Prepared],
    secret: bytes,
) -> tuple[PersonalFacts, FloatArray]:
    """Make and judge a personal model.

    Args:
        study: that the model comes from.
        common: float64[p], its model.
        halves: training and held-out rows, split as the study split them.
        secret: this hospital's own; it deals patients into the parts of the cross-validation.

    Returns:
        The facts, and the personal model, float64[p], whichever is kept.

    Raises:
        DataError: there are no rows on one side, or all have the same target.
    """
    training = training_of(study)
    task = task_of(study.data)
    family = family_of(training.model, study.data)
    train, held_out = (LocalRows(family, task, rows, study.privacy.unit) for rows in halves)
    learnt = _told_apart(train, "train here")
    judging = _told_apart(held_out, "are kept aside here")
    tried = candidates(cross_validated(train, common, METHODS, secret))
    best = chosen(tried)
    personal = fitted(train, common, best)
    start = family.initial_weights(training.model.initial_seed)
    of_own = candidates(cross_validated(train, start, [Near()], secret))
    alone = fitted(train, start, lowest(of_own))
    section = evaluation_of(study)
    made: dict[Compared, FloatArray] = {"global": common, "personal": personal, "local": alone}
    models: dict[Compared, Judged] = {
        name: judge(held_out, section, theta, common) for name, theta in made.items()
    }
    better = models["personal"].loss < models["global"].loss
    facts = PersonalFacts(
        metric=task.metric,
        training=learnt,
        held_out=judging,
        tried=tuple(tried),
        chosen=best,
        models=models,
        kept="personal" if better else "global",
    )
    return facts, personal


def fitted(local: LocalRows, start: FloatArray, candidate: Candidate) -> FloatArray:
    """The model of a candidate, float64[p], fitted to all the rows."""
    if not candidate.method:
        return start
    return _BY_NAME[candidate.method].fit(local.loss(), start)[candidate.setting]


def _told_apart(local: LocalRows, side: str) -> Rows:
    """Count the rows; refuse rows of one target alone.

    Raises:
        DataError: there are none, or all have the same target.
    """
    one = local.rows.one_row_each(local.unit)
    counts = stratum_counts(one.y, local.task)
    strata = {
        name: int(count) for name, count in zip(local.task.strata, counts, strict=True) if count
    }
    total = len(one.y)
    units = "rows" if local.unit == "record" else "patients"
    if not strata:
        raise DataError(
            f"None of the {units} that this study can use {side}: a personal model needs both"
            " some that train and some that judge.",
            next_step="Use the study's model as it is: `securefl site model predict`.",
        )
    if len(set(one.y.tolist())) == 1:
        alike = " and ".join(strata)
        raise DataError(
            f"All {total:,} {units} that {side} have the same outcome ({alike}): what tells"
            " outcomes apart cannot be learnt from them, nor judged on them.",
            next_step=(
                "Use the study's model as it is: `securefl site model predict`. With more patients"
                " in the table, try again."
            ),
        )
    return Rows(count=total, strata=strata)
