"""Article 13: a table is looked at before a study on it is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Self

from pydantic import model_validator

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault
from securefl.study.table_troubles import TROUBLE_WORDS, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case

_OWNER: Final = "the data owner"


class TableReadiness(Article):
    """Troubles of a table with which a study may be approved all the same.

    Each hospital's owner looks at its own table beside the study's columns first. Only that
    hospital judges: nothing of the look leaves it, and a researcher cannot check this article.
    """

    number: ClassVar[int] = 13
    title: ClassVar[str] = "readiness"

    tolerated: tuple[Trouble, ...]

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if "columns" in self.tolerated:
            raise Fault("a study needs its columns; take the word away", "tolerated")
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        table = case.table
        if table is None:
            return
        dataset = case.study.data.dataset
        name = case.study.study.id
        look = f"`securefl site data readiness {dataset} --request {name}` shows"
        if not table.looked:
            yield Breach(
                "before approval",
                f"'{dataset}' as it is now was not looked at beside this study's columns here",
                f"{look} how it stands; look at it, then decide.",
                whose=_OWNER,
            )
            return
        found = sorted(table.troubles - set(self.tolerated))
        if found:
            words = "; ".join(TROUBLE_WORDS[trouble] for trouble in found)
            yield Breach(
                "before approval",
                f"'{dataset}' is not ready: {words}",
                f"{look} where. Mend the table or its mapping, and look again.",
                whose=_OWNER,
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        first = (
            "A hospital approves a study only when its owner has looked at the table beside the"
            " study's columns, and nothing looks wrong"
        )
        if not self.tolerated:
            return [f"{first}."]
        words = "; ".join(TROUBLE_WORDS[trouble] for trouble in sorted(self.tolerated))
        return [f"{first} but, where it cannot be helped: {words}."]
