"""Check of a store with one party's rights: what it keeps, how fast, and what it lets this party do.

Each finding is made by trying: objects of random names are written, read, overwritten and removed
again. Nothing that lay there before is touched.
"""

from __future__ import annotations

import secrets
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from securefl.boards.carrier import exclusive
from securefl.boards.diagnosis import UnreachedError
from securefl.boards.route import on_a_server
from securefl.errors import SecureFLError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.boards.board import Board, CarriedBoard

#: Journeys that are measured.
_JOURNEYS: Final = 5
#: Seconds by which the store's clock may be off before it is worth a word.
_CLOCK: Final = 60.0
#: Seconds of a journey from which a round of four journeys is felt.
_SLOW: Final = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        check: its name.
        result: ``ok``, ``note`` (worth knowing) or ``FAILED``.
        detail: a sentence.
    """

    check: str
    result: str
    detail: str


def check_store(
    board: CarriedBoard,
    others: Sequence[str] = (),
    *,
    clock: Callable[[], float] = time.time,
    timer: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Try a store; the findings in order.

    Args:
        board: the store, with the rights of the one who asks.
        others: folders in which other parties alone should write.
        clock: seconds since 1970 by this machine.
        timer: the monotonic clock, in seconds.
    """
    name = f"doctor-{secrets.token_hex(6)}"
    steps: list[tuple[str, Callable[[], Finding]]] = []
    if on_a_server(board.url):
        steps.append(("route", lambda: _route(board)))
    steps += [
        ("rights", lambda: _own_rights(board, name)),
        ("latency", lambda: _latency(board, name, timer)),
        ("news", lambda: _news(board, name)),
        ("clock", lambda: _clock(board, name, clock)),
        ("conditional writes", lambda: _conditional(board, name)),
    ]
    steps += [(f"place of others: {folder}", partial(_foreign, board, folder)) for folder in others]
    found = []
    try:
        for check, step in steps:
            try:
                found.append(step())
            except SecureFLError as error:
                found.append(Finding(check, "FAILED", str(error)))
            if check in {"route", "rights"} and found[-1].result == "FAILED":
                break
    finally:
        with suppress(StoreError):
            board.erase(name)
    return found


def _route(board: CarriedBoard) -> Finding:
    """Ask the server for anything: what answers, and by which way."""
    words = board.route.words(board.url)
    try:
        board.read("doctor-nothing", 1)
    except UnreachedError as error:
        return Finding("route", "FAILED", f"{words}: {error}")
    except StoreError:  # it answers; what it says of rights comes next
        return Finding("route", "note", words)
    return Finding("route", "ok", words)


def _own_rights(board: CarriedBoard, name: str) -> Finding:
    """Write, read, overwrite, remove, at a place that is there and is the store used before."""
    board.check_there()
    for token in (secrets.token_bytes(16), secrets.token_bytes(16)):
        board.post(name, token)
        if board.read(name, 16) != token:
            raise StoreError(
                f"The store {board.url} does not return what was written.",
                next_step="Check its configuration; a cache in between must be off.",
            )
    board.erase(name)
    if board.read(name, 16) is not None:
        raise StoreError(
            f"The store {board.url} still shows an object that was removed.",
            next_step="Check its configuration; a cache in between must be off.",
        )
    return Finding("rights", "ok", "an object was written, read, replaced and removed")


def _latency(board: Board, name: str, timer: Callable[[], float]) -> Finding:
    took = []
    for _ in range(_JOURNEYS):
        began = timer()
        board.post(name, b"x")
        board.read(name, 1)
        took.append(timer() - began)
    middle = statistics.median(took)
    words = f"a write and a read take {middle * 1000:.0f} ms (median of {_JOURNEYS})"
    if middle > _SLOW:
        return Finding("latency", "note", f"{words}; a round needs about ten: set longer deadlines")
    return Finding("latency", "ok", words)


def _news(board: Board, name: str) -> Finding:
    """Check that lists and stamps show what was just written."""
    board.post(name, b"one")
    listed = name in board.names()
    before = board.stamp(name)
    board.post(name, b"other")
    after = board.stamp(name)
    if not listed:
        return Finding(
            "news",
            "note",
            "a new object is not listed at once; rounds wait for it, up to their deadline",
        )
    if before is None or before == after:
        return Finding(
            "news",
            "note",
            "nothing cheap tells that an object changed; what was refused is read again each time",
        )
    return Finding("news", "ok", "new objects are listed at once, changed ones are told apart")


def _clock(board: CarriedBoard, name: str, clock: Callable[[], float]) -> Finding:
    board.post(name, b"now")
    written = board.carrier.written_at(name)
    if written is None:
        return Finding("clock", "note", "the store does not tell when an object was written")
    off = written - clock()
    words = f"the store's clock and this machine's differ by {abs(off):.0f} s"
    if abs(off) > _CLOCK:
        return Finding("clock", "note", f"{words}; studies go by each machine's own: set it right")
    return Finding("clock", "ok", words)


def _conditional(board: CarriedBoard, name: str) -> Finding:
    """Ask whether the store itself refuses a second object of one name."""
    board.erase(name)
    first = exclusive(board.carrier, name, lambda file: file.write(b"first"))
    if first is None:
        return Finding(
            "conditional writes",
            "note",
            "not offered here; nothing rests on them, two copies of a hospital are told apart by"
            " what they signed",
        )
    second = exclusive(board.carrier, name, lambda file: file.write(b"second"))
    kept = board.read(name, 16)
    if not first or second or kept != b"first":
        return Finding(
            "conditional writes",
            "note",
            "offered, and not kept: an object was replaced that was to be written once",
        )
    return Finding("conditional writes", "ok", "the store refuses a second object of one name")


def _foreign(board: Board, folder: str) -> Finding:
    """Try whether this party can write, replace and remove where another one should alone."""
    check = f"place of others: {folder}"
    path = f"{folder}/doctor-{secrets.token_hex(6)}"
    tries: list[tuple[str, Callable[[], None]]] = [
        ("put objects there", partial(board.post, path, b"mine")),
        ("replace them", partial(board.post, path, b"again")),
        ("remove them", partial(board.erase, path)),
    ]
    done = []
    for word, act in tries:
        try:
            act()
        except StoreError:
            continue
        done.append(word)
    if "put objects there" not in done:
        return Finding(check, "ok", "this party cannot write there")
    return Finding(
        check,
        "note",
        f"this party can {', '.join(done)}: nothing can be read or forged by that, but another"
        " party's objects can be lost. `securefl store policy` prints the rule that forbids it",
    )
