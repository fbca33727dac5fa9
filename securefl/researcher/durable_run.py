"""Run of a study in its researcher's folder: what is durable before it is used.

Implements :class:`securefl.federation.run_memory.RunMemory`. A folder for each round, for its owner
alone::

    run/00001/key, model      as they are posted
              secret          the round's secret key (1024 bytes, 0600), until the sum was opened
              announcement    as it is posted; written last: from here on the round may be posted
              survivors       in a study that goes on after a loss
              intent          hospital → hash of the frame that is about to be opened
              opening         as it is shown to the participants
              record          of the round; written last: from here on it is over
    run/totals/00001          the opened sum

The secret key is overwritten when the round is over, or the study. A thief of the disk who comes
before has one key, which opens the sum of the round that is going on.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from securefl.errors import UnreadableError
from securefl.federation.checked_round import Broadcast
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_record import RoundRecord
from securefl.federation.run_memory import FinishedRound, KeptRound, check_same_parts
from securefl.files import (
    entries,
    erase_file,
    private_folder,
    read_file,
    read_secret,
    replace_file,
    write_secret,
)
from securefl.secagg.total_check import SECRET_BYTES, RoundSecret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER: Final = "run"
TOTALS: Final = "totals"
_KEY_FILE: Final = "secret"
_RECORD: TypeAdapter[RoundRecord] = TypeAdapter(RoundRecord)
_PARTS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class DurableOpening:
    """One round's opening on disk: :class:`securefl.federation.run_memory.OpeningMemory`.

    Args:
        number: of the round.
        folder: of the round.
    """

    number: int
    folder: Path

    def survivors(self) -> bytes | None:
        """See :class:`OpeningMemory`."""
        return _read(self.folder / "survivors")

    def keep_survivors(self, proposal: bytes) -> None:
        """See :class:`OpeningMemory`."""
        replace_file(self.folder / "survivors", proposal)

    def intend(self, parts: Mapping[str, str]) -> None:
        """See :class:`OpeningMemory`."""
        file = self.folder / "intent"
        before = _read(file)
        if before is None:
            replace_file(file, json.dumps(dict(parts)).encode())
            return
        check_same_parts(
            self.number,
            _parsed(_PARTS, before, file),
            parts,
        )


class DurableRun:
    """Run of one study on disk.

    Args:
        study: the study's folder at its researcher.
    """

    def __init__(self, study: Path) -> None:
        self._folder = study / FOLDER
        self._totals = KeptTotals(self._folder / TOTALS)

    @property
    def announced(self) -> bool:
        """True if a round may have been announced from this folder."""
        return (self._of(1) / "announcement").exists()

    def finished(self) -> Iterator[FinishedRound]:
        """See :class:`RunMemory`."""
        for number, total, _ in self._totals.all():
            folder = self._of(number)
            record = _read(folder / "record")
            if record is None:  # the total is written first
                return
            self._end_round(folder)  # of a process that was killed before it did
            yield FinishedRound(
                read_file(folder / "announcement"),
                _parsed(_RECORD, record, folder / "record"),
                total,
                read_file(folder / "opening"),
            )

    def begun(self, number: int) -> KeptRound | None:
        """See :class:`RunMemory`."""
        folder = self._of(number)
        announcement = _read(folder / "announcement")
        if announcement is None:
            return None
        given = Broadcast(
            announcement,
            read_file(folder / "key"),
            read_file(folder / "model"),
        )
        size = (folder / _KEY_FILE).stat().st_size
        secret = read_secret(folder / _KEY_FILE, min(size, SECRET_BYTES))
        return KeptRound(given, RoundSecret.unpack(secret))

    def begin(
        self,
        number: int,
        given: Broadcast,
        secret: RoundSecret,
    ) -> None:
        """See :class:`RunMemory`."""
        private_folder(self._folder)
        folder = private_folder(self._of(number))
        # of a process that was killed before the round could be posted
        erase_file(folder / _KEY_FILE)
        write_secret(folder / _KEY_FILE, secret.pack())
        replace_file(folder / "key", given.key)
        replace_file(folder / "model", bytes(given.model))
        replace_file(folder / "announcement", given.announcement)

    def begun_at(self) -> list[datetime]:
        """When each round was made durable, just before it was announced, in order."""
        times = []
        for folder in sorted(entries(self._folder)):
            with suppress(FileNotFoundError):
                made = (folder / "announcement").stat().st_mtime
                times.append(datetime.fromtimestamp(made, UTC))
        return times

    def opening(self, number: int) -> DurableOpening:
        """See :class:`RunMemory`."""
        return DurableOpening(number, self._of(number))

    def finish(self, finished: FinishedRound) -> None:
        """See :class:`RunMemory`."""
        record = finished.record
        folder = self._of(finished.record.round)
        replace_file(folder / "opening", finished.opening)
        self._totals.keep(record.round, finished.total, len(record.contributions))
        replace_file(folder / "record", json.dumps(asdict(record)).encode())
        self._end_round(folder)

    def erase_keys(self) -> None:
        """Erase every secret key, and the models that were sealed; harmless when they are gone."""
        for folder in entries(self._folder):
            self._end_round(folder)

    def erase(self) -> None:
        """Erase all that only a run that goes on needs; harmless when it is gone.

        The opened sums stay: reports and archives are made from them.
        """
        self.erase_keys()
        for entry in entries(self._folder):
            if entry.name != TOTALS:
                shutil.rmtree(entry, ignore_errors=True)

    def _of(self, number: int) -> Path:
        return self._folder / f"{number:05d}"

    @staticmethod
    def _end_round(folder: Path) -> None:
        erase_file(folder / _KEY_FILE)
        (folder / "model").unlink(missing_ok=True)


def _read(file: Path) -> bytes | None:
    try:
        return read_file(file)
    except FileNotFoundError:
        return None


def _parsed(kind: TypeAdapter[Any], data: bytes, file: Path) -> Any:  # noqa: ANN401 - one of two
    try:
        return kind.validate_json(data)
    except ValidationError:
        raise UnreadableError(
            f"{file} was altered or damaged.",
            next_step="The study cannot go on from here; make a new one.",
        ) from None
