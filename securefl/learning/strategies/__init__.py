"""Strategies: how a hospital steps after the noise, and how the sum moves the model. A file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from securefl.study import registries

if TYPE_CHECKING:
    from securefl.learning.strategies.strategy import Strategy
    from securefl.registry import Registry
    from securefl.study.training import TrainSection

STRATEGIES = cast("Registry[type[Strategy]]", registries.STRATEGIES)


def strategy_of(training: TrainSection) -> Strategy:
    """The strategy that the study names, with its constants."""
    return STRATEGIES[training.strategy].of(training)
