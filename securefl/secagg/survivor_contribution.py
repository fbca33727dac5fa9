"""Contribution of a hospital to a round that survives losses: pack, encrypt, mask, deal, sign.

Memory does not grow with d. The frame is written in two passes. First the ciphertexts go to a
spool, a block at a time, and are hashed on the way; then the head is signed over the hashes, and
the frame is the head followed by the spool.

    magic, length, manifest ("securefl-contribution/2")
    dealing (securefl.secagg.key_shares)
    ciphertexts

The head, with the dealing, is all that other hospitals need to read: a few kilobytes, whatever the
model's size.
"""

from __future__ import annotations

import secrets as system
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from securefl.errors import UsageError
from securefl.secagg.contribution import check_told, encrypted_body
from securefl.secagg.envelope import Envelope, Head, refused
from securefl.secagg.frame import body_blocks, body_runs, body_shape
from securefl.secagg.key_shares import Dealing, deal, dealing_bytes
from securefl.secagg.masks import SECRET_BYTES, Seeds, pair_seed
from securefl.secagg.sections import placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from securefl.identity import IdentityCard
    from securefl.secagg.cipher import SumCipher
    from securefl.secagg.envelope import Readable
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.types import IntArray, Sign, Verify, WordArray

CONTRIBUTION_TYPE: Final = "securefl-contribution/2"


@dataclass(frozen=True, eq=False)
class ContributionHead:
    """Head of a contribution as it was read and checked; ``sha256`` is the hash of the frame."""

    sender: str
    sha256: str
    dealing: Dealing
    head: Head


def contribution_limit(terms: SurvivorTerms) -> int:
    """The most bytes that a contribution to this round can have; the cap for reading it."""
    return contribution_envelope(terms, "").limit


def head_limit(terms: SurvivorTerms) -> int:
    """The most bytes at the beginning of a contribution that :func:`read_head` needs."""
    envelope = contribution_envelope(terms, "")
    return envelope.limit - envelope.run_bytes


def head_bytes(terms: SurvivorTerms, me: str) -> int:
    """Bytes of the head of every contribution of ``me`` to this round: its place in the frame.

    Dealing included.
    """
    return contribution_envelope(terms, me).head_bytes()


def spool_contribution(
    values: IntArray,
    spool: BinaryIO,
    *,
    terms: SurvivorTerms,
    public: PublicKey,
    me: str,
    secrets: Mapping[str, bytes],
    cards: Mapping[str, IdentityCard],
    sign: Sign,
    cipher: SumCipher,
    draw: Callable[[int], bytes] = system.token_bytes,
) -> bytes:
    """Write the masked ciphertexts to ``spool`` and return the signed head.

    The frame is the head, then the spool.

    Args:
        values: int64[d], already noised; each within the layout's ``max_value``. May be mapped from
            a file: it is read in blocks.
        spool: where bytes are written, from where it stands.
        terms: the terms of the round as this hospital was told them.
        public: the round's public key as it was read.
        me: this hospital's name in the cohort.
        secrets: ``pair_secret`` with each neighbour of this hospital, at least.
        cards: cards of this hospital and its neighbours, at least, verified.
        sign: Ed25519 with this hospital's identity key.
        cipher: the cipher's home.
        draw: the operating system's generator, unless a test says otherwise. The self-mask seed
            comes from it: never the same twice.

    Returns:
        The head, dealing included. Store head and spool durably before either leaves, and never
        make a second one under the same terms.

    Raises:
        RoundError, UsageError: as in :func:`securefl.secagg.contribution.contribute`, or this
            hospital is not in the cohort; the spool then holds nothing of use.
        UntrustedError: a neighbour's card is missing.
    """
    facts = terms.facts
    if me not in terms.cohort:
        raise UsageError(
            f"{me} is not in the round's cohort.",
            next_step="Contribute to rounds that name this hospital.",
        )
    check_told(values, facts=facts, public=public, me=me)
    near = terms.neighbours.of(me)
    seeds = {name: pair_seed(secrets[name], terms.round_digest) for name in near if name in secrets}
    # A mask of its own: were a hospital only thought lost, its pair seeds would be opened, and
    # this one still covers the frame that comes late.
    self_seed = draw(SECRET_BYTES)
    dealing = deal(terms, me, self_seed, seeds, cards=cards, draw=draw)
    mask = Seeds(tuple((name > me, seeds[name]) for name in near), (self_seed,))
    hashes = [sha256(dealing).hexdigest()]
    body = encrypted_body(
        values,
        facts,
        terms.round_digest,
        public=public,
        mask=mask,
        cipher=cipher,
        draw=draw,
    )
    for section, block in placed(body, facts.sections):
        hashes += section.write(block, spool)
    return contribution_envelope(terms, me).head(hashes, sign) + dealing


def read_head(
    file: Readable,
    terms: SurvivorTerms,
    sender: str,
    verify: Verify,
) -> ContributionHead:
    """Check and read the head of a contribution, which may be all there is of it.

    Args:
        file: anything with ``read``, at the frame's beginning.
        terms: the reader's own terms of the round.
        sender: who is said to have sent it.
        verify: whether a signature (64 bytes) over a message is by that sender's rostered key.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    if sender not in terms.cohort:
        raise refused(sender, "it is not in the round's cohort")
    head = contribution_envelope(terms, sender).open_head(file, sender, verify)
    return ContributionHead(
        sender,
        head.sha256,
        Dealing(terms, sender, head.lead),
        head,
    )


def ciphertext_blocks(
    file: Readable,
    terms: SurvivorTerms,
    head: ContributionHead,
) -> Iterator[WordArray]:
    """Read the ciphertexts after a head that was read from ``file``, in blocks, each checked.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    envelope = contribution_envelope(terms, head.sender)
    yield from body_blocks(envelope, file, head.head, head.sender, terms.facts.sections)


def check_contribution(
    file: Readable,
    terms: SurvivorTerms,
    sender: str,
    verify: Verify,
) -> ContributionHead:
    """Read a whole contribution and keep its head.

    The coordinator does so before it proposes the sender as a survivor.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    head = read_head(file, terms, sender, verify)
    for _ in ciphertext_blocks(file, terms, head):
        pass
    return head


def contribution_envelope(terms: SurvivorTerms, sender: str) -> Envelope:
    """Envelope of a contribution of ``sender`` to this round."""
    fields = terms.announced(sender)
    return Envelope(
        CONTRIBUTION_TYPE,
        {**fields, "shape": body_shape(terms.facts.sections)},
        body_runs(terms.facts.sections),
        lead_bytes=dealing_bytes(terms),
    )
