"""Manifest of a bundle: the sender's signed list of every object in it.

Page: ``protocols/wire/airlock.md``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from securefl.statement import Hex32, Positive, Statement
from securefl.utc_times import read_time

#: A bundle that lay about for longer is refused: its study has gone on, or somebody kept it back.
MOST_DAYS: Final = 14
MOST_OBJECTS: Final = 20_000
#: The longest object that a manifest can name.
MAX_OBJECT: Final = 1 << 32
#: Clocks of two machines may differ by this much.
_SKEW: Final = timedelta(hours=1)

ObjectPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+/-]{0,400}$")]
Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


@dataclass(frozen=True)
class Listed:
    """One object: its length in bytes, and its SHA-256 in hex."""

    bytes: Annotated[int, Field(gt=0, le=MAX_OBJECT)]
    sha256: Hex32


@dataclass(frozen=True)
class AirlockManifest(Statement):
    """The sender's word on a bundle.

    Attributes:
        party: who sends it.
        to: for whom it is; nobody else takes it.
        number: of this bundle among those of the sender to this reader, from 1.
        previous: SHA-256 of the manifest before, empty in one that stands alone: it holds everything.
        made: when, UTC.
        objects: path on the board to length and hash.
    """

    TYPE: ClassVar[str] = "securefl-airlock-manifest/1"
    WHAT: ClassVar[str] = "The list of a bundle"
    MAX_BYTES: ClassVar[int] = 16 * 1024 * 1024
    NEXT_STEP: ClassVar[str] = "Do not import it; ask its sender for a new export."

    party: str
    to: str
    number: Positive
    previous: Hex32 | Literal[""]
    made: Time
    objects: Annotated[dict[ObjectPath, Listed], Field(max_length=MOST_OBJECTS)]

    def too_old(self, now: datetime) -> bool:
        """Test whether it lay about for too long, or comes from the future."""
        made = read_time(self.made)
        return not made - _SKEW <= now <= made + timedelta(days=MOST_DAYS)


def manifest_sha256(data: bytes) -> str:
    """Hash by which the next manifest names this one."""
    return hashlib.sha256(data).hexdigest()
