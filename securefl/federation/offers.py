"""Offer of a data owner who refuses a study: a lower epsilon or an earlier end that would be agreed
to.

It approves nothing and reserves nothing. The researcher makes another study, and its owner decides
on that one. It lies on the board as text: whoever reads the board reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from securefl.statement import Hex32, Statement


@dataclass(frozen=True)
class Offer(Statement):
    """Terms that one hospital's owner would agree to in place of a study.

    Attributes:
        study: digest of the study that was refused.
        site: the hospital.
        epsilon: most that a new study may cost at its delta; empty where it may cost the same.
        closes: day (UTC) before which a new study must end; empty where the end may stay.
        at: UTC in ISO 8601.
    """

    TYPE: ClassVar[str] = "securefl-study-offer/1"
    WHAT: ClassVar[str] = "An offer"

    study: Hex32
    site: str
    epsilon: Annotated[str, Field(pattern=r"^([0-9]{1,4}(\.[0-9]{1,6})?)?$")]
    closes: Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    at: Annotated[str, Field(max_length=40)]
