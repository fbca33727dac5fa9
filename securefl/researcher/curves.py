"""Series of a run as TensorBoard's event files, or as a run of MLflow; each is an extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from securefl.errors import UsageError

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
    summary = _extra("tensorboard.summary", "tensorboard")
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


def write_mlflow(
    points: Sequence[Point],
    address: str,
    name: str,
    digest: str,
) -> None:
    """Log the series as one run of an MLflow experiment.

    Args:
        points: of one run.
        address: tracking server or folder, as MLflow writes it.
        name: of the study, which is the experiment's name.
        digest: of the study.

    Raises:
        UsageError: the extra is not installed.
    """
    mlflow = _extra("mlflow", "mlflow")
    mlflow.set_tracking_uri(address)
    mlflow.set_experiment(name)
    with mlflow.start_run(run_name=digest[:12]):
        mlflow.set_tag("securefl.digest", digest)
        for point in points:
            mlflow.log_metric(point.series, point.value, step=point.round)


def _extra(module: str, package: str) -> Any:  # noqa: ANN401 - a module of a package that may be absent
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(
            f"{package} is not installed here.",
            whose="this machine's operator",
            next_step=f"`pip install {package}`, then the same command again.",
        ) from None
