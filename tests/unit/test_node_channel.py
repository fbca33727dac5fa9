"""What agent and worker say to each other: whole frames, capped, in time."""

import json
import os
import struct
import threading

import pytest

from securefl.errors import RoundError
from securefl.node.channel import MAX_HEADER, Channel, ChannelClosedError


@pytest.fixture
def pipe():
    """``(channel that reads, raw descriptor to write)``."""
    read_fd, write_fd = os.pipe()
    channel = Channel(read_fd, os.dup(write_fd), max_body=64)
    yield channel, write_fd
    channel.close()
    os.close(write_fd)


def frame(header, body=b"", sizes=None):
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">II", *(sizes or (len(head), len(body)))) + head + body


def test_a_frame_comes_as_it_was_sent(pipe):
    channel, _ = pipe
    channel.send({"do": "update", "n": 1}, b"\x00\xff" * 32)
    assert channel.receive(1) == ({"do": "update", "n": 1}, b"\x00\xff" * 32)


@pytest.mark.parametrize("sizes", [(MAX_HEADER + 1, 0), (2, 65), (0xFFFFFFFF, 0xFFFFFFFF)], ids=str)
def test_a_frame_that_announces_too_much_is_refused_unread(pipe, sizes):
    channel, fd = pipe
    os.write(fd, frame({}, sizes=sizes))
    with pytest.raises(RoundError, match="more than its task can produce"):
        channel.receive(1)


@pytest.mark.parametrize(
    "header",
    [b"[]", b"1", b"{", b"\xff\xfe", b"[" * 100_000],
    ids=["list", "number", "cut", "not text", "deep"],
)
def test_a_header_that_is_no_object_is_refused(pipe, header):
    channel, fd = pipe
    threading.Thread(target=os.write, args=(fd, frame(header)), daemon=True).start()
    with pytest.raises(RoundError, match="did not speak as agreed"):
        channel.receive(5)


def test_half_a_frame_is_waited_for_until_the_time_is_over(pipe):
    channel, fd = pipe
    os.write(fd, frame({"a": 1}, b"body")[:-2])
    with pytest.raises(RoundError, match="in time"):
        channel.receive(0.05)


def test_nothing_at_all_is_late_too(pipe):
    with pytest.raises(RoundError, match="in time"):
        pipe[0].receive(0.0)


def test_a_closed_end_is_noticed_on_both_sides():
    read_fd, write_fd = os.pipe()
    channel = Channel(read_fd, write_fd, max_body=1)
    other_read, other_write = os.pipe()
    os.close(other_read)
    gone = Channel(os.dup(read_fd), other_write, max_body=1)
    with pytest.raises(ChannelClosedError):
        gone.send({"a": 1})
    gone.close()
    gone.close()
    os.close(write_fd)
    with pytest.raises(ChannelClosedError):
        channel.receive(1)
    os.close(read_fd)
