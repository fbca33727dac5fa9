"""Figures of several classes in words, the interval first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.learning.tasks.binary.words import auc_words, percent_range
from securefl.learning.tasks.told import Told
from securefl.study.meanings import codes_words

if TYPE_CHECKING:
    from securefl.learning.tasks.classes.evaluation import (
        ClassesEvaluation,
        ClassFigures,
        OwnClasses,
    )
    from securefl.study.classes_label import ClassesLabel

METRIC = "macro AUC"
_NOTE = (
    "Each class against all others. Intervals are 95 % intervals and count the noise; the number"
    " of patients is rounded by it."
)

_SCORES = (
    "The scores of the classes are scores, not probabilities: whether they agree with what is"
    " observed was not released."
)


def label_words(label: ClassesLabel) -> str:
    """Say which classes there are, and what sets a row aside.

    "which class target is: ill (yes); well (no); unknown (maybe); a row ...".
    """
    means = "one of the letters " if label.match == "any-of-letters" else ""
    named = "; ".join(f"{one.name} ({means}{', '.join(one.texts)})" for one in label.classes)
    codes = codes_words(label.missing_codes)
    order = ""
    if label.match == "any-of-letters":
        order = "; a text with letters of several belongs to the first of these"
    more = f"; {codes}" if codes else ""
    weighed = ""
    if any(one.weight != 1 for one in label.classes):
        weights = ", ".join(f"{one.name} {one.weight.normalize():f}" for one in label.classes)
        weighed = f"; in training a row counts by its class: {weights}"
    return (
        f"which class {label.column} is: {named}{order}; a row with any other text is set"
        f" aside{more}{weighed}"
    )


def told(e: ClassesEvaluation) -> Told:
    """An evaluation: the mean over classes, right or wrong, and a row for each class."""
    return Told(
        metric=METRIC,
        headline=auc_words(e.low, e.high, e.auc),
        short=f"{e.low:.3f} to {e.high:.3f}",
        rows=(
            ("right or wrong", _right_or_wrong(e)),
            ("checked on", f"about {e.patients:,.0f} patients kept aside"),
        ),
        sentences=(_SCORES,),
        header=("class", "patients, about", "AUC against the rest", "told rightly"),
        cells=tuple(_cells(row) for row in e.classes),
        right=frozenset({1}),
        note=_NOTE,
        lines=tuple(_line(row) for row in e.classes),
    )


def told_own(figures: OwnClasses, names: tuple[str, ...], units: str) -> Told:
    """Exact figures of one hospital's own held-out patients.

    Args:
        figures: without noise.
        names: of the classes.
        units: what is counted, "patients" or "rows".
    """
    share = f"{figures.right:,} of {figures.patients:,}"
    area = _exact(figures.macro_auc)
    cells: list[tuple[str | None, ...]] = []
    for name, row, auc in zip(names, figures.table, figures.aucs, strict=True):
        told_as = (f"{cell:,}" for cell in row)
        cells.append((name, f"{sum(row):,}", _exact(auc), *told_as))
    return Told(
        metric=METRIC,
        headline=area,
        rows=(
            (f"{units} held out", f"{figures.patients:,}"),
            (METRIC, area),
            ("told rightly", share),
        ),
        header=("class", units, "AUC", *(f"told {name}" for name in names)),
        cells=tuple(cells),
        right=frozenset(range(1, 3 + len(names))),
    )


def _right_or_wrong(e: ClassesEvaluation) -> str:
    if e.accuracy is None:
        return "nothing can be said: too few patients for the noise"
    most = max(e.classes, key=lambda row: row.patients)
    whole = max(sum(row.patients for row in e.classes), 1.0)
    return (
        f"{percent_range(e.accuracy_low, e.accuracy_high)} are told their class rightly; always"
        f" saying '{most.name}' would be right for {100 * most.patients / whole:.1f} %"
    )


def _cells(row: ClassFigures) -> tuple[str | None, ...]:
    area = f"{row.low:.3f} to {row.high:.3f}"
    if (row.low, row.high) == (0.0, 1.0):
        area = "nothing can be said"
    return row.name, f"{row.patients:,.0f}", area, _recall(row)


def _line(row: ClassFigures) -> str:
    name, patients, area, recall = _cells(row)
    return f"{name}: AUC {area}; {recall or 'an unknown part'} of about {patients} told rightly"


def _recall(row: ClassFigures) -> str | None:
    if row.recall is None:
        return None
    return percent_range(row.recall_low, row.recall_high)


def _exact(area: float) -> str:
    if math.isnan(area):
        return "cannot be worked out"
    return f"{area:.3f}"
