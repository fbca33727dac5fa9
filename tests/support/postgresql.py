"""A PostgreSQL server of a test's own: in a folder of its own, on a socket alone, gone at its end."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl; None where PostgreSQL is not installed."""
    for folder in _DEBIAN:
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextlib.contextmanager
def server():
    """A running server; yields its socket. Its superuser is ``postgres``."""
    with tempfile.TemporaryDirectory(prefix="securefl-postgresql-") as folder:
        yield from _running(binaries(), Path(folder))


def _running(programs: Path, folder: Path):
    as_user = []
    if os.getuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]

    def run(*words):
        subprocess.run(
            [*as_user, *map(str, words)],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    data = folder / "data"
    run(programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync")
    alone = f"-k {folder} -c listen_addresses= -c fsync=off"
    run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", alone, "start")
    try:
        yield folder / ".s.PGSQL.5432"
    finally:
        run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
