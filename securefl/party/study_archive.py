"""Archive of a completed study, checked with nothing but itself and fingerprints of identity cards.

A folder::

    archive.json     every other file with its SHA-256, signed by the researcher
    study.toml       the sealed study
    board/           the study's signed objects as they lay in the store
    extracts/SITE    each hospital's audit extract as it signed it
    totals/          the sums that were opened
    model/           the released model, where the study makes one; notices on it may come later
    result.json      the figures as the researcher tells them

The contributions lie in ``board/`` only where they were asked for; without them a round is checked
by its transcript, and not added again. Nothing of a hospital is in it that the store or the
researcher did not have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import numpy as np
from pydantic import StringConstraints

from securefl.boards.opening import open_board
from securefl.errors import RoundError, UnreadableError, UntrustedError
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_plan import RoundPlan, card_of
from securefl.federation.status_board import end_of
from securefl.federation.study_board import StudyBoard
from securefl.federation.verifying import checked_transcript, verify_round
from securefl.files import file_sha256, files_below, read_file, read_given
from securefl.identity import IdentityCard, Verifier
from securefl.learning.artefact import load_model
from securefl.learning.looks import read_looks
from securefl.learning.model_notices import NOTICES
from securefl.learning.stages.roles import moves_model, opened_looks, trained
from securefl.learning.update_lengths import trained_weights
from securefl.party.audit_extract import open_extract
from securefl.statement import Hex32, Statement
from securefl.study.approval import open_approval
from securefl.study.parse import MAX_BYTES as MAX_STUDY
from securefl.study.sealed import SealedStudy
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from securefl.boards.board import Board
    from securefl.learning.artefact import Model
    from securefl.study.schema import Party
    from securefl.types import IntArray

MANIFEST: Final = "archive.json"
STUDY: Final = "study.toml"
BOARD: Final = "board"
EXTRACTS: Final = "extracts"
TOTALS: Final = "totals"
MODEL: Final = "model"
RESULT: Final = "result.json"
#: A file of an archive is at most so long; contributions are the longest.
MAX_FILE: Final = 1 << 32
_MAX_RESULT: Final = 64 << 20
_MOST_FILES: Final = 200_000
_PIECE: Final = 1 << 20
_LATER: Final = f"{MODEL}/{NOTICES}/"
#: Digits of a fingerprint that people compare.
_LEAST_DIGITS: Final = 40

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+/-]{0,400}$")]


@dataclass(frozen=True)
class ArchiveManifest(Statement):
    """The researcher's word on every file of an archive."""

    TYPE: ClassVar[str] = "securefl-study-archive/1"
    WHAT: ClassVar[str] = "The list of files"
    SENDER: ClassVar[str] = "the researcher"
    MAX_BYTES: ClassVar[int] = 64 * 1024 * 1024
    NEXT_STEP: ClassVar[str] = "Ask the researcher for the archive again."

    study: Hex32
    files: dict[FileName, Hex32]


@dataclass(frozen=True)
class NamedParty:
    """A party of the study.

    Attributes:
        name: as the study names it.
        role: hospital, aggregator or researcher.
        spoken: its fingerprint, for people.
        compared: whether a fingerprint was given for it, which then agreed.
    """

    name: str
    role: str
    spoken: str
    compared: bool


@dataclass(frozen=True)
class CheckedArchive:
    """All that an archive shows, every part of it checked.

    Attributes:
        name: the study's id with the first digits of its digest.
        title: of the study.
        digest: of the study.
        parties: all of them.
        approvals: hospital to the time of its signed approval.
        rounds: hospitals in the sum of each round.
        added_again: whether the sums were added again from contributions.
        quality: how the rule was judged, by the coordinator's signed end; "" without a rule.
        extracts: hospital to the epsilon that its ledger charged.
        missing: hospitals whose extract is not there.
        model_digest: of the model; "" where the study makes none.
        weights_follow: the model's weights are what the study's rule makes of the opened sums.
        figures: the model's figures in words.
        notices: on the model, in words: recalls by hospitals, and its expiry.
    """

    name: str
    title: str
    digest: str
    parties: tuple[NamedParty, ...]
    approvals: Mapping[str, str]
    rounds: tuple[int, ...]
    added_again: bool
    quality: str
    extracts: Mapping[str, float]
    missing: tuple[str, ...]
    model_digest: str
    weights_follow: bool
    figures: Mapping[str, str]
    notices: tuple[str, ...] = ()

    @property
    def strangers(self) -> tuple[str, ...]:
        """Parties whose fingerprint nobody gave."""
        return tuple(party.name for party in self.parties if not party.compared)


