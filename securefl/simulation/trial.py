"""One run of a study's programme in one process: every stage, release and round, in their order.

Hospitals answer one after the other, each from draws of its own, and sums of integers have no
order: whoever answers first, the model is the same bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from securefl.errors import RoundError
from securefl.learning.features import Prepared, prepare
from securefl.learning.models import weights_sha256
from securefl.learning.split import split_rows
from securefl.learning.stages.evaluate import EvaluateResult
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import moves_model
from securefl.learning.stages.stage import Rows
from securefl.learning.stages.train import Train
from securefl.simulation.draws import SeededDraws, key_of
from securefl.simulation.participation import Lots, server_of
from securefl.simulation.probes import Probe, Prober

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.learning.evaluation_split import PartFigures
    from securefl.learning.stages.programme import Step
    from securefl.learning.stages.release import Release
    from securefl.learning.stages.stage import Local, Result, Stage
    from securefl.learning.table import Table
    from securefl.learning.tasks.told import Told
    from securefl.simulation.draws import Samplers
    from securefl.simulation.participation import Participation
    from securefl.study.schema import Study, Template
    from securefl.types import FloatArray, IntArray


def _nothing() -> None:
    pass


class Summer(Protocol):
    """Adds what hospitals answer: :func:`plain_sum`, or under the cipher."""

    def __call__(self, release: Release, answers: Sequence[IntArray], /) -> IntArray:
        """The sum, int64[release.length]."""


def plain_sum(release: Release, answers: Sequence[IntArray]) -> IntArray:
    """Sum of int64 vectors, exact."""
    del release
    total: IntArray = np.sum(answers, axis=0, dtype=np.int64)
    return total


class Engine(Protocol):
    """Runs the steps of virtual hospitals: here one after the other, or as an engine of others does
    (:mod:`securefl.simulation.flower_engine`).
    """

    def answers(
        self,
        ends: Sequence[Local],
        places: Sequence[int],
        release: Release,
        public: FloatArray,
    ) -> list[IntArray]:
        """Answers of the hospitals at these places, in their order: int64[release.length] each.

        Args:
            ends: of all hospitals.
            places: of those that take part.
            release: the one that is due.
            public: float64[b], what was broadcast.
        """


class OneByOne:
    """The engine of this process: hospitals answer one after the other."""

    def answers(
        self,
        ends: Sequence[Local],
        places: Sequence[int],
        release: Release,
        public: FloatArray,
    ) -> list[IntArray]:
        """See :class:`Engine`."""
        return [ends[place].answer(release, public) for place in places]


@dataclass(frozen=True)
class VirtualHospital:
    """A site with its usable rows.

    Attributes:
        site: its name.
        rows: as the study splits them in this repeat.
        set_aside: rows that do not fit the study, by reason.
    """

    site: str
    rows: Rows
    set_aside: Mapping[str, int]


@dataclass(frozen=True)
class Trial:
    """Outcome of one run.

    Attributes:
        model_sha256: of the weights; empty where none were made.
        theta: float64[p], the model; None where none was made.
        probes: the training at some rounds, its end last; empty where nothing is trained.
        evaluation: figures of the released histogram; None where there was none.
        split: figures of hospitals and subgroups in the same release.
        rows: what stages say of their results, label and text.
        tables: the tables of their results.
        cut: values that did not fit a field of the sum.
        values: values of updates in all.
        rounds: rounds that were run.
        ended: why the study ended early; empty where it did not.
        took_part: hospital to the rounds of training it was drawn for; empty where all took part.
    """

    model_sha256: str = ""
    theta: FloatArray | None = None
    probes: tuple[Probe, ...] = ()
    evaluation: Any = None
    split: tuple[PartFigures, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    tables: tuple[Told, ...] = ()
    cut: int = 0
    values: int = 0
    rounds: int = 0
    ended: str = ""
    took_part: Mapping[str, int] = field(default_factory=dict)


def virtual_hospitals(
    study: Template,
    tables: Mapping[str, Table],
    seed: int,
    repeat: int,
) -> list[VirtualHospital]:
    """Prepare and split every site's table; the split is drawn anew in each repeat.

    Raises:
        DataError: a declared column is not in a table.
    """
    made = []
    for site in sorted(tables):
        secret = key_of(
            "split",
            seed,
            repeat,
            site,
        )
        prepared = prepare(
            tables[site],
            study.data,
            secret,
            study.privacy.unit,
        )
        train, held_out = split_rows(prepared, secret, study.data.holdout)
        made.append(VirtualHospital(site, Rows(train, held_out), prepared.set_aside))
    return made


def pooled(parts: Sequence[Prepared]) -> Prepared:
    """The rows of several hospitals as one table, each patient still one of its own."""
    patients = [f"{n}:{p}" for n, part in enumerate(parts) for p in part.patients]
    return Prepared(
        np.concatenate([part.X for part in parts]),
        np.concatenate([part.y for part in parts]),
        tuple(patients),
        {},
    )


@dataclass
class _Run:
    """Results of a run so far, and who does its work."""

    on_round: Callable[[], None]
    engine: Engine
    summer: Summer
    prober: Prober
    sites: tuple[str, ...]
    lots: Lots | None = None
    results: list[Result] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    cut: int = 0
    values: int = 0
    rounds: int = 0
    ended: str = ""


def run_trial(
    study: Study,
    hospitals: Sequence[VirtualHospital],
    samplers: Samplers,
    *,
    seed: int,
    repeat: int,
    summer: Summer = plain_sum,
    engine: Engine | None = None,
    participation: Participation | None = None,
    probes: int = 6,
    on_round: Callable[[], None] = _nothing,
) -> Trial:
    """Run all stages once.

    Args:
        study: of :func:`~securefl.simulation.virtual_study.virtual_study`.
        hospitals: in whatever order their answers are to arrive.
        samplers: tables of noise.
        seed: of the simulation.
        repeat: which of its repeats, from 0.
        summer: adds the answers of a round.
        engine: runs the hospitals' steps; one after the other unless said.
        participation: how many hospitals take part in a round that trains; all unless said.
        probes: rounds of the training at which it is looked at; 0 for its end alone.
        on_round: called after each round.
    """
    run = _Run(
        on_round,
        engine or OneByOne(),
        summer,
        Prober(study, [h.rows for h in hospitals], probes),
        tuple(h.site for h in hospitals),
    )
    server = study
    if participation is not None:
        least = study.secagg.min_contributors
        run.lots = Lots(participation, run.sites, least, seed=seed, repeat=repeat)
        server = server_of(study, participation.part(len(hospitals)))
    draws = {site: SeededDraws(key_of("noise", seed, repeat, site), samplers) for site in run.sites}
    try:
        programme = Programme(server)
        for stage in programme.stages:
            ends = [
                stage.local(
                    study,
                    h.site,
                    h.rows,
                    draws[h.site],
                )
                for h in hospitals
            ]
            run.results.append(_run_stage(stage, list(programme.rounds_of(stage)), ends, run))
    except RoundError as error:
        run.ended = error.what
    return _trial(study, run)


def _run_stage(
    stage: Stage,
    rounds: Sequence[Step],
    ends: Sequence[Local],
    run: _Run,
) -> Result:
    state = stage.start(run.results)
    prober = run.prober
    for step in rounds:
        release, turn = step.release, step.turn - 1
        if moves_model(step) and prober.is_due(turn, release.rounds):
            run.probes.append(prober.look(turn, state.server.theta))
        places = _places(run, step)
        answers = run.engine.answers(ends, places, release, stage.broadcast(state))
        state = stage.absorb(state, run.summer(release, answers), len(places))
        run.rounds += 1
        run.on_round()
        run.cut += sum(ends[place].clamped for place in places)
        if moves_model(step):
            run.values += len(places) * release.length
    if isinstance(stage, Train):
        run.probes.append(prober.look(stage.section.rounds, state.server.theta))
    return stage.result(state)


def _places(run: _Run, step: Step) -> list[int]:
    """Places of the hospitals that take part: all, or those of a lot where the round trains."""
    if run.lots is None or not moves_model(step):
        return list(range(len(run.sites)))
    drawn = run.lots.draw()
    return [place for place, site in enumerate(run.sites) if site in drawn]


def _trial(study: Study, run: _Run) -> Trial:
    units = "patients"
    if study.privacy.unit == "record":
        units = "rows"
    theta = next((r.model for r in reversed(run.results) if r.model is not None), None)
    judged = [r for r in run.results if isinstance(r, EvaluateResult)]
    return Trial(
        model_sha256="" if theta is None else weights_sha256(theta),
        theta=theta,
        probes=tuple(run.probes),
        evaluation=judged[-1].evaluation if judged else None,
        split=judged[-1].split if judged else (),
        rows=tuple(row for result in run.results for row in result.rows(units)),
        tables=tuple(table for result in run.results for table in result.tables(units)),
        cut=run.cut,
        values=run.values,
        rounds=run.rounds,
        ended=run.ended,
        took_part={} if run.lots is None else run.lots.rounds,
    )
