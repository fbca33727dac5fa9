"""The contract: what a study file may say, its digest, and who approved it. Pure: texts in, objects out."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_DOORS = {
    "Approval": "approval",
    "Protocol": "schema",
    "Study": "schema",
    "check_consistency": "consistency",
    "parse_protocol": "parse",
    "parse_study": "parse",
    "seal_study": "seal",
    "study_digest": "digest",
}
__all__ = sorted(_DOORS)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a lazy door returns whatever stands behind it
    if name in _DOORS:
        return getattr(import_module(f"securefl.study.{_DOORS[name]}"), name)
    raise AttributeError(f"module 'securefl.study' has no attribute {name!r}")
