"""Registry of implementations of one kind by name: the place where a new one is made known.

What comes with the product is named by its dotted path and imported when it is first asked for, so
that a command which never trains does not import a trainer, and so that a lower room may name what a
higher one implements. Others are registered as objects.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Generic, TypeVar

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

#: A name on the wire, in the ledger, in files and on pages.
NAME = re.compile(r"[a-z][a-z-]{0,39}")


class Registry(Generic[T]):
    """Table of names and what they stand for.

    Args:
        noun: the kind in one word, for refusals: "stage", "task".
        built_in: name → ``package.module:attribute``.
    """

    def __init__(self, noun: str, built_in: Mapping[str, str]) -> None:
        self._noun = noun
        self._built_in = dict(built_in)
        self._known: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """All known names, in alphabetical order."""
        return tuple(sorted({*self._built_in, *self._known}))

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._known

    def __getitem__(self, name: str) -> T:
        """Return what is registered under the name.

        Raises:
            UsageError: nothing is; the known names are listed.
        """
        if name not in self._known:
            if name not in self._built_in:
                raise UsageError(
                    f"There is no {self._noun} {name!r}.",
                    next_step=f"Write one of: {', '.join(self.names())}.",
                )
            module, attribute = self._built_in[name].split(":")
            self._known[name] = getattr(import_module(module), attribute)
        return self._known[name]

    def register(self, name: str, implementation: T) -> Callable[[], None]:
        """Make an implementation known; the result takes it away again.

        Raises:
            ValueError: the name is taken, or is not one (lower-case letters and hyphens, 40 at
                most).
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a {self._noun}")
        if name in self:
            raise ValueError(f"there is a {self._noun} {name!r} already")
        self._known[name] = implementation

        def take_away() -> None:
            del self._known[name]

        return take_away
