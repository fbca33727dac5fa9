"""Places on the disk that a worker may read: the program's own, and what its libraries ask of the
machine.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

#: Folders of shared libraries, and files from which libraries learn of processors and memory.
_OF_THE_MACHINE = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
#: The one file that libraries write to.
WRITTEN = (Path("/dev/null"),)


def readable_places() -> tuple[Path, ...]:
    """Files and folders without which no library loads."""
    paths = sysconfig.get_paths()
    program: set[str] = {paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    homes = (Path(sys.prefix), Path(sys.base_prefix))
    # an environment that brings shared libraries of its own (conda) has them there
    program |= {str(home / "lib") for home in homes}
    for entry in sys.path:
        path = Path(entry)
        # a folder that somebody else put on the path is none of the program's
        if any(path.is_relative_to(home) and path != home for home in homes):
            program.add(entry)
    package = Path(__file__).parents[2]
    named = (*sorted(program), *_OF_THE_MACHINE)
    return (package, *(Path(place) for place in named))
