"""Model families: shapes, initial weights, scores and per-record gradients. A file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from securefl.study import registries

if TYPE_CHECKING:
    from securefl.learning.families.family import Family
    from securefl.registry import Registry

FAMILIES = cast("Registry[type[Family]]", registries.FAMILIES)
