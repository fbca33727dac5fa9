"""Models that are looked for after their study's end, and the agent's watch for them.

In the hospital's folder, for its owner alone::

    models/expected/DIGEST.json      a model that is looked for

What is done with one that came stands in :mod:`securefl.node.models`.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from securefl.backoff import Backoff
from securefl.errors import MessageError, StoreError, UnreadableError
from securefl.federation.study_board import StudyBoard
from securefl.files import private_folder, replace_file
from securefl.node.quality import verdict_of
from securefl.study.recipients import recipients
from securefl.utc_times import read_time, time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.federation.round_plan import RoundPlan
    from securefl.node.site import Site

#: Days after a study's end for which its model is looked for.
LOOKED_FOR: Final = 30
#: Folder of the hashes of a study's verified results, in the study's folder.
VERIFIED: Final = "verified"
#: Seconds between two looks at one missing model, at least and at most.
_OFTEN, _SELDOM = 0.5, 60.0


def expect_model(site: Site, plan: RoundPlan, now: datetime) -> None:
    """After the end of a study that was completed here: look for its model, where this hospital is
    one of its recipients and its quality rule does not withhold it.
    """
    rule, verdict = plan.study.quality, verdict_of(site.study_folder(plan.digest))
    withheld = rule is not None and verdict is not None and rule.withholds(verdict)
    if withheld or site.name not in recipients(plan.study):
        return
    until = now + timedelta(days=LOOKED_FOR)
    note_expected(
        site, plan.digest, {"name": plan.sealed.name, "until": time_text(until), "refused": ""}
    )


@dataclass
class ModelWatch:
    """Watch for models that have not come yet; the agent calls :meth:`turn`.

    Args:
        say: writes a line to the owner's own log.
        now: the wall clock.
    """

    say: Callable[[str], None]
    now: Callable[[], datetime]
    _paces: dict[str, Backoff] = field(default_factory=dict)
    _seen: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def turn(self, site: Site) -> None:
        """Look for each expected model that is due; what is refused is said once, and looked at
        again when it is another.

        Raises:
            StoreError: the store is away; call again.
        """
        for digest, entry in expected_models(site).items():
            if entry["until"] == "":
                continue
            pace = self._paces.setdefault(digest, Backoff(_OFTEN, _SELDOM, share=0.05))
            if pace.ready:
                pace.failed()
                self._look(site, digest, entry)

    def _look(
        self,
        site: Site,
        digest: str,
        entry: dict[str, str],
    ) -> None:
        if self.now() > read_time(entry["until"]):
            self.say(
                f"the model of {entry['name']} did not come within {LOOKED_FOR} days; it is looked"
                " for no more"
            )
            note_expected(site, digest, entry | {"until": ""})
            forget_verified(site, digest)
            _say_done(site, digest)
            return
        on_board = StudyBoard(site.board, digest)
        stamps = (
            on_board.model_statement.stamp(),
            on_board.model().stamp(),
        )
        if stamps[0] is None or (None not in stamps and self._seen.get(digest) == stamps):
            return
        # what opens and checks a model is imported where one came, and not for months of waiting
        from securefl.node.models import fetch_model

        try:
            folder = fetch_model(site, digest)
        except OSError as error:
            raise StoreError(
                f"The model of {entry['name']} cannot be kept here: {error.strerror or error}.",
                whose="this hospital's operator",
                next_step="Free some space.",
            ) from None
        except (MessageError, UnreadableError) as error:
            self._seen[digest] = stamps
            if entry["refused"] != error.what:
                self.say(f"the model of {entry['name']} is refused: {error}")
                note_expected(site, digest, entry | {"refused": error.what})
            return
        if folder is not None:
            self.say(
                f"the model of {entry['name']} came home, and every check of it holds: {folder}"
            )
            self._paces.pop(digest, None)


def _say_done(site: Site, digest: str) -> None:
    from securefl.node.study_receipts import give_receipt

    give_receipt(site, digest)


def expected_models(site: Site) -> dict[str, dict[str, str]]:
    """Study digest → name, time until which its model is looked for (empty: no more), and why it
    was refused.
    """
    folder = site.path / "models" / "expected"
    found = {}
    for file in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            entry = json.loads(file.read_bytes())
            found[file.stem] = {key: str(entry[key]) for key in ("name", "until", "refused")}
    return found


def note_expected(site: Site, digest: str, entry: dict[str, str]) -> None:
    """Keep that a study's model is looked for, or why it is not."""
    folder = private_folder(private_folder(site.path / "models") / "expected")
    replace_file(folder / f"{digest}.json", json.dumps(entry).encode())


def forget_verified(site: Site, digest: str) -> None:
    """Remove the hashes that a study's model was to be checked against."""
    shutil.rmtree(site.study_folder(digest) / VERIFIED, ignore_errors=True)
