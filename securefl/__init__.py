"""Federated learning for hospitals: approved code only, a budget that holds, only the sum opens.

The researcher's names (:func:`connect`, :class:`Study`, :func:`load_model`) are fetched from
:mod:`securefl.api`, :func:`design` from :mod:`securefl.designing` and :func:`simulate` from
:mod:`securefl.rehearsal`, on first use (PEP 562), so that ``import securefl`` costs neither torch
nor syft.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Study", "__version__", "connect", "design", "load_model", "simulate"]


def __dir__() -> list[str]:
    """List the names that a user may ask for; completion shows nothing else."""
    return sorted(__all__)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a lazy door returns whatever stands behind it
    if name == "__version__":
        from securefl.environment import version

        return version()
    if name in {"Study", "connect", "load_model"}:
        from securefl import api

        return getattr(api, name)
    if name == "design":
        from securefl.designing import design

        return design
    if name == "simulate":
        from securefl.rehearsal import simulate

        return simulate
    raise AttributeError(f"module 'securefl' has no attribute {name!r}")
