"""Parties of an agreement: their roles, keys and countries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from securefl.study.fields import AgreementKey, Line, Name, Section, SigningKey


class AgreedParty(Section):
    """A party as it signs: the fields of its identity card, and the country whose law it is under
    (ISO 3166-1 alpha-2).
    """

    name: Name
    role: Literal["hospital", "researcher", "aggregator"]
    legal_name: Line
    email: Line
    signing_public: SigningKey
    sealing_public: AgreementKey
    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
