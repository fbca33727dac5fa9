import multiprocessing
import stat

import pytest

from securefl.datasite.local_files import folder_lock, read_json, write_json
from securefl.errors import StoreError, UnreadableError


def hold(folder, held, release):
    with folder_lock(folder, 5):
        held.set()
        release.wait(10)


def test_only_one_process_holds_the_folder_and_a_killed_one_holds_it_no_more(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path / "site", held, release))
    process.start()
    assert held.wait(20)
    with pytest.raises(StoreError, match="Another process"), folder_lock(tmp_path / "site", 0.05):
        pass
    process.kill()
    process.join()
    with folder_lock(tmp_path / "site", 5):
        pass


def test_files_and_folders_are_closed_to_others(tmp_path):
    with folder_lock(tmp_path / "site", 1):
        write_json(tmp_path / "site" / "x.json", {"a": 1})
    assert stat.S_IMODE((tmp_path / "site").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "site" / "x.json").stat().st_mode) == 0o600
    assert read_json(tmp_path / "site" / "x.json") == {"a": 1}
    assert sorted(p.name for p in (tmp_path / "site").iterdir()) == ["lock", "x.json"]


def test_no_file_is_an_empty_object_and_a_damaged_one_is_said_so(tmp_path):
    assert read_json(tmp_path / "none") == {}
    (tmp_path / "bad").write_text("[1]")
    with pytest.raises(UnreadableError):
        read_json(tmp_path / "bad")
    (tmp_path / "bad").write_text("{")
    with pytest.raises(UnreadableError):
        read_json(tmp_path / "bad")
