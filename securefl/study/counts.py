"""Sections of the study file for stages that release noised counts: the count, the evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from securefl.study.edges import DEFAULT_BINS, LEAST_PREVALENCE, MOST_PREVALENCE, default_edges
from securefl.study.fields import DecimalText, Fault, Line, is_decimal
from securefl.study.limits import MOST_EPSILON, MOST_NOISE
from securefl.study.registries import EVALUATIONS
from securefl.study.stages import StageSection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.study.schema import Template

#: Far above any real figure and far below 2^53, the largest integer that RFC 8785 can write.
LARGEST = 1 << 31
_MOST_BINS = 1024
Positive = Annotated[int, Field(ge=1, le=LARGEST)]


def check_noise(noise: Decimal, least: Decimal, why: str) -> None:
    """Raise :class:`Fault` unless a noise multiplier lies in its range."""
    if not least <= noise <= MOST_NOISE:
        raise Fault(f"must be at least {least} and at most {MOST_NOISE}: {why}", "noise_multiplier")


def _prevalence(text: object) -> Decimal | None:
    """Return the number that an evaluation's prevalence says.

    None where it says none that edges can follow from.
    """
    if isinstance(text, str) and is_decimal(text):
        text = Decimal(text)
    if isinstance(text, Decimal) and LEAST_PREVALENCE <= text <= MOST_PREVALENCE:
        return text
    return None


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


class EvaluateSection(StageSection):
    """Histogram of the held-out patients, noised and summed. Its metric adds keys of its own: the
    table is read by the metric's section.
    """

    judges_model = True

    metric: str
    noise_multiplier: DecimalText
    epsilon: DecimalText
    bound: Positive

    @property
    def cells(self) -> int:
        """Numbers of the histogram in which one patient counts."""
        return 1

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each count."""
        return noise_on_cells(self.noise_multiplier, self.cells)

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


class AucSection(EvaluateSection):
    """Evaluation of a binary task: a score histogram per class.

    ``edges`` are the inner bin edges in (0, 1). A protocol may leave them out and name
    ``prevalence``, the published share of positives, instead: they are worked out from it
    (:mod:`securefl.study.edges`) and written into the sealed study.
    """

    metric: Literal["auc"]
    prevalence: DecimalText | None = None
    prevalence_source: Line | None = None
    bins: Annotated[int, Field(ge=2, le=_MOST_BINS)] = DEFAULT_BINS
    edges: tuple[DecimalText, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _work_out(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        """Edges from the prevalence, or the number of bins from the edges: a file says one of them."""
        if not isinstance(raw, Mapping):
            return raw
        if isinstance(edges := raw.get("edges"), tuple) and edges:
            return {"bins": len(edges) + 1, **raw}
        prevalence, bins = _prevalence(raw.get("prevalence")), raw.get("bins", DEFAULT_BINS)
        if (
            "edges" in raw
            or prevalence is None
            or type(bins) is not int
            or not 2 <= bins <= _MOST_BINS
        ):
            return raw
        return {"bins": bins, **raw, "edges": default_edges(prevalence, bins)}

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        """The edges of the bins."""
        if "edges" not in raw:
            yield Fault(
                "is missing: a sealed study lists its edges; `securefl study new` works them out",
                "edges",
            )

    @model_validator(mode="after")
    def _prevalence_has_a_source(self) -> Self:
        if self.prevalence is None:
            return self
        if not LEAST_PREVALENCE <= self.prevalence <= MOST_PREVALENCE:
            raise Fault(
                f"must be at least {LEAST_PREVALENCE} and at most {MOST_PREVALENCE}: it is the"
                " published share of positives",
                "prevalence",
            )
        if self.prevalence_source is None:
            raise Fault(
                "is missing: say where the prevalence was published; it may not come from the"
                " hospitals' tables",
                "prevalence_source",
            )
        return self

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        if not self.edges and "edges" not in self.model_fields_set:
            raise Fault(
                'is missing: name the published share of positives, like prevalence = "0.07", from'
                " which the edges follow, or list the edges",
                "edges",
            )
        if not self.edges or any(
            b <= a
            for a, b in zip((Decimal(0), *self.edges), (*self.edges, Decimal(1)), strict=True)
        ):
            raise Fault("must rise strictly between 0 and 1", "edges")
        if self.bins != len(self.edges) + 1:
            raise Fault(
                f"says {self.bins}, but {len(self.edges)} edges make {len(self.edges) + 1}; leave"
                " out one of them",
                "bins",
            )
        return self

    def sealed(self) -> dict[str, Any]:
        """The edges of the bins."""
        return {"edges": [format(edge, "f") for edge in self.edges]}


class CountSection(StageSection):
    """Count: how many patients train the model in all, noised and summed.

    Or records, as ``privacy.unit`` says. Negatives and positives are counted; one unit counts
    once. With fewer than ``minimum`` in all (as released, with its noise) the study ends there.
    """

    noise_multiplier: DecimalText
    epsilon: DecimalText
    bound: Positive
    minimum: Annotated[int, Field(ge=0, le=LARGEST)]

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each count: a patient counts in one."""
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


def evaluation_of(study: Template) -> EvaluateSection:
    """The section whose figures the quality rule is judged on: the last evaluation.

    Raises:
        LookupError: the study has none.
    """
    found = [section for section in study.stages if isinstance(section, EvaluateSection)]
    return found[-1]
