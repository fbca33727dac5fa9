"""This hospital's part in the lot of a study that trains by groups.

Once all have approved it commits to a nonce; once all have committed it shows the nonce; once all
have shown theirs, the lot is drawn. Before it shows its own it writes down which commitments it saw,
and goes by those ever after, also when its agent was killed: a hospital that exchanges its
commitment once nonces are known could choose its group.

The nonce follows from the key that was made for this study, one way, so that an agent that was
killed says the same again. Nothing here depends on data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securefl.errors import RoundError
from securefl.federation.group_lot import (
    GroupCommitment,
    GroupNonce,
    commitments_on,
    commitments_sha256,
    lot_of,
    nonces_on,
)
from securefl.federation.study_board import StudyBoard
from securefl.files import private_folder, replace_file
from securefl.secagg.group_draw import NONCE_BYTES, Lot, commitment
from securefl.signed import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from securefl.node.own_study import OwnStudy

#: The commitments that this hospital saw before it showed its nonce, in the study's folder.
FILE: Final = "group-commitments"


@dataclass
class GroupLot:
    """The lot of one study at one hospital. :meth:`drawn` never waits; it is called again.

    Args:
        own: the study.

    Attributes:
        waiting: what is waited for, for the owner's screen.
    """

    own: OwnStudy
    waiting: str = ""
    _found: Lot | None = None
    _posted: frozenset[str] = frozenset()

    def drawn(self) -> Lot | None:
        """The lot, once all have shown their nonces; says what is this hospital's to say.

        Raises:
            StoreError: the store is away; call again.
            RoundError: a hospital's nonce is another than it committed to, or a commitment was
                exchanged.
        """
        if self._found is not None:
            return self._found
        plan = self.own.plan
        board = self.own.site.board
        nonce = self._nonce()
        mine = commitment(plan.digest, self.own.site.name, nonce).hex()
        self._post_commitment(mine)
        seen = self._seen(mine)
        if seen is None:
            return None
        self._post_nonce(nonce, seen)
        shown = nonces_on(board, plan)
        missing = [site for site in plan.study.cohort if site not in shown]
        if missing:
            self.waiting = f"the lot for the groups: {', '.join(missing)} has not shown its nonce"
            return None
        self._found = lot_of(plan, seen, shown)
        return self._found

    def _nonce(self) -> bytes:
        return own_nonce(self.own.site.study_key(self.own.plan.digest), self.own.plan.digest)

    def _seen(self, mine: str) -> Mapping[str, str] | None:
        """All commitments, as they were when this hospital first saw them all; None before.

        Raises:
            RoundError: one was exchanged since.
        """
        plan = self.own.plan
        there = commitments_on(self.own.site.board, plan) | {self.own.site.name: mine}
        kept = self._kept()
        if kept is None:
            missing = [site for site in plan.study.cohort if site not in there]
            if missing:
                self.waiting = f"the lot for the groups: {', '.join(missing)} has not committed"
                return None
            self._check_first()
            replace_file(private_folder(self.own.folder) / FILE, canonical(there))
            return there
        changed = sorted(site for site, one in there.items() if kept.get(site) != one)
        if changed:
            names = ", ".join(changed)
            raise RoundError(
                f"{names} exchanged the commitment to its nonce after this hospital had shown its"
                " own: it could have chosen its group.",
                whose=names,
                next_step="The study ends here. Tell the other hospitals.",
            )
        return kept

    def _check_first(self) -> None:
        """Refuse to see commitments for the first time where this hospital showed its nonce before:
        its folder was put back, and does not know which ones it saw.
        """
        if self.own.site.name not in nonces_on(self.own.site.board, self.own.plan):
            return
        raise RoundError(
            "This hospital showed its nonce for the groups before, and its folder does not know it.",
            whose="this hospital",
            next_step="The study ends here: the folder was put back from a backup, or copied.",
        )

    def _kept(self) -> dict[str, str] | None:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return None
        found: dict[str, str] = json.loads(data)
        return found

    @property
    def _file(self) -> Path:
        return self.own.folder / FILE

    def _post_commitment(self, mine: str) -> None:
        site = self.own.site
        said = GroupCommitment(self.own.plan.digest, site.name, mine).dump(site.identity.sign)
        slot = StudyBoard(site.board, self.own.plan.digest).group_commitment(site.name)
        if "commitment" not in self._posted and slot.read() != said:
            slot.post(said)
        self._posted |= {"commitment"}

    def _post_nonce(self, nonce: bytes, seen: Mapping[str, str]) -> None:
        site = self.own.site
        saw = commitments_sha256(seen)
        said = GroupNonce(self.own.plan.digest, site.name, nonce.hex(), saw).dump(
            site.identity.sign
        )
        slot = StudyBoard(site.board, self.own.plan.digest).group_nonce(site.name)
        if "nonce" not in self._posted and slot.read() != said:
            slot.post(said)
        self._posted |= {"nonce"}


def own_nonce(study_key: X25519PrivateKey, study: str) -> bytes:
    """This hospital's nonce in a study: it follows one way from the key made for the study."""
    derive = HKDF(
        SHA256(),
        NONCE_BYTES,
        salt=None,
        info=f"securefl group nonce 1\n{study}".encode(),
    )
    return derive.derive(study_key.private_bytes_raw())
