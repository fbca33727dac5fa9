"""Signatures under an agreement, notices of leaving, and how many a version needs.

Who must sign, as one party sees it:

1. a version that supersedes none needs every party of it;
2. a later one needs as many parties of the version before as that one's article 10 says, everybody
   who is new in it, and the party itself: no machine goes over to what its own party did not sign;
3. where the version before is not in force at a party, that party needs every signature, as in 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import StringConstraints

from securefl.statement import Hex32, Statement
from securefl.study.fields import NAME

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from securefl.agreement.schema import Agreement

PartyName = Annotated[str, StringConstraints(pattern=NAME)]
#: UTC in ISO 8601, whole seconds.
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


@dataclass(frozen=True)
class AgreementSignature(Statement):
    """A party's yes to exactly one version, by its digest.

    ``at`` is the party's own word on the time; no rule rests on it.
    """

    TYPE: ClassVar[str] = "securefl-agreement-signature/1"
    WHAT: ClassVar[str] = "The signature"

    agreement: Hex32
    party: PartyName
    at: Moment


@dataclass(frozen=True)
class LeavingNotice(Statement):
    """A party's notice that it leaves. Its days are counted from when it comes in, not from
    ``at``: a notice cannot be dated back.
    """

    TYPE: ClassVar[str] = "securefl-agreement-leaving/1"
    WHAT: ClassVar[str] = "The notice of leaving"

    agreement: Hex32
    party: PartyName
    at: Moment


@dataclass(frozen=True)
class Needed:
    """Signatures that a version needs before a party's machine holds to it.

    Attributes:
        everyone: parties that must all have signed.
        some: parties of the version before.
        count: how many of ``some`` must have signed.
    """

    everyone: frozenset[str]
    some: frozenset[str] = frozenset()
    count: int = 0

    def missing(self, signed: AbstractSet[str]) -> tuple[str, ...]:
        """Say who has to sign still, a line each; empty where enough have."""
        lines = sorted(self.everyone - signed)
        more = self.count - len(self.some & (signed | self.everyone))
        if more > 0:
            rest = ", ".join(sorted(self.some - signed - self.everyone))
            lines.append(f"{more} of {rest}")
        return tuple(lines)


def needed(version: Agreement, before: Agreement | None, own: str) -> Needed:
    """Work out whose signatures a version needs.

    Args:
        version: the agreement that is to come into force.
        before: the version that it supersedes, where that one is in force at this party.
        own: this party's name.
    """
    if before is None:
        return Needed(frozenset(version.names))
    newcomers = set(version.names) - set(before.names)
    return Needed(
        frozenset({*newcomers, own}),
        frozenset(before.names),
        before.amending.signatures,
    )
