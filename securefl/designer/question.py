"""Question of a study, as a person asks it: a handful of public answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from securefl.designer.description import Description


@dataclass(frozen=True)
class Sizes:
    """Sizes that were published, or that a charged count released.

    Attributes:
        patients: of all hospitals together.
        shares: of the outcomes. One for a yes or no, the share of positives; one a class in the
            order of the label; none for a number.
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
        sizes: None where they are not known: the design is then a count.
    """

    table: Description
    label: Mapping[str, Any]
    epsilon: Decimal
    hospitals: int
    title: str
    sizes: Sizes | None
