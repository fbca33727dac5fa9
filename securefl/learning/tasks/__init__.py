"""Tasks: what is predicted, with which loss, and how it is judged. A file or folder each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from securefl.study import registries

if TYPE_CHECKING:
    from securefl.learning.tasks.task import Task
    from securefl.registry import Registry
    from securefl.study.columns import DataSpec

TASKS = cast("Registry[type[Task]]", registries.TASKS)


def task_of(data: DataSpec) -> Task:
    """The task that the label of these data names."""
    return TASKS[data.label.task](data.label)
