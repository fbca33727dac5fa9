"""A file in the way, nowhere to write, a full disk half-way, a folder that cannot be synced, a file
system without locks.
"""

import errno
import fcntl
import os

import pytest
from command_line_hospital import init, words

from securefl.cli.main import main
from securefl.node.site import Site


def run(*arguments, capsys):
    code = 0
    try:
        main([os.fspath(a) for a in arguments])
    except SystemExit as ended:
        code = ended.code
    out = capsys.readouterr()
    assert "Traceback" not in out.out + out.err
    return code, words(out.out + out.err)


def init_here(folder, tmp_path, capsys):
    return run(
        "site",
        "init",
        folder,
        "--name",
        "X",
        "--legal-name",
        "X",
        "--email",
        "a@b.example",
        "--store",
        tmp_path / "store",
        capsys=capsys,
    )


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "f").touch()
    done = init(tmp_path / "f" / "x", tmp_path / "store")
    assert done.returncode == 4
    assert f"{tmp_path}/f" in words(done.stderr)
    assert "Not a directory" in done.stderr or "File exists" in done.stderr


def test_nowhere_to_write_is_named(tmp_path):
    done = init("/proc/x", tmp_path / "store")
    assert done.returncode == 4
    assert "/proc/x cannot be read or written" in words(done.stderr)


@pytest.mark.parametrize("role", ["site", "study", "aggregator"])
def test_init_on_a_full_disk_leaves_nothing_and_can_be_repeated(
    role, tmp_path, monkeypatch, capsys
):
    """The disk is full at every one of the files in turn."""
    fsync, arguments = (
        os.fsync,
        [
            role,
            "init",
            tmp_path / "x",
            "--name",
            "X",
            "--legal-name",
            "X",
            "--email",
            "a@b.example",
            "--store",
            tmp_path / "store",
        ],
    )
    assert (
        run("site", "init", tmp_path / "first", *arguments[3:], capsys=capsys)[0] == 0
    )  # the store has its mark
    failures = 0
    for number in range(100):
        left = [number]

        def full(fd, left=left):
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            left[0] -= 1
            fsync(fd)

        monkeypatch.setattr(os, "fsync", full)
        code, said = run(*arguments, capsys=capsys)
        if code == 0:
            break
        failures += 1
        assert code in {4, 10}, said
        assert "No space left on device" in said
        names = sorted(p.name for p in tmp_path.iterdir())
        assert [n for n in names if n.startswith(".")] == []
        if (tmp_path / "x").exists():  # whole, and only its name was not made durable
            monkeypatch.setattr(os, "fsync", fsync)
            assert (
                run(
                    role,
                    "trust",
                    f"--{ {'study': 'researcher'}.get(role, role) }",
                    tmp_path / "x",
                    capsys=capsys,
                )[0]
                == 0
            )
            break
    assert failures >= 5
    assert (tmp_path / "x" / "keys" / "card.json").is_file()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_syncs_no_folders_will_do(number, tmp_path, monkeypatch, capsys):
    fsync = os.fsync

    def no_folders(fd):
        if os.path.isdir(f"/proc/self/fd/{fd}"):  # noqa: PTH112
            raise OSError(number, os.strerror(number))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", no_folders)
    code, said = init_here(tmp_path / "x", tmp_path, capsys)
    assert code == 0, said
    assert Site.at(tmp_path / "x").ledger.state.site == "X"


@pytest.mark.parametrize(
    "command",
    [("site", "status"), ("site", "stop"), ("site", "trust", "--remove", "N"), ("site", "start")],
)
def test_a_file_system_without_locks_says_so(command, tmp_path, monkeypatch, capsys):
    assert init_here(tmp_path / "x", tmp_path, capsys)[0] == 0
    (tmp_path / "x" / "agent.lock").touch()

    def no_locks(_fd, _how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    code, said = run(*command, "--site", tmp_path / "x", capsys=capsys)
    assert code == 4, said
    assert ".lock cannot be read or written: No locks available" in said
    assert "keep the folder on a local disk" in said
