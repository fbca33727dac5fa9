"""A file is read again once it has changed, also within one grain of the clock or under old times."""

from __future__ import annotations

import os
import time

import pytest

from securefl.unchanged_file import UnchangedFiles

OLD = 1_000_000_000
HOUR = 3_600 * OLD


@pytest.fixture
def read():
    return []


@pytest.fixture
def memory(read):
    def of(file):
        read.append(file.name)
        return file.read_text()

    return UnchangedFiles(of)


@pytest.fixture
def later(monkeypatch):
    """An hour after all files were written."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + HOUR)


def test_an_old_file_is_read_once(memory, read, tmp_path, later):
    (tmp_path / "a").write_text("one")
    assert [memory(tmp_path, "a") for _ in range(3)] == ["one"] * 3
    assert read == ["a"]


def test_a_file_that_was_just_written_is_not_remembered(memory, read, tmp_path):
    file = tmp_path / "a"
    file.write_text("one")
    assert memory(tmp_path, "a") == "one"
    kept = file.stat()
    file.write_text("two")
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert memory(tmp_path, "a") == "two"
    assert read == ["a", "a"]


def test_an_old_time_hides_no_change(memory, tmp_path, later):
    file = tmp_path / "a"
    file.write_text("one")
    kept = file.stat()
    assert memory(tmp_path, "a") == "one"
    while file.stat().st_ctime_ns == kept.st_ctime_ns:  # the next grain
        file.write_text("two")
        os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    now = file.stat()
    assert (now.st_mtime_ns, now.st_size, now.st_ino) == (
        kept.st_mtime_ns,
        kept.st_size,
        kept.st_ino,
    )
    assert memory(tmp_path, "a") == "two"


def test_a_file_that_is_gone_is_not_told_of(memory, tmp_path, later):
    (tmp_path / "a").write_text("one")
    memory(tmp_path, "a")
    (tmp_path / "a").unlink()
    with pytest.raises(FileNotFoundError):
        memory(tmp_path, "a")
