"""Rules that differ by what is predicted: the model, its steps, how it is judged.

A task whose studies can be designed has a class here or elsewhere, named in :data:`DESIGNERS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

from securefl.designer.commented import Entry
from securefl.designer.own_table import two_digits
from securefl.designer.question import CURVE, LINEAR, TREES
from securefl.designer.rules import HOLDOUT
from securefl.designer.score_edges import FEW_BINS, GAIN, fitting_bands
from securefl.designer.time_label import EXAMPLE
from securefl.errors import UsageError
from securefl.learning.tasks.binary.expected import expected_at
from securefl.registry import Registry
from securefl.study.edges import DEFAULT_BINS, LEAST_PREVALENCE, MOST_PREVALENCE
from securefl.study.registries import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.designer.question import Question, Sizes
    from securefl.study.schema import Template

#: True AUC of the model for which the lowest acceptable figure is worked out.
GOOD_AUC: Final = 0.8
#: Room above the expected number of patients kept aside: they are drawn by lot.
_ROOM: Final = 1.2
#: The largest count that a field of the sum holds with usual noise.
_MOST_COUNTED: Final = 4_000_000
_TWENTIETH: Final = Decimal("0.05")
_CHANCE: Final = Decimal("0.5")
_SURVIVAL: Final = "time-to-event"
#: Shares of classes are rounded figures.
_SLACK: Final = Decimal("0.02")


class Designer(ABC):
    """What a design asks of a task.

    Attributes:
        model: kind of the model in the study file.
        model_why: the reason for it.
        rounds_why: the reason for the number of rounds.
        clip: the clip norm.
        clip_why: the reason for it.
        most_rate: learning rate of the server above which steps overshoot.
        noise_in_weight: standard deviation that the noise of all rounds may leave in one weight.
    """

    model: ClassVar[str]
    model_why: ClassVar[str] = "Few weights: each of them carries the noise."
    rounds_why: ClassVar[str] = "Enough for a linear model to settle; each costs noise."
    clip: ClassVar[str]
    clip_why: ClassVar[str]
    most_rate: ClassVar[float]
    noise_in_weight: ClassVar[float]

    def shares_due(self, label: Mapping[str, Any]) -> int:
        """Number of published shares of outcomes that are needed."""
        del label
        return 0

    def shares_words(self, label: Mapping[str, Any]) -> str:
        """The shares that are due, in words."""
        del label
        return "none"

    def check_shares(self, shares: tuple[Decimal, ...]) -> None:
        """Refuse shares that contradict each other; each lies between 0 and 1.

        Raises:
            UsageError: they do.
        """
        del shares

    def model_keys(self, sizes: Sizes) -> list[Entry]:
        """Keys of the model beside its kind and seed."""
        del sizes
        return []

    def label(self, label: Mapping[str, Any], sizes: Sizes | None) -> list[Entry]:
        """The label's table, with what follows from the sizes."""
        del sizes
        return [Entry(key, value) for key, value in label.items()]

    @abstractmethod
    def judged(self, sizes: Sizes) -> list[Entry]:
        """Keys of the evaluation that name the metric and what it needs."""

    def bands(self, study: Template, hospitals: int) -> Entry | None:
        """Number of bands in which the check counts; None where the task fixes it.

        Args:
            study: the design with the usual number.
            hospitals: that take part.
        """
        del study, hospitals
        return None

    @abstractmethod
    def minimum(self, study: Template, hospitals: int) -> Entry:
        """The lowest acceptable figure of the model.

        Args:
            study: the design with a rule that asks for nothing.
            hospitals: that take part.
        """

    def bound(self, sizes: Sizes) -> Entry:
        """The largest number of patients kept aside at one hospital."""
        most = float(sizes.patients * HOLDOUT) * _ROOM
        text = two_digits(max(most, 100.0), ROUND_CEILING)
        return Entry(
            "bound",
            min(int(text), self.most_counted),
            "The largest count at one hospital: all patients kept aside, should one hospital have"
            " nearly all of them. A larger count would be cut.",
        )

    @property
    def most_counted(self) -> int:
        """The largest bound that fits into the sum's fields."""
        return _MOST_COUNTED


