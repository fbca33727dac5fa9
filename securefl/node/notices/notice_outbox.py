"""Outbox of notices: durable, and emptied by a thread of its own, so that a mail server that hangs
holds up no round.

    notices/told.json      keys of what was told, so that a restart tells nothing twice
    notices/out/NUMBER     a notice, and the ways by which it has not gone yet

A way that fails is tried again, less and less often, for three days.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from securefl.backoff import Backoff
from securefl.errors import SecureFLError
from securefl.files import entries, private_folder, read_file, replace_file
from securefl.node.notices.notice import Notice
from securefl.node.notices.notice_channels import NotSentError, channels_of
from securefl.node.notices.notice_settings import signed_notice_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from securefl.node.notices.notice_channels import NoticeChannel
    from securefl.node.notices.notice_events import NoticeEvent
    from securefl.node.site import Site

#: Seconds between two tries of a way that fails, at least and at most.
_SHORTEST, _LONGEST = 5.0, 900.0
#: Seconds after which a notice is given up.
KEPT_SECONDS: Final = 3 * 24 * 3600.0
#: Seconds between two looks at the outbox.
_LOOK_SECONDS: Final = 2.0
_MOST: Final = 16 * 1024 * 1024


def told_keys(site: Site) -> frozenset[str]:
    """Keys of what was told before."""
    with suppress(OSError, ValueError, TypeError):
        return frozenset(json.loads(read_file(_folder(site) / "told.json", _MOST)))
    return frozenset()


def post_notices(
    site: Site,
    events: Iterable[NoticeEvent],
    kinds: Iterable[str],
    at: str,
    *,
    silently: bool = False,
) -> int:
    """Put notices of what was not told yet into the outbox; how many.

    Args:
        site: the hospital.
        events: all that is so now.
        kinds: that the owner wants to be told of.
        at: now, UTC in ISO 8601.
        silently: take note of them without telling, as when notices are switched on.
    """
    found = list(events)
    told = told_keys(site)
    wanted = frozenset(kinds)
    new = [event for event in found if event.key not in told]
    out = private_folder(_folder(site) / "out")
    count = 0
    for event in new:
        if silently or event.kind not in wanted:
            continue
        notice = {"kind": event.kind, "site": site.name, "about": event.about, "at": at}
        name = f"{time.time_ns():020d}-{count:04d}"
        replace_file(out / name, json.dumps({"notice": notice, "gone": []}).encode())
        count += 1
    keys = sorted(event.key for event in found)
    if new or len(keys) != len(told):
        replace_file(_folder(site) / "told.json", json.dumps(keys).encode())
    return count


class NoticeSender:
    """Thread that empties the outbox.

    Args:
        site: the hospital.
        say: writes a line to the owner's own log.
        clock: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        site: Site,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._say = say
        self._clock = clock
        self._over = threading.Event()
        self._waits: dict[str, Backoff] = {}
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; a try that hangs is not waited for: it ends with the process."""
        self._over.set()

    def turn(self) -> None:
        """Try once to send what is due."""
        files = entries(_folder(self._site) / "out")
        if not files:
            return
        settings = signed_notice_settings(self._site)
        channels = () if settings is None else channels_of(settings)
        for file in files:
            self._send(file, channels)

    def _work(self) -> None:
        trouble = ""
        while not self._over.wait(_LOOK_SECONDS):
            try:
                self.turn()
                trouble = ""
            except (OSError, SecureFLError) as error:
                if str(error) != trouble:
                    self._say(f"notices: {error}")
                trouble = str(error)

    def _send(self, file: Path, channels: tuple[NoticeChannel, ...]) -> None:
        try:
            kept: dict[str, Any] = json.loads(read_file(file, _MOST))
            notice = Notice(**kept["notice"])
            gone = set(kept["gone"])
            born = int(file.name.partition("-")[0]) / 1e9
        except (ValueError, TypeError, KeyError):
            file.unlink(missing_ok=True)
            return
        for channel in channels:
            if channel.name not in gone and self._sent(channel, notice):
                gone.add(channel.name)
                replace_file(file, json.dumps({**kept, "gone": sorted(gone)}).encode())
        missing = [channel.name for channel in channels if channel.name not in gone]
        if missing and time.time() - born < KEPT_SECONDS:
            return
        if missing:
            self._say(f"a notice was given up after three days ({', '.join(missing)})")
        file.unlink(missing_ok=True)

    def _sent(self, channel: NoticeChannel, notice: Notice) -> bool:
        wait = self._waits.get(channel.name)
        if wait is not None and not wait.ready:
            return False
        try:
            channel.send(notice)
        except NotSentError as error:
            if wait is None:
                self._say(f"a notice did not get through ({channel.name}): {error}; tried again")
                wait = Backoff(_SHORTEST, _LONGEST, share=1.0, clock=self._clock)
                self._waits[channel.name] = wait
            wait.failed()
            return False
        self._waits.pop(channel.name, None)
        return True


def _folder(site: Site) -> Path:
    return private_folder(site.path / "notices")
