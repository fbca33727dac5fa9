"""Stages that a study may list, by name: count, train, evaluate, and whatever else is registered.

A stage is implemented above this room (:mod:`securefl.learning.stages`); it is named here so that
the contract can read its section.
"""

from __future__ import annotations

from typing import Any, Final

from securefl.registry import Registry

#: Kind of stage → its class, a :class:`securefl.learning.stages.stage.Stage`.
STAGES: Final[Registry[Any]] = Registry(
    "kind of stage",
    {
        "count": "securefl.learning.stages.count:Count",
        "train": "securefl.learning.stages.train:Train",
        "evaluate": "securefl.learning.stages.evaluate:Evaluate",
    },
)
