"""``securefl`` with workers that need no torch, for the agents of consortia whose tests are about
messages, losses and ends: run as ``python light_agent.py site start ...``.

A worker stays a process of its own behind the same walls, with the same table, sampling, clipping,
rounding and noise. Only a linear model's gradients are worked out in closed form, as simulations
do, and importing torch is left out: most of a worker's processor time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from securefl.cli.main import main
from securefl.node import launcher

WORKER = Path(__file__).with_name("light_worker.py")


def use_light_workers() -> None:
    """From now on this process's agent starts such workers."""
    launcher.PROGRAM = ("-I", str(WORKER))


if __name__ == "__main__":
    use_light_workers()
    sys.exit(main())
