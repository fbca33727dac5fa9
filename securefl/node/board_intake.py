"""The hospital's desk without PySyft: requests come off the board, by the signature of a researcher
whom the owner trusts, and wait in the same inbox.

In this order (rule 5), and a study goes no further than it holds:

- the request is signed by a trusted researcher's key, over this very digest;
- the text is no longer than a study may be, and its bytes are those of the signed hash;
- it is parsed, and is the study of that digest and that researcher, by the same key;
- it names this hospital, by a key of its own;
- that researcher has fewer requests here than the cap.

What fails after the signature is set aside with its reason, and read again once it may have
changed. What is signed by nobody on the owner's list is left alone, unparsed. Nothing that lies on the
board is changed: others read it too.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from securefl.backoff import Backoff
from securefl.datasite.layout import MAX_JOBS_PER_SENDER
from securefl.datasite.quarantine import Quarantine
from securefl.errors import MessageError, SecureFLError, StoreError
from securefl.federation.study_board import StudyBoard, studies_on
from securefl.federation.study_request import read_request
from securefl.files import replace_file
from securefl.node.public_side import sign_public
from securefl.node.requests import keep_request, kept_requests
from securefl.party.clock import utc_now
from securefl.party.shown_datasets import show_on_board
from securefl.report.characters import quoted_lines
from securefl.study.sealed import SealedStudy
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.identity import IdentityCard
    from securefl.node.site import Site

#: Folder of what was set aside, in the hospital's own.
SET_ASIDE: Final = "quarantine"
#: Studies that one exchange of the agent looks at: a flood of them holds up no round.
LOOKS: Final = 64
#: Seconds between two looks at one study that may still become a request, at least and at most, and
#: as a part of the time since the first.
_SOON, _LATEST, _SHARE = 1.0, 30.0, 0.1
#: The same between two of these studies, in turn, when no exchange takes place: at least, and where
#: none came for a quarter of an hour. An idle hospital reads at most six objects a minute.
_AGAIN_SOON, _AGAIN_LATEST, _AGAIN_SHARE = 1.0, 45.0, 0.05
#: Studies of strangers that one process tells of.
_MOST_TOLD: Final = 20
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
#: Beside the mark of a line that goes on, on a screen of 80.
_LOG_COLUMNS: Final = 72


@dataclass
class BoardIntake:
    """Intake of one hospital that takes requests off the board.

    Args:
        looks: studies that one exchange looks at, at most; None for all.
        clock: the monotonic clock, in seconds.
    """

    looks: int | None = LOOKS
    clock: Callable[[], float] = time.monotonic
    #: Studies that need no further look: kept here, or by their digest not this hospital's.
    _settled: set[str] = field(default_factory=set)
    _later: dict[str, Backoff] = field(default_factory=dict)
    _told: set[tuple[str, str]] = field(default_factory=set)
    _strangers: int = 0
    _trusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._again = Backoff(_AGAIN_SOON, _AGAIN_LATEST, _AGAIN_SHARE, self.clock)

    def news(self, site: Site) -> tuple[object, ...]:
        """What an exchange depends on, beside settings, ledger and list of partners.

        Raises:
            StoreError: the board is away.
        """
        names = self._names(site)
        unseen = sum(name not in self._later for name in names)
        return (tuple(names), unseen)

    def exchange(self, site: Site, say: Callable[[str], None]) -> Site:
        """Show the data sets and take in requests; returns the site with its settings as they are
        now.

        Args:
            site: the hospital.
            say: writes a line for its owner.

        Raises:
            StoreError: the board is away.
        """
        site = site.refreshed()
        _show(site)
        researchers = _researchers(site)
        for digest in self._due(site, researchers)[: self.looks]:
            self._look(site, digest, researchers, say)
        aside = len(Quarantine(site.path / SET_ASIDE).entries())
        said = {"peers": len(researchers), "quarantined": aside}
        replace_file(site.path / "desk.json", json.dumps(said).encode())
        return site

    def look_again(self, site: Site, say: Callable[[str], None]) -> None:
        """Look at one study that was no request yet, each in its turn, when it is time to.

        Args:
            site: the hospital.
            say: writes a line for its owner.

        Raises:
            StoreError: the board is away.
        """
        if not self._again.ready:
            return
        self._again.failed()
        waiting = [name for name, later in self._later.items() if later.ready]
        for digest in waiting[:1]:
            later = self._later.pop(digest)
            self._later[digest] = later  # to the end of the row
            self._look(site, digest, _researchers(site), say)
            if digest in self._settled:
                del self._later[digest]

    def _names(self, site: Site) -> list[str]:
        """Digests on the board that are not settled."""
        found = studies_on(site.board)
        return [n for n in found if n not in self._settled and _DIGEST.fullmatch(n)]

    def _due(self, site: Site, researchers: Sequence[IdentityCard]) -> list[str]:
        """Digests to look at now: those never seen first, from a place that nobody can foresee."""
        trusted = frozenset(card.signing_public for card in researchers)
        if trusted != self._trusted:
            self._trusted, self._later = trusted, {}
            self._settled.update(kept.digest for kept in kept_requests(site))
        names = self._names(site)
        self._later = {name: self._later[name] for name in names if name in self._later}
        unseen = [name for name in names if name not in self._later]
        start = secrets.randbelow(len(unseen) + 1)
        again = [name for name, later in self._later.items() if later.ready]
        return [*unseen[start:], *unseen[:start], *again]

    def _look(
        self,
        site: Site,
        digest: str,
        researchers: Sequence[IdentityCard],
        say: Callable[[str], None],
    ) -> None:
        later = self._later.get(digest)
        if later is None:
            later = Backoff(_SOON, _LATEST, _SHARE, self.clock)
            self._later[digest] = later
            self._again.reset()
        later.failed()
        if (site.study_folder(digest) / "request.json").exists():
            self._settled.add(digest)
            return
        try:
            settled = self._take_in(site, digest, researchers, say)
        except StoreError:
            raise
        except (SecureFLError, ValueError) as error:
            self._set_aside(site, digest, error, say)
            return
        if settled:
            self._settled.add(digest)

    def _take_in(
        self,
        site: Site,
        digest: str,
        researchers: Sequence[IdentityCard],
        say: Callable[[str], None],
    ) -> bool:
        """Keep the request for a study; True where no further look can change anything.

        Raises:
            SecureFLError: a trusted researcher signed it, and it does not hold.
        """
        on_board = StudyBoard(site.board, digest)
        found = read_request(site.board, digest, researchers)
        if found is None:
            self._tell_stranger(on_board, say)
            return False
        said, card = found
        text = on_board.text.read()
        if text is None:
            return False
        said.check_text(text)
        sealed = SealedStudy.read(text)
        study = sealed.study
        asks = study.coordinator
        if sealed.digest != digest or (asks.name, asks.signing_public) != (
            card.name,
            card.signing_public,
        ):
            raise MessageError(
                f"The study that {card.name} signed is another one, or of another researcher.",
                whose=card.name,
                next_step=f"Ask {card.name} to request it again.",
            )
        if not _names_us(site, sealed):
            return True
        _check_room(site, card)
        kept = keep_request(
            site,
            sealed,
            job=f"board-{digest[:12]}",
            sender=card.name,
            received=utc_now(),
        )
        say(f"a request came in: {kept.short}")
        return True

    def _tell_stranger(self, on_board: StudyBoard, say: Callable[[str], None]) -> None:
        """Say that a request is by nobody on the list; of a flood only the beginning."""
        told = ("", on_board.digest)
        if told in self._told or self._strangers >= _MOST_TOLD:
            return
        if on_board.request.read_head(1) is None:
            return
        self._told.add(told)
        self._strangers += 1
        say(
            f"study {short_digest(on_board.digest)} is requested by nobody on your list as a"
            " researcher; it is left alone"
        )

    def _set_aside(
        self,
        site: Site,
        digest: str,
        error: Exception,
        say: Callable[[str], None],
    ) -> None:
        """Write down a refusal with its reason, once."""
        reason, sender = "it breaks the contract of a study file", "researcher"
        if isinstance(error, MessageError):
            reason, sender = error.what, error.whose
        aside = Quarantine(site.path / SET_ASIDE)
        known = {(entry.message, entry.reason) for entry in aside.entries()}
        if (digest, reason) not in known:
            aside.add(_plain(sender), digest, reason, None)
        if (digest, reason) not in self._told:
            self._told.add((digest, reason))
            # the reason may repeat the file's own words: none of them begins a line of the log
            why = "\n".join(quoted_lines(str(error), _LOG_COLUMNS, fill=False))
            say(f"the request {short_digest(digest)} was set aside:\n{why}")


def _plain(sender: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", sender)[:40]


def _show(site: Site) -> None:
    """Show the registered data sets on the board."""
    shown = {}
    for entry in site.settings.datasets:
        signed = sign_public(site, entry.name)
        if signed is not None:
            shown[entry.name] = signed
    show_on_board(site.board, site.identity, shown)


def _researchers(site: Site) -> list[IdentityCard]:
    return [card for card in site.book.cards().values() if card.role == "researcher"]


def _names_us(site: Site, sealed: SealedStudy) -> bool:
    """True if the study asks this hospital, by a key that it has or had; others have their own name."""
    mine = site.identity.card
    keys = {mine.signing_public, *(key.signing_public for key in mine.earlier)}
    return any(
        party.name == site.name and party.signing_public in keys
        for party in sealed.study.participants
    )


def _check_room(site: Site, card: IdentityCard) -> None:
    """Refuse one more of a researcher that has the most requests here already."""
    count = sum(kept.sender == card.name for kept in kept_requests(site))
    if count >= MAX_JOBS_PER_SENDER:
        raise MessageError(
            f"{card.name} has {MAX_JOBS_PER_SENDER} requests here already.",
            whose=card.name,
            next_step="Nothing was taken in. Ask why there are so many.",
        )
