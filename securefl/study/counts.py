"""Sections of the study file for stages that release noised counts: the count, the evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from securefl.study.fields import DecimalText, Fault
from securefl.study.limits import MOST_EPSILON, MOST_NOISE
from securefl.study.registries import EVALUATIONS
from securefl.study.stages import StageSection
from securefl.study.subgroups import Subgroups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from securefl.study.columns import DataSpec
    from securefl.study.schema import Template
    from securefl.study.stages import Finding

#: Columns that an evaluation is split by; each makes the noise of all larger.
_MOST_SPLITS = 8
#: Far above any real figure and far below 2^53, the largest integer that RFC 8785 can write.
LARGEST = 1 << 31
Positive = Annotated[int, Field(ge=1, le=LARGEST)]


def check_noise(noise: Decimal, least: Decimal, why: str) -> None:
    """Raise :class:`Fault` unless a noise multiplier lies in its range."""
    if not least <= noise <= MOST_NOISE:
        raise Fault(f"must be at least {least} and at most {MOST_NOISE}: {why}", "noise_multiplier")


def noise_on_cells(noise: Decimal, cells: int) -> Decimal:
    """Standard deviation of the noise on each count where one unit adds 1 to ``cells`` of them.

    The counts then move by sqrt(cells) in all (their L2 sensitivity), and the noise grows with it.
    Rounded up to six places: more noise than is charged for, never less.

    >>> noise_on_cells(Decimal(4), 1), noise_on_cells(Decimal(4), 3)
    (Decimal('4'), Decimal('6.928204'))
    """
    if cells == 1:
        return noise
    exact = (noise * noise * cells).sqrt(Context(prec=28, rounding=ROUND_CEILING))
    return exact.quantize(Decimal("0.000001"), rounding=ROUND_CEILING)


def check_epsilon(epsilon: Decimal) -> None:
    """Raise :class:`Fault` unless a claimed epsilon lies in its range."""
    if not 0 < epsilon <= MOST_EPSILON:
        raise Fault(
            f"must be above 0 and at most {MOST_EPSILON}: a larger one promises nothing", "epsilon"
        )


@dataclass(frozen=True)
class NoisedNumbers:
    """Range and noise of the whole numbers in a released list.

    Attributes:
        bound: the largest of them before noise.
        sigma: standard deviation of the noise on each.
    """

    bound: int
    sigma: Decimal


class EvaluateSection(StageSection):
    """Histogram of the held-out patients, noised and summed. Its metric adds keys of its own: the
    table is read by the metric's section.

    ``by`` counts the patients again by subgroup, once for each split. ``each_participant`` gives
    each hospital a list of its own instead of one list for all: its figures can then be read by
    everybody who sees the sum. A patient stands in one hospital's list, so that alone costs
    nothing more.
    """

    judges_model = True

    metric: str
    noise_multiplier: DecimalText
    epsilon: DecimalText
    bound: Positive
    by: Annotated[tuple[Subgroups, ...], Field(max_length=_MOST_SPLITS)] = ()
    each_participant: bool = False

    @property
    def lists(self) -> int:
        """Lists in which one patient counts: that of all or of its hospital, and one a split."""
        return 1 + len(self.by)

    @property
    def is_split(self) -> bool:
        """Tell whether it releases more than one list for all patients."""
        return self.each_participant or bool(self.by)

    @property
    def split_sigma(self) -> Decimal:
        """Standard deviation of the noise on each number, when all lists are released together."""
        return noise_on_cells(self.sigma, self.lists)

    @property
    def split_numbers(self) -> NoisedNumbers:
        """Numbers as they are released."""
        return NoisedNumbers(self.numbers.bound, self.split_sigma)

    @property
    def split_cells(self) -> int:
        """Numbers in which one patient counts, in all lists."""
        return self.cells * self.lists

    def split_faults(self, data: DataSpec) -> Iterator[Finding]:
        """Splits that the study's data do not allow, or that stand there twice."""
        for place, subgroups in enumerate(self.by):
            for where, what in subgroups.faults(data):
                yield ("by", place, *where), what
            if subgroups.column in [earlier.column for earlier in self.by[:place]]:
                yield ("by", place, "column"), "splits a second time by this column; remove one"

    @property
    def cells(self) -> int:
        """Numbers of the histogram in which one patient counts."""
        return 1

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each count."""
        return noise_on_cells(self.noise_multiplier, self.cells)

    @property
    def numbers(self) -> NoisedNumbers:
        """Numbers as they are released: counts, up to ``bound``."""
        return NoisedNumbers(self.bound, self.sigma)

    @model_validator(mode="wrap")
    @classmethod
    def _by_metric(cls, raw: Any, parse: ModelWrapValidatorHandler[Self]) -> Any:  # noqa: ANN401 - whatever stood in the file
        if cls is not EvaluateSection or not isinstance(raw, Mapping):
            return parse(raw)
        known = " or ".join(f'"{name}"' for name in EVALUATIONS.names())
        if "metric" not in raw:
            raise Fault(f"is missing: an evaluation has a metric, {known}", "metric")
        name = raw["metric"]
        if not isinstance(name, str) or name not in EVALUATIONS:
            raise Fault(f"{ascii(name)[:60]} is no metric; write {known}", "metric")
        return EVALUATIONS[name].model_validate(raw)

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        check_epsilon(self.epsilon)
        check_noise(
            self.noise_multiplier,
            Decimal(2),
            "it counts patients in an evaluation, and integer noise needs two units",
        )
        return self

    def sealed(self) -> dict[str, Any]:
        """Keys that a sealed study says and a template may leave open, as TOML values."""
        return {}

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterable[Fault]:
        """See the base class; a metric's own section knows."""
        metric = raw.get("metric")
        if cls is EvaluateSection and isinstance(metric, str) and metric in EVALUATIONS:
            return EVALUATIONS[metric].unsealed(raw)
        return ()


class OnceCountedSection(StageSection):
    """Base of the stages in which a patient counts once: the keys and the checks of their noise."""

    noise_multiplier: DecimalText
    epsilon: DecimalText
    bound: Positive

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each count."""
        return self.noise_multiplier

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        check_epsilon(self.epsilon)
        check_noise(
            self.noise_multiplier,
            Decimal(2),
            "it counts patients, and integer noise needs two units",
        )
        return self


class CountSection(OnceCountedSection):
    """Count: how many patients train the model in all, noised and summed.

    Or records, as ``privacy.unit`` says. Negatives and positives are counted; one unit counts
    once. With fewer than ``minimum`` in all (as released, with its noise) the study ends there.
    """

    minimum: Annotated[int, Field(ge=0, le=LARGEST)]


def shows_each_participant(study: Template) -> bool:
    """True if an evaluation shows each hospital's own noised figures."""
    return any(isinstance(s, EvaluateSection) and s.each_participant for s in study.stages)


def evaluation_of(study: Template) -> EvaluateSection:
    """The section whose figures the quality rule is judged on: the last evaluation.

    Raises:
        LookupError: the study has none.
    """
    found = [section for section in study.stages if isinstance(section, EvaluateSection)]
    return found[-1]
