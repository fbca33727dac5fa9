"""The same question at other epsilons: what a model would reach, what it costs, what is left.

Each epsilon is designed anew, and its study simulated with the true clipping, noise and rounding: on
the rows that the design was made from, or on invented rows whose label follows from the columns.
Public facts and noise from a seed; no private table is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.draft import Draft, draft
from securefl.errors import UsageError
from securefl.learning.models import family_of
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.strategies import strategy_of
from securefl.learning.tasks import task_of
from securefl.privacy.forecast import budget_shares
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.simulation.planted import PLANTED_AUC, PLANTED_R2, planted_table
from securefl.simulation.settings import changed
from securefl.simulation.simulate import Wishes, simulate_study
from securefl.simulation.tables import Source, Whole
from securefl.study.limits import LEAST_NOISE
from securefl.study.survival_label import TimeToEventLabel
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from securefl.privacy.forecast import BudgetShare
    from securefl.simulation.facts import Spread
    from securefl.study.sealed import UnsealedStudy

#: Epsilons beside the design's own, as multiples of it.
FACTORS: Final = (Decimal("0.25"), Decimal("0.5"), Decimal(1), Decimal(2), Decimal(4))
#: Invented rows at most; where more are planned, noise is scaled to these.
MOST_ROWS: Final = 20_000
_REPEATS: Final = 3


@dataclass(frozen=True)
class Choice:
    """One epsilon.

    Attributes:
        epsilon: of the whole study.
        refused: why no study can be designed for it; empty where one can.
        figure: the metric, exact, over repeats; None where refused.
        low: mean lower end of the interval that would be released; None where rows were scaled.
        high: mean upper end.
        rounds: of the whole study.
        sent: bytes that a hospital sends, all rounds together.
        budgets: its share of usual budgets.
    """

    epsilon: Decimal
    refused: str = ""
    figure: Spread | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 0
    sent: int = 0
    budgets: tuple[BudgetShare, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "epsilon": float(self.epsilon),
            "refused": self.refused,
            "figure": None if self.figure is None else self.figure.to_dict(),
            "interval": None if self.low is None else [self.low, self.high],
            "rounds": self.rounds,
            "bytes_sent_by_a_hospital": self.sent,
            "budgets": [
                {
                    "epsilon": float(one.epsilon),
                    "share": None if one.part is None else float(one.part),
                    "studies": one.room,
                }
                for one in self.budgets
            ],
        }


@dataclass(frozen=True)
class WhatIf:
    """Choices of epsilon for one question.

    Attributes:
        study: id of the design.
        epsilon: the design's own.
        metric: name of the figure.
        data: where the rows come from, in words.
        repeat: simulations of each.
        choices: by rising epsilon.
    """

    study: str
    epsilon: Decimal
    metric: str
    data: str
    repeat: int
    choices: tuple[Choice, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "study": self.study,
            "protects": "nothing",
            "metric": self.metric,
            "data": self.data,
            "repeat": self.repeat,
            "choices": [choice.to_dict() for choice in self.choices],
        }


def what_if(
    made: Draft,
    today: datetime,
    *,
    epsilons: Sequence[Decimal] = (),
    repeat: int = _REPEATS,
    seed: int = 0,
    watch: Callable[[int, int], None] | None = None,
) -> WhatIf:
    """Design and simulate the question at other epsilons.

    Args:
        made: the design.
        today: as for the design.
        epsilons: to compare; from a quarter of its own to four times where none are given.
        repeat: simulations of each.
        seed: from which invented rows and noise follow.
        watch: told how many epsilons are done, and how many there are.

    Raises:
        UsageError: the design is a count, which trains nothing.
    """
    question = made.question
    if not question.makes_model:
        raise UsageError(
            "This study trains nothing that could be compared.",
            next_step="Design a model with published sizes, or a first study's result.",
        )
    chosen = sorted({*(epsilons or (question.epsilon * factor for factor in FACTORS))})
    rows = _rows(made, seed)
    choices = []
    for done, epsilon in enumerate(chosen, 1):
        choices.append(
            _choice(
                made,
                epsilon,
                today,
                rows,
                Wishes(
                    repeat,
                    seed,
                    {},
                    False,
                    False,
                ),
            )
        )
        if watch is not None:
            watch(done, len(chosen))
    study = made.study.study
    return WhatIf(
        study.study.id,
        question.epsilon,
        task_of(study.data).metric,
        rows.words,
        repeat,
        tuple(choices),
    )


@dataclass(frozen=True)
class _Rows:
    source: Source
    words: str
    #: Part of the planned patients that these rows are; noise is scaled by it.
    part: float


def _rows(made: Draft, seed: int) -> _Rows:
    """Rows to simulate on: those that were described, or invented ones."""
    question = made.question
    spec = made.study.study.data
    if question.table.table is not None:
        table = question.table.table
        words = f"the {table.rows:,} rows that the design was made from, divided by lot"
        return _Rows(
            Source(words, Whole(table, question.hospitals)),
            words,
            1.0,
        )
    sizes = question.sizes
    planned = sizes.patients if sizes is not None else 0
    rows = min(planned, MOST_ROWS)
    timed = isinstance(spec.label, TimeToEventLabel)
    shares = [float(share) for share in sizes.shares] if sizes is not None and not timed else []
    reaches = "by a fixed rule"
    if timed:
        reaches = "along the published curve; half of who comes first is in the columns"
    elif not shares:
        reaches = f"so far that R2 is about {PLANTED_R2} without noise"
    if len(shares) == 1:
        reaches = f"so far that the AUC is {PLANTED_AUC} without noise"
    words = f"{rows:,} invented rows, whose label follows from the columns {reaches}"
    if rows < planned:
        words += f"; noise scaled to them from {planned:,}"
    table = planted_table(
        spec,
        rows,
        shares,
        seed,
    )
    return _Rows(
        Source(words, Whole(table, question.hospitals)),
        words,
        rows / planned,
    )


def _choice(
    made: Draft,
    epsilon: Decimal,
    today: datetime,
    rows: _Rows,
    wishes: Wishes,
) -> Choice:
    try:
        other = draft(replace(made.question, epsilon=epsilon), today)
    except UsageError as error:
        return Choice(epsilon, refused=error.what)
    study = other.study.study
    base = simulate_study(
        _scaled(other.study, rows.part).text, lambda _study: rows.source, wishes
    ).base
    low = high = None
    if rows.part == 1 and base.low.known:
        low = base.low.mean
        high = base.high.mean
    return Choice(
        epsilon,
        "",
        base.figure,
        low,
        high,
        Programme(study).last_round,
        _sent(other),
        budget_shares(
            charges_of(study),
            study.privacy.max_attempts,
            study.privacy.delta,
        ),
    )


def _scaled(study: UnsealedStudy, part: float) -> UnsealedStudy:
    """The study for fewer patients with as much noise beside them as it has for all."""
    if part == 1:
        return study
    train = training_of(study.study)
    noise = max(Decimal(repr(float(train.noise_multiplier) * part)), LEAST_NOISE)
    fewer = float(train.normaliser) * part
    return changed(study, {"noise_multiplier": f"{noise:.4f}", "normaliser": f"{fewer:.3f}"})


def _sent(made: Draft) -> int:
    """Bytes of a hospital's contributions to the training."""
    study = made.study.study
    train = training_of(study)
    parameters = family_of(train.model, study.data).parameters
    values = strategy_of(train).sent_size(parameters)
    layout = layout_for(
        train.bits,
        made.question.hospitals,
        values,
    )
    return train.rounds * body_bytes(layout, values)
