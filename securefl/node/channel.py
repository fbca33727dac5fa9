"""Channel between agent and worker: frames of a JSON header and a body, over two inherited pipes;
and a door through which the table is handed over once, as a descriptor.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from typing import Any

from securefl.errors import RoundError

_SIZES = struct.Struct(">II")
MAX_HEADER = 4 * 1024 * 1024


class ChannelClosedError(Exception):
    """The other end is gone."""


def hand_table(door: socket.socket, table: int) -> None:
    """Hand a descriptor to the process at the other end of the door (unix(7), SCM_RIGHTS).

    Raises:
        ChannelClosedError: it is gone.
    """
    try:
        socket.send_fds(door, [b"table"], [table])
    except OSError:
        raise ChannelClosedError from None


def take_table(door: int) -> int:
    """Wait for the descriptor of :func:`hand_table`, and close the door.

    Raises:
        ChannelClosedError: the other end closed it.
    """
    with socket.socket(fileno=door) as open_door:
        try:
            _, handed, _, _ = socket.recv_fds(open_door, 16, 1)
        except OSError:
            raise ChannelClosedError from None
    if not handed:
        raise ChannelClosedError
    return handed[0]


class Channel:
    """One end. ``max_body`` caps what this end accepts, in bytes."""

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        *,
        max_body: int,
    ) -> None:
        self._in = read_fd
        self._out = write_fd
        self._max_body = max_body

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Write one frame.

        Raises:
            ChannelClosedError: the other end is gone.
        """
        head = json.dumps(header).encode()
        try:
            for part in (_SIZES.pack(len(head), len(body)) + head, body):
                data = memoryview(part)
                while data:
                    data = data[os.write(self._out, data) :]
        except OSError:
            raise ChannelClosedError from None

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], bytearray]:
        """Read one frame; ``timeout`` in seconds, None waits for ever.

        Raises:
            ChannelClosedError: the other end is gone.
            RoundError: nothing complete came in time, or a frame is larger than allowed.
        """
        end = None
        if timeout is not None:
            end = time.monotonic() + timeout
        head_size, body_size = _SIZES.unpack(self._exactly(_SIZES.size, end))
        if head_size > MAX_HEADER or body_size > self._max_body:
            raise RoundError(
                "The worker process sent more than its task can produce.",
                whose="this hospital",
                next_step="Report it; the study ends here.",
            )
        try:
            header = json.loads(self._exactly(head_size, end))
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise RoundError(
                "The worker process did not speak as agreed.",
                whose="this hospital",
                next_step="Report it; the study ends here.",
            )
        return header, self._exactly(body_size, end)

    def close(self) -> None:
        """Close both pipes; harmless when repeated."""
        for fd in {self._in, self._out}:
            if fd >= 0:
                os.close(fd)
        self._in = self._out = -1

    def _exactly(self, size: int, end: float | None) -> bytearray:
        data = bytearray(size)
        missing = memoryview(data)
        while missing:
            if end is not None:
                left = end - time.monotonic()
                if left <= 0 or not select.select([self._in], [], [], left)[0]:
                    raise RoundError(
                        "The worker process did not answer in time.",
                        whose="this hospital",
                        next_step="Give the study a longer round_deadline.",
                    )
            got = os.readv(self._in, [missing[: 1 << 20]])
            if not got:
                raise ChannelClosedError
            missing = missing[got:]
        return data
