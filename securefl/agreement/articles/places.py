"""Article 9: in which countries parties and stores are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault, Line, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case
    from securefl.agreement.schema import Agreement

#: A country by ISO 3166-1 alpha-2.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Store(Section):
    """A store as parties name it in their settings, and the country in which it is."""

    url: Line
    jurisdiction: Country


class Places(Article):
    """Countries in which parties and stores may be, and the stores that may be used.

    With no store named any may be used: parties that reach one store by paths of their own cannot
    name it alike.
    """

    number: ClassVar[int] = 9
    title: ClassVar[str] = "places"

    jurisdictions: Annotated[tuple[Country, ...], Field(min_length=1)]
    stores: tuple[Store, ...]

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        urls = [store.url for store in self.stores]
        if urls and case.store is not None and case.store not in urls:
            yield Breach(
                "stores",
                "the store in this party's settings is not among the agreed ones",
                f"Use one of these: {', '.join(urls)}; or amend the agreement.",
            )

    def contradictions(self, agreement: Agreement) -> Iterator[Fault]:
        """See the base class. In which country a party is, it says itself by its signature."""
        for place, party in enumerate(agreement.parties):
            if party.jurisdiction not in self.jurisdictions:
                yield Fault(
                    f"{party.jurisdiction} is not among places.jurisdictions",
                    "parties",
                    place,
                    "jurisdiction",
                )
        for place, store in enumerate(self.stores):
            if store.jurisdiction not in self.jurisdictions:
                yield Fault(
                    f"{store.jurisdiction} is not among places.jurisdictions",
                    "places",
                    "stores",
                    place,
                    "jurisdiction",
                )

    def clauses(self) -> list[str]:
        """See the base class."""
        said = [f"Parties and stores are in: {', '.join(self.jurisdictions)}."]
        if self.stores:
            said.append(f"Parties exchange through: {', '.join(s.url for s in self.stores)}.")
        return said
