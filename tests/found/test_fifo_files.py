"""A pipe in the place of a file was waited for without end.

The table's own case is tested with tables.
"""

import os

import pytest
from command_line_hospital import hospital, protocol_file, securefl, unbroken, words


@pytest.mark.parametrize(
    "name",
    [
        "site.toml",
        "store.id",
        "keys/card.json",
        "keys/signing.key",
        "keys/partners",
        "agent.lock",
        "ledger.sqlite-journal",
    ],
)
def test_a_pipe_in_a_partys_folder_is_named(name, tmp_path):
    folder = hospital(tmp_path)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name, 0o600)
    done = securefl("site", "inbox", "--site", folder, timeout=100)
    assert done.returncode == 4, done.stdout + done.stderr
    assert name in unbroken(done.stderr)


def test_a_pipe_that_a_user_names_is_named(tmp_path):
    folder, pipe = hospital(tmp_path), tmp_path / "pipe"
    os.mkfifo(pipe)
    protocol = protocol_file(tmp_path)
    (tmp_path / "t.csv").write_text("patient_id,target\nP1,E\n")
    commands = (
        ("site", "trust", pipe, "--site", folder),
        (
            "site",
            "data",
            "add",
            "d",
            tmp_path / "t.csv",
            "--population",
            "clinic",
            "--columns",
            pipe,
            "--site",
            folder,
        ),
        ("study", "check", pipe),
        ("study", "plan", pipe),
        ("audit", "--site", folder, "--checkpoint", pipe),
    )
    assert protocol.is_file()
    for command in commands:
        done = securefl(*command, timeout=100)
        assert done.returncode in {2, 4}, done.stdout + done.stderr
        assert "pipe" in words(done.stderr)
