"""The agent's handle on its worker: starts it behind its walls, asks, and checks what comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import ValidationError

from securefl import errors
from securefl.errors import MessageError, RoundError, SecureFLError
from securefl.learning.models import weights_from_bytes, weights_to_bytes
from securefl.learning.patient_hashes import NOBODY
from securefl.learning.personal.facts import PersonalFacts
from securefl.node.channel import Channel, ChannelClosedError, hand_table
from securefl.node.isolation import check_walls
from securefl.node.walls.worker_limits import machine_memory
from securefl.node.worker_memory import ended_by_kernel_error, kernel_kills
from securefl.party.journal import turn_over
from securefl.study.worker_walls import dump_limits, read_walls

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from securefl.sources.source import Source
    from securefl.study.worker_walls import Walls, WorkerRules
    from securefl.types import FloatArray

#: What Python runs as the worker, isolated from the environment and the user's packages.
PROGRAM = ("-I", "-m", "securefl.node.worker")
_HEX = re.compile(r"[0-9a-f]{64}")
_HASHES = re.compile(r"([0-9a-f]{16})+")
#: What a signal that ends a worker may mean; the kernel ends the largest process with 9 when memory
#: runs out.
_SIGNAL_HINTS = {
    6: ": short of memory, or a fault in a library?",
    9: ": short of memory?",
    11: ": a fault in a library?",
    15: ": stopped by hand?",
    24: ": the policy's processor hours are used up?",
    31: ": it was denied a system call",
}
#: Seconds that a process whose pipes are closed may take to be gone.
_WHY_SECONDS = 5.0
#: A personal model of a large network on a large table is made overnight.
_PERSONAL_SECONDS = 24 * 3600.0
#: Importing torch and opacus takes several seconds on a busy machine.
START_SECONDS = 120.0


@dataclass(frozen=True)
class PersonalAnswer:
    """A personal model as a worker made it.

    Attributes:
        facts: for the owner alone.
        theta: float64[p], the personal model, whichever is kept.
        sha256: of the table that was read, in hex.
    """

    facts: PersonalFacts
    theta: FloatArray
    sha256: str


class Worker:
    """Process of one worker for one study on one table.

    A context manager that leaves no process behind.

    Args:
        source: the private table; it is opened here, and handed over as a descriptor once the
            worker has said which of its walls hold.
        max_bytes: the longest array the task can answer with, in bytes.
        log: where a crash of the worker is written, for the owner alone (0600); a long one is put
            aside first.
        rules: of this hospital: walls without which nothing is handed over, and limits.

    Attributes:
        walls: of the process, as it reported them; none before it is ready.
        clamped: how many values of the last update were cut to the largest of a field; for the
            owner's own screen.
    """

    def __init__(
        self,
        source: Source,
        *,
        max_bytes: int,
        log: Path,
        rules: WorkerRules,
    ) -> None:
        opened = source.open()
        self._source = source
        self._version = opened.version
        self._reading = opened.reading
        self._rules = rules
        self._table = opened.descriptor
        self._kills_before = kernel_kills()
        self._door, far_door = socket.socketpair()
        to_worker_r, to_worker_w = os.pipe()
        from_worker_r, from_worker_w = os.pipe()
        turn_over(log)
        crashes = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        handed = (to_worker_r, from_worker_w, far_door.detach())
        try:
            self._process = subprocess.Popen(
                [sys.executable, *PROGRAM, *map(str, handed), dump_limits(rules.limits)],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=crashes,
                pass_fds=handed,
                start_new_session=True,
            )
        finally:
            for fd in (*handed, crashes):
                os.close(fd)
        self._channel = Channel(from_worker_r, to_worker_w, max_body=max_bytes)
        self.walls: Walls = ()
        self._ready = self._gone = False
        self.clamped = 0

    def holds(self, source: Source) -> bool:
        """True while ``source`` is still the very table, unchanged, that was handed over when this
        worker was started.
        """
        return source == self._source and source.version() == self._version is not None

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while it runs and is heard: one that hung up is of no use, even while the system still
        takes it apart.
        """
        return not self._gone and self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until the worker stands behind its walls, and hand it the table: it had none before,
        and has read no row yet.

        Harmless when repeated.

        Raises:
            RoundError: the worker ended or did not answer, or a wall that is required does not
                hold: then it was handed nothing, and waits in vain until it is stopped.
        """
        if self._ready:
            return
        if not self.walls:
            ready, _ = self._receive(START_SECONDS)
            self.walls = read_walls(ready.get("walls"))
        check_walls(self._rules, self.walls)
        try:
            hand_table(self._door, self._table)
        except ChannelClosedError:
            raise self._ended() from None
        self._let_go()
        self._ready = True

    def prepare(
        self,
        study_text: bytes,
        site: str,
        split_secret: bytes,
        patient_key: bytes = b"",
        removed: frozenset[bytes] = NOBODY,
    ) -> dict[str, Any]:
        """Load the table (read as it was registered) and the study.

        Returns counts for the owner's own screen, never for anybody else, and the ``sha256``.
        With a ``patient_key`` the ``patients`` too, hashed under it, in hexadecimal
        (:meth:`securefl.learning.patient_hashes.Patients.dump`). Rows of the patients in ``removed``,
        hashed under the same key, are not used. A worker that prepared before prepares anew.

        Raises:
            DataError: the table does not fit the study's columns.
            RoundError: the worker ended or did not answer.
        """
        self.wait_ready()
        self._send(
            {
                "do": "prepare",
                "site": site,
                "split_secret": split_secret.hex(),
                "text": len(study_text),
                "reading": self._reading.content(),
                "patient_key": patient_key.hex(),
                "removed": len(removed),
            },
            study_text + b"".join(sorted(removed)),
        )
        header, _ = self._receive(START_SECONDS)
        counts: dict[str, Any] = header.get("counts", {})
        if not _HEX.fullmatch(str(counts.get("sha256"))):
            raise RoundError(
                "The worker did not say which table it read.",
                whose="this hospital",
                next_step="Report it; the study ends here.",
            )
        if patient_key and not _HASHES.fullmatch(str(counts.get("patients"))):
            raise RoundError(
                "The worker did not say whose table it read.",
                whose="this hospital",
                next_step="Report it; the study ends here.",
            )
        return counts

    def personalize(
        self,
        study_text: bytes,
        common: FloatArray,
        split_secret: bytes,
        patient_key: bytes = b"",
        removed: frozenset[bytes] = NOBODY,
    ) -> PersonalAnswer:
        """Make a personal model of a finished study's, on the table as it was registered.

        Args:
            study_text: the sealed study.
            common: float64[p], its model.
            split_secret: decides who is held out, as in the study.
            patient_key: under which patients are hashed.
            removed: hashes of the patients whose rows are not used.

        Raises:
            DataError: the table does not fit the study's columns, or no model can be made of it.
            RoundError: the worker ended, did not answer, or answered with another shape.
        """
        self.wait_ready()
        weights = weights_to_bytes(common)
        self._send(
            {
                "do": "personalize",
                "text": len(study_text),
                "split_secret": split_secret.hex(),
                "reading": self._reading.content(),
                "weights": len(weights),
                "patient_key": patient_key.hex(),
                "removed": len(removed),
            },
            study_text + weights + b"".join(sorted(removed)),
        )
        header, body = self._receive(_PERSONAL_SECONDS)
        try:
            facts = PersonalFacts.model_validate_json(json.dumps(header.get("facts")))
            theta = weights_from_bytes(body, common.size)
        except (ValidationError, MessageError):
            facts = None
        if facts is None or not _HEX.fullmatch(str(header.get("sha256"))):
            raise RoundError(
                "The worker answered with something else than a personal model.",
                whose="this hospital",
                next_step="Report it; nothing was changed.",
            )
        return PersonalAnswer(facts, theta, str(header["sha256"]))

    def check(self, study_text: bytes) -> None:
        """Check that the table's header fits the study.

        No row is read: a table of any size takes the same time.

        Raises:
            DataError: it does not fit the study's columns.
            RoundError: the worker ended or did not answer.
        """
        self.wait_ready()
        self._send({"do": "check", "reading": self._reading.content()}, study_text)
        self._receive(START_SECONDS)

    def release(
        self,
        number: int,
        model: bytes,
        length: int,
        largest: int,
        timeout: float,
    ) -> NDArray[np.int64]:
        """Ask for the noised integers of one round: int64[length], each at most ``largest``.

        In absolute value.

        Raises:
            RoundError: the worker ended, was late, or answered with something of another shape.
        """
        self._send({"do": "release", "round": number}, model)
        header, body = self._receive(timeout)
        if len(body) != 8 * length:
            raise RoundError(
                "The worker answered with an array of the wrong size.", whose="this hospital"
            )
        values = np.frombuffer(body, dtype="<i8").astype(np.int64, copy=False)
        if values.size and (
            values.max() > largest or values.min() < -largest
        ):  # abs(-2^63) is negative
            raise RoundError(
                "A noised value is too large for the study's fields; nothing was sent.",
                whose="this hospital: its worker rounds to the study's fields",
                next_step="Report this; the study ends here.",
            )
        self.clamped = int(header.get("clamped", 0))
        return values

    def kill(self) -> None:
        """End the process at once; whoever waits for its answer gets a :class:`RoundError`.

        It has nothing to save.
        """
        self._process.kill()

    def stop(self) -> None:
        """End the worker and tidy up; harmless when repeated."""
        self._process.kill()
        self._process.wait()
        self._channel.close()
        self._let_go()

    def _let_go(self) -> None:
        """Close this end of the door, and the table; harmless when repeated."""
        self._door.close()
        if self._table >= 0:
            os.close(self._table)
        self._table = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _send(self, header: dict[str, Any], body: bytes) -> None:
        try:
            self._channel.send(header, body)
        except ChannelClosedError:
            raise self._ended() from None

    def _receive(self, timeout: float) -> tuple[dict[str, Any], bytearray]:
        try:
            header, body = self._channel.receive(timeout)
        except ChannelClosedError:
            raise self._ended() from None
        if "error" in header:
            kind = getattr(errors, str(header["error"]), RoundError)
            if not (isinstance(kind, type) and issubclass(kind, SecureFLError)):
                kind = RoundError
            raise kind(
                str(header["what"]), whose=str(header["whose"]), next_step=str(header["next"])
            )
        return header, body

    @property
    def why_ended(self) -> str:
        """Describe how the process ended, after "the worker process ended": a signal with what it may mean,
        or an exit code; empty while unknown.
        """
        code = self._process.poll()
        if code is None or code == 0:
            return ""
        if code > 0:
            return f" with exit code {code}"
        hint = _SIGNAL_HINTS.get(-code, "")
        return f" by signal {-code}{hint}"

    def _ended(self) -> RoundError:
        self._gone = True
        with suppress(
            subprocess.TimeoutExpired
        ):  # its pipes close a moment before the system knows why
            self._process.wait(_WHY_SECONDS)
        killed = self._process.poll() == -signal.SIGKILL
        if killed and kernel_kills() > self._kills_before:
            return ended_by_kernel_error(machine_memory())
        return RoundError(
            f"The worker process ended unexpectedly{self.why_ended}.",
            whose="this hospital's operator",
            next_step=(
                "See worker.log in the hospital's folder; `securefl doctor` checks the machine. The"
                " study ends here."
            ),
        )
