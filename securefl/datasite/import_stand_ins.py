"""Stand-ins, while a hospital's process imports PySyft, for packages that PySyft imports and that
nothing here ever calls: Google's clients and IPython.

They are 21 MB of an agent that runs for months, and code that reaches the internet. PySyft takes a
few names of them, for a transport and for pages in notebooks that a hospital's agent does not have. The packages
stay installed; what is imported afterwards, by whomever, is the real one. A researcher's session
imports PySyft whole.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Package → its modules → the names that PySyft 0.10.0 takes from them when it is imported.
UNUSED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "IPython": {"IPython": (), "IPython.display": ("HTML", "display")},
    "google.oauth2": {"google.oauth2": (), "google.oauth2.credentials": ("Credentials",)},
    "google_auth_httplib2": {"google_auth_httplib2": ("AuthorizedHttp",)},
    "google_auth_oauthlib": {
        "google_auth_oauthlib": (),
        "google_auth_oauthlib.flow": ("InstalledAppFlow",),
    },
    "googleapiclient": {
        "googleapiclient": (),
        "googleapiclient.discovery": ("build",),
        "googleapiclient.errors": ("HttpError",),
        "googleapiclient.http": ("MediaIoBaseDownload", "MediaIoBaseUpload", "build_http"),
    },
}


class LeftOutError(ImportError):
    """Something of a package was used that this process left out."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__(f"{type(self).__name__} is left out of a hospital's agent")


@contextmanager
def unused_left_out() -> Iterator[None]:
    """Import PySyft inside this, in a process that shows no notebook and has no Google Drive.

    What is imported already stays the real one. Every name is a class of errors, so that it can
    stand in a type and in an ``except``; whoever calls one is refused.
    """
    placed = {
        name: _module(name, taken)
        for package, modules in UNUSED.items()
        if package not in sys.modules
        for name, taken in modules.items()
    }
    sys.modules.update(placed)
    try:
        yield
    finally:
        for name, stand_in in placed.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _module(name: str, taken: tuple[str, ...]) -> ModuleType:
    made = ModuleType(name)
    made.__path__ = []
    for word in taken:
        refusing = type(f"{name}.{word}", (LeftOutError,), {"__init__": _refuse})
        setattr(made, word, refusing)
    return made


def _refuse(self: LeftOutError, *_: object, **__: object) -> None:
    LeftOutError.__init__(self)
    raise self
