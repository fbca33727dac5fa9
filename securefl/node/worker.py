"""The worker process: the approved training on the private table, with neither keys nor network.

Started by :mod:`securefl.node.launcher` as ``python -I -m securefl.node.worker IN OUT DOOR LIMITS``
with an empty environment. It puts up its walls, says which of them hold, and is handed the table
through DOOR if its agent finds that enough. It reads commands from a pipe and answers with arrays
of known shape. Noise and sampling are drawn here, fresh from the operating system's
generator, for every execution.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from securefl.errors import DataError, SecureFLError
from securefl.node.channel import Channel, ChannelClosedError, take_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.learning.stages.stage import Rows
    from securefl.learning.steps import RandomDraws
    from securefl.learning.table import Table
    from securefl.study.schema import Study
    from securefl.study.worker_walls import Walls, WorkerLimits

#: A command carries a study's text and a global model; 1e8 float64 parameters fit.
_MAX_COMMAND = 1 << 30
#: Bytes of a table that are read before its study begins: its header line is nearly always in them.
_CHECKED_BYTES = 1 << 16
#: Commands that bring a study's text.
_WITH_A_STUDY = frozenset(("check", "prepare", "personalize"))


class _Task:
    """What the worker holds between commands: this hospital's end of every stage."""

    def __init__(
        self,
        study: Study,
        site: str,
        rows: Rows,
        draws: RandomDraws,
    ) -> None:
        from securefl.learning.stages.programme import Programme

        self._programme = Programme(study)
        self._ends = [
            stage.local(
                study,
                site,
                rows,
                draws,
            )
            for stage in self._programme.stages
        ]
        #: Values of the last answer that were cut to the largest of a field; for the owner's own
        #: screen.
        self.clamped = 0

    def release(self, number: int, public: bytes | bytearray) -> bytes:
        """What is due in the round of that number, noised, as little-endian int64."""
        from securefl.learning.models import weights_from_bytes

        step = self._programme.at(number)
        end = self._ends[step.stage.place]
        given = weights_from_bytes(public, step.stage.public_length)
        values = end.answer(step.release, given).astype("<i8").tobytes()
        self.clamped = end.clamped
        return values


