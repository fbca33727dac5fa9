"""Questions of data owners on a study, as its researcher reads and answers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.federation.questions import MOST_QUESTIONS, Place, Reply, read_text, sha256
from securefl.federation.study_board import StudyBoard
from securefl.party.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.identity import IdentityCard
    from securefl.party.folder import PartyFolder
    from securefl.study.sealed import SealedStudy


@dataclass(frozen=True)
class AskedQuestion:
    """A hospital's question, and the answer where one was sent; times are UTC."""

    site: str
    number: int
    text: str
    at: str
    reply: str | None = None


def asked_questions(folder: PartyFolder, sealed: SealedStudy) -> list[AskedQuestion]:
    """All questions that hospitals of the study signed.

    Raises:
        StoreError: the store cannot be reached.
    """
    return [question for question, _ in _asked(folder, sealed)]


def send_answer(
    folder: PartyFolder,
    sealed: SealedStudy,
    site: str,
    number: int,
    words: str,
) -> None:
    """Sign the answer to a question and put it on the board. One answer to a question.

    Raises:
        UsageError: there is no such question, it was answered before, or the text is none.
        StoreError: the store cannot be reached.
    """
    text = read_text(words)
    for question, signed in _asked(folder, sealed):
        if (question.site, question.number) != (site, number):
            continue
        if question.reply is not None:
            raise UsageError(
                f"Question {number} of {site} was answered before; the owner keeps the first"
                " answer.",
                next_step="Wait for another question, or telephone the hospital.",
            )
        said = Reply(sealed.digest, site, number, sha256(signed), text, utc_now())
        slot = StudyBoard(folder.board, sealed.digest).reply(site, number)
        slot.post(said.dump(folder.identity.sign))
        return
    raise UsageError(
        f"There is no question {number} of {site} on this study.",
        next_step="`securefl study questions NAME` lists them.",
    )


def _asked(folder: PartyFolder, sealed: SealedStudy) -> Iterator[tuple[AskedQuestion, bytes]]:
    """Each question with its signed bytes."""
    board = StudyBoard(folder.board, sealed.digest)
    there = frozenset(board.with_questions())
    cards = folder.book.cards()
    for party in sealed.study.participants:
        card = cards.get(party.name)
        if card is None or card.signing_public != party.signing_public:
            continue
        for number in range(1, MOST_QUESTIONS + 1):
            place = Place(sealed.digest, party.name, number)
            if f"{party.name}-{number:02}" not in there:
                break
            found = _question(board, place, card, folder.identity.card)
            if found is not None:
                yield found


def _question(
    board: StudyBoard,
    place: Place,
    card: IdentityCard,
    me: IdentityCard,
) -> tuple[AskedQuestion, bytes] | None:
    """One question that its hospital signed; None where what lies there is none."""

    def checked(data: bytes) -> bytes:
        place.question(data, card.verify)
        return data

    signed = board.question(place.site, place.number).read_as(checked)
    if signed is None:
        return None
    asked = place.question(signed, card.verify)
    replied = board.reply(place.site, place.number).read_as(
        lambda data: place.reply(data, signed, me.verify)
    )
    text = None if replied is None else replied.text
    return AskedQuestion(place.site, place.number, asked.text, asked.at, text), signed
