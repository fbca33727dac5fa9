"""Memory of an airlock: which bundles went to a partner, and which came from one.

A file for each partner and direction in the party's own folder. Without it a bundle could come
twice, or an old one after a new one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from securefl.errors import UnreadableError
from securefl.files import private_folder, read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "airlock"
_MAX_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True)
class Channel:
    """One direction between this party and a partner, as far as it came.

    Attributes:
        number: of the last bundle, 0 before the first.
        manifest: SHA-256 of its manifest.
        sent: path to SHA-256 of what the partner has; only where bundles go out.
    """

    number: int = 0
    manifest: str = ""
    sent: dict[str, str] = field(default_factory=dict)


def read_channel(folder: Path, direction: str, partner: str) -> Channel:
    """Memory of one direction, ``to`` or ``from`` a partner.

    Raises:
        UnreadableError: the file is there and cannot be read.
    """
    file = _file(folder, direction, partner)
    try:
        raw = json.loads(read_file(file, _MAX_BYTES))
        return Channel(int(raw["number"]), str(raw["manifest"]), dict(raw["sent"]))
    except FileNotFoundError:
        return Channel()
    except (OSError, ValueError, TypeError, KeyError):
        raise UnreadableError(
            f"{file} cannot be read.",
            next_step=(
                "Restore it from your backup. Without it old bundles would be taken for new ones."
            ),
        ) from None


def keep_channel(
    folder: Path,
    direction: str,
    partner: str,
    channel: Channel,
) -> None:
    """Make what is remembered durable."""
    private_folder(folder / FOLDER)
    replace_file(_file(folder, direction, partner), json.dumps(asdict(channel)).encode())


def _file(folder: Path, direction: str, partner: str) -> Path:
    return folder / FOLDER / f"{direction}-{partner}.json"
