"""Trial of the worker that trains: started as a study starts it, on invented patients."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from securefl.node import worker_trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from securefl.privacy.worker_answers import Answers


@contextmanager
def trial(folder: Path) -> Iterator[Callable[[], Answers]]:
    """Start workers without waiting for them; what is yielded asks them.

    ``folder`` holds the invented table and the workers' logs. What is yielded raises as
    :func:`securefl.node.worker_trial.ask_workers`.
    """
    with worker_trial.trial_workers(folder) as workers:
        yield partial(worker_trial.ask_workers, workers)
