"""Walls of this machine, tried by a process that reads nothing: ``python -I -m securefl.node.walls``.

It says as JSON how each stands.
"""

from __future__ import annotations

import json
import sys

from securefl.node.walls.threads import try_threads_wall
from securefl.node.walls.walls import put_up_walls
from securefl.study.worker_walls import WorkerLimits, dump_walls

if __name__ == "__main__":
    walls = try_threads_wall(put_up_walls(WorkerLimits(), ()))
    sys.stdout.write(json.dumps(dump_walls(walls)))
