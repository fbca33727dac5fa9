"""Hierarchy of errors: each says what was wrong, whose it is, and what to do next (rule 8).

Two audiences are kept apart. The owner of the process sees the whole text. Other parties see only
:attr:`SecureFLError.code`, one of a fixed list, because details of a failure could describe private
data.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the command line; documented in ``docs/exit-codes.md``."""

    CRASH = 1
    USAGE = 2
    LEDGER_ALTERED = 3
    UNREADABLE = 4
    INVALID = 5
    NOT_APPROVED = 6
    BUDGET = 7
    ROUND_FAILED = 8
    UNTRUSTED = 9
    STORE = 10
    DATA = 11
    QUALITY = 12
    SCREEN = 13


class SecureFLError(Exception):
    """Base of every error that securefl raises on purpose.

    Args:
        what: what was wrong, in a sentence, for the owner of this process.
        whose: who can mend it ("the researcher", "this hospital", a party's name).
        next_step: what to do next, an imperative sentence or a command.
    """

    #: False where ``what`` can hold no words of another party, but for names and figures: pages then
    #: show it as a sentence of their own.
    repeats_others: ClassVar[bool] = True
    code: ClassVar[str] = "internal"
    exit_code: ClassVar[ExitCode] = ExitCode.CRASH
    default_whose: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        *,
        whose: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.whose = whose or self.default_whose
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.what]
        if self.whose:
            parts.append(f"Who can mend it: {self.whose}.")
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return " ".join(parts)


class UsageError(SecureFLError):
    """Wrong use of a command or a call."""

    code = "usage"
    exit_code = ExitCode.USAGE


class UnreadableError(SecureFLError):
    """File of our own that cannot be read, or is not what it should be."""

    code = "unreadable"
    exit_code = ExitCode.UNREADABLE


class ScreenError(SecureFLError):
    """Output that could not be written, of a command that did its work."""

    code = "screen"
    exit_code = ExitCode.SCREEN
    default_whose = "this machine's operator"


class StudyError(SecureFLError):
    """Study or protocol file that breaks the contract."""

    code = "study-invalid"
    exit_code = ExitCode.INVALID
    default_whose = "the researcher who wrote the study"


class NotApprovedError(SecureFLError):
    """Lack of a valid, unused approval of exactly this digest by this hospital."""

    code = "not-approved"
    exit_code = ExitCode.NOT_APPROVED
    default_whose = "the data owner"


class PolicyError(NotApprovedError):
    """A request goes beyond a rule that the data owner signed."""

    repeats_others = False


class BudgetError(SecureFLError):
    """Refusal by the ledger: the study would cost more than is left."""

    code = "budget"
    exit_code = ExitCode.BUDGET
    default_whose = "the researcher (a cheaper study) or the data owner (a larger grant)"


class LedgerAlteredError(SecureFLError):
    """Ledger whose chain, signatures or checkpoints do not hold."""

    code = "ledger"
    exit_code = ExitCode.LEDGER_ALTERED
    default_whose = "this hospital's data owner"


class UntrustedError(SecureFLError):
    """Key that is not in this party's own list, or has another role there."""

    code = "untrusted"
    exit_code = ExitCode.UNTRUSTED


class MessageError(SecureFLError):
    """Refusal of bytes from another party, before or while parsing them (rule 5).

    ``whose`` names the sender.
    """

    code = "message"
    exit_code = ExitCode.UNTRUSTED


class RoundError(SecureFLError):
    """Round that cannot be completed: a missing hospital, a failed canary, margin or deadline."""

    code = "round"
    exit_code = ExitCode.ROUND_FAILED


