"""Version of Flower that is installed, or the refusal that says how to get it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from securefl.errors import UsageError


def flower_version() -> str:
    """The version of flwr.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return version("flwr")
    except PackageNotFoundError:
        raise UsageError(
            "Flower is not installed.", next_step="Run: pip install 'securefl[flower]'"
        ) from None
