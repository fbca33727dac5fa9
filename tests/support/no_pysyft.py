"""``securefl`` on a machine where nothing of PySyft can be imported, nor what else a light
installation leaves out: run as ``python no_pysyft.py site start ...``.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

#: What ``requirements-light.lock`` leaves out, by the names that are imported.
LEFT_OUT = (
    "syft",
    "syft_crypto",
    "syft_datasets",
    "syft_job",
    "syft_migration",
    "syft_notebook_ui",
    "syft_permissions",
    "syft_perms",
    "syft_rds",
    "googleapiclient",
    "opacus",
    "pandas",
    "torch",
)


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
