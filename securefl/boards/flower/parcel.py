"""Parcels: what one message of Flower carries between the ServerApp and a spool.

A parcel is a length, a header in JSON and the bytes of its objects, one after another. It says which
objects were posted or erased and nothing else: no request, no code and no command has a place in it.
Sizes and fields are checked before anything is done with a parcel; paths are checked as those of
every board.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from securefl.boards.board import check_canonical
from securefl.errors import MessageError

#: Bytes of a header, at most.
MAX_HEADER: Final = 4 << 20
#: Bytes of one object, at most: what Flower carries in one message is below 2 GiB.
MAX_OBJECT: Final = 1 << 30
#: Bytes of objects after which a parcel is closed; the rest travels with the next.
FULL: Final = 32 << 20
#: Objects in a parcel, at most.
MOST: Final = 2000

_LENGTH: Final = struct.Struct(">I")
_Name = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_Number = Annotated[int, Field(ge=0, lt=1 << 62)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Entry(_Part):
    """One object in a header; ``size`` is None where it was erased.

    ``number`` is the spool's count of its own posts on the way up, the store's on the way down.
    """

    path: Annotated[str, Field(max_length=2000)]
    number: _Number
    size: Annotated[int, Field(ge=0, le=MAX_OBJECT)] | None


class _Header(_Part):
    entries: Annotated[tuple[Entry, ...], Field(max_length=MOST)]


class Report(_Header):
    """From a spool: what its party posted, and up to where it has what others posted.

    ``store`` is empty until the first delivery came.
    """

    form: Literal["securefl-flower-report/1"] = "securefl-flower-report/1"
    spool: _Name
    store: _Name | Literal[""]
    cursor: _Number


class Delivery(_Header):
    """To a spool: what others posted after ``since`` and up to ``upto``.

    ``accepted`` is the last number of this spool's own posts that the store keeps.
    """

    form: Literal["securefl-flower-delivery/1"] = "securefl-flower-delivery/1"
    store: _Name
    spool: _Name | Literal[""]
    since: _Number
    upto: _Number
    accepted: _Number


@dataclass(frozen=True)
class Change:
    """An object as it was posted; ``data`` is None where it was erased."""

    path: str
    number: int
    data: bytes | None

    @property
    def entry(self) -> Entry:
        """This change in a header."""
        return Entry(path=self.path, number=self.number, size=_size(self.data))


T = TypeVar("T", bound=_Header)


def pack(header: _Header, changes: list[Change]) -> bytes:
    """The parcel of a header and of the changes that it lists."""
    said = header.model_dump_json().encode()
    bodies = [change.data for change in changes if change.data is not None]
    return b"".join([_LENGTH.pack(len(said)), said, *bodies])


def unpack(parcel: bytes, kind: type[T]) -> tuple[T, list[Change]]:
    """Return what :func:`pack` was given.

    Raises:
        MessageError: it is no such parcel; nothing of it is to be used.
    """
    header, start = _read_header(parcel, kind)
    sizes = [entry.size or 0 for entry in header.entries]
    if start + sum(sizes) != len(parcel):
        raise _refused("its objects have another length than it says")
    changes = []
    for entry, size in zip(header.entries, sizes, strict=True):
        check_canonical(entry.path)
        data = None if entry.size is None else parcel[start : start + size]
        changes.append(Change(entry.path, entry.number, data))
        start += size
    numbers = [change.number for change in changes]
    if numbers != sorted(set(numbers)):
        raise _refused("its objects are not in their order")
    return header, changes


def _read_header(parcel: bytes, kind: type[T]) -> tuple[T, int]:
    if len(parcel) < _LENGTH.size:
        raise _refused("it is too short")
    (length,) = _LENGTH.unpack_from(parcel)
    start = _LENGTH.size + length
    if length > MAX_HEADER or start > len(parcel):
        raise _refused("its header is longer than it can be")
    try:
        return kind.model_validate_json(parcel[_LENGTH.size : start]), start
    except ValidationError:
        raise _refused("its header is none") from None


def _refused(why: str) -> MessageError:
    return MessageError(
        f"A message of Flower's is no parcel: {why}. It was not used.",
        next_step="Ask whoever runs the SuperLink which app runs there.",
    )


def _size(data: bytes | None) -> int | None:
    if data is None:
        return None
    return len(data)
