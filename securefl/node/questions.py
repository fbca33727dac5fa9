"""Questions that this hospital's owner asked on a request, kept here with their answers.

The first answer that holds is kept before it is shown, and no other one takes its place. Once the
owner has decided, a signed record names everything that had been asked and answered by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from securefl.errors import StoreError, UsageError
from securefl.federation import paths
from securefl.federation.questions import (
    MAX_BYTES,
    MOST_QUESTIONS,
    Place,
    Question,
    read_text,
    sha256,
)
from securefl.federation.study_board import StudyBoard
from securefl.files import entries, private_folder, read_file, replace_file
from securefl.party.clock import utc_now
from securefl.party.outbox import post
from securefl.report.questions import Exchange
from securefl.statement import Hex32, Statement

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.node.site import Site
    from securefl.study.schema import Study

_RECORD: Final = "thread.json"


@dataclass(frozen=True)
class ThreadRecord(Statement):
    """Owner's signed record of what was asked and answered when a request was decided.

    ``questions`` and ``replies`` are the SHA-256 of the signed texts by number; an empty reply is
    none.
    """

    TYPE: ClassVar[str] = "securefl-decision-thread/1"
    WHAT: ClassVar[str] = "A record of questions"

    study: Hex32
    site: str
    decision: Annotated[str, Field(max_length=20)]
    questions: list[str]
    replies: list[str]
    at: str


def ask(site: Site, digest: str, words: str) -> Question:
    """Sign a question, keep it, and send it to the researcher.

    Raises:
        UsageError: the text is none, or too many questions were asked.
    """
    text = read_text(words)
    with site.deciding():
        number = len(_kept(site, digest)) + 1
        if number > MOST_QUESTIONS:
            raise UsageError(
                f"{MOST_QUESTIONS} questions were asked on this request, the most there can be.",
                whose="the data owner",
                next_step="Telephone the researcher, or refuse with a reason.",
            )
        asked = Question(digest, site.name, number, text, utc_now())
        signed = asked.dump(site.identity.sign)
        private_folder(_folder(site, digest))
        replace_file(_folder(site, digest) / f"{number:02}.question", signed)
    post(site, paths.question(digest, site.name, number), signed)
    return asked


def thread(site: Site, study: Study, digest: str) -> tuple[Exchange, ...]:
    """All questions on a request, with the answers that the coordinator signed."""
    card = _coordinator(site, study)
    return tuple(
        _exchange(site, Place(digest, site.name, number), signed, card)
        for number, signed in enumerate(_kept(site, digest), 1)
    )


def was_asked(site: Site, digest: str) -> bool:
    """True if the owner asked something on this request."""
    return bool(_kept(site, digest))


def sign_thread(site: Site, digest: str, decision: str) -> None:
    """Sign what was asked and answered by the time of a decision; nothing where nothing was."""
    asked = _kept(site, digest)
    if not asked:
        return
    folder = _folder(site, digest)
    replies = [_reply_file(folder, number) for number in range(1, len(asked) + 1)]
    record = ThreadRecord(
        digest,
        site.name,
        decision,
        [sha256(data) for data in asked],
        [sha256(read_file(file)) if file.exists() else "" for file in replies],
        utc_now(),
    )
    replace_file(folder / _RECORD, record.dump(site.identity.sign))


def _exchange(
    site: Site,
    place: Place,
    signed: bytes,
    card: IdentityCard | None,
) -> Exchange:
    asked = place.question(signed, site.identity.card.verify_ever)
    unanswered = Exchange(asked.number, asked.text, asked.at)
    if card is None:
        return unanswered
    read = partial(place.reply, asked=signed, verify=card.verify)
    file = _reply_file(_folder(site, place.study), place.number)
    if not file.exists():
        _fetch(site, place, signed, card)
    if not file.exists():
        return unanswered
    reply = read(read_file(file, MAX_BYTES))
    return Exchange(asked.number, asked.text, asked.at, reply.text, reply.at)


def _fetch(
    site: Site,
    place: Place,
    signed: bytes,
    card: IdentityCard,
) -> None:
    """Keep the answer that lies on the board, if it is one."""
    slot = StudyBoard(site.board, place.study).reply(place.site, place.number)

    def checked(data: bytes) -> bytes:
        place.reply(data, signed, card.verify)
        return data

    try:
        found = slot.read_as(checked)
    except StoreError:
        return  # the page says that no answer has come
    if found is not None:
        replace_file(_reply_file(_folder(site, place.study), place.number), found)


def _coordinator(site: Site, study: Study) -> IdentityCard | None:
    """This hospital's own card of the coordinator, if the study names the same key."""
    party = study.coordinator
    card = site.book.cards().get(party.name)
    if card is None or card.signing_public != party.signing_public:
        return None
    return card


def _kept(site: Site, digest: str) -> list[bytes]:
    """Signed questions in the order in which they were asked."""
    files = [file for file in entries(_folder(site, digest)) if file.suffix == ".question"]
    return [read_file(file, MAX_BYTES) for file in files]


def _folder(site: Site, digest: str) -> Path:
    return site.study_folder(digest) / "thread"


def _reply_file(folder: Path, number: int) -> Path:
    return folder / f"{number:02}.reply"
