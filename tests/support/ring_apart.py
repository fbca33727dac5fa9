"""Five hospitals, a researcher and an aggregator from nothing to an approved study, by the commands
of the guides (``docs/consortium.md``, ``docs/by-hand.md``).

Each command is a ``securefl`` process on its party's host (:mod:`hosts`), typed in that party's own
folder with paths below it. A store is all that the hosts have in common. What people hand over by
mail is copied from folder to folder by :meth:`Desks.mail`, and nothing else is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hosts_store import BUCKET

HOSPITALS = ("Nord", "Mitte", "West", "Ost", "Sued")
ROLES = {**dict.fromkeys(HOSPITALS, "site"), "uni": "researcher", "sums": "aggregator"}
PARTIES = tuple(ROLES)
#: The group of commands of each role.
GROUPS = {"site": "site", "researcher": "study", "aggregator": "aggregator"}
STORE = f"s3://{BUCKET}/ring"
SECUREFL = Path(sys.executable).with_name("securefl")
PROTOCOL = "ring/first-study/protocol.toml"
#: The gaps that the starter's first study leaves to the founder.
GAPS = (
    ("To be written: who leads the study", "Dr Example"),
    ("To be written: the approval's reference", "2026/17"),
    ("To be written: the legal basis", "Consent of the patients"),
)
#: Parties that type at the same time.
AT_ONCE = 4
_FINGERPRINT = re.compile(r"\b[0-9a-z]{4}(?: [0-9a-z]{4}){9}\b")


@dataclass(frozen=True)
class Typed:
    """A command that ended: whose, its words, seconds by the clock, and its screen."""

    party: str
    words: tuple[str, ...]
    seconds: float
    screen: str


class Desks:
    """The parties' folders below ``root``, a desk each, and the commands that were typed there.

    Attributes:
        typed: every command, in the order in which they ended.
    """

    def __init__(self, root, hosts):
        self.root, self._hosts = root, hosts
        self.typed: list[Typed] = []
        self._lock = threading.Lock()
        for name in PARTIES:
            (root / name).mkdir(parents=True)

    def desk(self, name):
        return self.root / name

    def type(self, name, *words, seconds=300):
        """Type ``securefl WORDS`` at a party's desk; its screen.

        Raises:
            AssertionError: the command did not end well.
        """
        words = tuple(str(word) for word in words)
        for word in words:
            # nobody names another's desk
            assert not word.startswith("/"), word
            assert ".." not in word, word
        began = time.monotonic()
        # a file and no pipe: a role in the background keeps what it was given
        file = self.root / f"screen-{name}"
        with file.open("wb") as screen:
            done = subprocess.run(
                [*self._hosts.run(name), str(SECUREFL), *words],
                cwd=self.desk(name),
                env=self._environment(name),
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
        text = " ".join(file.read_text("utf-8").replace("│", " ").split())
        took = time.monotonic() - began
        with self._lock:
            self.typed.append(Typed(name, words, took, text))
            with (self.root / "typed.txt").open("a") as typed:
                typed.write(f"{took:6.1f} s  {name}$ securefl {' '.join(words)}\n")
        assert done.returncode == 0, f"{name}$ securefl {' '.join(words)}\n{text}"
        return text

    def own(self, name, *words, **how):
        """Type a command of a party's role, like ``start``."""
        return self.type(name, GROUPS[ROLES[name]], *words, *self.mine(name), **how)

    def mine(self, name):
        """The option that names a party's folder."""
        return (f"--{ROLES[name]}", "own")

    def each(self, names, act):
        """Let parties act at the same time; by name, what came of it."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(names, pool.map(act, names), strict=True))

    def until(self, name, look, *expected, seconds=300):
        """Repeat a command that looks until all expected words stand on its screen."""
        end = time.monotonic() + seconds
        while True:
            screen = look(name)
            if all(words in screen for words in expected):
                return screen
            assert time.monotonic() < end, f"{name} does not see {expected}:\n{screen}"
            time.sleep(2)

    def mail(self, giver, file, taker, to):
        """Copy a file from one party's desk to another's."""
        target = self.desk(taker) / to
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.desk(giver) / file, target)

    def _environment(self, name):
        kept = {
            key: value
            for key, value in self._hosts.environment(name).items()
            if not key.startswith(("SECUREFL", "COV", "PYTEST"))
        }
        return {**kept, "COLUMNS": "200", "HOME": str(self.desk(name))}


def fingerprints(screen):
    """The fingerprints on a screen."""
    return set(_FINGERPRINT.findall(screen))


def found(desks):
    """Folders, the agreement's draft, the invitation; by name, each party's own fingerprint."""

    def begin(name):
        screen = desks.type(
            name,
            *(GROUPS[ROLES[name]], "init", "own", "--name", name),
            *("--legal-name", f"Institution {name}", "--email", "person@example.org"),
            *("--store", STORE),
        )
        (own,) = fingerprints(screen)
        return own

    shown = desks.each(PARTIES, begin)
    desks.type(
        *("uni", "consortium", "new", "draft", "--id", "ring", "--title", "The ring"),
        *("--population", "clinic", "--country", "DE"),
    )
    protocol = desks.desk("uni") / "draft" / "first-study" / "protocol.toml"
    text = protocol.read_text("utf-8")
    for gap, filled in GAPS:
        assert gap in text
        text = text.replace(gap, filled)
    protocol.write_text(text, "utf-8")
    for name in PARTIES:
        desks.mail(name, "own/keys/card.json", "uni", f"mail/{name}.json")
    cards = [f"mail/{name}.json" for name in PARTIES]
    desks.type(
        *("uni", "consortium", "invite", "draft", *cards),
        *("--country", "DE", "--to", "invitation.json"),
    )
    for name in PARTIES:
        desks.mail("uni", "invitation.json", name, "mail/invitation.json")
    return shown


def join_and_sign(desks, shown):
    """Each party joins, compares by telephone, trusts and signs; each hospital holds to it."""

    def join(name):
        desks.type(name, "consortium", "join", "mail/invitation.json", "ring", *desks.mine(name))
        others = [other for other in PARTIES if other != name]
        cards = [f"ring/cards/{other}.json" for other in others]
        screen = desks.own(name, "trust", *cards, "--yes")
        # the telephone: what this party reads is what the other was shown when it began
        assert fingerprints(screen) == {shown[other] for other in others}, screen
        desks.type(name, "consortium", "check", "ring", *desks.mine(name))
        desks.type(name, "consortium", "sign", "ring", "--yes", *desks.mine(name))

    desks.each(PARTIES, join)
    for giver in PARTIES:
        for taker in PARTIES:
            if taker != giver:
                file = f"ring/signatures/{giver}.signature"
                desks.mail(giver, file, taker, file)
    desks.each(
        HOSPITALS,
        lambda name: desks.type(name, "consortium", "enforce", "ring", "--yes", *desks.mine(name)),
    )


def table(number):
    """An invented table of a hospital."""
    rows = [
        f"{number}-{row},{20 + (row * 7 + number) % 60},{'yes' if row % 3 else 'no'}\n"
        for row in range(90 + 10 * number)
    ]
    return "patient_id,age,condition\n" + "".join(rows)


def get_ready(desks):
    """Each hospital registers its table, grants a budget and starts; so does the aggregator."""

    def ready(name):
        (desks.desk(name) / "table.csv").write_text(table(HOSPITALS.index(name)))
        desks.own(
            *(name, "data", "add", "records", "table.csv"),
            *("--population", "clinic", "--columns", PROTOCOL),
        )
        desks.own(
            *(name, "budget", "set", "clinic", "--epsilon", "4", "--typical", PROTOCOL),
        )
        desks.own(name, "start", "--background")

    desks.each(HOSPITALS, ready)
    desks.own("sums", "start", "--background")


def ask(desks):
    """The researcher asks to be let in, makes the study under the agreement, and requests it."""
    desks.own("uni", "ask", *HOSPITALS)
    visible = [f"{name}/records" for name in HOSPITALS]
    desks.until("uni", lambda name: desks.own(name, "datasets"), *visible)
    desks.own(
        *("uni", "new", PROTOCOL, *(w for name in HOSPITALS for w in ("--hospital", name))),
        *("--aggregator", "sums", "--agreement", "ring/agreement.toml"),
    )
    (made,) = (desks.desk("uni") / "own" / "studies").iterdir()
    desks.own("uni", "request", made.name)
    return made.name


def decide(desks, study):
    """Each owner sees the request, reads the page and approves; the researcher sees all five."""

    def approve(name):
        desks.until(name, lambda who: desks.own(who, "inbox"), study)
        desks.own(name, "review", study)
        desks.own(name, "approve", study, "--yes")

    desks.each(HOSPITALS, approve)
    approved = [f"{name} approved;" for name in HOSPITALS]
    return desks.until("uni", lambda name: desks.own(name, "status", study), *approved)


def count(desks, study):
    """The approved study itself: the researcher's screen at its end."""
    return desks.own("uni", "run", study, "--wait", "60", seconds=600)


def stop(desks):
    """Ask every role that may run to stop."""
    for name in (*HOSPITALS, "sums"):
        if (desks.desk(name) / "own").is_dir():
            subprocess.run(
                [str(SECUREFL), GROUPS[ROLES[name]], "stop", *desks.mine(name)],
                cwd=desks.desk(name),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=300,
                check=False,
            )


def play(root, hosts):
    """Everything in order, then the study itself.

    Returns:
        the commands until all had approved, the researcher's screen then, and the screen of the run.

    Raises:
        AssertionError: a command did not end well, or a screen lacked what the guide says.
    """
    desks = Desks(root, hosts)
    began = time.monotonic()
    try:
        join_and_sign(desks, found(desks))
        get_ready(desks)
        study = ask(desks)
        screen = decide(desks, study)
        figures = {
            "minutes": round((time.monotonic() - began) / 60, 1),
            "commands": len(desks.typed),
            "study": study,
        }
        (root / "figures.json").write_text(json.dumps(figures))
        return figures, screen, count(desks, study)
    finally:
        stop(desks)


def processor_minutes():
    """Processor time of the processes that this one started and that have ended, in minutes."""
    used = os.times()
    return (used.children_user + used.children_system) / 60
