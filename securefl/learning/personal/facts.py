"""Facts of a personal model: what was tried, how three models do on the held-out rows, which is kept.

Exact figures of one hospital's patients: they stay in its folder and on its owner's screen.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

#: The models that are compared: the study's, the hospital's own made of it, and one of the
#: hospital's own rows alone.
Compared: TypeAlias = Literal["global", "personal", "local"]
_Count: TypeAlias = Annotated[int, Field(ge=0)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Interval(_Facts):
    """A figure with its 95 % interval; null at an end, or for the figure, where it is not known."""

    value: float | None
    low: float | None
    high: float | None


class Judged(_Facts):
    """One model on the held-out rows.

    Attributes:
        figure: the task's metric.
        loss: mean loss.
        change: mean loss less that of the study's model, row by row: below 0 it does better.
    """

    figure: Interval
    loss: float
    change: Interval

    @property
    def harms(self) -> bool:
        """True where all of the interval says that it does worse than the study's model."""
        return self.change.low is not None and self.change.low > 0

    @property
    def helps(self) -> bool:
        """True where all of the interval says that it does better."""
        return self.change.high is not None and self.change.high < 0


class Candidate(_Facts):
    """A setting of a method, as cross-validation sees it.

    Attributes:
        method: its name; empty for the model to start from, unchanged.
        setting: of the method.
        loss: mean loss of training rows that it had not seen.
        error: standard error of what that is above the least loss that was tried.
    """

    method: str
    setting: str
    loss: float
    error: float


class Rows(_Facts):
    """Rows of one side of the split: one of each patient, or all where the study counts records.

    Attributes:
        count: how many.
        strata: of them in each of the task's strata.
    """

    count: _Count
    strata: dict[str, _Count]


class PersonalFacts(_Facts):
    """All that is told of a personal model.

    Attributes:
        metric: name of the figure that is shown beside the loss.
        training: rows that were learnt from.
        held_out: rows that judged.
        tried: settings with their cross-validated losses; the study's model as it is comes first.
        chosen: the one of them that the personal model was made with.
        models: each model on the held-out rows.
        kept: the study's model, unless the personal one has the lower loss there.
    """

    metric: str
    training: Rows
    held_out: Rows
    tried: tuple[Candidate, ...]
    chosen: Candidate
    models: dict[Compared, Judged]
    kept: Literal["global", "personal"]
