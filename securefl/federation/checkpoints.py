"""Checkpoints of ledgers on their way to the other hospitals and back.

A hospital's chain of events proves itself, but for its end: a restored backup is a sound ledger
that has forgotten the last approvals that were used and the last unmasking answers that were given.
So each hospital hands a signed checkpoint of its ledger to every other participant when a study
starts and after each round, and asks for them back when its agent starts: a hospital asks with a
number used once, and every other one answers under that number with the newest checkpoint that it
holds. An old answer therefore cannot be played again, not by the store's operator either, and a
checkpoint is the asker's own signed word, so nobody can invent one.

A checkpoint is handed out together with the list of those that the same reader was handed before.
Several studies at once hand out through several objects, which are read in any order; with the list
the reader tells an older word of the same ledger from the word of another past
(:func:`another_past`).

On the way they are sealed to their reader: the number of events would tell the store's operator and
the researcher how much a hospital does elsewhere. The other hospitals do see it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer

from securefl.federation.paths import study_root
from securefl.statement import Hex32, HexBytes, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.boards.board import Board

MAX_CHECKPOINT: Final = 4096
#: A sealed checkpoint, or an answer that carries one in hex.
MAX_SEALED: Final = 16 * 1024

#: A moment of a ledger: number of events, hash of the last one in hex.
Point: TypeAlias = tuple[int, str]
#: As many earlier checkpoints as a handed one lists; the older ones are left out.
MOST_PAST: Final = 48
#: The folder whose listing tells who asks something new: one look in place of one a partner.
ASKED: Final = "checkpoints-asked"
_MARK_DIGITS: Final = 16
# of one width, so that the length of what is sealed does not tell the number of events
_POINT = re.compile(r"([0-9]{16}):([0-9a-f]{64})")


def handed_path(digest: str, site: str, reader: str) -> str:
    """A hospital's checkpoint for one other participant of a study."""
    return f"{study_root(digest)}/checkpoints/{site}/{reader}"


def ask_path(site: str) -> str:
    """A hospital's question for its checkpoints."""
    return f"checkpoints/{site}/ask"


def asked_mark(site: str, nonce: str) -> str:
    """Name of an empty object in :data:`ASKED`: which hospital asks, and which question it is."""
    return f"{site}.{nonce[:_MARK_DIGITS]}"


def marks_of_asked(board: Board) -> list[str]:
    """Marks of questions that lie on the board; nobody's word yet."""
    return board.names(ASKED)


def mark_asked(board: Board, site: str, nonce: str) -> None:
    """Let the others' one listing tell them that there is a new question of a hospital; call it
    when the question itself is on the board. Marks of its earlier questions go.
    """
    mark = asked_mark(site, nonce)
    for other in marks_of_asked(board):
        if other.startswith(f"{site}.") and other != mark:
            board.erase(f"{ASKED}/{other}")
    board.post(f"{ASKED}/{mark}", b"")


def held_path(site: str, holder: str) -> str:
    """One holder's answer to it."""
    return f"checkpoints/{site}/held/{holder}"


def handed_info(digest: str, site: str, reader: str) -> bytes:
    """HPKE context under which a handed checkpoint is sealed."""
    return f"securefl/checkpoint/1/{digest}/{site}/{reader}".encode()


def held_info(site: str, holder: str) -> bytes:
    """HPKE context under which an answer is sealed."""
    return f"securefl/checkpoint-held/1/{site}/{holder}".encode()


def _read_points(listed: object) -> object:
    """The points of a list of text, as it travels."""
    if not isinstance(listed, list):
        raise ValueError("no list")  # noqa: TRY004 - pydantic reads ValueError
    found = [_POINT.fullmatch(text) if isinstance(text, str) else None for text in listed]
    points = tuple((int(match[1]), match[2]) for match in found if match is not None)
    if len(points) != len(listed):
        raise ValueError("no list of points")
    return points


def _read_point(listed: object) -> object:
    """The point of a list of one, None for an empty list."""
    points = _read_points(listed)
    if not isinstance(points, tuple) or len(points) > 1:
        raise ValueError("more than one point")
    if points:
        return points[0]
    return None


def _write_points(points: tuple[Point, ...]) -> list[str]:
    return [f"{size:016d}:{head}" for size, head in points[-MOST_PAST:]]


def _write_point(point: Point | None) -> list[str]:
    return _write_points((point,) if point else ())


