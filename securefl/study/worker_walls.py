"""Walls round the process that reads a hospital's rows, as data: their names, how each stands on a
machine, and what an owner asks of them.

Nothing here puts a wall up (``securefl/node/walls``). A report of walls comes from a process that
an agent has just started: it is read as strictly as any other party's words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Each wall by its name in a policy, with what it keeps the worker from.
WALLS: Final = {
    "network": "no connection to anything",
    "files": "no file but the program's own, and none that it could write",
    "other-processes": "no signal to another process, no look into its memory",
    "new-processes": "no program and no process of its own",
    "threads": "no thread beside those that its libraries began with",
    "keys": "no key, no environment, no descriptor but its own",
    "system-calls": "none of the system calls that training never needs",
    "memory": "no more memory than the limit",
    "cores": "no more cores than the limit",
    "time": "no more processor time than the limit",
    "file-size": "no long file, and so no full disk",
}
#: Means by which a wall can stand: a report may name these.
NAMESPACE, FILTER, LANDLOCK = "namespace", "filter", "landlock"
OWN_ROOT = "own-root"
EMPTY_START = "empty-start"
LIMIT = "limit"
MEANS: Final = frozenset((NAMESPACE, FILTER, LANDLOCK, OWN_ROOT, EMPTY_START, LIMIT))
#: Reasons why a wall cannot stand.
NOT_LINUX, NO_NAMESPACES, NO_FILTER = "not-linux", "no-namespaces", "no-filter"
NO_LANDLOCK = "no-landlock"
STILL_READ = "still-read"
NOT_EMPTY = "not-empty"
NO_RULE = "no-rule"
NOT_TOLD = "not-told"
REASONS: Final = frozenset(
    (
        NOT_LINUX,
        NO_NAMESPACES,
        NO_FILTER,
        NO_LANDLOCK,
        STILL_READ,
        NOT_EMPTY,
        NO_RULE,
        NOT_TOLD,
    )
)
#: Without it rows could be sent anywhere: required unless the owner's signed policy says otherwise.
ALWAYS_REQUIRED: Final = frozenset(("network",))
#: Walls that stand only where the owner wrote a figure, with its name in :class:`WorkerLimits`.
WITH_A_FIGURE: Final = {"cores": "cores", "time": "seconds"}
#: The longest file that a worker may write, in bytes: its log of crashes, and nothing else.
LOG_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Standing:
    """How one wall stands.

    Attributes:
        wall: its name.
        by: means that hold it, of :data:`MEANS`; empty where it does not hold.
        reason: of :data:`REASONS`, why it does not; empty where it holds.
    """

    wall: str
    by: tuple[str, ...] = ()
    reason: str = ""

    @property
    def held(self) -> bool:
        """True where something holds the wall."""
        return bool(self.by)


Walls = tuple[Standing, ...]


@dataclass(frozen=True)
class WorkerLimits:
    """Figures of the limits; None where no rule gives one.

    Attributes:
        memory: bytes of the worker's own; left out, what the machine has.
        cores: of the machine.
        seconds: of processor time.
    """

    memory: int | None = None
    cores: int | None = None
    seconds: int | None = None


@dataclass(frozen=True)
class WorkerRules:
    """Conditions of a hospital for a worker that is handed a table.

    Attributes:
        required: walls without which it is handed none.
        limits: of its resources.
    """

    required: frozenset[str] = ALWAYS_REQUIRED
    limits: WorkerLimits = field(default_factory=WorkerLimits)

    def missing(self, walls: Walls) -> Walls:
        """Those of ``walls`` that are required and do not hold, in the order of :data:`WALLS`."""
        return tuple(w for w in walls if w.wall in self.required and not w.held)


#: Rules for a worker on invented rows: nobody's data can leave.
INVENTED_ROWS: Final = WorkerRules(required=frozenset())


def dump_limits(limits: WorkerLimits) -> str:
    """Limits as one word of a command line; 0 stands for none."""
    figures = (limits.memory, limits.cores, limits.seconds)
    return ",".join(str(figure or 0) for figure in figures)


def read_limits(text: str) -> WorkerLimits:
    """Limits of :func:`dump_limits`."""
    memory, cores, seconds = (int(figure) or None for figure in text.split(","))
    return WorkerLimits(memory, cores, seconds)


def held_walls(walls: Walls) -> tuple[str, ...] | None:
    """Names of the walls that hold; None where nothing was reported."""
    if not walls:
        return None
    return tuple(wall.wall for wall in walls if wall.held)


def dump_walls(walls: Walls) -> list[list[Any]]:
    """A report of walls as JSON has it."""
    return [[wall.wall, list(wall.by), wall.reason] for wall in walls]


def read_walls(raw: object) -> Walls:
    """A report of walls as another process told it: each wall once, in known words.

    What is missing or odd does not hold.
    """
    told: dict[str, Standing] = {}
    if isinstance(raw, list):
        told = {wall.wall: wall for wall in _sound(raw)}
    return tuple(told.get(name, Standing(name, reason=NOT_TOLD)) for name in WALLS)


def _sound(raw: Iterable[object]) -> Iterable[Standing]:
    for entry in raw:
        if not isinstance(entry, list) or len(entry) != 3:
            continue
        wall, by, reason = entry
        if not isinstance(wall, str) or not isinstance(by, list):
            continue
        known = all(isinstance(means, str) and means in MEANS for means in by)
        if known and by and reason == "":
            yield Standing(wall, tuple(by))
        elif not by and isinstance(reason, str) and reason in REASONS:
            yield Standing(wall, reason=reason)
