"""Walls around the process that reads the data, as far as a hospital's machine enforces them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.report.page import Span, Tone
from securefl.study.worker_walls import ALWAYS_REQUIRED, NO_RULE, Standing

if TYPE_CHECKING:
    from securefl.study.worker_walls import Walls

#: Each wall as a part of a sentence: what holds, and what does not.
_HOLDS: Final = {
    "network": "holds: it reaches no network",
    "files": "holds: it reads the program's own files alone, and writes none",
    "other-processes": "holds: it reaches no other process, neither by a signal nor into its memory",
    "new-processes": "holds: it starts no program and no process",
    "threads": "holds: it starts no thread once it reads the table",
    "keys": "holds: it was given no key and no environment, and can read none",
    "system-calls": "holds: system calls that training never needs are refused",
    "memory": "holds: its memory is limited",
    "cores": "holds: its cores are limited",
    "time": "holds: its processor time is limited",
    "file-size": "holds: it can fill no disk",
}
_WHY: Final = {
    "not-linux": "does not hold: this machine does not run Linux",
    "no-namespaces": (
        "does not hold: this machine forbids user namespaces and filters of system calls"
    ),
    "no-filter": "does not hold: this machine has no filter of system calls for its processor",
    "no-landlock": "does not hold: the kernel has no Landlock (Linux 5.13 or later)",
    "still-read": "does not hold: the hospital's folder lies among the program's own files",
    "not-empty": "does not hold: it was given more than its table",
    "no-rule": "no rule of yours limits it",
    "not-told": "does not hold: the worker said nothing of it",
}


@dataclass(frozen=True)
class Isolation:
    """Walls on this machine, and which of them a worker must have to be handed a table.

    Attributes:
        walls: each, as it stands.
        required: names of the walls without which no table is handed over.
    """

    walls: Walls
    required: frozenset[str] = ALWAYS_REQUIRED

    @property
    def open(self) -> Walls:
        """Walls that do not hold, beside those that no rule asks for."""
        return tuple(w for w in self.walls if not w.held and not self._unasked(w))

    @property
    def network(self) -> Standing:
        """The wall that is required unless a signed rule says otherwise."""
        return next(wall for wall in self.walls if wall.wall == "network")

    def _unasked(self, wall: Standing) -> bool:
        return wall.reason == NO_RULE and wall.wall not in self.required


def wall_words(wall: Standing) -> str:
    """State of one wall.

    >>> wall_words(Standing("network", ("namespace",)))
    'holds: it reaches no network'
    """
    if wall.held:
        return _HOLDS[wall.wall]
    return _WHY[wall.reason]


def isolation_sentence(isolation: Isolation) -> str:
    """The line on the request page and of ``securefl doctor``."""
    if not isolation.network.held:
        if isolation.network.wall in isolation.required:
            return "isolation: network NOT blocked, so no worker is given a table here"
        return (
            "isolation: network NOT blocked; this hospital's policy lets the worker read the table"
            " all the same"
        )
    if any(wall.wall in isolation.required for wall in isolation.open):
        return (
            "isolation: network blocked; a wall that is required does not hold, so no worker is"
            " given a table"
        )
    if isolation.open:
        return "isolation: network blocked; not every other wall round the worker holds"
    return "isolation: network blocked; all other walls round the worker hold too"


def isolation_spans(isolation: Isolation) -> list[Span]:
    """The line, and one more for each wall that does not hold."""
    tone = Tone.WARN
    if not isolation.open:
        tone = Tone.PLAIN
    spans = [Span(isolation_sentence(isolation), tone)]
    for wall in isolation.open:
        required = " (your policy requires it)" if wall.wall in isolation.required else ""
        spans.append(Span(f"wall {wall.wall}: {wall_words(wall)}{required}", Tone.WARN))
    return spans


def walls_json(isolation: Isolation) -> list[dict[str, Any]]:
    """Each wall as a value for programs."""
    return [
        {
            "wall": wall.wall,
            "holds": wall.held,
            "required": wall.wall in isolation.required,
            "by": list(wall.by),
            "words": wall_words(wall),
        }
        for wall in isolation.walls
    ]
