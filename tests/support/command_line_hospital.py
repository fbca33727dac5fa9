"""A hospital made by the command line, and commands in processes of their own: for the tests in
``tests/found``.
"""

from __future__ import annotations

import os
import subprocess
import sys

from click.testing import CliRunner
from conftest import PROTOCOL

from securefl.cli.main import cli


def securefl(*arguments, cwd=None, env=None, timeout=120, **more):
    """``securefl ARGUMENTS`` as a process; its output as bytes where ``text=False``."""
    options = {"capture_output": True, "text": True, **more}
    return subprocess.run(
        [sys.executable, "-m", "securefl", *map(os.fspath, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "400", **(env or {})},
        timeout=timeout,
        check=False,
        **options,
    )


def here(*arguments):
    """What ``securefl ARGUMENTS`` says on standard output, run in this process, which has
    everything imported: where a process is not the point.
    """
    done = CliRunner().invoke(cli, [*map(os.fspath, arguments)], env={"COLUMNS": "400"})
    assert done.exit_code == 0, done.output
    return done.stdout


def words(text):
    """What a page says, without its frame and line ends."""
    return " ".join(text.replace("│", " ").split())


def unbroken(text):
    """The same without any blank, for a path that is longer than a line of the frame."""
    return words(text).replace(" ", "")


def init(folder, store, *more, name="S", legal_name="L", **options):
    """``securefl site init``."""
    return securefl(
        "site",
        "init",
        folder,
        "--name",
        name,
        "--legal-name",
        legal_name,
        "--email",
        "a@b.example",
        "--store",
        store,
        *more,
        **options,
    )


def hospital(tmp_path, name="S"):
    """A hospital's folder, with a store beside it."""
    folder, store = tmp_path / name, tmp_path / "store"
    who = ("--name", name, "--legal-name", "L", "--email", "a@b.example")
    here("site", "init", folder, *who, "--store", store)
    return folder


def protocol_file(tmp_path):
    """The small protocol as a file."""
    path = tmp_path / "protocol.toml"
    path.write_text(PROTOCOL, "utf-8")
    return path
