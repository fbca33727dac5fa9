"""A screen that fails is noted once and written to no more; what was being done goes on."""

import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from securefl.cli.steady import SteadyStream, steady_screen


class Broken(io.StringIO):
    """Takes so many writes, then fails as a closed pipe or a full disk does."""

    def __init__(self, good, number=errno.EPIPE):
        super().__init__()
        self.good, self.number, self.asked = good, number, 0

    def write(self, text):
        self.asked += 1
        if self.asked > self.good:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(text)


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_a_failed_write_is_noted_once_and_nothing_is_written_after_it(tmp_path, number):
    under = Broken(1, number)
    stream = SteadyStream(under, tmp_path / "run.log")
    assert [stream.write("one"), stream.write("two"), stream.write("three")] == [3, 3, 5]
    stream.flush()
    assert (under.getvalue(), under.asked) == ("one", 2)
    log = (tmp_path / "run.log").read_text().splitlines()
    assert len(log) == 1
    assert os.strerror(number) in log[0]


def test_a_flush_that_fails_and_a_stream_that_is_closed_are_the_same(tmp_path):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    stream = SteadyStream(Full(), tmp_path / "one.log")
    stream.flush()
    assert stream.failed
    closed = io.StringIO()
    closed.close()
    stream = SteadyStream(closed, tmp_path / "two.log")
    stream.write("text")
    stream.flush()
    assert stream.failed


def test_a_character_that_cannot_be_shown_is_no_closed_screen(tmp_path):
    stream = SteadyStream(io.TextIOWrapper(io.BytesIO(), "ascii"), tmp_path / "run.log")
    with pytest.raises(UnicodeEncodeError):
        stream.write("Süd")
    assert not stream.failed


def test_a_log_that_cannot_be_written_is_nothing_to_end_for(tmp_path):
    stream = SteadyStream(Broken(0), tmp_path / "no such folder" / "run.log")
    assert stream.write("text") == 4


def test_the_streams_own_facts_shine_through(tmp_path):
    under = io.StringIO()
    assert SteadyStream(under, tmp_path / "run.log").getvalue() == ""
    assert SteadyStream(under, tmp_path / "run.log").isatty() is False


def test_a_closed_terminal_does_not_end_the_work(tmp_path):
    before = signal.getsignal(signal.SIGHUP), sys.stdout
    with steady_screen(tmp_path / "run.log"):
        signal.raise_signal(signal.SIGHUP)
        assert isinstance(sys.stdout, SteadyStream)
    assert (signal.getsignal(signal.SIGHUP), sys.stdout) == before


WORK = """
import sys
from pathlib import Path
from securefl.cli.steady import steady_screen
with steady_screen(Path(sys.argv[1]) / "run.log"):
    for number in range(20_000):
        print("a line of some length", number)
    Path(sys.argv[1], "result").touch()
"""


def test_a_reader_that_leaves_a_full_device_and_closed_streams_end_no_process(tmp_path):
    command = [sys.executable, "-c", WORK, str(tmp_path)]
    piped = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    piped.stdout.readline()
    piped.stdout.close()
    assert piped.wait(timeout=120) == 0
    assert piped.stderr.read() == b""
    (tmp_path / "result").unlink()
    with Path("/dev/full").open("wb") as full:
        assert (
            subprocess.run(command, stdout=full, stderr=full, check=False, timeout=120).returncode
            == 0
        )
    assert (tmp_path / "result").exists()
    assert (tmp_path / "run.log").read_text().count("the screen is gone") == 2
    plain = WORK.replace('with steady_screen(Path(sys.argv[1]) / "run.log")', "if True")
    assert plain != WORK
    control = [sys.executable, "-c", plain, str(tmp_path)]
    with Path("/dev/full").open("wb") as full:
        assert (
            subprocess.run(
                control, stdout=full, stderr=subprocess.DEVNULL, check=False, timeout=120
            ).returncode
            != 0
        )
