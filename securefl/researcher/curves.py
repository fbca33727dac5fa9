"""Series of a run as TensorBoard's event files; TensorBoard is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.researcher.optional_package import optional_package

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from securefl.researcher.run_series import Point


def write_tensorboard(points: Sequence[Point], folder: Path) -> None:
    """Write event files that ``tensorboard --logdir`` draws.

    Args:
        points: of one run.
        folder: is made; one with event files in it is refused, since curves would be doubled.

    Raises:
        UsageError: the extra is not installed, or the folder holds curves already.
    """
    summary = optional_package("tensorboard.summary", "tensorboard")
    if folder.is_dir() and any(folder.glob("events.out.tfevents.*")):
        raise UsageError(
            f"{folder} holds curves already; they would be drawn twice.",
            next_step="Name another folder.",
        )
    writer = summary.Writer(str(folder))
    try:
        for point in points:
            writer.add_scalar(
                point.series,
                point.value,
                point.round,
                wall_time=point.at.timestamp(),
            )
    finally:
        writer.close()
