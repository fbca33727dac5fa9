"""Check of a new study against the agreement under which it is made, before it is sent to
anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.agreement.article import Case
from securefl.agreement.checking import check_study
from securefl.errors import StudyError
from securefl.party.consortium import known_keys

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.agreement.sealed import SealedAgreement
    from securefl.party.folder import PartyFolder
    from securefl.study.schema import Study


def check_agreed(
    mine: PartyFolder,
    sealed: SealedAgreement,
    study: Study,
    now: datetime,
) -> None:
    """Refuse a study that goes beyond an article, with all that does.

    What only a hospital's ledger knows (epsilon a quarter, days between studies) is left to the
    hospitals.

    Raises:
        StudyError: naming each article.
    """
    agreement = sealed.agreement
    case = Case(
        agreement,
        study,
        now,
        keys=known_keys(mine, agreement),
        store=mine.settings.store,
    )
    faults = [str(breach) for breach in check_study(case)]
    population = study.data.population
    if population not in agreement.consortium.populations:
        covered = ", ".join(agreement.consortium.populations)
        faults.append(f"It covers the patients of {covered}, and the study is on {population}.")
    if faults:
        raise StudyError(
            f"The study goes beyond the agreement of {agreement.consortium.id}:\n"
            + "\n".join(f"  {fault}" for fault in faults)
            + "\n",
            whose="the researcher",
            next_step="Mend the protocol, or amend the agreement with `securefl consortium amend`.",
        )