@dataclass(frozen=True)
class Handed(Statement):
    """Checkpoint of ``site``'s ledger, handed to ``reader`` as it was signed.

    The checkpoint in it is checked by its own reader.

    Args:
        site: whose ledger.
        reader: for whom it is; to somebody else it says nothing.
        checkpoint: the signed checkpoint.
        past: (number of events, last hash) of the checkpoints handed to this reader before, oldest
            first, without gaps from the first one listed on; the last :data:`MOST_PAST` travel.
        held: the newest that this reader gave back when it was asked, if any: it bridges a list
            that was lost.
    """

    TYPE: ClassVar[str] = "securefl-checkpoint-handed/1"
    WHAT: ClassVar[str] = "A checkpoint handed out by a statement"
    MAX_BYTES: ClassVar[int] = MAX_SEALED

    site: str
    reader: str
    checkpoint: HexBytes
    past: Annotated[
        tuple[Point, ...],
        Field(max_length=MOST_PAST),
        BeforeValidator(_read_points),
        PlainSerializer(_write_points),
    ] = ()
    held: Annotated[Point | None, BeforeValidator(_read_point), PlainSerializer(_write_point)] = (
        None
    )


@dataclass(frozen=True)
class KnownPast:
    """Past of one ledger as far as a reader knows it.

    Args:
        heads: last hash by number of events, of every checkpoint of it that is known here.
        since: from this number of events on, ``heads`` has every checkpoint that this reader was
            ever handed.
        newest: the largest number of events known.
    """

    heads: Mapping[int, str]
    since: int
    newest: int

    def with_newer(
        self,
        size: int,
        head: str,
        past: tuple[Point, ...],
    ) -> KnownPast:
        """The same after a newer checkpoint that agrees with it; only the last ones are kept."""
        listed = {**dict(past), size: head}
        first = min(listed)
        # A list that begins behind all that is known leaves a gap: complete only from here on.
        since = size
        if first > self.newest:
            since = first
        if self.newest in listed:  # both lists are without gaps, and they meet
            since = min(self.since, first)
        heads = dict(sorted({**self.heads, **listed}.items())[-2 * MOST_PAST :])
        return KnownPast(heads, max(since, min(heads)), size)


def first_seen(size: int, head: str, past: tuple[Point, ...]) -> KnownPast:
    """The past of a ledger of which this is the first checkpoint."""
    return KnownPast({}, size, 0).with_newer(size, head, past)


def another_past(
    known: KnownPast,
    size: int,
    head: str,
    past: tuple[Point, ...],
    held: Point | None = None,
) -> int | None:
    """Return the number of events at which a handed checkpoint contradicts what is known.

    None where it does not. A ledger only grows, so one that grew on from a known checkpoint lists
    it, and one that is older is listed by those that came after it. Order of arrival proves
    nothing, and an older word that was handed before is no fault.

    >>> known = first_seen(9, "c", ((5, "a"), (7, "b")))
    >>> another_past(known, 7, "b", ((5, "a"),)) is None  # older, and known: read late
    True
    >>> another_past(known, 7, "x", ((5, "a"),)), another_past(known, 8, "x", ())
    (7, 8)
    >>> another_past(known, 12, "d", ((5, "a"),))
    9
    >>> another_past(known, 12, "d", (), held=(9, "c")) is None  # knows what is held here
    True
    """
    listed = {**dict(past), size: head}
    differs = [s for s, h in listed.items() if known.heads.get(s, h) != h]
    if differs:
        return min(differs)
    if size < known.newest:  # unknown although all that was handed out in this range is known
        if size >= known.since and size not in known.heads:
            return size
        return None
    if known.newest in listed or held == (known.newest, known.heads[known.newest]):
        return None
    cut_short = len(past) == MOST_PAST and min(listed) > known.newest
    if cut_short:
        return None
    return known.newest


@dataclass(frozen=True)
class Ask(Statement):
    """``site`` asks the others for the newest checkpoint of its ledger that they hold.

    ``nonce``: 32 bytes in hex, used once.
    """

    TYPE: ClassVar[str] = "securefl-checkpoint-ask/1"
    WHAT: ClassVar[str] = "A question"

    site: str
    nonce: Hex32


@dataclass(frozen=True)
class Held(Statement):
    """Answer of ``holder`` to ``site``: the newest signed checkpoint of its ledger that is held.

    Or nothing (empty). Whether its nonce is the one asked with is for the asker to see.
    """

    TYPE: ClassVar[str] = "securefl-checkpoint-held/1"
    WHAT: ClassVar[str] = "An answer"
    MAX_BYTES: ClassVar[int] = MAX_SEALED

    holder: str
    site: str
    nonce: Hex32
    checkpoint: HexBytes