class BinaryDesigner(Designer):
    """A yes or no, by logistic regression and the area under the curve."""

    model = "logistic-regression"
    clip = "0.5"
    clip_why = (
        "A patient's gradient is longer than this only while the model is wrong about the patient:"
        " shortening it costs little, and noise is proportional to it."
    )
    most_rate = 4.0
    noise_in_weight = 0.7

    def shares_due(self, label: Mapping[str, Any]) -> int:
        """The share of positives."""
        del label
        return 1

    def shares_words(self, label: Mapping[str, Any]) -> str:
        """See the base class."""
        del label
        return "one, that of the positives"

    def judged(self, sizes: Sizes) -> list[Entry]:
        """See the base class."""
        (share,) = sizes.shares
        inside = min(max(share, LEAST_PREVALENCE), MOST_PREVALENCE)
        return [
            Entry("metric", "auc"),
            Entry(
                "prevalence",
                format(inside, "f"),
                "The bands of the score follow from it: narrow where a model's scores crowd."
                " `securefl study new` writes their edges.",
            ),
            Entry("prevalence_source", sizes.source),
            Entry("bins", DEFAULT_BINS),
        ]

    def bands(self, study: Template, hospitals: int) -> Entry:
        """See the base class."""
        return Entry(
            "bins",
            fitting_bands(study, hospitals, GOOD_AUC),
            f"Bands of the score. Each carries noise: {FEW_BINS} where the interval of a model"
            f" whose true AUC is {GOOD_AUC} then begins {GAIN} higher, else {DEFAULT_BINS}.",
        )

    def minimum(self, study: Template, hospitals: int) -> Entry:
        """See the base class."""
        low = Decimal(
            repr(
                expected_at(
                    study,
                    hospitals,
                    GOOD_AUC,
                ).low
            )
        )
        asked = max((low / _TWENTIETH).to_integral_value(ROUND_FLOOR) * _TWENTIETH, _CHANCE)
        why = (
            f"The lower end of the interval to expect of a model whose true AUC is {GOOD_AUC},"
            " rounded down. Ask for more where you need more."
        )
        if low <= _CHANCE:
            why = (
                f"Chance. With these sizes and this epsilon a model whose true AUC is {GOOD_AUC}"
                " cannot be told from it: more patients or a larger epsilon would."
            )
        return Entry("minimum", format(asked.normalize(), "f"), why)


