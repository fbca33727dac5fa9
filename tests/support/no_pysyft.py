"""``securefl`` on a machine where nothing of PySyft can be imported, nor what else a light
installation leaves out: run as ``python no_pysyft.py site start ...``.
"""

from __future__ import annotations

import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def _left_out() -> frozenset[str]:
    """What is installed here and not by ``requirements-light.lock``, by the names that are
    imported.
    """
    lock = (ROOT / "requirements-light.lock").read_text("utf-8")
    light = {_plain(line.partition("==")[0]) for line in lock.splitlines() if line[:1].isalpha()}
    light |= {"securefl", "securefl-light"}
    brought = packages_distributions()
    return frozenset(name for name, of in brought.items() if light.isdisjoint(map(_plain, of)))


#: setuptools' own start file, which each process of an environment with it imports.
AT_START = frozenset({"_distutils_hack"})
LEFT_OUT = _left_out() - AT_START


class Without:
    """The finder of installed packages, which finds none of those that are left out."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] in LEFT_OUT:
            return None
        return PathFinder.find_spec(name, path, target)

    @staticmethod
    def find_distributions(*context: Any) -> Any:
        return PathFinder.find_distributions(*context)


def block() -> None:
    """From now on importing one of them fails here as where it is not installed."""
    if loaded():
        raise AssertionError(f"imported before: {loaded()}")
    sys.meta_path[:] = [Without if finder is PathFinder else finder for finder in sys.meta_path]


def loaded() -> list[str]:
    """What of it this process has imported all the same."""
    return sorted({name.partition(".")[0] for name in sys.modules} & set(LEFT_OUT))


if __name__ == "__main__":
    block()
    from light_agent import use_light_workers

    from securefl.cli.main import main

    use_light_workers()
    code = main()
    sys.exit(code if not loaded() else f"imported: {loaded()}")
