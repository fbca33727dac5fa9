import subprocess
import sys

from securefl.datasite.entry import COMMAND, MAIN, RUN


def test_the_scripts_of_a_request_run_nothing_name_our_command_and_fail(tmp_path):
    for name, text, command in (("main.py", MAIN, sys.executable), ("run.sh", RUN, "/bin/sh")):
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            [command, tmp_path / name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert COMMAND in done.stderr
        assert done.stdout == ""
