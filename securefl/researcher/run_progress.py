"""Progress of a run in a notebook: one output that is updated, instead of a line for each round.

Nothing is imported for it: where a kernel runs, IPython is loaded already.
"""

from __future__ import annotations

import sys
from html import escape
from typing import TYPE_CHECKING, Any, Final

from securefl.researcher.progress import round_lines
from securefl.researcher.stopping import KERNEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_record import RoundRecord

_DISPLAY: Final = "IPython.display"


class MovingLine:
    """The last opened round: text, and in a notebook a bar with it.

    Attributes:
        done: rounds that were opened.
        due: rounds of the study.
        line: of the last one.
    """

    def __init__(self, done: int, due: int, line: str) -> None:
        self.done = done
        self.due = due
        self.line = line

    def __repr__(self) -> str:
        return f"{self.done} of {self.due}: {self.line}"

    def _repr_html_(self) -> str:
        """A bar and the line, in the notebook's own colours."""
        bar = f'<progress max="{self.due}" value="{self.done}"></progress>'
        line = escape(f"{self.done} of {self.due}: {self.line}")
        return f"<div>{bar} {line}</div>"


def progress_of(plan: RoundPlan, folder: Path) -> Callable[[RoundRecord], None]:
    """Return what shows each opened round of this study: one moving line in a notebook, else a
    printed line each.

    Args:
        plan: the study.
        folder: the study's folder at its researcher.
    """
    words = round_lines(plan, folder)
    show = _display()
    handle: Any = None

    def watch(record: RoundRecord) -> None:
        nonlocal handle
        line = words(record)
        if show is None:
            print(line)  # noqa: T201 - a Python session's own output
            return
        moving = MovingLine(record.round, plan.last_round, line)
        if handle is None:
            handle = show(moving, display_id=True)
        else:
            handle.update(moving)

    return watch


def _display() -> Any:  # noqa: ANN401 - a function of IPython, which is no dependency
    """IPython's ``display`` in a process that serves a notebook; None elsewhere."""
    if KERNEL in sys.modules and _DISPLAY in sys.modules:
        return sys.modules[_DISPLAY].display
    return None
