"""Text that monitoring reads: the OpenMetrics format, version 1.0.

https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

#: Media type of the text.
CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


@dataclass(frozen=True)
class Sample:
    """One number.

    Attributes:
        value: the number.
        labels: name → text.
    """

    value: Decimal | int
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Gauge:
    """A family of numbers that go up and down.

    Attributes:
        name: with its unit at the end, where it has one.
        unit: ``seconds``, ``ratio`` or empty.
        help: what it is.
        samples: its numbers.
    """

    name: str
    unit: str
    help: str
    samples: tuple[Sample, ...]


def openmetrics(families: Iterable[Gauge]) -> str:
    """The text of these families; one without a number is left out.

    >>> print(openmetrics([Gauge("up", "", "Whether it runs.", (Sample(1, {"site": "A"}),))]))
    # TYPE up gauge
    # HELP up Whether it runs.
    up{site="A"} 1
    # EOF
    <BLANKLINE>
    """
    lines = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# TYPE {family.name} gauge")
        if family.unit:
            lines.append(f"# UNIT {family.name} {family.unit}")
        lines.append(f"# HELP {family.name} {family.help.translate(_ESCAPED)}")
        lines += [_line(family.name, sample) for sample in family.samples]
    lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(
        f'{label}="{text.translate(_ESCAPED)}"' for label, text in sample.labels.items()
    )
    return f"{name}{{{labels}}} {sample.value}"
