"""Settings near the study's, and whether they serve better on the simulated data.

Rules, all stated on the page: half and twice the clip norm and the learning rate are run like the
study itself. Another setting is named only where its mean is at least :data:`LEAST_GAIN` higher and
that is more than two standard errors of the paired difference. Other edges are named only where the
expected interval is a tenth narrower and the bands lose at most .005 of the AUC,
or no more than those written.
"""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.models import family_of, predict
from securefl.learning.tasks import task_of
from securefl.simulation.draws import SeededDraws, key_of
from securefl.simulation.facts import Advice
from securefl.study.counts import EvaluateSection
from securefl.study.noise_shares import evaluation_noises
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.features import Prepared
    from securefl.learning.tasks.task import Task
    from securefl.simulation.draws import Samplers
    from securefl.simulation.facts import PointFacts
    from securefl.simulation.trial import Trial
    from securefl.study.schema import Study
    from securefl.types import FloatArray, IntArray

#: A gain of the metric that is worth another setting.
LEAST_GAIN: Final = 0.002
#: An interval this much narrower is worth other edges.
_NARROWER: Final = 0.9
#: Draws of the evaluation's noise for each candidate's edges.
_DRAWS: Final = 8
_RATE: Final = "server_learning_rate"


def neighbours(study: Study) -> list[dict[str, str]]:
    """Settings that are run beside the study: one field changed at a time."""
    section = training_if_any(study)
    if section is None:
        return []
    fields = [name for name in ("clip_norm", _RATE) if name in type(section).model_fields]
    return [
        {name: f"{getattr(section, name) * factor:f}"}
        for name in fields
        for factor in (Decimal("0.5"), Decimal(2))
    ]


def comparison(base: PointFacts, near: Sequence[PointFacts]) -> list[Advice]:
    """Advice on each field that was tried."""
    words = {"clip_norm": "clip norm", _RATE: "learning rate"}
    found = []
    for name, subject in words.items():
        tried = [point for point in near if name in point.changes and point.figure.known]
        if not tried or not base.figure.known:
            continue
        listed = ", ".join(f"{point.changes[name]}: {point.figure.mean:.3f}" for point in tried)
        said = f"as written {base.figure.mean:.3f}; {listed} (means, exact)."
        better = max(tried, key=lambda point: point.figure.mean)
        if _is_better(better, base):
            change = f'{name} = "{better.changes[name]}"'
            found.append(Advice(subject, f"{said} {change} serves better here.", change))
        else:
            found.append(Advice(subject, f"{said} None is clearly better than what is written."))
    return found


def _is_better(other: PointFacts, base: PointFacts) -> bool:
    gains = _gains(other, base)
    if len(gains) < 2 or statistics.fmean(gains) < LEAST_GAIN:
        return False
    return statistics.fmean(gains) > 2 * statistics.stdev(gains) / math.sqrt(len(gains))


def _gains(a: PointFacts, b: PointFacts) -> list[float]:
    """Differences repeat by repeat; empty where a repeat of one is missing."""
    if len(a.figure.values) != len(b.figure.values):
        return []
    return [x - y for x, y in zip(a.figure.values, b.figure.values, strict=True)]


def told_apart(points: Sequence[PointFacts]) -> tuple[int | None, tuple[int, ...]]:
    """The setting with the highest mean, and those that the repeats cannot tell from it: the paired
    difference is within two standard errors.
    """
    known = [place for place, point in enumerate(points) if point.figure.known]
    if not known:
        return None, ()
    best = max(known, key=lambda place: points[place].figure.mean)
    close = []
    for place in known:
        gains = _gains(points[best], points[place])
        if place == best:
            continue
        if len(gains) < 2:
            close.append(place)
            continue
        error = statistics.stdev(gains) / math.sqrt(len(gains))
        if statistics.fmean(gains) <= 2 * error:
            close.append(place)
    return best, tuple(close)


def edges_advice(
    study: Study,
    trials: Sequence[Trial],
    held_out: Sequence[Sequence[Prepared]],
    samplers: Samplers,
    seed: int,
) -> list[Advice]:
    """Advice on the edges of an evaluation, where its task knows others; else nothing.

    Args:
        study: the study.
        trials: its repeats.
        held_out: of each repeat the hospitals' rows that were kept aside.
        samplers: tables of noise.
        seed: of the simulation.
    """
    sections = [s for s in study.stages if isinstance(s, EvaluateSection)]
    scored = _scored(study, trials, held_out)
    if not sections or not scored:
        return []
    written = sections[-1]
    task = task_of(study.data)
    noises = evaluation_noises(study, written, len(study.participants))
    draws = SeededDraws(key_of("edges", seed, 0), samplers)
    widths = {}
    for words, other in task.other_evaluations(written, scored).items():
        widths[words] = _width(
            task,
            other,
            scored,
            noises,
            draws,
        )
    if not widths:
        return []
    now = _width(
        task,
        written,
        scored,
        noises,
        draws,
    )
    best = min(widths, key=lambda words: widths[words])
    listed = "; ".join(f"{words}: {width:.3f}" for words, width in widths.items())
    said = f"the interval is {now:.3f} wide on average; {listed}."
    if widths[best] > now * _NARROWER:
        return [Advice("edges", f"{said} None is a tenth narrower than what is written.")]
    return [Advice("edges", f"{said} The narrowest serves better here.", best)]


def _scored(
    study: Study,
    trials: Sequence[Trial],
    held_out: Sequence[Sequence[Prepared]],
) -> list[tuple[FloatArray, IntArray]]:
    """Predictions and targets of all rows kept aside, for each repeat that made a model; empty
    where a repeat has one class alone.
    """
    section = training_if_any(study)
    if section is None:
        return []
    task = task_of(study.data)
    family = family_of(section.model, study.data)
    found = []
    for trial, parts in zip(trials, held_out, strict=True):
        if trial.theta is None:
            continue
        rows = [part.one_row_each(study.privacy.unit) for part in parts]
        x = np.concatenate([part.X for part in rows])
        y = np.concatenate([part.y for part in rows])
        if len(np.unique(y)) < 2:
            return []
        found.append(
            (
                predict(
                    trial.theta,
                    family,
                    task,
                    x,
                ),
                y,
            )
        )
    return found


def _width(
    task: Task,
    section: EvaluateSection,
    scored: Sequence[tuple[FloatArray, IntArray]],
    noises: float,
    draws: SeededDraws,
) -> float:
    """Mean width of the released interval, over repeats and draws of the noise."""
    size = task.histogram_size(section)
    widths = []
    for scores, y in scored:
        counts = task.tally(scores, y, section)
        for _ in range(_DRAWS):
            # A sum of independent Gaussians is one Gaussian; for integers nearly so.
            noise = draws.gaussian(section.sigma * Decimal(noises).sqrt(), size)
            found = task.evaluate(counts + noise, section, noises)
            widths.append(found.high - found.low)
    return statistics.fmean(widths)