class LeftOutError(RoundError):
    """Round that goes on without this hospital.

    Args:
        round: its number.
    """

    code = "left-out"

    def __init__(
        self,
        what: str,
        *,
        round: int,  # noqa: A002 - the word of every message
        whose: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(what, whose=whose, next_step=next_step)
        self.round = round


class EndedError(RoundError):
    """End of another party's part, so that the study is over here too.

    Args:
        site: who was the first to end it, as far as is known.
        ended_with: that party's public code.
        whose: who can mend it; that party unless said otherwise.
        next_step: what to do next.
    """

    code = "ended"

    def __init__(
        self,
        what: str,
        *,
        site: str = "",
        ended_with: str = "",
        whose: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(what, whose=whose or site, next_step=next_step)
        self.site = site
        self.ended_with = ended_with


class TwoCopiesError(RoundError):
    """Second process in this hospital's name: its folder was copied, and both copies run.

    One identity runs in one place.
    """

    code = "two-copies"
    default_whose = "this hospital's operator"


class BrokenRuleError(RoundError):
    """Coordinator that goes another way than the study's own rule: other weights, other hospitals."""

    code = "rule-broken"
    default_whose = "the coordinator"


class StoreError(SecureFLError):
    """Store that cannot be reached, read or written."""

    code = "store"
    exit_code = ExitCode.STORE
    default_whose = "whoever operates the store"


class DataError(SecureFLError):
    """Table of this hospital that does not fit the study's columns."""

    code = "data"
    exit_code = ExitCode.DATA
    default_whose = "this hospital's data owner"


_FREE = "Free some space there, then repeat the command."
_RIGHTS = "Give this user the right to it (`ls -ld` shows whose it is), then repeat the command."
_KIND = "Look at what lies there (`ls -la`) and move it away, or restore the file from your backup."
#: What to do where the operating system refuses a file, by error number (errno(3)).
_FILE_STEPS = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: _FREE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "Choose a place that can be written, or mount this one for writing.",
    errno.EISDIR: _KIND,
    errno.ENOTDIR: _KIND,
    errno.EEXIST: _KIND,
    errno.ELOOP: _KIND,
    errno.ENOENT: "Check the name and that the disk or share is mounted.",
    errno.ENOLCK: (
        "The file system has no locks (NFS without its lock service): start that service, or keep"
        " the folder on a local disk."
    ),
    errno.EMFILE: (
        "Too many files are open: raise the limit (`ulimit -n`), then repeat the command."
    ),
    errno.EIO: "The disk or share fails: check it, and restore from your backup what is damaged.",
    errno.ESTALE: "The share was mounted anew: go into the folder again, then repeat the command.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


#: What a machine's operator can mend while a study waits: a full or failing disk, a share that is
#: not mounted, too many open files.
PASSING_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.ESTALE,
        errno.EMFILE,
        errno.ENFILE,
    }
)


def file_error(error: OSError, path: os.PathLike[str] | str = "") -> UnreadableError:
    """Turn the operating system's refusal of a file into an error: path, reason, next step.

    Args:
        error: what was raised.
        path: named where the error itself names no file.
    """
    names = [n for n in (error.filename, error.filename2) if isinstance(n, str | bytes)]
    place = os.fspath(path)
    if names:
        place = os.fsdecode(names[0])
    reason = error.strerror or str(error) or type(error).__name__
    step = _FILE_STEPS.get(
        error.errno or 0, "Check the file, its disk and its rights, then repeat the command."
    )
    what = f"{place or 'A file'} cannot be read or written: {reason}."
    return UnreadableError(what, whose="this machine's operator", next_step=step)


#: What others may be told about a failure: nothing but one of these words (rule 1).
PUBLIC_CODES = frozenset(
    cls.code
    for cls in (
        SecureFLError,
        UsageError,
        UnreadableError,
        StudyError,
        NotApprovedError,
        BudgetError,
        LedgerAlteredError,
        UntrustedError,
        MessageError,
        RoundError,
        LeftOutError,
        EndedError,
        TwoCopiesError,
        BrokenRuleError,
        StoreError,
        DataError,
        ScreenError,
    )
) | {"withdrawn", "cancelled"}
