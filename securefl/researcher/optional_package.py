"""Packages of an extra: imported where they are installed, named where they are not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from securefl.errors import UsageError


def optional_package(module: str, extra: str) -> Any:  # noqa: ANN401 - a module of a package that may be absent
    """Import a module that comes with an extra of securefl.

    Args:
        module: to import.
        extra: that brings it.

    Raises:
        UsageError: it is not installed here.
    """
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"{extra} is not installed here.",
            whose="this machine's operator",
            next_step=f"`pip install securefl[{extra}]`, then the same command again.",
        ) from None
