"""The last wall of the command line: whatever a command raises is a page, and the screen may fail."""

import errno
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest

from securefl.cli import faults
from securefl.cli import main as module
from securefl.cli.main import main
from securefl.cli.streams import LastingStream
from securefl.errors import ExitCode, UnreadableError, file_error


def run_raising(monkeypatch, capsys, error):
    """Exit code and standard error of a command that raises ``error``."""

    def command(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(module, "cli", command)
    code = 0
    try:
        main([])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return code, " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_of_the_operating_system_names_path_reason_and_next_step(
    number, monkeypatch, capsys
):
    code, said = run_raising(monkeypatch, capsys, OSError(number, os.strerror(number), "/a/file"))
    assert code == ExitCode.UNREADABLE
    assert "/a/file cannot be read or written" in said
    assert os.strerror(number) in said
    assert "Next" in said


def test_errors_without_a_name_or_a_number_have_words_too(monkeypatch, capsys):
    for error in (OSError(), OSError("odd"), OSError(5, "I/O", b"/by\xfftes")):
        code, said = run_raising(monkeypatch, capsys, error)
        assert code == ExitCode.UNREADABLE
        assert "cannot be read or written" in said
    assert (
        file_error(OSError(28, "No space"), "here").what
        == "here cannot be read or written: No space."
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreadableError("what", next_step="step"), 4),
        (click.UsageError("what"), 2),
        (click.exceptions.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (click.exceptions.Exit(3), 3),
        (SystemExit(3), 3),
        (SystemExit(), 0),
        (UnicodeEncodeError("utf-8", "t\udcfc.csv", 1, 2, "surrogates not allowed"), 2),
    ],
)
def test_what_a_command_raises_has_its_exit_code(error, code, monkeypatch, capsys):
    assert run_raising(monkeypatch, capsys, error)[0] == code


def test_a_fault_of_securefl_is_a_page_and_a_file_of_the_users_own(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(faults.tempfile, "tempdir", str(tmp_path))
    code, said = run_raising(monkeypatch, capsys, KeyError("inside"))
    assert code == ExitCode.CRASH
    assert "a fault of securefl (KeyError)" in said
    (file,) = tmp_path.iterdir()
    assert "Traceback" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_fault_where_nothing_can_be_written_is_a_page_all_the_same(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(faults.tempfile, "tempdir", str(tmp_path / "gone"))
    code, said = run_raising(monkeypatch, capsys, KeyError("inside"))
    assert code == ExitCode.CRASH
    assert "with what you typed" in said


class Broken(io.StringIO):
    def __init__(self, number):
        super().__init__()
        self.number = number
        self.calls = 0

    def write(self, text):
        self.calls += 1
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(
    ("number", "left"), [(errno.EPIPE, True), (errno.EIO, True), (errno.ENOSPC, False)]
)
def test_a_stream_that_fails_is_left_alone_from_then_on(number, left):
    broken = Broken(number)
    stream = LastingStream(broken)
    assert stream.write("word") == 4
    stream.writelines(["more", "words"])
    stream.flush()
    assert broken.calls == 1
    assert stream.failure.errno == number
    assert stream.reader_left == left


def test_a_closed_stream_is_a_reader_that_left():
    inner = io.StringIO()
    stream = LastingStream(inner)
    inner.close()
    stream.write("word")
    stream.flush()
    assert stream.reader_left


def test_without_standard_output_nothing_breaks(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    main(["--help"])
    assert sys.stdout.failure is None


def securefl(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "securefl", *arguments], stderr=subprocess.PIPE, check=False, **more
    )


def test_a_full_disk_behind_standard_output_has_its_own_exit_code():
    with Path("/dev/full").open("wb") as full:
        done = securefl("--help", stdout=full)
    assert done.returncode == ExitCode.SCREEN
    assert b"Traceback" not in done.stderr
    assert "No space left" in " ".join(done.stderr.decode().replace("│", " ").split())


def test_a_reader_that_went_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = securefl("--help", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_both_streams_gone_is_no_crash():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "securefl", "no-such-command"],
        stdout=write,
        stderr=write,
        check=False,
    )
    os.close(write)
    assert done.returncode == ExitCode.USAGE


def test_a_warning_is_a_sentence_and_no_line_of_our_source(monkeypatch, capsys):
    def command(*_args, **_kwargs):
        warnings.warn("Recalled by SVI: a new \x1b[2Jscale.", stacklevel=1)

    monkeypatch.setattr(module, "cli", command)
    usual = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = usual
        main([])
    said = capsys.readouterr().err
    assert said.startswith("ATTENTION: Recalled by SVI: a new ")
    assert "\x1b" not in said
    assert ".py" not in said
    assert warnings.showwarning is usual
