"""Nonces of the runs of this hospital's agent in one study: one identity runs in one place, which
no lock on a disk can see to.

A folder that was copied (a clone, a standby, a restored backup) has the same keys, so all that both
copies sign is genuine. Each run of the agent therefore draws a nonce, says it when it is ready, and
answers only rounds that were announced to it. The nonces are kept in the study's folder before they
are said: one that is not there is another copy's.

A nonce is the public half of an X25519 key of this run. Openings are sealed to it
(:mod:`securefl.federation.shown_opening`). The private half is kept from the ready statement to the
study's end, for an agent that was killed (:mod:`securefl.node.run_key`), and then overwritten: whoever
kept what lay in the store opens none of them later, whatever they steal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.errors import TwoCopiesError
from securefl.federation.readiness import ready_of
from securefl.federation.status_board import status_of
from securefl.files import private_folder, replace_file
from securefl.node.run_key import RunKey

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity
    from securefl.node.site import Site

_FILE = "instances"
#: Starts of an agent while one study waits; beyond them the oldest is forgotten.
_MOST = 10_000
_LINE = 65
_NONCE = re.compile(r"[0-9a-f]{64}")
NEXT = (
    "Find the copy of this folder (a clone, a standby, a restored backup) and stop it for good. The"
    " study ends here."
)


class Instances:
    """The nonce of this run, and those of earlier runs on this folder.

    A run that said that it is ready goes on under its nonce, whichever process it is.

    Args:
        folder: the study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = RunKey(folder)
        self._key = self._kept.read() or X25519PrivateKey.generate()
        self.mine = self._key.public_key().public_bytes_raw().hex()

    def reader(self, identity: Identity) -> Identity:
        """This hospital as the reader of what is sealed to this run."""
        return identity.with_sealing_key(self._key)

    def keep(self) -> None:
        """Make this run's nonce and key durable; before the nonce is said."""
        self._kept.keep(self._key)
        known = self._known()
        if self.mine not in known:
            replace_file(
                private_folder(self._folder) / _FILE,
                "".join(f"{n}\n" for n in [*known, self.mine][-_MOST:]).encode(),
            )

    def earlier(self, nonce: str) -> bool:
        """True when an earlier run on this folder had that nonce."""
        return nonce != self.mine and nonce in self._known()

    def _known(self) -> list[str]:
        try:
            data = (self._folder / _FILE).read_bytes()[: _MOST * _LINE]
        except FileNotFoundError:
            return []
        return _NONCE.findall(data.decode("ascii", errors="replace"))


def check_alone(site: Site, plan: RoundPlan, instances: Instances) -> None:
    """Look in this hospital's own places in the store for words that this folder did not say.

    Only what this hospital's key signed counts; what earlier runs on this folder said may lie
    there, or be put back there.

    Raises:
        TwoCopiesError: another process works in this hospital's name.
        StoreError: the store is away.
    """
    said = ready_of(site.board, plan, site.name)
    if (
        said is not None
        and said.instance != instances.mine
        and not instances.earlier(said.instance)
    ):
        raise TwoCopiesError(
            "Another copy of this hospital runs: it said that it is ready for this study.",
            next_step=NEXT,
        )
    word = status_of(
        site.board,
        plan.digest,
        site.name,
        site.identity.card.signing_public,
    )
    # the ledger is asked after the store: this folder ends a study there before it says so
    if word is not None and not site.ledger.state.study(plan.digest).ended:
        raise TwoCopiesError(
            f"Another copy of this hospital runs: it ended its part in this study ('{word.code}').",
            next_step=NEXT,
        )
