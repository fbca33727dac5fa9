"""A terminal in ISO-8859-1 or a C locale without UTF-8: a traceback after the work was done."""

import pytest
from command_line_hospital import hospital, securefl

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_what_a_terminal_cannot_show_is_replaced(environment, tmp_path):
    folder = hospital(tmp_path)
    commands = (
        ("site", "status"),
        ("site", "trust"),
        ("site", "data", "list"),
        ("site", "budget", "set", "x"),
        ("site", "review", "ü"),
    )
    for command in commands:
        done = securefl(*command, "--site", folder, env=environment, text=False)
        assert b"Traceback" not in done.stderr + done.stdout
        assert done.returncode in {0, 2}, done.stderr
        assert done.stdout + done.stderr
    audit = securefl("audit", "--site", folder, env=environment, text=False)
    assert (audit.returncode, audit.stderr) == (0, b"")
