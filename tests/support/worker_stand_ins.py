"""Stand-ins for the thread on which an agent asks its worker: they answer by the test's own clock,
so nothing is timed.
"""

from __future__ import annotations


class AtOnce:
    """The answer is there as soon as it was asked for."""

    def __init__(self, work):
        self._value, self._error = None, None
        try:
            self._value = work()
        except BaseException as error:  # noqa: BLE001 - as the thread does
            self._error = error

    done = True

    def answer(self):
        assert self.done
        if self._error is not None:
            raise self._error
        return self._value

    def join(self):
        pass


def after(clock, seconds):
    """Asking that gets its answer ``seconds()`` later on ``clock()``."""

    class Later(AtOnce):
        def __init__(self, work):
            super().__init__(work)
            self._there = clock() + seconds()

        @property
        def done(self):
            return clock() >= self._there

    return Later


def blocking(advance, seconds):
    """Asking as a call that returns with its answer: the asker's own time passes meanwhile."""

    class Blocks(AtOnce):
        def __init__(self, work):
            super().__init__(work)
            advance(seconds())

    return Blocks
