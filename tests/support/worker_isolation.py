"""Walls round a worker as machines have them, for pages that say so."""

from securefl.report.isolation import Isolation
from securefl.study.worker_walls import NO_LANDLOCK, NO_NAMESPACES, NO_RULE, WALLS, Standing

_HELD = {name: Standing(name, ("filter",)) for name in WALLS}
_NO_FIGURE = {name: Standing(name, reason=NO_RULE) for name in ("cores", "time")}
_NO_FILES = {name: Standing(name, reason=NO_LANDLOCK) for name in ("files", "keys")}
_NO_NETWORK = {"network": Standing("network", reason=NO_NAMESPACES)}


def _isolation(changes, **more):
    return Isolation(tuple((_HELD | changes).values()), **more)


#: Everything holds; no rule gives a figure of cores and time.
WALLED = _isolation(_NO_FIGURE)
#: A kernel without Landlock.
FILES_OPEN = _isolation(_NO_FIGURE | _NO_FILES, required=frozenset(("network", "files")))
#: No network wall, and the usual rules.
NETWORK_OPEN = _isolation(_NO_FIGURE | _NO_NETWORK)
#: The same where the owner's policy allows it.
NETWORK_ALLOWED = _isolation(_NO_NETWORK, required=frozenset())
