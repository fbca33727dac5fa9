"""A machine that is too small is refused with figures; a store that forgets is found out."""

import json
from dataclasses import replace

import pytest
from boards import FolderBoard
from command_line_hospital import here

from securefl.errors import SecureFLError
from securefl.party import machine as module
from securefl.party.machine import Machine, check_large_enough, store_seconds

ENOUGH = Machine(2, module.LEAST_MEMORY, module.LEAST_DISK, module.LEAST_OPEN_FILES, 0)


def test_a_machine_with_the_least_of_everything_is_large_enough():
    check_large_enough(ENOUGH)
    check_large_enough(replace(ENOUGH, memory=None))


@pytest.mark.parametrize(
    ("few", "said"),
    [
        ({"memory": 5 * 10**8}, "0.5 GB of memory free, 2.1 GB wanted"),
        ({"disk": 10**9}, "1.0 GB of disk free"),
        ({"open_files": 256}, "256 open files, 1024 wanted"),
    ],
)
def test_what_is_too_small_is_named_with_its_figure(few, said):
    with pytest.raises(SecureFLError, match=said) as caught:
        check_large_enough(replace(ENOUGH, **few))
    assert caught.value.next_step


def test_free_memory_is_read_as_the_kernel_writes_it(tmp_path):
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:       100 kB\nMemAvailable:    7 kB\n")
    assert module._free_memory(file) == 7168
    assert module._free_memory(tmp_path / "none") is None


def test_the_stores_pace_is_measured_and_nothing_stays(tmp_path):
    board = FolderBoard(str(tmp_path))
    assert store_seconds(board, "doctor-1") >= 0
    assert board.names() == []


def test_a_store_that_gives_back_something_else_is_no_store(tmp_path, monkeypatch):
    board = FolderBoard(str(tmp_path))
    monkeypatch.setattr(type(board), "read", lambda *_: b"old")
    with pytest.raises(SecureFLError, match="something else"):
        store_seconds(board, "doctor-1")


def test_the_command_tells_figures_to_a_program(tmp_path):
    told = json.loads(here("doctor", "--folder", tmp_path, "--json", "-"))
    assert "machine" in {check["check"] for check in told["checks"]}
    assert set(told["figures"]) == {"cores", "memory", "disk", "open_files", "landlock"}
    assert told["figures"]["cores"] >= 1
