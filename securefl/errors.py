"""One hierarchy of errors: each says what was wrong, whose it is, and what to do next (rule 8).

Two audiences are kept apart. The owner of the process sees the whole text. Other parties see only
:attr:`SecureFLError.code`, one of a fixed list, because details of a failure could describe private data.
"""

from __future__ import annotations

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


class SecureFLError(Exception):
    """Base of every error that securefl raises on purpose.

    Args:
        what: what was wrong, in a sentence, for the owner of this process.
        whose: who can mend it ("the researcher", "this hospital", a party's name).
        next_step: what to do next, an imperative sentence or a command.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[ExitCode] = ExitCode.CRASH
    default_whose: ClassVar[str] = ""

    def __init__(self, what: str, *, whose: str = "", next_step: str = "") -> None:
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
    """A command or a call was used wrongly."""

    code = "usage"
    exit_code = ExitCode.USAGE


class UnreadableError(SecureFLError):
    """A file of our own cannot be read or is not what it should be."""

    code = "unreadable"
    exit_code = ExitCode.UNREADABLE


class StudyError(SecureFLError):
    """A study or protocol file breaks the contract."""

    code = "study-invalid"
    exit_code = ExitCode.INVALID
    default_whose = "the researcher who wrote the study"


class NotApprovedError(SecureFLError):
    """No valid, unused approval of exactly this digest by this hospital."""

    code = "not-approved"
    exit_code = ExitCode.NOT_APPROVED
    default_whose = "the data owner"


class BudgetError(SecureFLError):
    """The ledger refuses: the study would cost more than is left."""

    code = "budget"
    exit_code = ExitCode.BUDGET
    default_whose = "the researcher (a cheaper study) or the data owner (a larger grant)"


class LedgerAlteredError(SecureFLError):
    """The ledger's chain, signatures or checkpoints do not hold."""

    code = "ledger"
    exit_code = ExitCode.LEDGER_ALTERED
    default_whose = "this hospital's data owner"


class UntrustedError(SecureFLError):
    """A key is not in this party's own list, or a role is not allowed to that key."""

    code = "untrusted"
    exit_code = ExitCode.UNTRUSTED


class MessageError(SecureFLError):
    """Bytes from another party were refused before or while parsing (rule 5). ``whose`` names the sender."""

    code = "message"
    exit_code = ExitCode.UNTRUSTED


class RoundError(SecureFLError):
    """A round cannot be completed: a missing hospital, a failed canary, margin or deadline."""

    code = "round"
    exit_code = ExitCode.ROUND_FAILED


class StoreError(SecureFLError):
    """The store cannot be reached, read or written."""

    code = "store"
    exit_code = ExitCode.STORE
    default_whose = "whoever operates the store"


class DataError(SecureFLError):
    """The hospital's own table does not fit the study's columns."""

    code = "data"
    exit_code = ExitCode.DATA
    default_whose = "this hospital's data owner"


#: What others may be told about a failure: nothing but one of these words (rule 1).
PUBLIC_CODES = frozenset(
    cls.code
    for cls in (
        SecureFLError, UsageError, UnreadableError, StudyError, NotApprovedError, BudgetError, LedgerAlteredError,
        UntrustedError, MessageError, RoundError, StoreError, DataError,
    )
) | {"withdrawn"}