def check_archive(folder: Path, fingerprints: Mapping[str, str]) -> CheckedArchive:
    """Check an archive offline.

    The order: the study's text and its parties' fingerprints; the researcher's signed list and every
    file's hash; approvals, end, rounds, extracts; at last the model against the opened sums.

    Args:
        folder: the archive.
        fingerprints: party to its fingerprint, as that party publishes it; blanks do not count.

    Raises:
        UnreadableError: it is no archive, or a file was altered, added or taken away.
        UntrustedError: a fingerprint is another one.
        StudyError, MessageError, RoundError: a part does not hold; the error says which and whose.
    """
    if not (folder / MANIFEST).is_file():
        raise UnreadableError(
            f"{folder} is no archive of a study: it has no {MANIFEST}.",
            whose="whoever gave you the archive",
            next_step="Name the folder that `securefl study archive` made.",
        )
    sealed = SealedStudy.read(read_given(folder / STUDY, MAX_STUDY))
    plan = RoundPlan(sealed)
    parties = _parties(plan, fingerprints)
    _check_files(folder, plan)
    board = open_board(str(folder / BOARD))
    approvals = _approvals(board, plan)
    end = end_of(board, plan)
    if end is None or end.outcome != "completed":
        raise RoundError(
            "The coordinator's signed end does not say that the study was completed.",
            whose="the coordinator",
            next_step="Ask the researcher for the archive of a completed study.",
        )
    with_contributions = _has_contributions(board, plan)
    rounds, frames, added_again = _rounds(board, plan, with_contributions=with_contributions)
    extracts = _extracts(folder, plan, frames)
    digest = ""
    figures = {}
    notices: tuple[str, ...] = ()
    if makes_model(plan.study):
        model = _checked_model(folder, plan)
        digest = model.digest
        figures = model.facts.figures
        notices = model.standing().sentences
    return CheckedArchive(
        sealed.name,
        plan.study.study.title,
        plan.digest,
        parties,
        approvals,
        rounds,
        added_again=added_again,
        quality=end.quality,
        extracts=extracts,
        missing=tuple(site for site in plan.study.cohort if site not in extracts),
        model_digest=digest,
        weights_follow=bool(digest),
        figures=figures,
        notices=notices,
    )


def _parties(plan: RoundPlan, given: Mapping[str, str]) -> tuple[NamedParty, ...]:
    """All parties, each compared with the fingerprint that was given for it."""
    study = plan.study
    cards = [
        _card(study.coordinator, "researcher"),
        _card(study.aggregator, "aggregator"),
        *map(card_of, study.participants),
    ]
    unknown = sorted(set(given) - {card.name for card in cards})
    if unknown:
        raise UntrustedError(
            f"The study has no party called {', '.join(unknown)}.",
            whose="whoever gave the fingerprints",
            next_step=f"Its parties are: {', '.join(card.name for card in cards)}.",
        )
    return tuple(
        NamedParty(card.name, card.role, card.spoken, compared=_agrees(card, given))
        for card in cards
    )


def _card(party: Party, role: Any) -> IdentityCard:  # noqa: ANN401 - one of the roles
    return IdentityCard(
        party.name,
        role,
        party.legal_name,
        party.email,
        party.signing_public,
        party.sealing_public,
    )


def _agrees(card: IdentityCard, given: Mapping[str, str]) -> bool:
    if card.name not in given:
        return False
    digits = "".join(given[card.name].split()).lower()
    if len(digits) < _LEAST_DIGITS or not card.fingerprint.startswith(digits):
        raise UntrustedError(
            f"{card.name} in this archive has another fingerprint than the one given:"
            f" {card.spoken}.",
            whose=f"whoever made the archive, or {card.name}",
            next_step="Ask that party for its fingerprint; do not go by this archive.",
        )
    return True


def _check_files(folder: Path, plan: RoundPlan) -> None:
    """Hold every file to the researcher's signed list."""
    who = plan.study.coordinator
    manifest = ArchiveManifest.open(
        read_given(folder / MANIFEST, ArchiveManifest.MAX_BYTES),
        verify=Verifier(who.name, who.signing_public),
        study=plan.digest,
    )
    # notices on the model come later, each signed by a hospital
    there = {name for name in archived_files(folder) if not name.startswith(_LATER)}
    there |= {name for name in manifest.files if (folder / PurePosixPath(name)).is_file()}
    lost = sorted(manifest.files.keys() - there)
    more = sorted(there - manifest.files.keys())
    for names, what in ((lost, "is missing"), (more, "is not on the researcher's list")):
        if names:
            raise _altered(f"{names[0]} {what}")
    for name, digest in manifest.files.items():
        if archived_sha256(folder / PurePosixPath(name)) != digest:
            raise _altered(f"{name} is not the file that the researcher signed")


def archived_files(folder: Path) -> set[str]:
    """Names of all files of an archive but its list.

    Raises:
        UnreadableError: something is no file, or there are too many.
    """
    return files_below(folder, _MOST_FILES, _altered) - {MANIFEST}


