"""App for ``flwr run``: a folder with the ServerApp, and a ClientApp that carries nothing.

A SuperNode that would run a ClientApp from the network would run whatever code is sent. The one
that is written here says so instead of working.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final

from securefl.errors import UsageError
from securefl.files import made_whole

if TYPE_CHECKING:
    from pathlib import Path

#: Name of the app's package.
PACKAGE: Final = "securefl_store"

_PROJECT: Final = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "securefl-store"
version = "1.0.0"
description = "Carries the objects of a securefl consortium; knows no study and holds no key."
license = "Apache-2.0"
dependencies = []

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "securefl"

[tool.flwr.app.components]
serverapp = "securefl_store.server_app:app"
clientapp = "securefl_store.client_app:app"

[tool.flwr.app.config]
# The file on the SuperLink's machine in which the ServerApp keeps what parties post.
store = {store}
"""

_SERVER: Final = '''\
"""The ServerApp, as it is installed on the SuperLink's machine."""

from securefl.boards.flower.server import app

__all__ = ["app"]
'''

_CLIENT: Final = '''\
"""ClientApp that carries nothing: a hospital runs no code that came over the network."""

from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def query(message, context):
    """Say what to do instead."""
    raise RuntimeError(
        "This SuperNode runs apps from the network. Start it with --isolation process, and"
        " beside it: securefl flower SPOOL"
    )
'''


def write_app(folder: Path, store: str) -> None:
    """Write the app into a new folder.

    Args:
        folder: where it will stand.
        store: whole path of the file in which the ServerApp keeps what was posted.

    Raises:
        UsageError: there is something in the folder, or ``store`` is no whole path.
    """
    if not store.startswith("/") or not store.isprintable():
        raise UsageError(
            f"{store!r} is no whole path of a file.",
            next_step="Name one on the SuperLink's machine, such as /srv/securefl/store.db.",
        )
    text = _PROJECT.format(store=_toml(store))
    tomllib.loads(text)
    with made_whole(folder, "pyproject.toml") as building:
        package = building / PACKAGE
        package.mkdir()
        (package / "__init__.py").write_text('"""Objects of a securefl consortium."""\n')
        (package / "server_app.py").write_text(_SERVER)
        (package / "client_app.py").write_text(_CLIENT)
        (building / "pyproject.toml").write_text(text)


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
