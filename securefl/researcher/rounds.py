"""Rounds of a study as the researcher sees them, to be verified again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.round_plan import RoundPlan
from securefl.files import read_given
from securefl.party.rounds_view import RoundsView, choose_view
from securefl.study.sealed import SealedStudy
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from securefl.party.folder import PartyFolder


def researcher_rounds(lab: PartyFolder, name: str = "") -> RoundsView:
    """The rounds of a study of this researcher.

    Args:
        lab: the researcher's folder.
        name: of the study, or its beginning; may be left out where there is one only, or one only
            with rounds that are over.

    Raises:
        UsageError: no study or several fit.
        UnreadableError: what is kept here is not whole.
    """
    folder = lab.path / "studies"
    files = sorted(folder.glob("*/study.toml"))
    # read when it is chosen: the folder's name carries the first digits of the digest
    names = [StudyId(*file.parent.name.rsplit("-", 1)) for file in files]

    def view(study: StudyId) -> RoundsView:
        text = read_given(folder / study.name / "study.toml")
        return RoundsView(
            study.name,
            RoundPlan(SealedStudy.read(text)),
            lab.board,
            "",
            {},
        )

    return choose_view(names, name, view)
