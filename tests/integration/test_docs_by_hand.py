"""docs/by-hand.md, executed: every line as it is typed, each role in its own folder, real processes, and the screens compared."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "by-hand.md").read_text("utf-8")
TYPED = re.compile(r"(\w+)\$ (.+)")
#: Commands that only look; the page says to repeat them while another party has not answered yet.
LOOKS = ("securefl study datasets", "securefl site inbox", "securefl study status", "securefl site status", "securefl audit")
BASH = shutil.which("bash")
pytestmark = pytest.mark.slow


def steps():
    """``[(role, what is typed, [lines that the screen shows])]``."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if typed := TYPED.fullmatch(line):
                found.append((typed[1], typed[2], []))
            else:
                found[-1][2].append(line)
    return found


def shows(screen, expected):
    """Whether the expected lines stand on the screen in this order; the width of the screen does not count, ``…`` is anything."""
    plain = " ".join(screen.split())
    pattern = ".*?".join(r"\S*?.*?".join(re.escape(" ".join(p.split())) for p in line.split("…")) for line in expected)
    return re.search(pattern, plain, re.DOTALL) is not None


class Terminals:
    """Each role's folder and what it has left running."""

    def __init__(self, root):
        self.root = root
        self.running = {}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SECUREFL", "COV"))}
        self.environment |= {"COLUMNS": "80", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(root)}

    def folder(self, role):
        return self.root / "project" if role == "you" else self.root / "by-hand" / role

    def run(self, role, typed):
        return subprocess.run(
            [BASH, "-c", typed], cwd=self.folder(role), env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
        )

    def keep_running(self, role, typed):
        """Type a command that holds its terminal; its screen is a file, and ``exec`` lets Ctrl-C reach the command itself."""
        screen = self.root / f"screen-{role}"
        with screen.open("w") as file:
            process = subprocess.Popen(
                [BASH, "-c", f"exec {typed}"], cwd=self.folder(role), env=self.environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        self.running[role] = process, screen

    def interrupt(self, role):
        process, screen = self.running.pop(role)
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=60), screen.read_text("utf-8")

    def close(self):
        for process, _ in self.running.values():
            process.kill()
            process.wait()
        for file in self.root.glob("by-hand/*/agent.json"):
            self.run(file.parent.name, "securefl site stop")


@pytest.fixture
def terminals(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "protocols").symlink_to(ROOT / "protocols")
    made = Terminals(tmp_path)
    yield made
    made.close()


def until_shown(read, expected, seconds=90):
    """What ``read`` gives as soon as it shows the expected lines, or at the end."""
    end = time.monotonic() + seconds
    while True:
        screen = read()
        if shows(screen, expected) or time.monotonic() > end:
            return screen
        time.sleep(0.3)


def test_every_line_of_the_page_works_and_the_screens_are_as_shown(terminals):
    for role, typed, expected in steps():
        if typed == "^C":
            status, screen = terminals.interrupt(role)
            assert status == 0, screen
        elif typed == "securefl aggregator start":
            terminals.keep_running(role, typed)
            screen = until_shown(terminals.running[role][1].read_text, expected)
        elif typed.startswith(LOOKS):
            screen = until_shown(lambda r=role, t=typed: terminals.run(r, t).stdout, expected)
        else:
            done = terminals.run(role, typed)
            screen = done.stdout
            assert done.returncode == 0, f"{role}$ {typed}\n{screen}"
        assert shows(screen, expected), f"{role}$ {typed}\nexpected: {expected}\n{screen}"
    assert (terminals.folder("STMW") / "scores.json").exists()
    assert not list(terminals.root.glob("by-hand/*/agent.json")), "an agent still runs"


def test_the_comparison_of_screens_can_fail():
    assert shows("Made first-study-0a1b. Any\nedit makes it another", ["Made first-study-…. Any edit"])
    assert not shows("Made first-study-0a1b.", ["Made another-…."])
    assert not shows("b a", ["a", "b"])
