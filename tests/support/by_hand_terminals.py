"""docs/by-hand.md as steps, and the terminals in which tests type them: real processes, each role
in its own folder.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "by-hand.md"
#: Commands that only look; the page says to repeat them while another party has not answered yet.
LOOKS = (
    "securefl study datasets",
    "securefl site inbox",
    "securefl study status",
    "securefl site status",
    "securefl audit",
)
_TYPED = re.compile(r"(\w+)\$ (.+)")
_BASH = shutil.which("bash")


@dataclass
class Step:
    """A line of the page: the number of its section, whose terminal, what is typed, what the screen
    shows.
    """

    section: int
    role: str
    typed: str
    expected: list[str] = field(default_factory=list)


def steps():
    """All steps of the page in order."""
    found = []
    parts = re.split(r"^## (?:(\d+)\. )?", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in block.splitlines():
                if typed := _TYPED.fullmatch(line):
                    found.append(Step(int(number), typed[1], typed[2]))
                else:
                    found[-1].expected.append(line)
    return found


def shows(screen, expected):
    """Whether the expected lines stand on the screen in this order; the width of the screen does
    not count, ``…`` is anything.
    """
    plain = " ".join(screen.split())
    pattern = ".*?".join(
        ".*?".join(re.escape(" ".join(p.split())) for p in line.split("…")) for line in expected
    )
    return re.search(pattern, plain, re.DOTALL) is not None


def _command(typed):
    """The process of a typed line: of ``securefl`` itself, or of a shell for any other line."""
    words = shlex.split(typed)
    if words[0] == "securefl":
        return [Path(sys.executable).with_name("securefl"), *words[1:]]
    return [_BASH, "-c", typed]


class Terminals:
    """Each role's folder below ``root``, and what it has left running."""

    def __init__(self, root):
        self.root = root
        self.running = {}
        self.environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("SECUREFL", "COV"))
        }
        self.environment |= {
            "COLUMNS": "80",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        (root / "project").mkdir()
        (root / "project" / "protocols").symlink_to(ROOT / "protocols")

    def folder(self, role):
        """Where that role types."""
        return self.root / "project" if role == "you" else self.root / "by-hand" / role

    def run(self, role, typed):
        """Type a line and wait for it; its screen, standard error included, is ``stdout``."""
        return subprocess.run(
            _command(typed),
            cwd=self.folder(role),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    def keep_running(self, role, typed):
        """Type a line that holds its terminal, without a shell between it and Ctrl-C."""
        screen = self.root / f"screen-{role}"
        with screen.open("w") as file:
            process = subprocess.Popen(
                _command(typed),
                cwd=self.folder(role),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self.running[role] = process, screen

    def finish(self, role, *, interrupt=False):
        """Wait for what holds a terminal, after Ctrl-C if asked: ``(exit status, screen)``."""
        process, screen = self.running.pop(role)
        if interrupt:
            process.send_signal(signal.SIGINT)
        return process.wait(timeout=300), screen.read_text("utf-8")

    def play(self, step):
        """Do one step of the page and compare the screen."""
        if step.typed == "^C":
            status, screen = self.finish(step.role, interrupt=True)
            assert status == 0, screen
        elif step.typed == "securefl aggregator start":
            self.keep_running(step.role, step.typed)
            screen = self.until_shown(self.running[step.role][1].read_text, step.expected)
        elif step.typed.startswith(LOOKS):
            screen = self.until_shown(lambda: self.run(step.role, step.typed).stdout, step.expected)
        else:
            done = self.run(step.role, step.typed)
            screen = done.stdout
            assert done.returncode == 0, f"{step.role}$ {step.typed}\n{screen}"
        assert shows(screen, step.expected), (
            f"{step.role}$ {step.typed}\nexpected: {step.expected}\n{screen}"
        )

    @staticmethod
    def until_shown(read, expected, seconds=90):
        """What ``read`` gives as soon as it shows the expected lines, or at the end."""
        end = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            screen = read()
            if shows(screen, expected) or time.monotonic() > end:
                return screen
            # a command that looks takes the processor from the party that is waited for
            time.sleep(max(0.3, time.monotonic() - began))

    def close(self):
        """Leave no process behind."""
        for process, _ in self.running.values():
            process.kill()
            process.wait()
        for file in self.root.glob("by-hand/*/agent.json"):
            self.run(file.parent.name, "securefl site stop")
