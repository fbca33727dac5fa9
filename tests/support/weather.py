"""Faults by plan, at the two seams through which a party touches anything that outlives it: the
carrier of its board, and its own files with its ledger.

A fault strikes at the nth act of a kind by one role. Whose act it is, the world says
(:mod:`faulty_world`); one process plays all roles, one after the other.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass

from killed_run import KilledError

from securefl import files
from securefl.boards.board import MARKER
from securefl.boards.carrier import Carrier
from securefl.boards.fsspec import FsspecCarrier
from securefl.errors import StoreError
from securefl.federation import run_memory
from securefl.node import kept_rounds
from securefl.privacy.ledger import Ledger

#: What can go wrong at each kind of act.
KILLS = ("kill before", "kill after")
WRITE = (*KILLS, "error", "no answer", "partial", "delay", "duplicate", "reorder")
READ = ("kill before", "error", "stale")
OWN = (*KILLS, "disk full", "no room")
CLOCK = ("clock back", "clock on", "clock over")
STEPS = tuple(dict.fromkeys((*run_memory.STEPS, *kept_rounds.STEPS)))
#: Roles of a study of three hospitals; faults strike the first hospital.
COORDINATOR, AGGREGATOR = "researcher", "sums"
#: Turns of everybody for which a late write is late, old news are told, a disk is full.
LATE, OLD, FULL = 3, 4, 5
SECONDS = {"clock back": -7_200, "clock on": 7_200, "clock over": 1_000 * 365 * 86_400}
#: Folder, or end of a name, by which a file is known as a named step.
_STEP_OF = {"accepted": "accepted", "contributions": "contribution", "totals": "total"}
_SAID = {"signature": "agreement", "answer": "answer"}
_RUN = {"announcement": "round", "survivors": "survivors", "intent": "intent"}


@dataclass(frozen=True)
class Fault:
    """One fault: at which act of whom, and what happens.

    Args:
        role: coordinator, aggregator or a hospital.
        act: ``write``, ``open``, ``names``, ``stamp`` at the store; a named step, ``file`` or
            ``ledger`` at home; ``turn``.
        at: the place among all such acts of an undisturbed study, 0 to below 1.
        what: what happens there.
    """

    role: str
    act: str
    at: float
    what: str

    def __str__(self):
        return f"{self.role}-{self.act}-{self.at:.2f}-{self.what.replace(' ', '_')}"


def possible(hospital):
    """Every act of every role with everything that can go wrong at it."""
    at_store = [("write", what) for what in WRITE]
    at_store += [(act, what) for act in ("open", "names", "stamp") for what in READ]
    found = [(role, *fault) for role in (COORDINATOR, hospital, AGGREGATOR) for fault in at_store]
    homes = (
        (COORDINATOR, (*run_memory.STEPS, "file")),
        (hospital, (*kept_rounds.STEPS, "file", "ledger")),
    )
    found += [(role, act, what) for role, acts in homes for act in acts for what in OWN]
    found += [(role, "turn", what) for role in (hospital, AGGREGATOR) for what in CLOCK]
    return found


def cases(seed, number, hospital, both=0.2):
    """Cases by seed: kind of study, its faults (two at once in a part of ``both``).

    Every possible fault comes once before any comes twice.
    """
    lot = random.Random(seed)
    deck = []

    def draw(kind):
        while True:
            if not deck:
                deck.extend(possible(hospital))
                lot.shuffle(deck)
            role, act, what = deck.pop()
            if kind == "full" and act in {"survivors", "agreement", "answer"}:
                continue
            return Fault(role, act, lot.random(), what)

    found = []
    for n in range(number):
        kind = ("full", "survivors")[n % 2]
        count = 2 if lot.random() < both else 1
        found.append((kind, tuple(draw(kind) for _ in range(count))))
    return found


class Weather:
    """Counts all acts, and lets the faults strike.

    Args:
        faults: what strikes.
        counts: ``(role, act)`` → acts in an undisturbed study; empty for that study itself.

    Attributes:
        role: who is acting now.
        dead: whose process was killed and not started again.
        struck: the faults that did.
        written: path → every text that a party meant to write there.
        by_role: role → paths that it wrote.
        erased: role → paths that it removed.
        paths: ``(role, act)`` → what each was done to, in order.
        wall: role → seconds by which its wall clock is off.
    """

    def __init__(self, faults=(), counts=None):
        self.role, self.turns, self.home = COORDINATOR, 0, ""
        self.counts, self.dead, self.struck = Counter(), set(), []
        self.written, self.wall, self.by_role = {}, Counter(), {}
        self.erased, self.paths = {}, {}
        self._plan = {}
        for fault in faults:
            place = int(fault.at * counts[fault.role, fault.act])
            self._plan.setdefault((fault.role, fault.act, place), fault.what)
        self._later, self._held, self._full, self._old = [], {}, {}, {}

    def turn(self):
        """Everybody had a turn: what was late comes."""
        self.turns += 1
        due = [put for at, put in self._later if at <= self.turns]
        self._later = [(at, put) for at, put in self._later if at > self.turns]
        for put in due:
            put()

    def strike(self, act, path=""):
        """Count an act of the one who acts; what strikes there, empty for nothing.

        Args:
            act: its kind.
            path: what it is done to, where that is a path.

        Raises:
            KilledError: a kill does, or the process is dead already.
        """
        if self.role in self.dead:
            raise KilledError(act)
        place = (self.role, act, self.counts[self.role, act])
        self.counts[self.role, act] += 1
        self.paths.setdefault(place[:2], []).append(path)
        what = self._plan.get(place, "")
        if what:
            self.struck.append((*place, what))
        if what == "kill before":
            self.kill()
        return what

    def kill(self):
        """The one who acts is killed."""
        self.dead.add(self.role)
        raise KilledError(self.role)

    def step_clock(self, what):
        """The wall clock of the one who acts is set."""
        self.wall[self.role] += SECONDS.get(what, 0)

    def later(self, turns, put):
        """Let a write come that many turns late."""
        self._later.append((self.turns + turns, put))

    def hold(self, put):
        """Let a write come behind the next one of the same role, or late."""
        waiting = self._held.setdefault(self.role, [])
        waiting.append(put)

        def at_last():
            if put in waiting:
                waiting.remove(put)
                put()

        self.later(LATE, at_last)

    def let_go(self):
        """What was held comes now."""
        waiting = self._held.pop(self.role, [])
        for put in tuple(waiting):
            put()
        waiting.clear()

    def tell_old(self, key):
        """From now on the one who acts is told of ``key`` as it was."""
        self._old[self.role, key] = self.turns + OLD

    def is_old(self, key):
        return self._old.get((self.role, key), -1) > self.turns

    def fill_disk(self):
        """The disk of the one who acts takes nothing for a while."""
        self._full[self.role] = self.turns + FULL

    @property
    def disk_full(self):
        return self._full.get(self.role, -1) > self.turns


class FaultyCarrier(Carrier):
    """A carrier at which faults strike.

    Args:
        inner: keeps the objects.
        weather: says when.
    """

    def __init__(self, inner, weather):
        self._inner, self._weather = inner, weather
        self.many_at_a_time, self.comes_and_goes = inner.many_at_a_time, inner.comes_and_goes
        self._before = {}

    def write(self, path, fill):
        if path == MARKER:
            self._inner.write(path, fill)
            return
        self._write(path, fill, self._put)

    def create(self, path, fill):
        """A write, where nothing lies; a late one may find something by then."""
        if path == MARKER:
            return self._inner.create(path, fill)
        if type(self._inner).create in {Carrier.create, FsspecCarrier.create}:
            raise NotImplementedError  # before anything is counted
        found = []
        self._write(path, fill, lambda path, data: found.append(self._put_first(path, data)))
        return all(found[:1])

    def _write(self, path, fill, do):
        weather = self._weather
        file = io.BytesIO()
        fill(file)
        data = file.getvalue()
        what = weather.strike("write", path)
        weather.written.setdefault(path, set()).add(data)
        weather.by_role.setdefault(weather.role, set()).add(path)
        put = functools.partial(do, path, data)
        if what == "error":
            raise _unreachable()
        if what == "partial":
            do(path, data[: len(data) // 2])
            raise _unreachable()
        if what == "delay":
            weather.later(LATE, put)
            return
        if what == "reorder":
            weather.hold(put)
            return
        put()
        weather.let_go()
        if what == "duplicate":
            weather.later(LATE, put)
        if what == "no answer":
            raise _unreachable()
        if what == "kill after":
            weather.kill()

    def open(self, path, most):
        if path == MARKER:
            return self._inner.open(path, most)
        key = ("object", path)
        self._read("open", key)
        if not self._weather.is_old(key):
            return self._inner.open(path, most)
        before = _BEFORE.get(path)
        if before is None:
            raise FileNotFoundError(path)
        return io.BytesIO(before)

    def stamp(self, path):
        if path == MARKER:
            return self._inner.stamp(path)
        key = ("stamp", path)
        self._read("stamp", key)
        if self._weather.is_old(key):
            raise FileNotFoundError(path)
        return self._inner.stamp(path)

    def names(self, folder):
        key = ("names", folder)
        self._read("names", key)
        found = self._inner.names(folder)
        if self._weather.is_old(key):
            return found[:-1]
        return found

    def erase(self, path):
        weather = self._weather
        what = weather.strike("erase")
        if what == "error":
            raise _unreachable()
        weather.erased.setdefault(weather.role, set()).add(path)
        self._inner.erase(path)
        if what == "kill after":
            weather.kill()

    def shut(self, wanted):
        return self._inner.shut(wanted)

    def _put(self, path, data):
        self._keep_old(path, len(data))
        self._inner.write(path, lambda file: file.write(data))

    def _put_first(self, path, data):
        self._keep_old(path, len(data))
        return self._inner.create(path, lambda file: file.write(data))

    def _keep_old(self, path, size):
        try:
            with self._inner.open(path, size + 1_000_000) as file:
                _BEFORE[path] = file.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            _BEFORE.pop(path, None)

    def _read(self, act, key):
        what = self._weather.strike(act)
        if what == "error":
            raise _unreachable()
        if what == "stale":
            self._weather.tell_old(key)


#: Path → what lay there before the last write. Digests tell studies apart.
_BEFORE = {}


def _unreachable():
    return OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))


def watch_files(weather, patch):
    """From now on faults strike at the files and the ledgers of those who act, too."""
    for name in ("write_file", "write_secret", "erase_file"):
        act = getattr(files, name)
        watched = _watched_file(weather, act)
        for module in [m for n, m in sys.modules.items() if n.startswith("securefl")]:
            if getattr(module, name, None) is act:
                patch.setattr(module, name, watched)
    for name in ("start", "sent", "answer", "settle"):
        patch.setattr(Ledger, name, _watched_ledger(weather, name, getattr(Ledger, name)))


def _watched_file(weather, act):
    @functools.wraps(act)
    def watched(path, *given, **named):
        if not str(path).startswith(weather.home):
            return act(path, *given, **named)
        what = weather.strike(_step(path), str(path))
        if what == "disk full":
            weather.fill_disk()
        if what == "no room" or (weather.disk_full and act.__name__ != "erase_file"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        result = act(path, *given, **named)
        if what == "kill after":
            weather.kill()
        return result

    return watched


def _watched_ledger(weather, name, act):
    label = name if name in STEPS else "ledger"

    @functools.wraps(act)
    def watched(self, *given, **named):
        what = weather.strike(label)
        if what == "disk full":
            weather.fill_disk()
        if what == "no room" or weather.disk_full:
            raise StoreError("The ledger cannot be read or written just now: the disk is full.")
        result = act(self, *given, **named)
        if what == "kill after":
            weather.kill()
        return result

    return watched


def _step(path):
    """The named step that a file is; ``file`` where it is none."""
    folder, name = path.parent.name, path.name
    if folder in _STEP_OF and name.isdecimal():
        return _STEP_OF[folder]
    if folder == "said":
        return _SAID.get(name.split("-", 1)[-1], "file")
    if folder.isdecimal():
        return _RUN.get(name, "file")
    return "file"
