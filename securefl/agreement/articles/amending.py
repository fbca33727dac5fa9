"""Article 10: how many signatures another version needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from securefl.agreement.article import Article
from securefl.study.fields import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.schema import Agreement


class Amending(Article):
    """Number of this version's parties that must sign the next one.

    A party's machine never goes over to a version that this party did not sign, and whoever is new
    in a version has to sign it (:mod:`securefl.agreement.signatures`).
    """

    number: ClassVar[int] = 10
    title: ClassVar[str] = "amendments"

    signatures: Annotated[int, Field(ge=1, le=10_000)]

    def contradictions(self, agreement: Agreement) -> Iterator[Fault]:
        """See the base class."""
        parties = len(agreement.parties)
        if self.signatures > parties:
            yield Fault(
                f"there are {parties} parties, so no amendment could come into force",
                "amending",
                "signatures",
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            (
                f"Another version needs the signatures of {self.signatures} parties of this one, and of"
                " everybody who is new in it. A machine goes over to it when its own party has signed."
            )
        ]
