"""Fit of a study with the earlier one that it continues: the same model of the same columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study.schema import Template

#: Keys of a model that say where it starts, and not what it is.
_START = {"initial_seed", "initial_sha256"}


def misfits(earlier: Template, study: Template) -> tuple[str, ...]:
    """Reasons for which a study cannot start from the model of an earlier one; empty where it can."""
    return tuple(_misfits(earlier, study))


def _misfits(earlier: Template, study: Template) -> Iterator[str]:
    before = training_if_any(earlier)
    now = training_if_any(study)
    if before is None or now is None:
        yield "one of the two trains no model"
        return
    if before.model.model_dump(exclude=_START) != now.model.model_dump(exclude=_START):
        yield "it has another model"
    if earlier.data.columns != study.data.columns:
        yield "it has other columns, or declares them otherwise"
    if earlier.data.label != study.data.label:
        yield "it predicts something else"
    if earlier.data.patient != study.data.patient:
        yield "another column tells patients apart, so who is kept aside is drawn anew"
    if study.data.holdout > earlier.data.holdout:
        yield (
            f"it keeps {study.data.holdout} of the patients aside and the earlier one"
            f" {earlier.data.holdout}: the model has learnt from some of those on whom it would be"
            " judged"
        )
