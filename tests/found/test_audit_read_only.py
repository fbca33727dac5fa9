"""A sound ledger on a read-only copy could not be read: its write-ahead log wanted a file beside
it.
"""

import shutil
import sqlite3
import subprocess
import sys

import pytest

from securefl.node.site import Site

MOUNT = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
AUDIT = (
    'if touch "$1/x" 2>/dev/null; then exit 99; fi; exec "$2" -m securefl audit --verify --site'
    ' "$1"'
)


@pytest.fixture
def folder(tmp_path):
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode:
        pytest.skip("this user may not mount")
    made = Site.init(
        tmp_path / "S",
        name="S",
        legal_name="S",
        email="s@example.org",
        store=str(tmp_path / "store"),
    )
    made.ledger.close()
    return made.path


def audited(folder):
    command = [
        "unshare",
        "-m",
        "bash",
        "-c",
        f"{MOUNT} && {AUDIT}",
        "audit",
        folder,
        sys.executable,
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    "log", [False, True], ids=["as it is kept now", "as earlier versions kept it"]
)
def test_a_sound_ledger_on_a_read_only_medium_is_intact(folder, log):
    if log:
        old = sqlite3.connect(folder / "ledger.sqlite")
        old.execute("PRAGMA journal_mode=WAL")
        old.close()
    done = audited(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Intact: 1 events")


def test_what_stands_in_a_log_beside_it_is_not_passed_over(folder):
    old = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    old.execute("PRAGMA journal_mode=WAL")
    old.execute("PRAGMA user_version=7")
    assert (folder / "ledger.sqlite-wal").stat().st_size
    (folder / "ledger.sqlite-shm").rename(folder / "away")
    done = audited(folder)
    assert done.returncode == 4, done.stdout
    assert "cannot be read" in " ".join(done.stderr.split())
    old.close()
