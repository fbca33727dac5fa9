"""Article 7: who is sent a model, under which licence, and until when it is used."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault, Line, Name
from securefl.study.recipients import ROLES
from securefl.study.stages import makes_model
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case
    from securefl.agreement.schema import Agreement
    from securefl.study.schema import Study


class Models(Article):
    """Recipients of models: parties by name, or ``participants``, ``coordinator``, ``aggregator``
    of a study. Licences, each written as studies write it. Days after its study closes within
    which a model expires; without them it need not.
    """

    number: ClassVar[int] = 7
    title: ClassVar[str] = "models"

    recipients: tuple[Name, ...]
    licences: Annotated[tuple[Line, ...], Field(min_length=1)]
    expire_days: Annotated[int, Field(ge=1, le=3660)] | None = None

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        study = case.study
        if not makes_model(study):
            return
        agreed = {name for word in self.recipients for name in _names(study, word)}
        sent = {name for word in study.outputs.recipients for name in _names(study, word)}
        other = sorted(sent - agreed)
        if other:
            yield Breach(
                "recipients",
                f"the study sends the model to {', '.join(other)}; agreed are"
                f" {', '.join(self.recipients) or 'none'}",
                "Take them off outputs.recipients.",
            )
        if study.outputs.licence not in self.licences:
            yield Breach(
                "licences",
                f"the study has the licence {study.outputs.licence}; agreed are"
                f" {', '.join(self.licences)}",
                "Write an agreed one as outputs.licence.",
            )
        if self.expire_days is not None:
            yield from _not_expiring(study, self.expire_days)

    def contradictions(self, agreement: Agreement) -> Iterator[Fault]:
        """See the base class."""
        known = {*ROLES, *(party.name for party in agreement.parties)}
        for place, name in enumerate(self.recipients):
            if name not in known:
                yield Fault(f'"{name}" is no party', "models", "recipients", place)

    def clauses(self) -> list[str]:
        """See the base class."""
        found = [
            f"A model is sent to nobody but: {', '.join(self.recipients) or 'nobody'}.",
            f"It has one of these licences: {', '.join(self.licences)}.",
        ]
        if self.expire_days is not None:
            found.append(f"It expires within {self.expire_days:,} days after its study closes.")
        return found


def _not_expiring(study: Study, days: int) -> Iterator[Breach]:
    """A model that never expires, or later than agreed."""
    latest = study.schedule.closes + timedelta(days=days)
    expires = study.outputs.expires
    if expires is not None and expires <= latest:
        return
    states = "the study's model does not expire"
    if expires is not None:
        states = f"the study's model expires on {expires:%Y-%m-%d}"
    yield Breach(
        "expiry of models",
        f"{states}; agreed are {days:,} days after the study closes",
        f"Write outputs.expires, at the latest {time_text(latest)}.",
    )


def _names(study: Study, word: str) -> tuple[str, ...]:
    """Parties of a study that a word stands for."""
    groups = {
        "participants": study.cohort,
        "coordinator": (study.coordinator.name,),
        "aggregator": (study.aggregator.name,),
    }
    return groups.get(word, (word,))
