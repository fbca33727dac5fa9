"""Kinds of values that a study file may hold: numbers that are not whole travel as text.

So a digest means one thing. TOML floats have no canonical text; ``0.1`` read and written by two
programs can differ. Decimals are therefore strings (``"4.97"``) and ratios are strings (``"1/5"``);
RFC 8785 then gives every study exactly one byte form.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from securefl.curve25519 import is_agreement_key, is_signing_key

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(e-?[0-9]{1,2})?")
_RATIO = re.compile(r"(0|[1-9][0-9]{0,8})/([1-9][0-9]{0,8})|1|0")


def is_decimal(text: str) -> bool:
    """True if ``text`` is a decimal number as a study writes it."""
    return len(text) <= 40 and _DECIMAL.fullmatch(text) is not None


def _decimal(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    if isinstance(value, Decimal):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(  # noqa: TRY004 - pydantic reads ValueError
            f'write it as text in quotes, like "{value}": a bare number has no single exact form'
        )
    if not isinstance(value, str) or not is_decimal(value):
        raise ValueError('expected a decimal number in quotes, like "0.8" or "1e-5"')
    return Decimal(value)


def _ratio(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Fraction):
        return value
    if not isinstance(value, str) or not _RATIO.fullmatch(value):
        raise ValueError('expected a ratio of whole numbers in quotes, like "1/5"')
    return Fraction(value)


def _signing_key(text: str) -> str:
    if not is_signing_key(text):
        raise ValueError("no sound Ed25519 public key; copy it from the party's card")
    return text


def _agreement_key(text: str) -> str:
    if not is_agreement_key(text):
        raise ValueError("no sound X25519 public key; copy it from the party's card")
    return text


# Characters that a screen obeys instead of showing: C0 and C1 controls, line separators, and the
# marks that turn the direction of writing round. An owner approves what is read, so none of them
# may stand in a text.
_UNSHOWN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069"
NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
HEX32 = r"^[0-9a-f]{64}$"
LINE = rf"^[^\x00-\x1f{_UNSHOWN}]+$"
TEXT = rf"^[^\x00-\x08\x0b-\x1f{_UNSHOWN}]*$"

DecimalText = Annotated[Decimal, BeforeValidator(_decimal)]
RatioText = Annotated[Fraction, BeforeValidator(_ratio)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Hex32 = Annotated[str, StringConstraints(pattern=HEX32)]
SigningKey = Annotated[Hex32, AfterValidator(_signing_key)]
AgreementKey = Annotated[Hex32, AfterValidator(_agreement_key)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=LINE)]
Text = Annotated[str, StringConstraints(max_length=8000, pattern=TEXT)]


class Fault(ValueError):  # noqa: N818 - a fault in the file; pydantic catches it, no caller sees it
    """Broken rule of a table, with the path below that table which breaks it.

    So the error names its line.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


def tuples(value: Any) -> Any:  # noqa: ANN401 - values of every kind
    """Lists as tuples, which a frozen section holds, at any depth."""
    if isinstance(value, dict):
        return {k: tuples(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(tuples(v) for v in value)
    return value


class Section(BaseModel):
    """Table of the study file: unknown keys refused, no silent conversion.

    Unchangeable once read.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True
    )
