"""Starting a long-running role, or a run, so that the terminal comes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from securefl.errors import ExitCode, RoundError, SecureFLError, StoreError, UsageError
from securefl.files import read_file
from securefl.party.background import started
from securefl.party.failure_note import one_line
from securefl.party.pidfile import last_end, running_process, store_away

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Seconds that the first turn may take: it imports PySyft and asks the store, on a busy machine.
_PATIENCE = 600.0
#: Bytes of the output that are read for the reason of an end.
_MOST = 1 << 14
#: Signs that draw the frame of an error's page.
_FRAME = dict.fromkeys(map(ord, "╭╮╰╯─│┌┐└┘"), " ")


def start_role(
    arguments: list[str],
    folder: Path,
    role: str,
    output: Path,
) -> None:
    """Run ``securefl ARGUMENTS`` in a session of its own until its first whole turn went well.

    Args:
        arguments: the command that runs in the foreground.
        folder: the party's folder.
        role: ``agent`` or ``aggregator``.
        output: where what it says when it cannot go on is written (0600); it begins anew at each
            start. What it says while it works is in its log.

    Raises:
        UsageError: one runs already.
        StoreError: it runs, and cannot use its store; it goes on trying.
        RoundError: it ended; or it runs, and its first turn did not go well, or takes very long.
    """
    if running_process(folder, role) is not None:
        raise UsageError(f"The {role} of this folder runs already.", next_step="Stop it first.")
    process = started(arguments, output)
    end = time.monotonic() + _PATIENCE
    while process.poll() is None:
        state = running_process(folder, role)
        if (
            state is not None and state["pid"] == process.pid
        ):  # a killed one's file may still lie there
            if (fault := _fault(state, role)) is not None:
                raise fault
            if state.get("turned"):
                return
        if time.monotonic() > end:
            raise RoundError(
                f"The {role} runs (process {process.pid}), but its first turn is not over after"
                f" {_PATIENCE:.0f} seconds.",
                whose="this machine's operator",
                next_step=f"See {folder / role}.log and {output}.",
            )
        time.sleep(0.05)
    raise RoundError(
        f"The {role} ended: {_why(folder, role, process.pid, output)}",
        whose="this machine's operator",
        next_step=f"Mend that, then start it again. More may stand in {output}.",
    )


def start_run(
    arguments: list[str],
    begun: Callable[[], bool],
    output: Path,
) -> None:
    """Run ``securefl ARGUMENTS`` in a session of its own until its first round may begin.

    Args:
        arguments: the command that runs in the foreground.
        begun: whether it has begun.
        output: as in :func:`start_role`.

    Raises:
        RoundError: it ended before.
    """
    process = started(arguments, output)
    while process.poll() is None:
        if begun():
            return
        time.sleep(0.05)
    if process.returncode in {0, int(ExitCode.QUALITY)}:
        return  # a short study, which is over
    raise RoundError(
        f"The run ended: {_said(output)}",
        whose="the researcher",
        next_step=f"Mend that, then run it again. More may stand in {output}.",
    )


def _fault(state: dict[str, object], role: str) -> SecureFLError | None:
    """Name what is wrong with a role that runs, by its own word."""
    away = store_away(state)
    if away is not None:
        return StoreError(
            f"The {role} runs, but cannot use its store: {away.reason}",
            next_step=(
                f"See that the store is there (a share: mounted). The {role} goes on trying; its"
                " `status` command says when the store is back."
            ),
        )
    trouble = state.get("trouble")
    if trouble is None:
        return None
    return RoundError(
        f"The {role} runs, but its first turn did not go well: {one_line(str(trouble))}",
        whose="this machine's operator",
        next_step=f"It goes on trying; {role}.log says more.",
    )


def _why(
    folder: Path,
    role: str,
    pid: int,
    output: Path,
) -> str:
    """Say why the process ended: by its end note; by what it said, where it ended before it could keep
    one.
    """
    ended = last_end(folder, role)
    if ended is not None and ended.pid == pid:
        return ended.reason
    return _said(output)


def _said(output: Path) -> str:
    """What a process printed before it ended, on one line."""
    try:
        said = read_file(output, _MOST).decode(errors="replace")
    except OSError:
        said = ""
    return one_line(said.translate(_FRAME)) or "it said nothing."
