"""Newest version of securefl that has worked in a party's folder.

A version that does not know a newer one's files would misread a ledger or overwrite what it does
not understand, so it refuses the folder. ``docs/operation.md`` has the rule: a newer version reads
all older folders. Within one MAJOR.MINOR an older one reads what a newer one wrote too, unless it
meets something that it does not know, and then it says so. From the first start of a newer
MAJOR.MINOR on no older one reads the folder.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from securefl.environment import version
from securefl.errors import UnreadableError
from securefl.files import read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

FILE: Final = "version"
_MOST: Final = 100
_NUMBERS = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?")
_NEWER_SCHEMA = re.compile(r"securefl-party/(\d{1,4})")
#: Schema of the settings file that this version writes.
_SCHEMA: Final = 1


def check_not_newer(folder: Path) -> None:
    """Refuse a folder in which a newer version has worked.

    A folder without the note is from before there was one.

    Raises:
        UnreadableError: with the version to install, or that the note cannot be read.
    """
    noted = _noted(folder)
    if noted is None:
        return
    if _line(noted) > _line(version()):
        raise UnreadableError(
            f"{folder} was last used by securefl {noted}; this is {version()}, which does not know"
            " what that one writes.",
            whose="this machine's operator",
            next_step=(
                f"Install securefl {noted} again. To go back to {version()}, put a backup from"
                " before the upgrade into a new folder: `securefl site restore`; the partners say"
                " whether it is new enough."
            ),
        )


def note_version(folder: Path) -> None:
    """Write that this version works here, where an older one did; a folder that cannot be written
    stays as it is.
    """
    noted = _noted(folder)
    if noted is None or _line(noted) < _line(version()):
        with suppress(OSError):
            replace_file(folder / FILE, f"{version()}\n".encode())


def check_schema(folder: Path, schema: object) -> None:
    """Refuse settings of a later schema.

    Raises:
        UnreadableError: a newer securefl wrote them.
    """
    found = _NEWER_SCHEMA.fullmatch(str(schema))
    if found is not None and int(found[1]) > _SCHEMA:
        raise UnreadableError(
            f"The settings in {folder} are of the form {schema}; this is securefl {version()},"
            f" which reads securefl-party/{_SCHEMA}.",
            whose="this machine's operator",
            next_step="Install the newer securefl that wrote them.",
        )


def settings_fault(file: Path, error: ValidationError) -> UnreadableError:
    """Make the error of settings that do not fit; entries that only a newer version knows are named
    as such.
    """
    faults = error.errors()
    unknown = [_place(fault) for fault in faults if fault["type"] == "extra_forbidden"]
    if len(unknown) == len(faults):
        return UnreadableError(
            f"{file} has entries that securefl {version()} does not know: {', '.join(unknown)}.",
            whose="this machine's operator",
            next_step=(
                "If a newer securefl worked here, install that one again. Otherwise take the"
                " entries out."
            ),
        )
    first = next(fault for fault in faults if fault["type"] != "extra_forbidden")
    return UnreadableError(
        f"{file} cannot be read: {_place(first)}: {first['msg']}.",
        next_step="Mend it or restore it from your backup.",
    )


def _place(fault: ErrorDetails) -> str:
    """Place of a fault in the file, as in ``datasets.0.origin``."""
    return ".".join(str(part) for part in fault["loc"])


def _noted(folder: Path) -> str | None:
    try:
        text = read_file(folder / FILE, _MOST).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    if _NUMBERS.fullmatch(text) is None:
        raise UnreadableError(
            f"{folder / FILE} names no version of securefl.",
            whose="this machine's operator",
            next_step="Restore it from your backup, or write the version that was used last.",
        )
    return text


def _line(text: str) -> tuple[int, int]:
    """MAJOR and MINOR."""
    found = _NUMBERS.match(text)
    if found is None:
        return (0, 0)
    return (int(found[1]), int(found[2]))
