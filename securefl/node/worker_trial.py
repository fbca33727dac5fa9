"""The real worker process put to the test, on invented patients: is its noise fresh and as
promised, who is drawn?

The study is made so that the un-noised answer is known. All patients are positive. Under a model
that is certain of that, every gradient is exactly 0, and an update *is* its noise. Under the model
of zeros each patient's gradient lies on an axis of its own (a category that no other patient has)
and on the intercept, with a known length: the axis tells in how many steps that patient was drawn.
The score histogram and the count before training are known from the table.

Two processes are asked, and each prepares the study twice, so that noise from a fixed start of any
kind comes again.
"""

from __future__ import annotations

import math
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from importlib.resources import files
from typing import TYPE_CHECKING, cast

import numpy as np

from securefl.identity import Identity, Role
from securefl.learning.models import weights_to_bytes
from securefl.learning.split import held_out
from securefl.node.launcher import Worker
from securefl.privacy.draw_checks import Draws
from securefl.privacy.worker_answers import Answers
from securefl.sources.csv import CsvSource
from securefl.study.counts import evaluation_of
from securefl.study.seal import seal_study
from securefl.study.sealed import SealedStudy, UnsealedStudy
from securefl.study.training import training_of
from securefl.study.wire import sum_unit
from securefl.study.worker_walls import INVENTED_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from securefl.study.binary_evaluation import AucSection
    from securefl.study.schema import Study
    from securefl.types import FloatArray


PATIENTS = 200
#: Releases of each kind from each execution.
RELEASES = 10
#: Processes, and executions in each: what a study's approval starts, and what a restart starts
#: again.
_PROCESSES, _EXECUTIONS = 2, 2
#: Rounds of the invented study.
_COUNT, _UPDATE, _EVALUATION = 1, 2, 3
_SECRET = bytes(32)
_SITE = "here"
_CERTAIN = 2000.0
_SECONDS = 120.0


@contextmanager
def trial_workers(folder: Path) -> Iterator[list[Worker]]:
    """Workers on the invented table, started and not waited for; ``folder`` holds the table and
    their logs.
    """
    table = folder / "trial.csv"
    write_trial_table(table)
    source = CsvSource(table)
    with ExitStack() as stack:
        workers = []
        for number in range(_PROCESSES):
            log = folder / f"worker-{number}.log"
            worker = Worker(source, max_bytes=8 * 4096, log=log, rules=INVENTED_ROWS)
            workers.append(stack.enter_context(worker))
        yield workers


def ask_workers(workers: Sequence[Worker], releases: int = RELEASES) -> Answers:
    """Ask each worker of :func:`trial_workers`, in two executions of the same study.

    Args:
        workers: as started.
        releases: of each kind from each execution.

    Raises:
        RoundError, DataError: as :class:`~securefl.node.launcher.Worker` does.
    """
    sealed = trial_study()
    study = sealed.study
    parameters = PATIENTS + 1
    bins = _bands(study).bins
    zeros = np.zeros(parameters)
    certain = np.append(np.zeros(PATIENTS), _CERTAIN)
    asked = (
        (_UPDATE, zeros, parameters),
        (_UPDATE, certain, parameters),
        (_EVALUATION, zeros, 2 * bins),
        (_COUNT, zeros[:0], 2),
    )
    heard: list[list[NDArray[np.int64]]] = [[], [], [], []]
    largest = (1 << (training_of(study).bits - 1)) - 1
    for worker in workers:
        for _ in range(_EXECUTIONS):
            worker.prepare(sealed.text, _SITE, _SECRET)
            for answers, (number, theta, length) in zip(heard, asked, strict=True):
                model = weights_to_bytes(theta)
                answers += [
                    worker.release(number, model, length, largest, _SECONDS)
                    for _ in range(releases)
                ]
    return _in_deviations(study, [np.array(answers, dtype=np.float64) for answers in heard])


def _in_deviations(study: Study, heard: Sequence[FloatArray]) -> Answers:
    """Divide what was heard, less what is known, by the deviations that the study promises."""
    seen, noise, histogram, count = heard
    train = training_of(study)
    evaluation = evaluation_of(study)
    steps = train.local_steps
    rate = float(train.sample_rate)
    unit = sum_unit(study) / float(train.normaliser)
    sigma = unit * float(train.noise_multiplier)
    aside = held_out(_SECRET, trial_patients(), study.data.holdout)
    of_evaluation, of_count = known_counts(study, int(aside.sum()))
    seen = seen / sigma
    return Answers(
        noise=noise / (sigma * math.sqrt(steps)),
        histogram=(histogram - of_evaluation) / float(evaluation.sigma),
        count=(count - of_count) / float(evaluation.noise_multiplier),
        drawn=Draws(
            seen[:, :PATIENTS][:, ~aside], seen[:, PATIENTS], trial_weight(study), rate, steps
        ),
    )


def known_counts(study: Study, aside: int) -> tuple[FloatArray, FloatArray]:
    """The un-noised histogram under the model of zeros (all scores .5) and the count: all patients
    are positive.
    """
    evaluation = _bands(study)
    bins = evaluation.bins
    histogram = np.zeros(2 * bins)
    histogram[bins + sum(edge <= Fraction(1, 2) for edge in evaluation.edges)] = aside
    return histogram, np.array([0.0, PATIENTS - aside])


def _bands(study: Study) -> AucSection:
    """The trial's evaluation: it is a binary one."""
    return cast("AucSection", evaluation_of(study))


def trial_weight(study: Study) -> float:
    """Length of a drawn patient's part on its own axis, in deviations of a step's noise; as much
    lies on the intercept.
    """
    return math.sqrt(0.5) / float(training_of(study).noise_multiplier)


def trial_patients() -> list[str]:
    """Names of the invented patients."""
    return [f"p{i}" for i in range(PATIENTS)]


def write_trial_table(file: Path) -> None:
    """The invented table: a patient a row, each with a category of its own, all of them positive."""
    lines = [
        "patient,kind,outcome",
        *(f"{name},k{i},yes" for i, name in enumerate(trial_patients())),
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _party(name: str, role: Role) -> dict[str, str]:
    card = Identity.generate(name, role, "invented", "nobody@securefl.invalid").card
    return {key: value for key, value in card.fields().items() if key != "role"}


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


def trial_study() -> SealedStudy:
    """A sealed study for :func:`ask_workers`; its keys are made here and thrown away, and nobody is
    ever asked for it.
    """
    coordinator = _party("coordinator", "researcher")
    aggregator = _party("sums", "aggregator")
    hospitals = [_party(name, "hospital") for name in (_SITE, "there")]
    template = (files("securefl.node") / "trial.toml").read_text("utf-8")
    return seal_study(
        UnsealedStudy.read(
            template.replace(
                "{levels}",
                _listed(["none", *(f"k{i}" for i in range(PATIENTS))]),
            ).replace(
                "{edges}",
                _listed([str(i / 64) for i in range(1, 64)]),
            )
        ),
        coordinator=coordinator,
        aggregator=aggregator,
        participants=[h | {"weight": "1/2", "weight_source": "invented"} for h in hospitals],
        software={"securefl": "0", "lock_sha256": "0" * 64},
    )
