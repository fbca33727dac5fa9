"""Invitation to a consortium: its folder as one file, for a mail or a stick.

It is canonical JSON, path → text. Nothing in it counts for having come with it: cards are compared
by telephone, and signatures verified by the keys that the reader trusts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError, UnreadableError, UsageError, file_error
from securefl.files import made_whole, read_given, replace_file
from securefl.party.consortium import AGREEMENT, FOLDER_MODE, ConsortiumFolder
from securefl.signed import canonical
from securefl.study.parse import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

_TYPE: Final = "securefl-invitation/1"
MAX_INVITATION: Final = 8 * 1024 * 1024
_MOST_FILES: Final = 4000
_NAME: Final = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
#: The files of a consortium's folder, and no others.
_PATH: Final = re.compile(
    r"(earlier/[0-9a-f]{64}/)?"
    rf"(agreement\.(toml|md)|cards/{_NAME}\.json|signatures/{_NAME}\.signature"
    rf"|leaving/{_NAME}\.leaving|vouches/{_NAME}\.{_NAME}\.vouch)"
    rf"|checklists/{_NAME}\.md|first-study/{_NAME}\.toml"
)


def pack(folder: ConsortiumFolder, target: Path) -> int:
    """Write a folder as one file; the number of files in it.

    Raises:
        UsageError: the target is there already.
        UnreadableError: a file is no text, or cannot be read or written.
    """
    if target.exists():
        raise UsageError(f"{target} is there already.", next_step="Name a new file.")
    texts = {}
    for file in sorted(folder.path.rglob("*")):
        name = file.relative_to(folder.path).as_posix()
        if _PATH.fullmatch(name):
            texts[name] = _text(file)
    try:
        replace_file(target, canonical({"type": _TYPE, "files": texts}), mode=0o644)
    except OSError as error:
        raise file_error(error, target) from None
    return len(texts)


def _text(file: Path) -> str:
    try:
        return read_given(file, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(f"{file} is not UTF-8 text.", next_step="Save it as UTF-8.") from None


def unpack(invitation: Path, target: Path) -> ConsortiumFolder:
    """Make a consortium's folder out of an invitation.

    Raises:
        UsageError: the target is there already.
        MessageError: the file is no invitation.
        UnreadableError: it cannot be read, or the target not written.
    """
    if target.exists():
        raise UsageError(f"{target} is there already.", next_step="Name a new folder.")
    texts = _read(read_given(invitation, MAX_INVITATION))
    with made_whole(target, AGREEMENT) as building:
        for name, text in texts.items():
            replace_file(building / name, text.encode(), mode=0o644)
        building.chmod(FOLDER_MODE)
    return ConsortiumFolder(target)


def _read(data: bytes) -> dict[str, str]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise _refused("it is not JSON") from None
    if not isinstance(body, dict) or body.get("type") != _TYPE or set(body) != {"type", "files"}:
        raise _refused("it is of another kind")
    texts = body["files"]
    if not isinstance(texts, dict) or len(texts) > _MOST_FILES or AGREEMENT not in texts:
        raise _refused("it holds no agreement")
    for name, text in texts.items():
        if not _PATH.fullmatch(name):
            raise _refused(f"it holds a file that no consortium has ({ascii(name)[:60]})")
        if not isinstance(text, str) or not _is_text(text):
            raise _refused(f"{name} in it is no text")
    return texts


def _is_text(text: str) -> bool:
    """False for what UTF-8 cannot write, like half of a pair of surrogates."""
    try:
        return len(text.encode()) <= MAX_BYTES
    except UnicodeEncodeError:
        return False


def _refused(why: str) -> MessageError:
    return MessageError(
        f"The file is no invitation to a consortium: {why}.",
        whose="whoever sent it",
        next_step="Ask for it again; `securefl consortium invite --to FILE` writes it.",
    )
