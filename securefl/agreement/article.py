"""Article of an agreement: a table with a number, which a refusal names, and a check of studies.

Only what a program can check is an article. A promise between people stands in the prose beside it
(``agreement.md``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from securefl.study.fields import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from securefl.agreement.schema import Agreement
    from securefl.study.fields import Fault
    from securefl.study.schema import Study
    from securefl.study.table_troubles import Trouble


@dataclass(frozen=True)
class PastStudy:
    """A study on the same population that this hospital approved before.

    Attributes:
        approved: when, UTC.
        ended: when nothing more could leave for it; None while it goes on.
        epsilon: of the whole study for one patient.
    """

    approved: datetime
    ended: datetime | None
    epsilon: Decimal


@dataclass(frozen=True)
class OwnTable:
    """The table of this hospital beside the study's columns, as its owner looked at it.

    Attributes:
        looked: the owner looked at it as it is now.
        troubles: kinds of what looked wrong then.
    """

    looked: bool
    troubles: frozenset[Trouble] = frozenset()


@dataclass(frozen=True)
class Case:
    """A study before its agreement, and the facts that do not stand in either.

    Attributes:
        agreement: the agreement that the study names.
        study: the study.
        at: when the owner decides, UTC.
        departed: party → when its notice is over.
        keys: party → signing keys (hex) that its trusted card carries, the present one and earlier
            ones. A party that is missing here has the key of the agreement alone.
        history: studies approved here before; None where no ledger is at hand, as at a
            researcher's. What needs it is then left to the hospitals.
        store: where this party exchanges with the others; None where it is not known.
        table: the hospital's own; None at other parties, and once the study was approved.
    """

    agreement: Agreement
    study: Study
    at: datetime
    departed: Mapping[str, datetime] = field(default_factory=dict)
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    history: Sequence[PastStudy] | None = None
    store: str | None = None
    table: OwnTable | None = None


@dataclass(frozen=True)
class Breach:
    """Something in a study that goes beyond an article.

    Attributes:
        clause: the part of the article, as "epsilon a study".
        what: the study's figure and the agreed one, a sentence without its full stop.
        mend: what can be done, an imperative sentence.
        number: of the article.
        whose: who can do it; empty where the researcher can.
    """

    clause: str
    what: str
    mend: str
    number: int = 0
    whose: str = ""

    def __str__(self) -> str:
        return f"Article {self.number}, {self.clause}: {self.what}."


class Article(Section):
    """Base of the articles.

    Attributes:
        number: fixed for ever, so that a refusal of last year can be looked up.
        title: in a few words.
    """

    number: ClassVar[int]
    title: ClassVar[str]

    def breaches(self, case: Case) -> Iterable[Breach]:  # noqa: ARG002 - of those that check
        """Find what in a study goes beyond this article."""
        return ()

    def contradictions(self, agreement: Agreement) -> Iterator[Fault]:  # noqa: ARG002 - as above
        """Find what in the agreement cannot hold together with this article."""
        yield from ()

    def clauses(self) -> Iterable[str]:
        """Say in sentences what holds."""
        raise NotImplementedError
