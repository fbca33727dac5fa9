"""What ``securefl demo --protocol`` can play: shipped study files and the published tables they ask of.

A new demonstration is an entry here, a study file below ``protocols/studies/``, and tables that are
published, or invented by a stated process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.demo import chains, digits, fraud, recurrence, visits
from securefl.errors import UsageError
from securefl.public_tables import heart_tables, thyroid_tables
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.study.schema import Template


@dataclass(frozen=True)
class Demonstration:
    """One study, and the hospitals that take part in it.

    Args:
        name: what ``--protocol`` is given.
        table: name of the hospitals' files.
        tables: makes each hospital's table as CSV.
        hospitals: name to legal name.
        shown: the hospital whose screens are shown.
        folder: below ``protocols/studies/``; the name unless said.
        dirty: the one whose rows are set aside before all eyes; empty where no table has such.
        alone: whether it ends with what each hospital would reach alone, which is written for
            logistic regression with yes-or-no labels.
        epsilon: that each hospital grants its patients.
        delta: likewise.
    """

    name: str
    table: str
    tables: Callable[[], dict[str, bytes]]
    hospitals: Mapping[str, str]
    shown: str
    folder: str = ""
    dirty: str = ""
    alone: bool = False
    epsilon: str = "3"
    delta: str = "1e-5"

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the hospitals."""
        return tuple(self.hospitals)

    @property
    def file(self) -> Path:
        """The study file, in the repository or in the installed package."""
        inside = Path("protocols") / "studies" / (self.folder or self.name) / "protocol.toml"
        beside = Path(__file__).resolve().parents[2] / inside
        if beside.exists():
            return beside
        return Path(str(resources.files("securefl"))) / inside

    @cached_property
    def study(self) -> Template:
        """The study file, parsed."""
        return parse_protocol(self.file.read_bytes())


_THYROID: Final = {
    "other": "General practices and other clinics",
    "SVI": "St Vincent's inpatients",
    "SVHC": "St Vincent's hospital clinic",
    "STMW": "St Margaret's maternity ward",
    "SVHD": "St Vincent's day hospital",
}
_HEART: Final = {
    "cleveland": "Cleveland Clinic Foundation",
    "hungarian": "Hungarian Institute of Cardiology",
    "switzerland": "University hospitals of Zurich and Basel",
    "va": "V.A. Medical Center, Long Beach",
}
#: Of tables that no hospitals made.
_INVENTED: Final = {
    "north": "Northern hospital",
    "east": "Eastern hospital",
    "south": "Southern hospital",
    "west": "Western hospital",
    "island": "Hospital of the island",
}
_BANKS: Final = {
    "crown": "Crown Bank",
    "harbour": "Harbour Savings Bank",
    "meadow": "Meadow Building Society",
    "summit": "Summit Private Bank",
    "village": "Village Credit Union",
}


def _thyroid(name: str, *, alone: bool = False) -> Demonstration:
    """A study of the thyroid table; ages such as 65526 are set aside at one hospital."""
    return Demonstration(
        name,
        "thyroid",
        thyroid_tables,
        _THYROID,
        shown="STMW",
        dirty="other",
        alone=alone,
    )


#: Name → demonstration, the default first.
DEMONSTRATIONS: Final[dict[str, Demonstration]] = {
    found.name: found
    for found in (
        _thyroid("thyroid", alone=True),
        _thyroid("thyroid-classes"),
        _thyroid("thyroid-number"),
        _thyroid("thyroid-table"),
        _thyroid("thyroid-additive"),
        _thyroid("thyroid-boost"),
        Demonstration("visits-count", "visits", visits.tables, _INVENTED, shown="island"),
        Demonstration(
            "recurrence-curve",
            "follow-up",
            recurrence.tables,
            _INVENTED,
            shown="island",
        ),
        Demonstration("fraud", "payments", fraud.tables, _BANKS, shown="village"),
        Demonstration(
            "digits-images",
            "digits",
            digits.tables,
            _INVENTED,
            shown="island",
            epsilon="8",
        ),
        Demonstration(
            "heart",
            "heart",
            heart_tables,
            _HEART,
            shown="hungarian",
            delta="1e-4",
        ),
        Demonstration(
            "heart-additive",
            "heart",
            heart_tables,
            _HEART,
            shown="hungarian",
            delta="1e-4",
        ),
        Demonstration(
            "survival",
            "chains",
            chains.downloaded,
            _INVENTED,
            shown="island",
            folder="chains-survival",
        ),
    )
}


def demonstration(name: str) -> Demonstration:
    """The demonstration of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in DEMONSTRATIONS:
        raise UsageError(
            f"'{name[:40]}' is no demonstration.",
            next_step=f"Take one of: {', '.join(DEMONSTRATIONS)}.",
        )
    return DEMONSTRATIONS[name]
