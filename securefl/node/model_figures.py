"""Exact figures of a finished model on a hospital's own held-out patients: for the owner's own
screen, never for anybody else.

They carry no noise, so they cost no budget only as long as they stay in the house (rule 1). Nothing
here writes a file or speaks to the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.errors import DataError
from securefl.learning.features import prepare
from securefl.learning.models import family_of, predict
from securefl.learning.patient_hashes import without_patients
from securefl.learning.split import split_rows
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.node.patients import patient_key
from securefl.node.removed_patients import removed_patients
from securefl.study.counts import evaluation_of

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.learning.features import Prepared
    from securefl.node.site import Site
    from securefl.study.schema import Study


def own_figures(site: Site, model: Model, study: Study) -> Any:  # noqa: ANN401 - each task has figures of its own
    """Score the held-out patients of the registered table, the same that the study's evaluation
    counted.

    Raises:
        DataError: the table cannot be read, or has no held-out patient.
        UsageError: it is registered no more.
    """
    held_out = held_out_rows(site, study)
    task = task_of(study.data)
    predictions = predict(model.theta, family_of(model.spec, study.data), task, held_out.X)
    return task.own_figures(predictions, held_out.y, evaluation_of(study))


def held_out_rows(site: Site, study: Study) -> Prepared:
    """The held-out patients of the registered table, one row each; without those who were taken out
    since.

    Raises:
        DataError: the table cannot be read, or has no held-out patient.
        UsageError: it is registered no more.
        UnreadableError: the list of those who are out was lost or changed.
    """
    source = site.table(study.data.dataset)
    secret = site.split_secret(study.data.population)
    table = read_table(source.content(), source.reading)
    removed = removed_patients(site, study.data.population).hashes
    table = without_patients(table, study.data.patient, removed, patient_key(site))
    prepared = prepare(table, study.data, secret, study.privacy.unit)
    held_out = split_rows(prepared, secret, study.data.holdout)[1].one_row_each(study.privacy.unit)
    if not len(held_out.y):
        raise DataError(
            "No patient of the table is held out.",
            next_step="There is nothing to check the model on here.",
        )
    return held_out
