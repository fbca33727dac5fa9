"""The hospital's agent: keeps PySyft in step, runs approved studies, and says nothing to anybody but codes and contributions.

One process, one thread. A study that fails is settled and the agent goes on; a study that was running when the agent
was killed is settled as failed at the next start, its budget stays charged, and it is never run again.
"""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.errors import RoundError, SecureFLError, StoreError, UsageError
from securefl.federation.rounds import Plan
from securefl.identity import replace_file
from securefl.node.approving import approval_file, publish_approval, publish_status
from securefl.node.extract import publish_extract
from securefl.node.requests import study_text
from securefl.node.running import StudyRun
from securefl.node.site import utc_now
from securefl.study.parse import parse_study

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from securefl.node.site import Site

#: Seconds between looks at PySyft's folders, idle and while a study runs.
SYNC_IDLE, SYNC_BUSY = 0.5, 20.0
_PAUSE_BUSY, _PAUSE_IDLE = 0.01, 0.2


def agent_state(site: Site) -> dict[str, object] | None:
    """What the running agent last wrote about itself; None when none runs."""
    try:
        state: dict[str, object] = json.loads((site.path / "agent.json").read_bytes())
        os.kill(int(str(state["pid"])), 0)
    except (OSError, ValueError, KeyError):
        return None
    return state


class Agent:
    """A hospital at work.

    Raises:
        UsageError: another agent runs in this folder.
    """

    def __init__(self, site: Site) -> None:
        if agent_state(site) is not None:
            raise UsageError("An agent runs in this folder already.", next_step="`securefl site stop` ends it.")
        self._site = site
        self._runs: dict[str, StudyRun] = {}
        self._last_sync = 0.0
        self._stopping = False
        self._log = (site.path / "agent.log").open("a", encoding="utf-8")
        (site.path / "agent.log").chmod(0o600)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._write_state()
        self.say("agent started")
        try:
            self._recover()
            while not self._stopping:
                self._turn()
                time.sleep(_PAUSE_BUSY if any(r.started for r in self._runs.values()) else _PAUSE_IDLE)
        finally:
            for digest in tuple(self._runs):
                self._fail(digest, RoundError("The agent was stopped.", whose="this hospital"))
            self.say("agent stopped")
            (self._site.path / "agent.json").unlink(missing_ok=True)
            self._log.close()

    def say(self, line: str) -> None:
        """A line in the owner's own log; it never leaves this folder."""
        self._log.write(f"{utc_now()} {line}\n")
        self._log.flush()

    def _turn(self) -> None:
        try:
            self._take_up_approved()
            for digest, run in tuple(self._runs.items()):
                self._step(digest, run)
            busy = any(r.started for r in self._runs.values())
            if time.monotonic() - self._last_sync > (SYNC_BUSY if busy else SYNC_IDLE):
                self._sync()
        except StoreError as error:  # a store that is away comes back; studies end by their own deadlines
            self.say(f"store: {error.what}")
            time.sleep(1.0)

    def _step(self, digest: str, run: StudyRun) -> None:
        state = self._site.ledger.state
        if state.paused:
            return
        if state.study(digest).ended:  # withdrawn by the owner's own command
            self._drop(digest)
            return
        try:
            outcome = run.step()
        except StoreError:
            raise
        except SecureFLError as error:
            self._fail(digest, error)
            return
        if outcome == "completed":
            self._site.ledger.settle(digest, "completed")
            publish_extract(self._site, digest, run.plan.study)
            self.say(f"study {digest[:12]} completed; {run.late} late replies")
            self._drop(digest)

    def _fail(self, digest: str, error: SecureFLError) -> None:
        """End a study here: details stay in the log, the others see a code."""
        self.say(f"study {digest[:12]} failed: {error}")
        study = self._site.ledger.state.study(digest)
        if study.started or error.code != RoundError.code:
            self._site.ledger.settle(digest, "failed")
            publish_status(self._site, digest, max((r for r, _ in study.sent), default=0), error.code)
            self._drop(digest)
        else:  # stopped before it began: the approval stays good
            self._runs.pop(digest).stop()

    def _drop(self, digest: str) -> None:
        self._runs.pop(digest).stop()
        self._site.erase_study_key(digest)
        self._last_sync = 0.0

    def _recover(self) -> None:
        """Settle what a killed agent left running: its noise was drawn and perhaps sent, so nothing may run again."""
        for digest, study in self._site.ledger.state.studies.items():
            if study.started and not study.ended:
                self._site.ledger.settle(digest, "failed")
                self._site.erase_study_key(digest)
                publish_status(self._site, digest, max((r for r, _ in study.sent), default=0), RoundError.code)
                self.say(f"study {digest[:12]} was interrupted; it is over, and its budget stays charged")

    def _take_up_approved(self) -> None:
        for digest, study in self._site.ledger.state.studies.items():
            if study.status != "approved" or digest in self._runs or not approval_file(self._site, digest).exists():
                continue
            publish_approval(self._site, digest)
            text = study_text(self._site, digest)
            plan = Plan(parse_study(text), digest)
            self._runs[digest] = StudyRun(self._site, plan, text, self.say, lambda: datetime.now(UTC))
            self.say(f"study {digest[:12]} is approved; waiting for the other hospitals")

    def _sync(self) -> None:
        from securefl.node.desk import sync_datasite

        self._site = sync_datasite(self._site, self.say)
        self._last_sync = time.monotonic()

    def _write_state(self) -> None:
        replace_file(self._site.path / "agent.json", json.dumps({"pid": os.getpid(), "since": utc_now()}).encode())

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def stop_agent(site: Site, seconds: float = 15.0) -> bool:
    """Ask the agent to stop and wait for it; False when none runs.

    Raises:
        RoundError: it does not stop in time.
    """
    state = agent_state(site)
    if state is None:
        return False
    pid = int(str(state["pid"]))
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if agent_state(site) is None:
            return True
        time.sleep(0.05)
    raise RoundError(f"The agent (process {pid}) does not stop.", whose="this hospital's operator", next_step=f"kill {pid}")


def log_lines(folder: Path, count: int) -> list[str]:
    """The last lines of the owner's log."""
    try:
        return (folder / "agent.log").read_text("utf-8").splitlines()[-count:]
    except FileNotFoundError:
        return []
