"""Coordinator's record of a round, for its own screen and folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from securefl.shown import Shown


@dataclass(frozen=True, repr=False)
class RoundRecord(Shown):
    """Coordinator's record of a round: hashes and sizes, no contribution and no key."""

    _page_name: ClassVar[str] = "round"

    round: int
    kind: str
    round_digest: str
    model_sha256: str
    contributions: dict[str, str]
    sum_sha256: str
    upload_bytes: int

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("round", f"round {self.round}"),
            ("kind", self.kind),
            ("hospitals", f"{len(self.contributions)}"),
            ("upload", f"{self.upload_bytes:,} bytes"),
        ]
