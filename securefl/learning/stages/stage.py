"""A stage: its section of the study file, its releases, and both ends of their computation.

Guarantees that every stage gives:

- :meth:`Stage.releases` follows from the study alone, so that the ledger can reserve it beforehand.
- What :meth:`Local.answer` returns is bounded, noised as the release's mechanism says, and as long
  as the release. It reads public figures, one patient's own rows at a time, and noised results.
- :meth:`Stage.start`, :meth:`Stage.absorb` and :meth:`Stage.result` work on public figures and
  opened sums, so they cost no privacy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from securefl.study.noise_shares import noise_shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.features import Prepared
    from securefl.learning.stages.release import Release
    from securefl.learning.steps import Draws
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.noise_shares import NoiseShares
    from securefl.study.schema import Study, Template
    from securefl.study.stages import Finding, StageSection
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class FigureRow:
    """One figure with its 95 % interval.

    Attributes:
        name: of what was counted, as a column's.
        group: of patients.
        figure: which figure, as "mean" or "share of F".
        value: None where the noise leaves nothing to say.
        low: lower end of the interval.
        high: upper end.
    """

    name: str
    group: str
    figure: str
    value: float | None
    low: float
    high: float


class Result:
    """Public result of a stage. Later stages and everybody else may use it freely."""

    #: float64[p], the model that stands after this stage; None where it made none.
    model: FloatArray | None = None

    def record(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {}

    def rows(self, units: str) -> list[tuple[str, str]]:  # noqa: ARG002 - of those that count
        """Label and text for the page on a finished study.

        Args:
            units: what is counted, "patients" or "rows".
        """
        return []

    def tables(self, units: str) -> Sequence[Told]:  # noqa: ARG002 - as above
        """Tables for the page on a finished study; each is named by its ``metric``."""
        return ()

    def figure_rows(self) -> Sequence[FigureRow]:
        """The same as numbers, for a spreadsheet or a program."""
        return ()


@dataclass(frozen=True)
class Rows:
    """One hospital's usable rows, as the study splits them.

    Attributes:
        train: of the patients who train.
        held_out: of those kept aside.
    """

    train: Prepared
    held_out: Prepared


class Local(Protocol):
    """A hospital's end of a stage, in the worker."""

    @property
    def clamped(self) -> int:
        """Values of the last answer that were cut to the largest of a field; for the owner only."""

    def answer(self, release: Release, public: FloatArray) -> IntArray:
        """int64[release.length], bounded and noised.

        Args:
            release: the one that is due.
            public: float64[:attr:`Stage.public_length`], what was broadcast.
        """


class Stage(ABC):
    """One stage of one study.

    Args:
        study: the study, or its template.
        place: which of its stages this is, from 0.

    Attributes:
        section: its table of the study file, of the class :attr:`Section`.
    """

    #: The pydantic model of its table in the study file, with the table's own checks.
    Section: ClassVar[type[StageSection]]
    #: Its word before "epsilon" and in other short figures.
    short: ClassVar[str]
    #: Kind of each of its releases → what an audit calls one of them, and many.
    nouns: ClassVar[Mapping[str, tuple[str, str]]]

    def __init__(self, study: Template, place: int) -> None:
        self.study = study
        self.place = place
        self.section: Any = study.stages[place]

    @property
    def shares(self) -> NoiseShares:
        """Hospitals whose noise together is the one that its releases are charged for."""
        return noise_shares(self.study)

    def faults(self, accountant: Accountant) -> Iterable[Finding]:  # noqa: ARG002 - of those that claim something
        """Figures of its table that contradict each other or the rest of the study: the place below
        the table, and what would fit.

        Args:
            accountant: gives the epsilons that the noise really costs.
        """
        return ()

    def sealed(self) -> Mapping[str, Any]:
        """Keys that the sealed study says and a template may leave open, as TOML values."""
        return {}

    @abstractmethod
    def releases(self) -> Sequence[Release]:
        """What leaves each hospital, each with all its rounds."""

    def schedule(self) -> Sequence[int]:
        """Place in :meth:`releases` of what leaves, for each of the stage's rounds: one release
        after the other, unless a stage says another order.

        Each place stands there as often as its release has rounds.
        """
        places: list[int] = []
        for place, release in enumerate(self.releases()):
            places += [place] * release.rounds
        return places

    @property
    @abstractmethod
    def epsilon(self) -> Decimal:
        """What it costs one patient by itself, at the study's delta, as the study claims."""

    def claims(self) -> Sequence[tuple[str, Decimal]]:
        """What it claims to cost, each with its word: one claim, unless it makes several."""
        return [(self.short, self.epsilon)]

    def claimed(self, release: Release) -> Decimal:  # noqa: ARG002 - of those with several claims
        """The claim that covers this release."""
        return self.epsilon

    @abstractmethod
    def figures(self) -> str:
        """Its figures in a few words, for those who know them."""

    @property
    def public_length(self) -> int:
        """Float64 numbers that hospitals are given in each of its rounds: those of
        :meth:`broadcast`.
        """
        return 0

    @property
    def starts_from(self) -> str | None:
        """SHA-256 (hex) of what its first round broadcasts, where the study fixes it."""
        return None

    @abstractmethod
    def start(self, earlier: Sequence[Result]) -> Any:  # noqa: ANN401 - a state is the stage's own
        """The state before its first round.

        Args:
            earlier: results of the stages before it.
        """

    def broadcast(self, state: Any) -> FloatArray:  # noqa: ANN401, ARG002
        """What hospitals need for the next release, float64[:attr:`public_length`]."""
        return np.zeros(0)

    @abstractmethod
    def local(
        self,
        study: Study,
        site: str,
        rows: Rows,
        draws: Draws,
    ) -> Local:
        """The stage at a hospital.

        Args:
            study: the sealed study.
            site: the hospital's name.
            rows: its rows.
            draws: where all randomness comes from.
        """

    @abstractmethod
    def absorb(self, state: Any, total: IntArray, contributors: int) -> Any:  # noqa: ANN401
        """The state after one more opened sum of ``contributors`` hospitals.

        Raises:
            RoundError: the study ends here.
        """

    @abstractmethod
    def result(self, state: Any) -> Result:  # noqa: ANN401
        """What the stage has found, after its last round."""

    def recalled(self, record: Mapping[str, Any]) -> Result | None:  # noqa: ARG002 - of those that do
        """The result from what its :meth:`Result.record` said, read from the study's file of
        results; None where the record is all there is.
        """
        return None

    def _once(self) -> str:
        """When a release of a single round leaves, in words."""
        if self.place == 0:
            return "once, at the start"
        if self.place == len(self.study.stages) - 1:
            return "once, at the end"
        return "once"


def newest_model(earlier: Sequence[Result]) -> FloatArray:
    """The model that stands after the stages before.

    Raises:
        LookupError: none made one; the study file's checks refuse such a study.
    """
    for result in reversed(earlier):
        if result.model is not None:
            return result.model
    raise LookupError("no stage before this one makes a model")
