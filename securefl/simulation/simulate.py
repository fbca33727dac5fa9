"""Simulation of a study: repeats of its programme, of a sweep's settings, and of those near it.

All settings run on the same divisions, splits and streams of noise, so they are compared repeat by
repeat.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from securefl.errors import SecureFLError, UsageError
from securefl.learning.stages.programme import Programme
from securefl.learning.tasks import task_of
from securefl.privacy.accounting import PldAccountant
from securefl.simulation.advice import comparison, edges_advice, neighbours, told_apart
from securefl.simulation.draws import Samplers
from securefl.simulation.facts import (
    Advice,
    PointFacts,
    Simulation,
    SiteFacts,
    Spread,
    spread_of,
)
from securefl.simulation.participation import participated
from securefl.simulation.poisoning import GroupedSum
from securefl.simulation.settings import changed, grid
from securefl.simulation.sweep_price import sweep_price
from securefl.simulation.tables import check_columns
from securefl.simulation.trial import OneByOne, plain_sum, run_trial, virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study
from securefl.study.stages import makes_model
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.simulation.encrypted import EncryptedSum
    from securefl.simulation.participation import Participated, Participation
    from securefl.simulation.tables import Source
    from securefl.simulation.trial import Engine, Summer, Trial, VirtualHospital
    from securefl.study.schema import Study
    from securefl.study.sealed import UnsealedStudy

#: Repeats of one simulation.
MOST_REPEATS = 1000
#: Tables this many times larger or smaller than the study plans for are warned of.
_OTHER_SIZE = 1.5


@dataclass(frozen=True)
class Wishes:
    """Choices of a simulation.

    Attributes:
        repeat: runs of each setting.
        seed: from which noise, split and division follow.
        sweep: field of the train stage to values.
        encrypted: put every sum through the real cipher.
        advise: also try settings near the study's.
        watch: told the rounds that are over, and those in all.
        participation: how many hospitals take part in a round that trains; None for all of them.
        flower: run the hospitals' steps under Flower's simulation runtime.
    """

    repeat: int = 5
    seed: int = 0
    sweep: Mapping[str, Sequence[str]] = field(default_factory=dict)
    encrypted: bool = False
    advise: bool = True
    watch: Callable[[int, int], None] | None = None
    participation: Participation | None = None
    flower: bool = False


def simulate_study(
    text: bytes,
    source: Source | Callable[[UnsealedStudy], Source],
    wishes: Wishes,
) -> Simulation:
    """Simulate the study of a file.

    Args:
        text: a template or a sealed study.
        source: the data, or what makes them of the template.
        wishes: choices.

    Raises:
        StudyError: the file, or a setting of the sweep, is invalid.
        DataError: a table lacks a column.
        UsageError: too few or too many repeats, or a sweep that cannot be.
    """
    if not 1 <= wishes.repeat <= MOST_REPEATS:
        raise UsageError(
            f"{wishes.repeat} repeats cannot be run.",
            next_step=f"Give --repeat from 1 to {MOST_REPEATS:,}.",
        )
    template, weights = read_template(text)
    if callable(source):
        source = source(template)
    check_columns(source.tables, template.study.data)
    with ExitStack() as stack:
        engine: Engine = OneByOne()
        if wishes.flower:
            from securefl.simulation.flower_engine import FlowerEngine

            engine = stack.enter_context(FlowerEngine(len(source.sites)))
        return _Simulator(
            template,
            source,
            weights,
            wishes,
            engine,
        ).run()


class _Simulator:
    """Runs of one simulation."""

    def __init__(
        self,
        template: UnsealedStudy,
        source: Source,
        weights: Mapping[str, str],
        wishes: Wishes,
        engine: Engine,
    ) -> None:
        self._engine = engine
        self._template = template
        self._source = source
        self._wishes = wishes
        self._weights = weights
        self._samplers = Samplers()
        self._summer: Summer = plain_sum
        self._cipher: EncryptedSum | None = None
        if wishes.encrypted:
            from securefl.simulation.encrypted import EncryptedSum

            grouped = template.study.secagg.groups is not None
            self._cipher = EncryptedSum(len(source.sites) if grouped else None)
            self._summer = self._cipher
        # Divisions and splits do not depend on a train stage's fields: every setting shares them.
        self._hospitals: dict[int, list[VirtualHospital]] = {}
        self._done = self._due = 0

    def run(self) -> Simulation:
        """All settings, one after the other."""
        began = time.monotonic()
        base = self._sealed({})
        settings = grid(self._wishes.sweep) if self._wishes.sweep else []
        near: list[dict[str, str]] = []
        if self._wishes.advise and not settings and makes_model(base):
            near = neighbours(base)
        studies = [base, *(self._sealed(changes) for changes in (*settings, *near))]
        if self._wishes.participation is not None:
            for one in studies:
                self._wishes.participation.check(one)
        self._due = self._wishes.repeat * sum(Programme(s).last_round for s in studies)
        named = [{}, *settings, *near]
        runs = [self._trials(study) for study in studies]
        points = [
            self._facts(study, changes, trials)
            for study, changes, trials in zip(
                studies,
                named,
                runs,
                strict=True,
            )
        ]
        swept = tuple(points[1 : 1 + len(settings)])
        best, close = told_apart(swept)
        advice = comparison(points[0], points[1 + len(settings) :])
        if self._wishes.advise:
            advice += self._edges(base, runs[0])
        study = base.study
        return Simulation(
            study=study.id,
            title=study.title,
            data=self._source.words,
            metric=task_of(base.data).metric if makes_model(base) else "",
            sites=tuple(_site_facts(h) for h in self._hospitals[0]),
            rounds=Programme(base).last_round,
            repeat=self._wishes.repeat,
            seed=self._wishes.seed,
            encrypted=self._wishes.encrypted,
            base=points[0],
            points=swept,
            best=best,
            close=close,
            advice=tuple(advice),
            warnings=tuple(self._warnings(base)),
            seconds=time.monotonic() - began,
            runs=self._done,
            degrees=tuple(sorted(self._cipher.degrees)) if self._cipher else (),
            engine="flower" if self._wishes.flower else "",
            price=sweep_price(studies[1 : 1 + len(settings)]) if settings else None,
            participated=self._participated(base, runs[0]),
        )

    def _participated(self, study: Study, trials: Sequence[Trial]) -> Participated | None:
        """The lots of the study as it stands; every setting has the same."""
        rule = self._wishes.participation
        if rule is None:
            return None
        return participated(study, rule, [trial.took_part for trial in trials])

    def _sealed(self, changes: Mapping[str, str]) -> Study:
        template = changed(self._template, changes)
        try:
            return virtual_study(template, self._source.sites, self._weights)
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(
                f"These sites make no study: {first['msg']}.",
                next_step="Give the sites names that differ in more than case.",
            ) from None

    def _trials(self, study: Study) -> list[Trial]:
        return [
            run_trial(
                study,
                self._at(study, repeat),
                self._samplers,
                seed=self._wishes.seed,
                repeat=repeat,
                summer=self._summer_of(study, repeat),
                engine=self._engine,
                participation=self._wishes.participation,
                on_round=self._one_more,
            )
            for repeat in range(self._wishes.repeat)
        ]

    def _summer_of(self, study: Study, repeat: int) -> Summer:
        """Adds as the study's rounds do: all hospitals together, or by groups."""
        rule = study.secagg.groups
        if rule is None:
            return self._summer
        names = [one.site for one in self._at(study, repeat)]
        seed = self._wishes.seed + repeat
        return GroupedSum(
            names,
            study.secagg.min_contributors,
            rule,
            seed,
            inner=self._summer,
        )

    def _at(
        self,
        study: Study,
        repeat: int,
    ) -> list[VirtualHospital]:
        if repeat not in self._hospitals:
            tables = self._source.division(study.data.patient, self._wishes.seed, repeat)
            self._hospitals[repeat] = virtual_hospitals(
                study,
                tables,
                self._wishes.seed,
                repeat,
            )
        return self._hospitals[repeat]

    def _one_more(self) -> None:
        self._done += 1
        if self._wishes.watch is not None:
            self._wishes.watch(self._done, self._due)

    def _facts(
        self,
        study: Study,
        changes: Mapping[str, str],
        trials: Sequence[Trial],
    ) -> PointFacts:
        ends = [trial.probes[-1] if trial.probes else None for trial in trials]
        released = [trial.evaluation for trial in trials if trial.evaluation is not None]
        task = task_of(study.data)
        values = sum(trial.values for trial in trials)
        verdicts = [getattr(found, "calibrated", None) for found in released]
        return PointFacts(
            changes=changes,
            figure=spread_of([end.figure if end else None for end in ends]),
            low=spread_of([found.low for found in released]),
            high=spread_of([found.high for found in released]),
            released=spread_of([task.released_figure(found) for found in released]),
            covered=_covered(trials),
            calibration=spread_of([end.calibration if end else None for end in ends]),
            calibrated=Counter(str(verdict) for verdict in verdicts if verdict is not None),
            clipped=_by_round(trials, "clipped"),
            norm=_by_round(trials, "norm"),
            curve=_by_round(trials, "figure"),
            cut=sum(trial.cut for trial in trials) / max(values, 1),
            epsilon=_training_epsilon(study, changes),
            models=tuple(trial.model_sha256 for trial in trials),
            ended=Counter(trial.ended for trial in trials if trial.ended),
            rows=trials[0].rows,
            tables=trials[0].tables,
        )

    def _edges(
        self,
        study: Study,
        trials: Sequence[Trial],
    ) -> list[Advice]:
        halves = [[h.rows.held_out for h in self._hospitals[n]] for n in range(len(trials))]
        return edges_advice(
            study,
            trials,
            halves,
            self._samplers,
            self._wishes.seed,
        )

    def _warnings(self, study: Study) -> list[str]:
        warnings = []
        first = self._hospitals[0]
        aside = sum(sum(h.set_aside.values()) for h in first)
        if aside:
            warnings.append(
                f"{aside:,} rows do not fit the columns that the study declares and were set aside."
            )
        empty = [h.site for h in first if not len(h.rows.train.y)]
        if empty:
            warnings.append(
                f"{len(empty):,} of {len(first):,} sites have no row to train on; they add noise"
                " alone."
            )
        section = training_if_any(study)
        if section is not None:
            there = sum(len(h.rows.train.y) for h in first)
            planned = float(section.normaliser) / float(section.sample_rate)
            if not planned / _OTHER_SIZE <= there <= planned * _OTHER_SIZE:
                warnings.append(
                    f"The study plans for about {planned:,.0f} patients who train; these tables"
                    f" have {there:,} rows that do. Noise and steps then weigh otherwise than they"
                    " will."
                )
            strangers = sorted({*section.fewer()} - {*study.cohort})
            if strangers:
                warnings.append(
                    f"No table here is of {', '.join(strangers)}, which the study lets take fewer"
                    " steps: the sites that are here take all, unless it names them."
                )
        if self._wishes.repeat == 1:
            warnings.append("One repeat has no spread; give --repeat 5 or more.")
        return warnings


