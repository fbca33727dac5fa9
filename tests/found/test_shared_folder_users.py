"""umask 022 and one user for each party: whoever came first shut the others out, and doctor said
ok.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command_line_hospital import hospital

from securefl.boards.opening import open_board
from securefl.boards.shared_folder import SharedFolder
from securefl.cli.doctor import _party_checks
from securefl.errors import StoreError
from securefl.party.shut_folders import shut_folders

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")


def modes(folder):
    return {
        p.relative_to(folder).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in folder.rglob("*")
    }


@pytest.mark.parametrize(
    ("rights", "folders", "files"),
    [(0o2770, 0o2770, 0o660), (0o777, 0o777, 0o666), (0o700, 0o700, 0o600), (0o755, 0o755, 0o644)],
)
@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_what_is_made_below_the_root_has_the_roots_rights_whatever_the_umask(
    rights, folders, files, umask, tmp_path
):
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(rights)
    before = os.umask(umask)
    try:
        open_board(str(root)).post("studies/one/object", b"data")
    finally:
        os.umask(before)
    assert modes(root) == {"studies": folders, "studies/one": folders, "studies/one/object": files}


AS_USER = """
import os, sys
from securefl.boards.opening import open_board
store = open_board(sys.argv[3])  # the libraries are opened before the rights are given up
os.setgroups([int(sys.argv[2])]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1])); os.umask(0o022)
store.post(f"studies/s/approvals/{sys.argv[1]}", b"yes")
print(sorted(store.names("studies/s/approvals")))
"""


@pytest.fixture
def open_place():
    """A folder that every user may enter, as pytest's own is not."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@root_only
def test_two_users_of_one_group_work_in_one_store(open_place):
    group, root = 54321, open_place / "store"
    root.mkdir()
    os.chown(root, 0, group)
    root.chmod(0o2770)
    last = ""
    for user in (54001, 54002):
        done = subprocess.run(
            [sys.executable, "-c", AS_USER, str(user), str(group), str(root)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        last = done.stdout
    assert last.strip() == "['54001', '54002']"


def test_doctor_names_the_folder_that_another_user_has_shut(tmp_path, monkeypatch):
    folder = hospital(tmp_path)
    store = open_board(str(tmp_path / "store"))
    store.post("studies/s/approvals/Other", b"1")
    store.post("datasites/other@x.example/log/event", b"1")
    access, shut = os.access, {"approvals", "log"}
    monkeypatch.setattr(
        os,
        "access",
        lambda path, *a, **k: os.path.basename(path) not in shut and access(path, *a, **k),  # noqa: PTH119 - os.access takes text
    )
    assert shut_folders(store, "S") == [
        "studies/s/approvals"
    ]  # what only the other party writes is its own business
    with pytest.raises(
        StoreError, match=r"studies/s/approvals cannot be written by this user"
    ) as caught:
        _party_checks(folder, {})["store"]()
    assert "chgrp" in caught.value.next_step
    shut.clear()
    assert "can be written" in _party_checks(folder, {})["store"]()


def test_elsewhere_than_in_a_folder_nothing_is_said_about_rights():
    assert shut_folders(open_board("memory://rights"), "S") == []


def test_a_look_at_the_folders_has_an_end(tmp_path):
    for number in range(30):
        (tmp_path / str(number)).mkdir()
    seen = []
    SharedFolder(str(tmp_path)).shut(seen.append, most=10)
    assert len(seen) == 9
