"""Article 2: for what the data may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from securefl.agreement.article import Article, Breach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case

DuoCode = Annotated[str, Field(pattern=r"^DUO:[0-9]{7}$")]


class Purposes(Article):
    """Codes of the Data Use Ontology (Lawson et al. 2021) that a study may state."""

    number: ClassVar[int] = 2
    title: ClassVar[str] = "purposes"

    duo: Annotated[tuple[DuoCode, ...], Field(min_length=1)]

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class. A study that states no purpose states none of the agreed ones."""
        stated = case.study.study.duo
        if not stated:
            yield Breach(
                "purposes",
                "the study states no code of its use",
                f"State study.duo, out of {', '.join(self.duo)}.",
            )
        other = [code for code in stated if code not in self.duo]
        if other:
            yield Breach(
                "purposes",
                f"the study is for {', '.join(other)}; agreed are {', '.join(self.duo)}",
                "State an agreed purpose, if that is the purpose, or amend the agreement.",
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [f"A study is for: {', '.join(self.duo)}."]