def _covered(trials: Sequence[Trial]) -> float | None:
    """Share of the released intervals that hold the exact figure."""
    known = [
        bool(trial.evaluation.low <= trial.probes[-1].figure <= trial.evaluation.high)
        for trial in trials
        if trial.evaluation is not None and trial.probes
    ]
    if not known:
        return None
    return sum(known) / len(known)


def _by_round(trials: Sequence[Trial], name: str) -> dict[int, Spread]:
    probes = [probe for trial in trials for probe in trial.probes]
    found = {}
    for number in sorted({probe.round for probe in probes}):
        values = [getattr(probe, name) for probe in probes if probe.round == number]
        found[number] = spread_of(values)
    return found


def _training_epsilon(study: Study, changes: Mapping[str, str]) -> str:
    """Cost of the training: as claimed, or worked out where a change moves it."""
    section = training_if_any(study)
    if section is None:
        return ""
    if not {"rounds", "local_steps", "noise_multiplier", "sample_rate"} & set(changes):
        return str(section.epsilon)
    try:
        epsilon = PldAccountant().training_epsilon(
            section.noise_multiplier, section.sample_rate, section.steps, study.privacy.delta
        )
    except SecureFLError:
        return "not known"
    return f"{epsilon:.4g}"


def _site_facts(hospital: VirtualHospital) -> SiteFacts:
    rows = hospital.rows
    return SiteFacts(
        hospital.site,
        len(set(rows.train.patients)),
        len(set(rows.held_out.patients)),
        dict(hospital.set_aside),
    )
