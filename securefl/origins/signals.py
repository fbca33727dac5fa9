"""Signals in a folder, and a table that names them: WAV files of PCM samples."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, cast

import numpy as np
from pydantic import Field

from securefl.origins.beside_table import FilesBesideTable, FilesOrigin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray

#: Bytes of a sample → its type, and half of its range. One byte has no sign.
_WIDTHS: Final = {1: ("u1", 1 << 7), 2: ("<i2", 1 << 15), 4: ("<i4", 1 << 31)}


class SignalsBesideTable(FilesBesideTable):
    """Description of signals: into how many equal stretches each is cut, and which channel counts."""

    schema_: Literal["securefl-signals/1"] = Field(alias="schema")
    stretches: Annotated[int, Field(ge=1, le=4096)]
    channel: Annotated[int, Field(ge=0, le=63)] = 0


@dataclass(frozen=True)
class SignalsOrigin(FilesOrigin):
    """Signals as means over equal stretches of time, each in [-1, 1]: columns ``s0``, ``s1``, ..."""

    kind: ClassVar[str] = "signals"
    schema: ClassVar[str] = "securefl-signals/1"
    Description: ClassVar[type[FilesBesideTable]] = SignalsBesideTable

    @property
    def words(self) -> str:
        """See :class:`Origin`."""
        return "a folder of signals"

    def names(self, said: FilesBesideTable) -> list[str]:
        """See :class:`FilesOrigin`."""
        return [f"s{place}" for place in range(cast("SignalsBesideTable", said).stretches)]

    def numbers(self, data: bytes, said: FilesBesideTable) -> Sequence[float] | None:
        """See :class:`FilesOrigin`."""
        wanted = cast("SignalsBesideTable", said)
        samples = _samples(data, wanted.channel)
        if samples is None or len(samples) < wanted.stretches:
            return None
        edges = np.linspace(0, len(samples), wanted.stretches + 1).astype(np.int64)
        sums = np.add.reduceat(samples, edges[:-1])
        means: list[float] = (sums / np.diff(edges)).tolist()
        return means

    def scaled(self, numbers: Sequence[float]) -> Sequence[float]:
        """See :class:`FilesOrigin`."""
        return numbers


def _samples(data: bytes, channel: int) -> FloatArray | None:
    """One channel's samples in [-1, 1], float64[n]; None where it is no such file."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            width = file.getsampwidth()
            channels = file.getnchannels()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError):
        return None
    if width not in _WIDTHS or channel >= channels:
        return None
    kind, half = _WIDTHS[width]
    whole = len(frames) // (width * channels) * channels
    raw = np.frombuffer(frames, dtype=kind, count=whole)[channel::channels]
    shifted = raw.astype(np.float64)
    if width == 1:
        shifted -= half
    found: FloatArray = shifted / half
    return found
