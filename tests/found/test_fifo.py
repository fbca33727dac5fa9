"""A table that is a pipe, a folder or a device: looked at before it is opened, so that nobody waits
for it.
"""

import os

import pytest
from conftest import protocol_text
from hospital_folder import hospital, register, registered, row, table, typed

from securefl.errors import DataError
from securefl.node.launcher import Worker
from securefl.sources.csv import CsvSource
from securefl.study.worker_walls import WorkerRules


def test_a_pipe_a_folder_and_a_device_are_not_registered(tmp_path):
    place = hospital(tmp_path)
    (tmp_path / "p.toml").write_text(protocol_text())
    os.mkfifo(tmp_path / "pipe")
    for file, kind in (
        (tmp_path / "pipe", "a pipe (FIFO)"),
        (tmp_path / "hospital", "a folder"),
        ("/dev/null", "a device"),
    ):
        done = typed(
            "site",
            "data",
            "add",
            "r",
            file,
            "--population",
            "c",
            "--columns",
            tmp_path / "p.toml",
            "--site",
            place,
        )
        assert f"is {kind}, not a file" in done.error
        assert "Write its content into a file" in done.mend
    assert registered(tmp_path) == []


def test_a_registered_table_that_became_a_pipe_holds_nobody_up(tmp_path):
    register(tmp_path, table(row("p1", "E"), row("p2")))
    (tmp_path / "t.csv").unlink()
    os.mkfifo(tmp_path / "t.csv")
    for reader in (
        lambda path: CsvSource(path).content(),
        lambda path: CsvSource(path).columns(),
        lambda path: Worker(
            CsvSource(path), max_bytes=8, log=tmp_path / "log", rules=WorkerRules()
        ),
    ):
        with pytest.raises(DataError, match="is a pipe"):
            reader(tmp_path / "t.csv")
