"""URLs of boards: a folder's path, or the URL of a place that several machines share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from securefl.boards.carrier import CARRIERS
from securefl.errors import UsageError

#: Stores that live in one process, or through which what was written last is not what is read next.
_NOT_SHARED: Final = frozenset(
    {
        "memory",
        "cached",
        "blockcache",
        "filecache",
        "simplecache",
        "asynclocal",
        "reference",
        "data",
        "dir",
    }
)


def usable_url(text: str) -> str:
    """Return a store as it may stand in a party's settings.

    A folder's whole path, or a URL that fsspec can open.

    Raises:
        UsageError: it names no store that several machines share; the text shows the right form.
    """
    step = "Name a folder (/mnt/share/securefl) or a URL (s3://bucket/prefix, sftp://host/folder)."
    if not text.strip():
        raise UsageError(
            "The store is empty text; a variable of your shell may not be set.", next_step=step
        )
    if any(not c.isprintable() for c in text):
        raise UsageError(
            f"The store {text!r} holds characters that no screen shows.", next_step=step
        )
    if text.startswith((r"\\", "//")) or re.match(r"[A-Za-z]:[\\/]", text):
        raise UsageError(
            f"{text} is a Windows path.",
            next_step=(
                "Mount the share (mount -t cifs) and name the folder where it is mounted, such as"
                " /mnt/share/securefl."
            ),
        )
    kind, colon, rest = text.partition(":")
    if (
        not colon
        or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", kind)
        or "/" in kind
        or (not rest.startswith("/") and "::" not in text)
    ):
        return str(Path(text).expanduser().absolute())
    if "::" in text:
        raise UsageError(
            f"{text} is a store behind another one, and what is read there may be old.",
            next_step=step,
        )
    if not rest.startswith("//"):
        raise UsageError(
            f"{text} has one slash where a URL has two.",
            next_step=f"Write {kind}://{rest.lstrip('/')}",
        )
    if kind not in CARRIERS and not _fsspec_knows(kind):
        raise UsageError(f"{kind}:// is no kind of store that fsspec knows.", next_step=step)
    if kind in _NOT_SHARED:
        raise UsageError(f"{kind}:// is nothing that several machines share.", next_step=step)
    if not rest.lstrip("/"):
        raise UsageError(f"{text} names no place.", next_step=step)
    return text


def _fsspec_knows(scheme: str) -> bool:
    """True if fsspec has a file system of that scheme.

    Imported here: a folder needs none of it, and it is a tenth of an agent's start.
    """
    import fsspec

    return scheme in fsspec.available_protocols()


def reason(error: Exception) -> str:
    """Return a file system's words on one line, whatever kind of error it raises."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    words = " ".join(said.split())[:300].rstrip(".")
    return words or type(error).__name__


def without_password(url: str) -> str:
    """The URL as it may stand on a screen and in a log."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url)
