"""Notes on ledgers' pasts: checkpoints that this hospital handed out, and those that came here.

Beside the signed checkpoints in ``checkpoints/``, each a small file (0600) by the other hospital's
name:

- ``handed/NAME``: the checkpoints of this ledger that NAME was handed, noted before they are put
  into the store;
- ``past/NAME``: the checkpoints of NAME's ledger that came here;
- ``doubted/NAME``: two words of NAME that cannot both be true of one ledger, as NAME signed them.
  While it is there, nothing starts with NAME and its questions get no answer. Only the owner's own
  command takes it away.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from securefl.errors import UntrustedError
from securefl.federation.checkpoints import MOST_PAST, KnownPast
from securefl.files import entries, private_folder, read_file, replace_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.privacy.ledger import Checkpoint

_FOLDER = "checkpoints"


def handed_before(site: Site, reader: str) -> tuple[tuple[int, str], ...]:
    """Read the checkpoints of this ledger that ``reader`` was handed, oldest first.

    Empty where no note can be read. A lost note only makes the list begin later: the reader can
    then compare less, and sees no contradiction.
    """
    found = _read(site.path / _FOLDER / "handed" / reader)
    try:
        return tuple((int(size), str(head)) for size, head in found["handed"])
    except (KeyError, TypeError, ValueError):
        return ()


def note_handed(
    site: Site,
    reader: str,
    checkpoint: Checkpoint,
) -> tuple[tuple[int, str], ...]:
    """Note that ``reader`` is about to be handed this checkpoint. Returns those of before."""
    before = tuple(point for point in handed_before(site, reader) if point[0] < checkpoint.size)
    point = (checkpoint.size, checkpoint.head)
    if point not in handed_before(site, reader):
        _write(site, "handed", reader, {"handed": [*before, point][-MOST_PAST:]})
    return before


def handed_to(site: Site) -> set[str]:
    """Every hospital that was ever handed a checkpoint of this ledger, as far as this folder knows."""
    return {file.name for file in entries(site.path / _FOLDER / "handed")}


def known_past(site: Site, newest: Checkpoint) -> KnownPast:
    """Collect what is known of another ledger beside the newest checkpoint of it that is held here."""
    found = _read(site.path / _FOLDER / "past" / newest.site)
    try:
        heads = {int(size): str(head) for size, head in found["heads"]}
        since = int(found["since"])
    except (KeyError, TypeError, ValueError):
        heads = {}
        since = newest.size
    if (
        heads.get(newest.size) != newest.head
    ):  # the note is of another time than the checkpoint: nothing is complete
        heads = {newest.size: newest.head}
        since = newest.size
    return KnownPast(heads, since, newest.size)


def keep_past(site: Site, name: str, known: KnownPast) -> None:
    """Note what is known of another ledger."""
    _write(
        site,
        "past",
        name,
        {"since": known.since, "heads": sorted(known.heads.items())},
    )


def doubt(site: Site, name: str, words: tuple[bytes, bytes]) -> None:
    """Note that a hospital has shown two pasts.

    ``words``: the two statements, as it signed them.
    """
    if not _path(site, "doubted", name).exists():
        _write(site, "doubted", name, {"words": [word.hex() for word in words]})


def doubted(site: Site, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that have shown two pasts, and whose owner has not settled it here."""
    return [name for name in names if _path(site, "doubted", name).exists()]


def two_pasts(name: str) -> UntrustedError:
    """Error that says why nothing runs with a doubted hospital."""
    return UntrustedError(
        f"{name} has signed two pasts of its ledger that cannot both be true: it was cut, restored"
        f" or rewritten, or two copies of {name} are at work. No study with {name} starts or goes"
        " on here, and its questions get no answer.",
        whose=name,
        next_step=(
            f"Telephone {name}; when it is settled: `securefl site checkpoint {name} --settled`."
        ),
    )


def settle_doubt(site: Site, name: str) -> Path | None:
    """Put aside all that is held of a hospital's ledger, after a telephone call.

    The next checkpoint it hands out is the first.

    Returns:
        The folder where the evidence lies now; None where there was no doubt.
    """
    if not doubted(site, (name,)):
        return None
    settled = private_folder(site.path / _FOLDER / "settled")
    number = sum(1 for _ in settled.glob(f"{name}.*")) + 1
    aside = private_folder(settled / f"{name}.{number}")
    # the doubt itself goes last: a process killed in between leaves it standing
    for kind in ("past", "", "doubted"):
        file = _path(site, kind, name)
        if file.exists():
            shutil.move(file, aside / (kind or "checkpoint"))
    sync_folder(aside)
    return aside


def _path(site: Site, kind: str, name: str) -> Path:
    return site.path / _FOLDER / kind / name


def _write(
    site: Site,
    kind: str,
    name: str,
    value: dict[str, object],
) -> None:
    private_folder(site.path / _FOLDER)
    private_folder(site.path / _FOLDER / kind)
    replace_file(_path(site, kind, name), json.dumps(value).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_file(path))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return found
