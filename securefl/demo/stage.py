"""Stage of the demonstration: every role is a process of its own and does what a person would type.

Nothing is simulated.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.errors import ExitCode, RoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

_MARKER = "made-by-securefl-demo"
_AT_ONCE = 3


@dataclass
class Stage:
    """Folder and processes of one demonstration.

    Args:
        folder: made fresh; each party gets a folder below it.
        say: shows a line.
        busy: shows for the length of a ``with`` that something is going on; nothing by default.
        wide: columns of the screen.
        coloured: whether pages may have colours.
    """

    folder: Path
    say: Callable[[str], None]
    busy: Callable[[str], AbstractContextManager[object]] = nullcontext
    wide: int = 80
    coloured: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    _background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def clear(self, *, fresh: bool) -> None:
        """Make the folder; an existing one is refused, or with ``fresh`` removed.

        Only one that a demonstration made is removed.

        Raises:
            UsageError: it exists, or is something else's.
        """
        if self.folder.exists():
            # A folder without the marker may hold anything: it is never removed.
            if not (self.folder / _MARKER).exists():
                raise UsageError(
                    f"{self.folder} exists already and is not a demonstration.",
                    next_step="Name another folder with --dir.",
                )
            if not fresh:
                raise UsageError(
                    f"{self.folder} exists already.", next_step="Add --fresh to replace it."
                )
            _stop_left_over(self.folder)
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        (self.folder / _MARKER).touch()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time a step and print its name and seconds."""
        self.say(f"\n{title}")
        start = time.monotonic()
        yield
        self.seconds[title] = round(time.monotonic() - start, 2)
        self.say(f"  {self.seconds[title]:.1f} s")

    def run(self, *arguments: str) -> str:
        """Run ``securefl ARGUMENTS`` in a process of its own; return what it printed.

        Raises:
            RoundError: it failed; the text has what it said.
        """
        return self.together([arguments])[0]

    def together(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """Run several commands, a few at a time; return their outputs in order.

        Raises as :meth:`run`.
        """
        outputs: list[str] = []
        for start in range(0, len(commands), _AT_ONCE):
            batch = [
                (c, self._popen(c, subprocess.PIPE)) for c in commands[start : start + _AT_ONCE]
            ]
            for command, process in batch:
                place = f"{len(outputs) + 1} of {len(commands)}"
                with self.busy(f"securefl {' '.join(command[:3])} ...   ({place})"):
                    out, _ = process.communicate()
                if process.returncode:
                    raise RoundError(
                        f"`securefl {' '.join(command)}` failed:"
                        f" {without_frame(out.decode(errors='replace')[-2000:])}",
                        whose="the demonstration",
                    )
                outputs.append(out.decode())
        return outputs

    def page(self, *arguments: str, lines: int | None = None) -> None:
        """Show a command's page, at most its first ``lines`` lines.

        A folded one names the command that shows the whole.
        """
        shown = self.run(*arguments).rstrip("\n").split("\n")
        kept = shown[:lines]
        for line in kept:
            self.say(line)
        if len(kept) < len(shown):
            self.say(
                f"  ... and {len(shown) - len(kept)} lines more. The whole page: securefl"
                f" {' '.join(arguments)}"
            )

    def show(self, *arguments: str) -> None:
        """Run a command whose screen is shown as it is.

        A run whose model missed the study's quality rule is over, and did what it was asked.
        """
        process = self._popen(arguments, None)
        if process.wait() not in {0, ExitCode.QUALITY}:
            raise RoundError(f"`securefl {' '.join(arguments)}` failed.", whose="the demonstration")

    def begin(self, *arguments: str, log: Path) -> None:
        """Start a long-running role; :meth:`end` ends it."""
        with log.open("ab") as file:
            self._background.append(self._popen(arguments, file.fileno()))

    def module(self, name: str, *arguments: str) -> None:
        """Run ``python -m NAME ARGUMENTS`` in a process of its own."""
        with self.busy(f"python -m {name}"):
            subprocess.run(
                [sys.executable, "-m", name, *arguments], check=True, stdin=subprocess.DEVNULL
            )

    def end(self) -> None:
        """Stop the long-running roles and wait for them."""
        for process in self._background:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._background:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._background.clear()

    def until(
        self,
        what: str,
        found: Callable[[], bool],
        seconds: float = 60.0,
    ) -> None:
        """Ask ``found`` until it is true.

        Raises:
            RoundError: the time is over, or a long-running role has ended.
        """
        with self.busy(f"waiting for: {what}"):
            self._until(what, found, seconds)

    def _until(
        self,
        what: str,
        found: Callable[[], bool],
        seconds: float,
    ) -> None:
        end = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            if found():
                return
            ended = [p for p in self._background if p.poll() is not None]
            if ended:
                raise RoundError(
                    "A process of the demonstration ended unexpectedly.",
                    whose="the demonstration",
                    next_step=f"See the logs below {self.folder}.",
                )
            if time.monotonic() > end:
                raise RoundError(
                    f"{what} did not happen within {seconds:.0f} seconds.",
                    whose="the demonstration",
                    next_step=f"See the logs below {self.folder}.",
                )
            # A look may be a whole command: it takes the processor from those that are waited for.
            time.sleep(max(0.1, time.monotonic() - began))

    def _popen(self, arguments: Sequence[str], out: int | None) -> subprocess.Popen[bytes]:
        """Start a command; ``out`` takes its output and errors, None leaves it the screen."""
        place = dict(os.environ)
        # A page that is caught knows neither width nor colours of the screen it is shown on.
        if out is not None and "--json" not in arguments:
            place["COLUMNS"] = str(self.wide)
            if self.coloured and "NO_COLOR" not in os.environ:
                place["FORCE_COLOR"] = "1"
        errors = None
        if out is not None:
            errors = subprocess.STDOUT
        return subprocess.Popen(
            [sys.executable, "-m", "securefl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env=place,
        )


def read_json(text: str) -> Mapping[str, Any]:
    """Read JSON that one of our commands printed."""
    value: Mapping[str, Any] = json.loads(text)
    return value


def _stop_left_over(folder: Path) -> None:
    """End agents that an interrupted demonstration left running in this folder."""
    for file in folder.glob("*/agent.json"):
        try:
            os.kill(int(json.loads(file.read_bytes())["pid"]), signal.SIGTERM)
        except (OSError, ValueError, KeyError):
            continue


def without_frame(screen: str) -> str:
    r"""A command's words without the frame around them, to stand within another one.

    >>> without_frame("╭─ This did not work ─╮\n│ What  no table      │\n╰─────────────────────╯")
    'This did not work What no table'
    """
    return " ".join(re.sub(r"[\u2500-\u257f]", " ", screen).split())
