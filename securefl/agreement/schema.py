"""Schema of ``agreement.toml``: the consortium, its parties, and an article a table."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from securefl.agreement.article import Article
from securefl.agreement.articles.amending import Amending
from securefl.agreement.articles.cadence import Cadence
from securefl.agreement.articles.leaving import Leaving
from securefl.agreement.articles.methods import Methods
from securefl.agreement.articles.models import Models
from securefl.agreement.articles.participation import Participation
from securefl.agreement.articles.places import Places
from securefl.agreement.articles.privacy import Privacy
from securefl.agreement.articles.purposes import Purposes
from securefl.agreement.articles.quality import QualityStandard
from securefl.agreement.articles.readiness import TableReadiness
from securefl.agreement.articles.release import Release
from securefl.agreement.articles.roles import WORDS, Roles
from securefl.agreement.articles.term import Term
from securefl.agreement.parties import AgreedParty
from securefl.study.fields import Fault, Hex32, Line, Name, Section
from securefl.study.roster import check_distinct

SCHEMA = "securefl-agreement/1"


class ConsortiumSection(Section):
    """Name and version of the agreement, and the patients on whom it binds studies.

    ``supersedes`` is the digest of the version before, from the second one on; ``text_sha256`` is
    the SHA-256 of the prose, ``agreement.md``.
    """

    id: Name
    title: Line
    version: Annotated[int, Field(ge=1, le=10_000)]
    supersedes: Hex32 | None = None
    populations: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    text_sha256: Hex32

    @model_validator(mode="after")
    def _successor(self) -> Self:
        if self.version == 1 and self.supersedes is not None:
            raise Fault("the first version supersedes none; remove the line", "supersedes")
        if self.version > 1 and self.supersedes is None:
            raise Fault(
                "a later version names the digest of the one before; `securefl consortium amend`"
                " writes it",
                "supersedes",
            )
        if len(set(self.populations)) != len(self.populations):
            raise Fault("names a population twice", "populations")
        return self


class Agreement(Section):
    """Agreement of a consortium. A new article is a file in ``articles/`` and a line here."""

    schema_: Literal["securefl-agreement/1"] = Field(alias="schema")
    consortium: ConsortiumSection
    parties: Annotated[tuple[AgreedParty, ...], Field(max_length=1000)]
    roles: Roles
    purposes: Purposes
    privacy: Privacy
    methods: Methods
    participation: Participation
    quality: QualityStandard
    models: Models
    cadence: Cadence
    places: Places
    amending: Amending
    leaving: Leaving
    term: Term
    # Later than agreements that were signed: without the table it is no article of theirs.
    readiness: TableReadiness | None = None
    release: Release | None = None

    @model_validator(mode="after")
    def _parties(self) -> Self:
        hospitals = [p for p in self.parties if p.role == "hospital"]
        if len(hospitals) < 2:
            raise Fault("a consortium has at least two hospitals", "parties")
        for place, party in enumerate(self.parties):
            if party.name in WORDS:
                raise Fault("stands for all parties of a role", "parties", place, "name")
        check_distinct([(("parties", i), p) for i, p in enumerate(self.parties)])
        return self

    @model_validator(mode="after")
    def _together(self) -> Self:
        for article in self.articles:
            for fault in article.contradictions(self):
                raise fault
        return self

    @property
    def articles(self) -> tuple[Article, ...]:
        """All articles, by number."""
        values = (getattr(self, name) for name in type(self).model_fields)
        found = [value for value in values if isinstance(value, Article)]
        return tuple(sorted(found, key=lambda article: article.number))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parties, sorted."""
        return tuple(sorted(party.name for party in self.parties))

    def party(self, name: str) -> AgreedParty | None:
        """The party of that name; None if there is none."""
        return next((party for party in self.parties if party.name == name), None)
