"""Walls of a worker as this machine puts them up: tried once by a process that reads nothing.

``securefl/node/walls`` puts them up. A machine on which one cannot stand is told so on the request
page, never silently, and a worker without a wall that is required is handed no table.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.errors import RoundError
from securefl.report.isolation import Isolation, wall_words
from securefl.study.worker_walls import LIMIT, WITH_A_FIGURE, WorkerRules, read_walls

if TYPE_CHECKING:
    from securefl.study.worker_walls import Standing, Walls, WorkerLimits

#: It takes a tenth of a second.
_TRIAL_SECONDS: Final = 60.0


def _tried() -> Walls:
    """Walls round a process that was started as a worker is; none of them where it did not answer,
    and then it is tried again the next time.
    """
    try:
        return _trial()
    except (OSError, ValueError, subprocess.SubprocessError):
        return read_walls(None)


@cache
def _trial() -> Walls:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "securefl.node.walls"],
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_TRIAL_SECONDS,
        check=True,
    )
    return read_walls(json.loads(done.stdout))


def machine_walls(limits: WorkerLimits) -> Walls:
    """Walls that this machine puts round a worker.

    Args:
        limits: that its worker would have.
    """
    return tuple(_with_figure(wall, limits) for wall in _tried())


def _with_figure(wall: Standing, limits: WorkerLimits) -> Standing:
    figure = WITH_A_FIGURE.get(wall.wall)
    if figure is None or getattr(limits, figure) is None or not _tried_file_size():
        return wall
    return replace(wall, by=(LIMIT,), reason="")


def _tried_file_size() -> bool:
    """True where the machine limits resources at all."""
    return any(wall.wall == "file-size" and wall.held for wall in _tried())


def isolation(rules: WorkerRules) -> Isolation:
    """Walls of this machine, and those that an owner's rules require."""
    return Isolation(machine_walls(rules.limits), rules.required)


def check_walls(rules: WorkerRules, walls: Walls) -> None:
    """Refuse a worker without a wall that is required.

    Args:
        rules: of the hospital.
        walls: of a worker, or of this machine.

    Raises:
        RoundError: with the wall, why it does not hold, and the next step.
    """
    missing = rules.missing(walls)
    if not missing:
        return
    named = "; ".join(f"wall {wall.wall} {wall_words(wall)}" for wall in missing)
    raise RoundError(
        f"A worker is given no table on this machine: {named}.",
        whose="this machine's operator, or this hospital's data owner (another policy)",
        next_step=wall_advice(missing[0]),
    )


def wall_advice(wall: Standing) -> str:
    """Give the next step for a wall that does not hold."""
    if wall.wall == "network":
        return (
            f"{userns_advice()} Or the data owner signs a policy with worker_may_have_network ="
            " true: then every request page says that rows could be sent anywhere."
        )
    return (
        "Use a machine on which it holds (`securefl doctor` lists the walls), or take"
        f' "{wall.wall}" out of walls in the policy and sign it again.'
    )


#: Switches that forbid user namespaces: file below /proc/sys, the value that does, the mend.
_USERNS_SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        (
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (AppArmor, Ubuntu 23.10 and"
            " later)"
        ),
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "sysctl -w kernel.unprivileged_userns_clone=1 (Debian)",
    ),
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
)


def userns_advice(root: Path = Path("/proc/sys")) -> str:
    """Give the next step where user namespaces are forbidden.

    The switches that stand wrong here, or all of them where none does.

    Args:
        root: where the kernel shows its switches.
    """
    wrong = []
    for name, forbids, mend in _USERNS_SWITCHES:
        with suppress(OSError):
            if (root / name).read_text("ascii").strip() == forbids:
                wrong.append(mend)
    if wrong:
        return (
            f"Allow user namespaces: {'; '.join(wrong)}. To keep it, write it into a file in"
            " /etc/sysctl.d."
        )
    named = ", ".join(name.replace("/", ".") for name, _, _ in _USERNS_SWITCHES)
    return (
        f"Allow user namespaces: see the switches {named}. In a container, ask whoever runs it"
        " (seccomp, no-new-privileges)."
    )
