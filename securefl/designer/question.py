"""Question of a study, as a person asks it: a handful of public answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from securefl.designer.description import Description

#: What a design may make, as ``--kind`` names it: a model of few weights, boosted trees, or
#: survival curves and no model.
LINEAR: Final = "linear"
TREES: Final = "boosted-trees"
CURVE: Final = "survival-curve"
KINDS: Final = (LINEAR, TREES, CURVE)


@dataclass(frozen=True)
class Sizes:
    """Sizes that were published, or that a charged count released.

    Attributes:
        patients: of all hospitals together.
        shares: of the outcomes. One for a yes or no, the share of positives; one a class in the
            order of the label; of a time to an event the share without it at each of the label's
            times; none for a number.
        source: where they were published.
    """

    patients: int
    shares: tuple[Decimal, ...]
    source: str


@dataclass(frozen=True)
class Question:
    """Everything that a design follows from.

    Attributes:
        table: columns as hospitals describe them.
        label: the table ``[data.label]`` of a study file, as TOML values.
        epsilon: of the whole study, for one patient.
        hospitals: how many take part.
        title: of the study; empty where the label names it.
        sizes: None where they are not known: the design is then a first study that finds them.
        kind: what is made, of :data:`KINDS`.
        by: column by whose levels survival curves are split; empty for one curve of all.
        words: texts that only people can give, by their key in the study file.
    """

    table: Description
    label: Mapping[str, Any]
    epsilon: Decimal
    hospitals: int
    title: str
    sizes: Sizes | None
    kind: str = LINEAR
    by: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def makes_model(self) -> bool:
        """True if it trains a model; else it counts, or draws curves."""
        return self.sizes is not None and self.kind != CURVE