def archived_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file of an archive. Raises UnreadableError where it is too long."""
    if path.stat().st_size > MAX_FILE:
        raise _altered(f"{path.name} is too long")
    return file_sha256(path)


def _altered(why: str) -> UnreadableError:
    return UnreadableError(
        f"This archive cannot be relied on: {why}.",
        whose="whoever gave you the archive",
        next_step="Ask the researcher for it again.",
    )


def _approvals(board: Board, plan: RoundPlan) -> dict[str, str]:
    """Each hospital's approval of exactly this study."""
    found = {}
    for participant in plan.study.participants:
        site = participant.name
        data = StudyBoard(board, plan.digest).approval(site).read()
        if data is None:
            raise RoundError(
                f"The approval of {site} is not in the archive.",
                whose="whoever made the archive",
                next_step=f"Ask {site} whether it approved {plan.digest}.",
            )
        key = Verifier(site, participant.signing_public)
        found[site] = open_approval(data, site=site, study=plan.digest, verify=key).at
    return found


def _has_contributions(board: Board, plan: RoundPlan) -> bool:
    return bool(RoundBoard.numbered(board, plan.digest, 1).contributors())


def _rounds(
    board: Board,
    plan: RoundPlan,
    *,
    with_contributions: bool,
) -> tuple[tuple[int, ...], dict[int, Mapping[str, str]], bool]:
    """Hospitals in each round's sum; round to hospital to the hash of its frame, where known; and
    True where all sums were added again.
    """
    counts = []
    added_again = with_contributions
    frames: dict[int, Mapping[str, str]] = {}
    for number in range(1, plan.last_round + 1):
        if with_contributions:
            found = verify_round(board, plan, number)
            transcript = found.transcript
            frames[number] = found.frames
            # a study may remove the contributions of its old rounds
            added_again = added_again and found.added_again
        else:
            transcript, _, _ = checked_transcript(board, plan, number)
            if not plan.survives_losses:
                frames[number] = transcript.contributions
        counts.append(len(transcript.contributions))
    return tuple(counts), frames, added_again


def _extracts(
    folder: Path,
    plan: RoundPlan,
    frames: Mapping[int, Mapping[str, str]],
) -> dict[str, float]:
    """Epsilon in each extract, which must tell of the frames that are in the sums."""
    found = {}
    for site in plan.study.cohort:
        try:
            signed = read_file(folder / EXTRACTS / site, 1 << 24)
        except FileNotFoundError:
            continue
        extract = open_extract(signed, plan.digest, site, plan.study)
        for number, by_site in frames.items():
            sent = {one["round"]: one["sha256"] for one in extract["releases"]}
            if site in by_site and sent.get(number) != by_site[site]:
                raise RoundError(
                    f"The ledger of {site} tells of another contribution to round {number} than the"
                    " one in its sum.",
                    whose=f"the coordinator, or {site}",
                    next_step=f"Ask {site} for its audit.",
                )
        found[site] = float(extract["epsilon"])
    return found


def _checked_model(folder: Path, plan: RoundPlan) -> Model:
    """The model, held to the opened sums and to the figures that are told."""
    model = load_model(folder / MODEL)
    totals = list(KeptTotals(folder / TOTALS).all())
    if model.facts.study_digest != plan.digest or len(totals) != plan.last_round:
        raise _altered("its model or its opened sums are of another study")
    trained = [
        (total, contributors)
        for number, total, contributors in totals
        if moves_model(plan.programme.at(number))
    ]
    if not np.array_equal(trained_weights(plan.study, trained), model.theta):
        raise RoundError(
            "The model's weights are not what the study's rule makes of the opened sums.",
            whose="whoever made the archive",
            next_step="Do not go by this model; ask the researcher.",
        )
    _check_figures(folder, totals)
    _check_looks(folder, plan, totals)
    return model


def _check_looks(
    folder: Path,
    plan: RoundPlan,
    totals: Sequence[tuple[int, IntArray, int]],
) -> None:
    """Hold the figures on the way that are told to the opened sums of the looks."""
    opened = [sums for _, sums in opened_looks(plan.programme, totals)]
    if not opened:
        return
    told = json.loads(read_file(folder / RESULT, _MAX_RESULT))
    place = trained(plan.programme).place
    found = read_looks(plan.study, opened).record()
    if {**told["stages"][place], **found} != told["stages"][place]:
        raise RoundError(
            "The figures on the way that are told do not come from the opened sums.",
            whose="whoever made the archive",
            next_step="Do not go by these figures; ask the researcher.",
        )


def _check_figures(folder: Path, totals: Sequence[tuple[int, Any, int]]) -> None:
    """Hold the released histogram that is told to one of the opened sums."""
    told = json.loads(read_file(folder / RESULT, _MAX_RESULT))
    histogram = told.get("histogram")
    opened = [total.tolist() for _, total, _ in totals]
    if histogram is not None and histogram not in opened:
        raise RoundError(
            "The figures that are told do not come from an opened sum.",
            whose="whoever made the archive",
            next_step="Do not go by these figures; ask the researcher.",
        )
