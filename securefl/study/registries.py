"""Registries of what a study names by a word: tasks, families of models, strategies, labels.

They stand in this room because sections of the study file are checked here, and name their
implementations in higher rooms by path; those are imported when a study asks for them. The
protocols are what this room asks of them. The whole interfaces are
:class:`securefl.learning.tasks.task.Task`, :class:`securefl.learning.families.family.Family` and
:class:`securefl.learning.strategies.strategy.Strategy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.study.counts import EvaluateSection
    from securefl.study.labels import LabelSection
    from securefl.study.training import ModelSpec, TrainSection


class OutputsOfTask(Protocol):
    """A task with its label, as far as the study file asks."""

    @property
    def outputs(self) -> int:
        """Scores that a model gives a row."""


class TaskMaker(Protocol):
    """The class of a task."""

    def __call__(self, label: LabelSection) -> OutputsOfTask:
        """The task for a study's label."""


class SizeOfFamily(Protocol):
    """A model of a family, as far as the study file asks."""

    @property
    def parameters(self) -> int:
        """Number of weights."""


class FamilyMaker(Protocol):
    """The class of a family."""

    #: The model's table in the study file.
    Section: type[ModelSpec]

    def __call__(
        self,
        section: object,
        inputs: int,
        outputs: int,
    ) -> SizeOfFamily:
        """Make the model that a section of the study file describes.

        For this many features and scores.
        """


class StrategyChecks(Protocol):
    """A strategy, as far as the study file asks."""

    def faults(self, local_steps: int, rounds: int) -> Sequence[tuple[str, str]]:
        """Figures with which nothing can be learnt: the name of the field, and what would fit."""


class StrategyMaker(Protocol):
    """The class of a strategy."""

    #: The training's table in the study file, with the strategy's keys.
    Section: type[TrainSection]

    def of(self, section: object) -> StrategyChecks:
        """The strategy that a section of the study file describes."""


TASKS: Registry[TaskMaker] = Registry(
    "task",
    {
        "binary": "securefl.learning.tasks.binary.task:Binary",
        "classes": "securefl.learning.tasks.classes.task:Classes",
        "number": "securefl.learning.tasks.number.task:Number",
        "count": "securefl.learning.tasks.count.task:Count",
        "time-to-event": "securefl.learning.tasks.survival.task:TimeToEvent",
    },
)
FAMILIES: Registry[FamilyMaker] = Registry(
    "family",
    {
        "linear": "securefl.learning.families.linear:Linear",
        "perceptron": "securefl.learning.families.perceptron:Perceptron",
        "additive": "securefl.learning.families.additive:Additive",
        "low-rank": "securefl.learning.families.low_rank:LowRank",
        "subspace": "securefl.learning.families.subspace:Subspace",
        "boosted-trees": "securefl.learning.families.boosted_trees:BoostedTrees",
        "graph": "securefl.learning.families.graph:OwnGraph",
    },
)
STRATEGIES: Registry[StrategyMaker] = Registry(
    "strategy",
    {
        "fedavg": "securefl.learning.strategies.fedavg:FedAvg",
        "fedavgm": "securefl.learning.strategies.fedavgm:FedAvgM",
        "fednova": "securefl.learning.strategies.fednova:FedNova",
        "fedsgd": "securefl.learning.strategies.fedsgd:FedSgd",
        "fedprox": "securefl.learning.strategies.fedprox:FedProx",
        "scaffold": "securefl.learning.strategies.scaffold:Scaffold",
        "dp-fedexp": "securefl.learning.strategies.dp_fedexp:DpFedExp",
        "fedadagrad": "securefl.learning.strategies.adaptive:FedAdagrad",
        "fedadam": "securefl.learning.strategies.adaptive:FedAdam",
        "fedyogi": "securefl.learning.strategies.adaptive:FedYogi",
    },
)
#: Metric of an evaluation → its table in the study file.
EVALUATIONS: Registry[type[EvaluateSection]] = Registry(
    "metric",
    {
        "auc": "securefl.study.binary_evaluation:AucSection",
        "macro-auc": "securefl.study.classes_evaluation:MacroAucSection",
        "r2": "securefl.study.number_evaluation:R2Section",
        "c-index": "securefl.study.survival_evaluation:CIndexSection",
    },
)
#: Kinds of labels beside those of :mod:`securefl.study.binary_label`.
LABELS: Registry[type[LabelSection]] = Registry(
    "label",
    {
        "classes": "securefl.study.classes_label:ClassesLabel",
        "number": "securefl.study.number_label:NumberLabel",
        "count": "securefl.study.count_label:CountLabel",
        "time-to-event": "securefl.study.survival_label:TimeToEventLabel",
    },
)
