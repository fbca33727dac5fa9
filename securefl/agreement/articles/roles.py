"""Article 1: who takes part in which role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault, Name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case
    from securefl.agreement.parties import AgreedParty
    from securefl.agreement.schema import Agreement
    from securefl.study.schema import Party

#: Words that stand for every party of a role.
RESEARCHERS: Final = "researchers"
AGGREGATORS: Final = "aggregators"
WORDS: Final = {RESEARCHERS: "researcher", AGGREGATORS: "aggregator"}

Names = Annotated[tuple[Name, ...], Field(min_length=1)]


class Roles(Article):
    """Parties that may lead a study and those that may add the ciphertexts, by name, or
    ``researchers`` and ``aggregators`` for all of them. Every hospital of a study is a party.
    """

    number: ClassVar[int] = 1
    title: ClassVar[str] = "who leads, who aggregates, who takes part"

    lead: Names
    aggregate: Names

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class. A name counts with the key that was agreed, or its successor."""
        study = case.study
        known = {party.name: party for party in case.agreement.parties}
        if not self._may(study.coordinator, self.lead, RESEARCHERS, case, known):
            yield Breach(
                "who may lead",
                f"{study.coordinator.name} is not among those who may ({', '.join(self.lead)}),"
                " or has other keys there",
                "Let one of these lead the study, or amend the agreement.",
            )
        if not self._may(study.aggregator, self.aggregate, AGGREGATORS, case, known):
            yield Breach(
                "who may aggregate",
                f"{study.aggregator.name} is not among those who may"
                f" ({', '.join(self.aggregate)}), or has other keys there",
                "Make the study with one of these, or amend the agreement.",
            )
        for participant in study.participants:
            party = known.get(participant.name)
            if party is None or party.role != "hospital" or not _same(participant, party, case):
                yield Breach(
                    "who takes part",
                    f"{participant.name} is no hospital of the agreement, or has other keys there",
                    "Leave it out, or amend the agreement.",
                )

    def _may(
        self,
        party: Party,
        named: tuple[str, ...],
        word: str,
        case: Case,
        known: dict[str, AgreedParty],
    ) -> bool:
        """True if the party is one of those named, in that role and with the agreed keys."""
        agreed = known.get(party.name)
        if agreed is None or agreed.role != WORDS[word]:
            return False
        if party.name not in named and word not in named:
            return False
        return _same(party, agreed, case)

    def contradictions(self, agreement: Agreement) -> Iterator[Fault]:
        """See the base class."""
        roles = {party.name: party.role for party in agreement.parties}
        for key, word in (("lead", RESEARCHERS), ("aggregate", AGGREGATORS)):
            for place, name in enumerate(getattr(self, key)):
                if name == word and WORDS[word] in roles.values():
                    continue
                if roles.get(name) != WORDS[word]:
                    yield Fault(
                        f'"{name}" is no {WORDS[word]} among the parties',
                        "roles",
                        key,
                        place,
                    )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            f"A study is led by: {', '.join(self.lead)}.",
            f"Its ciphertexts are added by: {', '.join(self.aggregate)}.",
            "Every hospital of a study is a party of the agreement.",
        ]


def _same(party: Party, agreed: AgreedParty, case: Case) -> bool:
    """True if a study names the key that was agreed, or one that took over from it."""
    if party.signing_public == agreed.signing_public:
        return True
    carried = case.keys.get(agreed.name, frozenset())
    return {party.signing_public, agreed.signing_public} <= carried