class ClassesDesigner(Designer):
    """Several classes, by multinomial regression and the macro AUC."""

    model = "logistic-regression"
    clip = "0.3"
    clip_why = (
        "Rows of frequent classes weigh little and have short gradients; this shortens those of"
        " rare classes, to which noise is proportional."
    )
    most_rate = 8.0
    noise_in_weight = 0.5

    def shares_due(self, label: Mapping[str, Any]) -> int:
        """A share for each class."""
        return len(label["classes"])

    def shares_words(self, label: Mapping[str, Any]) -> str:
        """See the base class."""
        return f"{self.shares_due(label)}, one for each class"

    def check_shares(self, shares: tuple[Decimal, ...]) -> None:
        """See the base class: they are parts of one whole."""
        whole = sum(shares, Decimal(0))
        if abs(whole - 1) > _SLACK:
            raise UsageError(
                f"The shares of the classes add up to {whole}, not to 1.",
                next_step="Give one for each class, in the order of the label.",
            )

    def label(self, label: Mapping[str, Any], sizes: Sizes | None) -> list[Entry]:
        """Classes with weights: the share of the rarest over that of the class."""
        entries = [Entry(key, value) for key, value in label.items() if key != "classes"]
        if sizes is None or any("weight" in one for one in label["classes"]):
            return [*entries, Entry("classes", list(label["classes"]))]
        rarest = min(sizes.shares)
        classes = [
            {**one, "weight": two_digits(float(rarest / share), ROUND_CEILING)}
            for one, share in zip(
                label["classes"],
                sizes.shares,
                strict=True,
            )
        ]
        why = (
            "A row weighs the share of the rarest class over that of its own: none drowns another."
        )
        source = Entry("weights_source", f"The inverse of the shares: {sizes.source}")
        return [
            *entries,
            Entry(
                "classes",
                classes,
                why,
            ),
            source,
        ]

    def judged(self, sizes: Sizes) -> list[Entry]:
        """See the base class."""
        bins = 6
        return [
            Entry("metric", "macro-auc"),
            Entry(
                "shares",
                [format(share, "f") for share in sizes.shares],
                "Bands of each class' score follow from its share.",
            ),
            Entry("shares_source", sizes.source),
            Entry(
                "bins", bins, "Few: each number carries noise, and each class has its own bands."
            ),
        ]

    def minimum(self, study: Template, hospitals: int) -> Entry:
        """See the base class."""
        del study, hospitals
        return Entry(
            "minimum",
            "0.5",
            "Better than a guess. Ask for more where you need more.",
        )


class NumberDesigner(Designer):
    """A number, by linear regression and R2."""

    model = "regression"
    clip = "1"
    clip_why = "An error of half the range at a usual row; larger ones are shortened."
    most_rate = 0.3
    noise_in_weight = 0.1

    def judged(self, sizes: Sizes) -> list[Entry]:
        """See the base class."""
        del sizes
        return [
            Entry(
                "metric",
                "r2",
                "Name a published standard deviation (deviation, deviation_source), and"
                " `securefl study plan` says which interval to expect.",
            )
        ]

    def minimum(self, study: Template, hospitals: int) -> Entry:
        """See the base class."""
        del study, hospitals
        return Entry(
            "minimum",
            "0",
            "Better than always saying the mean.",
        )

    @property
    def most_counted(self) -> int:
        """Sums of numbers need wider fields than counts."""
        return _MOST_COUNTED // 64


DESIGNERS: Final[Registry[type[Designer]]] = Registry(
    "task that a study can be designed for",
    {
        "binary": "securefl.designer.by_task:BinaryDesigner",
        "binary by boosted-trees": "securefl.designer.for_trees:TreesDesigner",
        "classes": "securefl.designer.by_task:ClassesDesigner",
        "number": "securefl.designer.by_task:NumberDesigner",
        "time-to-event": "securefl.designer.for_survival:SurvivalDesigner",
    },
)


def designer_of(question: Question) -> Designer:
    """The rules of a question.

    Raises:
        UsageError: none are known for it.
    """
    return designer_for(task_name(question.label), question.kind)


def designer_for(task: str, kind: str = LINEAR) -> Designer:
    """The rules of a task, for what is to be made.

    Raises:
        UsageError: none are known for it.
    """
    if kind == CURVE and task != _SURVIVAL:
        raise UsageError(
            "Survival curves need a time to an event.",
            next_step=f"Give --label '{EXAMPLE}'.",
        )
    named = task
    if kind == TREES:
        named = f"{task} by {TREES}"
    if named in DESIGNERS:
        return DESIGNERS[named]()
    if task in DESIGNERS:
        raise UsageError(
            "Boosted trees are designed for a yes or no alone.",
            next_step="Leave --kind out, or name a label with a yes and a no.",
        )
    raise UsageError(
        f"No study of the task {task} can be designed yet.",
        next_step="Write the file by hand: docs/protocol.md explains its parts.",
    )


def task_name(label: Mapping[str, Any]) -> str:
    """Task of a label's table."""
    kind = label.get("kind")
    if isinstance(kind, str) and kind in LABELS:
        return LABELS[kind].task
    return "binary"