def _prepare(
    header: dict[str, Any],
    body: bytes,
    data_fd: int,
) -> tuple[_Task, dict[str, Any]]:
    from securefl.learning.features import prepare
    from securefl.learning.patient_hashes import patients_among
    from securefl.learning.split import split_rows
    from securefl.learning.stages.stage import Rows
    from securefl.learning.steps import RandomDraws
    from securefl.privacy.randomness import SystemRandomness
    from securefl.study.parse import parse_study

    study = parse_study(body[: header["text"]])
    whole, data = _table(data_fd, header)
    table = _without_removed(whole, study, header, body)
    secret = bytes.fromhex(header["split_secret"])
    prepared = prepare(table, study.data, secret, study.privacy.unit)
    train, held_out = split_rows(prepared, secret, study.data.holdout)
    draws = RandomDraws(SystemRandomness())
    task = _Task(study, header["site"], Rows(train, held_out), draws)
    counts = {
        "rows": whole.rows,
        "taken_out": whole.rows - table.rows,
        "kept": len(prepared.y),
        "set_aside": dict(prepared.set_aside),
        "training": len(train.y),
        "held_out": len(held_out.y),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    key = bytes.fromhex(header.get("patient_key", ""))
    if key:
        counts["patients"] = patients_among(whole.column(study.data.patient), key).dump().hex()
    return task, counts


def _personalize(
    header: dict[str, Any],
    body: bytes,
    data_fd: int,
) -> tuple[dict[str, Any], bytes]:
    """Make the owner's personal model of a finished one: facts for the owner's own screen, and its
    weights as little-endian float64, whichever is kept.
    """
    import numpy as np

    from securefl.learning.features import prepare
    from securefl.learning.models import weights_to_bytes
    from securefl.learning.personal.personalize import personalize
    from securefl.learning.split import split_rows
    from securefl.study.parse import parse_study

    start = header["text"]
    end = header["text"] + header["weights"]
    weights = body[start:end]
    study = parse_study(body[:start])
    whole, data = _table(data_fd, header)
    table = _without_removed(whole, study, header, body)
    secret = bytes.fromhex(header["split_secret"])
    prepared = prepare(table, study.data, secret, study.privacy.unit)
    halves = split_rows(prepared, secret, study.data.holdout)
    common = np.frombuffer(weights, dtype="<f8").astype(np.float64)
    facts, personal = personalize(study, common, halves, secret)
    said = {"facts": facts.model_dump(), "sha256": hashlib.sha256(data).hexdigest()}
    return said, weights_to_bytes(personal)


def _check(header: dict[str, Any], text: bytes, data_fd: int) -> None:
    """Raise :class:`DataError` where the table's header does not fit the study.

    No row is looked at: when a hospital is ready is public, and this takes the same time for a
    table of any size. Reading and preparing refuse a table for its header only.
    """
    from securefl.learning.features import prepare
    from securefl.learning.reading import made_reading
    from securefl.learning.table import read_table
    from securefl.study.parse import parse_study

    study = parse_study(text)
    empty = read_table(_header_lines(data_fd), made_reading(header["reading"]))
    prepare(empty, study.data, bytes(32), study.privacy.unit)


def _header_lines(data_fd: int) -> bytes:
    """The header line from the first bytes of the table's file; more of them where it is long."""
    from securefl.learning.reading import FIRST_BYTES, check_kind
    from securefl.learning.table import header_lines

    start = os.pread(data_fd, _CHECKED_BYTES, 0)
    check_kind(start[:16], "the table")
    if len(header_lines(start)) == len(start):  # it goes on behind them, or the file ends here
        start = os.pread(data_fd, FIRST_BYTES, 0)
    return header_lines(start)


def _table(data_fd: int, header: dict[str, Any]) -> tuple[Table, bytes]:
    """The private table, read as its owner said, and its bytes."""
    from securefl.learning.reading import made_reading
    from securefl.learning.table import read_table

    with os.fdopen(os.dup(data_fd), "rb") as file:
        file.seek(0)
        data = file.read()
    return read_table(data, made_reading(header["reading"])), data


def _without_removed(
    table: Table,
    study: Study,
    header: dict[str, Any],
    body: bytes,
) -> Table:
    """Leave out the rows of patients whom the owner took out; their hashes end the body."""
    from securefl.learning.patient_hashes import HASH_BYTES, without_patients

    size = header["removed"] * HASH_BYTES
    text = body[len(body) - size :]
    hashes = frozenset(text[at : at + HASH_BYTES] for at in range(0, size, HASH_BYTES))
    key = bytes.fromhex(header["patient_key"])
    return without_patients(table, study.data.patient, hashes, key)


def _import_libraries() -> None:
    """What takes a second and needs no data is done while the other hospitals decide."""
    # A thread for each core costs memory and saves no time on batches of a hospital's size.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import securefl.learning.features
    import securefl.study.parse  # noqa: F401


def _open_libraries(text: bytes) -> None:
    """Open what the study's model needs and no more: PyTorch alone takes four times the memory of
    all else.
    """
    from securefl.learning.models import family_of
    from securefl.study.parse import parse_study
    from securefl.study.training import training_if_any

    study = parse_study(text)
    training = training_if_any(study)
    if training is not None:
        family_of(training.model, study.data).open_libraries()
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


def _settle(header: dict[str, Any], body: bytes, walls: Walls) -> None:
    """Open the study's libraries and then close the last wall; no row has been read yet."""
    from securefl.node.walls.threads import holds_threads, start_no_more_threads

    _open_libraries(body[: header.get("text", len(body))])
    if holds_threads(walls):
        start_no_more_threads()


class _Desk:
    """Commands of the agent, one after the other.

    Args:
        data_fd: the table.
        walls: that hold.
    """

    def __init__(self, data_fd: int, walls: Walls) -> None:
        self._data_fd, self._walls = data_fd, walls
        self._settled = False
        self._task: _Task | None = None

    def answer(self, header: dict[str, Any], body: bytearray) -> tuple[dict[str, Any], bytes]:
        """Do what a command asks for.

        Raises:
            DataError: the table does not fit the study.
            RoundError: the last wall does not stand.
        """
        asked = header["do"]
        if not self._settled and asked in _WITH_A_STUDY:
            _settle(header, bytes(body), self._walls)
            self._settled = True
        if asked == "check":
            _check(header, bytes(body), self._data_fd)
            return {"ok": True}, b""
        if asked == "prepare":
            self._task, counts = _prepare(header, bytes(body), self._data_fd)
            return {"counts": counts}, b""
        if asked == "personalize":
            return _personalize(header, bytes(body), self._data_fd)
        if self._task is None:
            raise DataError("The worker was asked to work before it had a table.")
        values = self._task.release(header["round"], body)
        return {"ok": True, "clamped": self._task.clamped}, values


def main() -> None:
    """Serve commands until the agent closes the pipe."""
    from securefl.node.walls.walls import put_up_walls
    from securefl.study.worker_walls import dump_walls, read_limits

    # Nothing above may import numpy: its BLAS starts threads, and the kernel gives a process with
    # threads no namespace of its own. The network would stay.
    read_fd, write_fd, door_fd = (int(a) for a in sys.argv[1:4])
    limits = read_limits(sys.argv[4])
    walls = put_up_walls(limits, (read_fd, write_fd, door_fd))
    channel = Channel(read_fd, write_fd, max_body=_MAX_COMMAND)
    try:
        with _told(channel, limits):
            _import_libraries()
            channel.send({"ready": True, "walls": dump_walls(walls)})
        desk = _Desk(take_table(door_fd), walls)
        while True:
            header, body = channel.receive()
            with _told(channel, limits):
                channel.send(*desk.answer(header, body))
    except ChannelClosedError:
        return


@contextmanager
def _told(channel: Channel, limits: WorkerLimits) -> Iterator[None]:
    """An error that has a next step goes to the agent, a shortage of memory among them."""
    from securefl.node.walls.worker_limits import machine_memory
    from securefl.node.worker_memory import is_shortage, shortage_error

    try:
        yield
    except ChannelClosedError:
        raise
    except SecureFLError as error:
        _send_error(channel, error)
    except Exception as error:
        if not is_shortage(error):
            raise
        _send_error(channel, shortage_error(limits.memory, machine_memory()))


def _send_error(channel: Channel, error: SecureFLError) -> None:
    channel.send(
        {
            "error": type(error).__name__,
            "what": error.what,
            "whose": error.whose,
            "next": error.next_step,
        }
    )


if __name__ == "__main__":
    main()
