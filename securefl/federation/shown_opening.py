"""Opening of a round as the coordinator shows it to the participants: the round's secret key and the
hash of the total, sealed to the runs of their agents.

Keys of runs are in memory alone: who records the store and steals a hospital's keys after the study
opens nothing with them. It leaves after the sum was opened without a fault, and before the next
round is announced. Whoever has it opens the sum of the signed frames again
(:mod:`securefl.secagg.total_check`). The hash of the total is inside: for a short list a hash can
be guessed, and the store's operator would know the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from securefl.curve25519 import is_agreement_key
from securefl.errors import MessageError
from securefl.federation.round_plan import card_of
from securefl.federation.sealing import open_model, seal_model, sealed_limit
from securefl.secagg.round_context import ATTEMPT
from securefl.secagg.total_check import SECRET_BYTES, SECRET_SIZES, RoundSecret
from securefl.statement import Hex32, HexBytes, Positive, Statement
from securefl.study.recipients import recipients

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity
    from securefl.types import Sign

_HASH_BYTES: Final = 32
_PAYLOAD_BYTES: Final = SECRET_BYTES + _HASH_BYTES
_HEAD_BYTES: Final = 1024
#: Openings are sealed to at most so many hospitals.
_MOST_HOSPITALS: Final = 4096


def opening_limit(hospitals: int) -> int:
    """The longest shown opening of a study of so many hospitals, in bytes."""
    # Sealed bytes travel in hex.
    return _HEAD_BYTES + 2 * sealed_limit(_PAYLOAD_BYTES // 8, hospitals)


@dataclass(frozen=True)
class ShownOpening(Statement):
    """The coordinator's opening of one round, sealed to its readers.

    Args:
        study: the study's digest.
        round: number of the round.
        attempt: number of the attempt.
        round_digest: what masks and messages of the round are bound to.
        sealed: key (256, 512 or 1024 bytes, by its ring) and SHA-256 of the total, sealed under
            study, round and attempt.
    """

    TYPE: ClassVar[str] = "securefl-round-opening/1"
    WHAT: ClassVar[str] = "A shown opening"
    SENDER: ClassVar[str] = "the coordinator"
    MAX_BYTES: ClassVar[int] = opening_limit(_MOST_HOSPITALS)
    NEXT_STEP: ClassVar[str] = "The study ends here; ask the researcher."

    study: Hex32
    round: Positive
    attempt: Positive
    round_digest: Hex32
    sealed: HexBytes

    def read(self, reader: Identity) -> tuple[RoundSecret, str]:
        """Open it: the round's secret key, and the SHA-256 (hex) of the total.

        Raises:
            MessageError: it is not sealed to this reader, or malformed.
        """
        try:
            payload = open_model(
                self.sealed,
                reader,
                _context(self.study, self.round),
            )
        except MessageError:
            raise _refused("is not sealed to this hospital") from None
        if len(payload) - _HASH_BYTES not in SECRET_SIZES:
            raise _refused("has another length")
        return RoundSecret.unpack(payload[:-_HASH_BYTES]), payload[-_HASH_BYTES:].hex()


def readers_of(
    plan: RoundPlan,
    number: int,
    contributors: Collection[str],
) -> tuple[str, ...]:
    """Hospitals that a round's opening is shown to.

    Those in its sum, and where a study goes on after a loss whoever may come back and must verify
    what it missed. Nothing follows from the last round's total but the result, so that one is for
    the study's recipients in its sum.
    """
    found = sorted(contributors)
    last = number == plan.last_round
    if contributors and not last and plan.survives_losses:
        return plan.study.cohort
    if last:
        found = [site for site in found if site in recipients(plan.study)]
    return tuple(found)


def show_opening(
    plan: RoundPlan,
    number: int,
    round_digest: str,
    *,
    secret: RoundSecret,
    total_sha256: str,
    readers: Mapping[str, str],
    sign: Sign,
) -> bytes:
    """Seal and sign the opening of a round.

    Args:
        plan: the study.
        number: of the round.
        round_digest: of the round.
        secret: the round's secret key.
        total_sha256: hash of the opened total, hex.
        readers: hospital → X25519 public key (hex) of the run of its agent. One that is no key gets
            nothing: that is its own doing.
        sign: the coordinator's signature.
    """
    payload = secret.pack() + bytes.fromhex(total_sha256)
    cards = [
        replace(card_of(plan.study.participant(site)), sealing_public=key)
        for site, key in sorted(readers.items())
        if is_agreement_key(key)
    ]
    sealed = seal_model(
        payload,
        cards,
        _context(plan.digest, number),
    )
    return ShownOpening(
        plan.digest,
        number,
        ATTEMPT,
        round_digest,
        bytes(sealed),
    ).dump(sign)


def _context(study: str, number: int) -> bytes:
    return f"{study}/{number}/{ATTEMPT}/opening".encode()


def _refused(why: str) -> MessageError:
    return MessageError(f"The opening that was shown {why}.", whose="the coordinator")
