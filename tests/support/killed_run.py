"""A coordinator that is killed before or after anything that it does, and started again.

A kill is an exception that no part of the program catches: what is not on the disk or in the store
by then is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from followed_study import FollowedStudy
from in_process_federation import INSTANCES, sealed_study

from securefl.federation import kept_totals
from securefl.federation.coordinator import Coordinator
from securefl.researcher import durable_run
from securefl.researcher.durable_run import DurableRun

FULL = sealed_study(("rounds = 4", "rounds = 1"), ("steps = 4", "steps = 1"))[1]
#: What a coordinator does that others may see, beside its durable writes.
CALLS = ("broadcast", "collect", "gather", "conclude", "show", "leave")
#: The functions by which anything becomes durable, or is erased, in its folder.
WRITES = {
    durable_run: ("replace_file", "write_secret", "erase_file"),
    kept_totals: ("replace_file",),
}


class KilledError(BaseException):
    """As SIGKILL: no handler of the program's sees it."""


@dataclass
class Killer:
    """Counts what is done, and kills at one place.

    Args:
        place: the number of the act, from 0 on.
        after: whether the act is done first.

    Attributes:
        acts: the names of what was done, in order.
    """

    place: int = -1
    after: bool = False
    acts: list[str] = field(default_factory=list)

    def around(self, name, act):
        def done(*given, **named):
            here = len(self.acts) == self.place
            self.acts.append(name)
            if here and not self.after:
                raise KilledError(name)
            result = act(*given, **named)
            if here:
                raise KilledError(name)
            return result

        return done


class Posted:
    """What was ever posted under each path, of boards whose methods it replaces."""

    def __init__(self, board):
        self.at = {}
        self.watch(board)

    def watch(self, board):
        """From now on of this board too."""
        post, post_file = board.post, board.post_file

        def noted(path, data):
            self._note(path, bytes(data))
            return post(path, data)

        def noted_file(path, file):
            self._note(path, file.read())
            file.seek(0)
            return post_file(path, file)

        post_file_first = board.post_file_first

        def noted_first(path, file):
            begin = file.tell()
            data = file.read()
            file.seek(begin)
            written = post_file_first(path, file)
            if written:
                self._note(path, data)
            return written

        board.post, board.post_file, board.post_file_first = noted, noted_file, noted_first

    def _note(self, path, data):
        self.at.setdefault(path, set()).add(data)

    def wordings(self, *names):
        """How many texts lay under each path that ends in one of the names."""
        return {path: len(texts) for path, texts in self.at.items() if path.endswith(names)}


class KilledStudy(FollowedStudy):
    """A study whose coordinator keeps its memory in a folder."""

    def __init__(self, plan, folder):
        self.lab = folder / "lab"
        super().__init__(plan, folder / "store", memory=DurableRun(self.lab))
        self.posted = Posted(self.board)

    def restarted(self, kind=Coordinator):
        """Another process on the same folder: nothing is left but what is on the disk."""
        made = kind(
            self.room.plan,
            self.room.researcher,
            self.exchange,
            self.room.cipher,
            DurableRun(self.lab),
        )
        if not DurableRun(self.lab).announced:
            made._instances = INSTANCES
        return made

    def killed_at(self, monkeypatch, killer):
        """Run with a killer; True if it killed."""
        with monkeypatch.context() as patched:
            for module, names in WRITES.items():
                for name in names:
                    patched.setattr(module, name, killer.around(name, getattr(module, name)))
            for name in CALLS:
                patched.setattr(
                    self.exchange, name, killer.around(name, getattr(self.exchange, name))
                )
            try:
                self.restarted().run()
            except KilledError:
                return True
        return False
