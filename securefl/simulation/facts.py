"""Facts of a simulation, as values: what the page, the JSON and the Python door show."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.tasks.told import Told
    from securefl.simulation.participation import Participated
    from securefl.simulation.sweep_price import SweepPrice

#: Stands on every page, picture and JSON of a simulation.
PROTECTS_NOTHING: Final = (
    "A simulation. It protects nothing: the noise can be repeated from its seed, one process sees"
    " every record, and no key, approval or budget takes part. For data that anybody may see."
)
#: Stands behind it where a part of the hospitals was drawn for each round.
NOT_SAMPLED: Final = "Real studies do not sample: in them every hospital is in every round."


@dataclass(frozen=True)
class Spread:
    """A figure over repeats.

    Attributes:
        values: one a repeat, those that are known.
    """

    values: tuple[float, ...]

    @property
    def known(self) -> bool:
        """True if there is any value."""
        return bool(self.values)

    @property
    def mean(self) -> float:
        """Their mean; NaN without values."""
        if not self.values:
            return math.nan
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float:
        """Their standard deviation; 0 of a single one."""
        if len(self.values) < 2:
            return 0.0
        return statistics.stdev(self.values)

    def to_dict(self) -> dict[str, Any] | None:
        """JSON values; None without values."""
        if not self.values:
            return None
        return {
            "mean": self.mean,
            "sd": self.sd,
            "least": min(self.values),
            "most": max(self.values),
            "values": list(self.values),
        }


def spread_of(values: Sequence[float | None]) -> Spread:
    """The spread of those values that are known.

    >>> spread_of([0.5, None, float("nan"), 0.7]).mean
    0.6
    """
    return Spread(tuple(v for v in values if v is not None and not math.isnan(v)))


@dataclass(frozen=True)
class SiteFacts:
    """One virtual hospital in the first repeat: its patients who train, those kept aside, and rows
    that do not fit the study.
    """

    site: str
    train: int
    held_out: int
    set_aside: Mapping[str, int]


@dataclass(frozen=True)
class PointFacts:
    """Repeats of one setting.

    Attributes:
        changes: field of the train stage to its value; empty for the study as it stands.
        figure: the metric, exact, on all held-out rows.
        low: lower end of the released interval.
        high: upper end.
        released: the released figure, where one is given.
        covered: share of released intervals that hold the exact figure; None without any.
        calibration: mean distance of scores from true shares, exact.
        calibrated: the released verdict on calibration, and in how many repeats it fell.
        clipped: share of patients whose gradient is clipped, by round.
        norm: median length of a patient's gradient, by round.
        curve: the exact metric, by round.
        cut: share of an update's values that did not fit their field.
        epsilon: cost of the training stage, as the noise makes it.
        models: SHA-256 of each repeat's weights.
        ended: repeats that ended early, and why.
        rows: what the stages of the first repeat say.
        tables: their tables.
    """

    changes: Mapping[str, str]
    figure: Spread
    low: Spread
    high: Spread
    released: Spread
    covered: float | None
    calibration: Spread
    calibrated: Mapping[str, int]
    clipped: Mapping[int, Spread]
    norm: Mapping[int, Spread]
    curve: Mapping[int, Spread]
    cut: float
    epsilon: str
    models: tuple[str, ...]
    ended: Mapping[str, int]
    rows: tuple[tuple[str, str], ...] = ()
    tables: tuple[Told, ...] = ()

    @property
    def name(self) -> str:
        """Its changes as typed."""
        return ", ".join(f"{key}={value}" for key, value in self.changes.items()) or "as written"

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "changes": dict(self.changes),
            "exact": self.figure.to_dict(),
            "released": {
                "low": self.low.to_dict(),
                "high": self.high.to_dict(),
                "point": self.released.to_dict(),
                "holds_exact": self.covered,
            },
            "calibration_error": self.calibration.to_dict(),
            "calibration_released": dict(self.calibrated),
            "clipped": _by_round(self.clipped),
            "gradient_norm": _by_round(self.norm),
            "curve": _by_round(self.curve),
            "values_cut": self.cut,
            "training_epsilon": self.epsilon,
            "models": list(self.models),
            "ended": dict(self.ended),
            "found": [_table(table) for table in self.tables],
        }


def _table(told: Told) -> dict[str, Any]:
    """A table of what was found, as JSON."""
    return {
        "name": told.metric,
        "header": list(told.header),
        "cells": [list(row) for row in told.cells],
    }


def _by_round(given: Mapping[int, Spread]) -> list[dict[str, Any]]:
    return [
        {"round": number, **spread}
        for number, found in given.items()
        if (spread := found.to_dict()) is not None
    ]


@dataclass(frozen=True)
class Advice:
    """One setting of the study, and whether another served better here.

    Attributes:
        subject: "clip norm", "learning rate" or "edges".
        words: what was tried and found.
        change: what to write instead; empty where the study's own served as well.
    """

    subject: str
    words: str
    change: str = ""


@dataclass(frozen=True)
class Simulation:
    """All facts of a simulation.

    Attributes:
        study: id of the study.
        title: of the study.
        data: where the tables come from.
        metric: name of the figure that the study is judged on; empty without an evaluation.
        sites: the virtual hospitals.
        rounds: of one repeat, as the study stands.
        repeat: runs of each setting.
        seed: from which noise, split and division follow.
        encrypted: whether sums went through the real cipher.
        base: the study as it stands.
        points: settings of the sweep; empty without one.
        best: which of the points has the highest mean.
        close: points that these repeats cannot tell from the best.
        advice: settings that would serve better, or as well.
        warnings: what makes the figures worth less.
        refused: why ``securefl study check`` refuses the file as it stands; empty where it does not.
        seconds: that the runs took.
        runs: how many rounds were run in all.
        degrees: of the rings that sums were encrypted in; empty without the cipher.
        engine: that ran the hospitals' steps; empty for this process itself.
        price: of the sweep, had it been run on patients' records; None without one.
        participated: rounds of a sample of the hospitals; None where all took part.
    """

    study: str
    title: str
    data: str
    metric: str
    sites: tuple[SiteFacts, ...]
    rounds: int
    repeat: int
    seed: int
    encrypted: bool
    base: PointFacts
    points: tuple[PointFacts, ...] = ()
    best: int | None = None
    close: tuple[int, ...] = ()
    advice: tuple[Advice, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    seconds: float = 0.0
    runs: int = 0
    degrees: tuple[int, ...] = ()
    engine: str = ""
    price: SweepPrice | None = None
    participated: Participated | None = None

    @property
    def label(self) -> str:
        """What stands on every page, picture and JSON of it."""
        if self.participated is None:
            return PROTECTS_NOTHING
        return f"{PROTECTS_NOTHING} {NOT_SAMPLED}"

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        best = None
        if self.best is not None:
            best = {
                **self.points[self.best].to_dict(),
                "not_told_apart": [dict(self.points[place].changes) for place in self.close],
            }
        return {
            "simulation": True,
            "protects": "nothing",
            "label": self.label,
            "study": self.study,
            "title": self.title,
            "data": self.data,
            "metric": self.metric,
            "sites": [asdict(site) | {"set_aside": dict(site.set_aside)} for site in self.sites],
            "rounds": self.rounds,
            "repeat": self.repeat,
            "seed": self.seed,
            "encrypted": self.encrypted,
            "ring_degrees": list(self.degrees),
            "engine": self.engine or "own",
            "clients": None if self.participated is None else self.participated.to_dict(),
            **self.base.to_dict(),
            "sweep": [point.to_dict() for point in self.points],
            "best": best,
            "price": None if self.price is None else self.price.to_dict(),
            "advice": [asdict(one) for one in self.advice],
            "warnings": list(self.warnings),
            "refused": list(self.refused),
            "seconds": round(self.seconds, 2),
            "rounds_run": self.runs,
        }
