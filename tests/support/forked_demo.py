"""``securefl`` whose own processes are forked, for a command that is watched by another program."""

from __future__ import annotations

import sys

import forked_processes

from securefl.cli.main import main

if __name__ == "__main__":
    forked_processes.install()
    sys.argv[0] = "securefl"
    main()
