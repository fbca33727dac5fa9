"""Question to a slow process, asked on a thread: the agent goes on and takes the answer later.

The agent stays one writer: the thread speaks with the worker over its pipes and touches neither
ledger, nor store, nor log. How long an answer takes follows from a hospital's rows, so nothing that
others can see may wait for it (rule 1).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from securefl.errors import RoundError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Seconds that an ended worker's thread may take to notice that its pipe is closed.
_END_SECONDS = 10.0


class Asked(Generic[T]):
    """One question, asked at once on a thread of its own.

    Args:
        work: asks and waits; its value or its exception is the answer.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(work,), name="securefl-worker", daemon=True
        )
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._value.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is taken
            self._error = error

    @property
    def done(self) -> bool:
        """True when :meth:`answer` returns or raises at once."""
        return not self._thread.is_alive()

    def answer(self) -> T:
        """The answer, which is there.

        Raises:
            RoundError: it is not there yet; or whatever ``work`` raised.
        """
        if not self.done:
            raise RoundError("The worker has not answered yet.", whose="this hospital")
        if self._error is not None:
            raise self._error
        return self._value[0]

    def join(self) -> None:
        """Wait for the thread of a worker that was ended: nobody may close its pipes under it."""
        self._thread.join(_END_SECONDS)
