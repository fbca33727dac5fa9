"""Protocol of a cipher for secure aggregation, so that a second home can come later.

Its one home is :class:`securefl.secagg.seal.CkksIntegers`. Ciphertexts are arrays of residues mod q
whose sum (mod q, element by element) encrypts the sum, so the aggregator needs nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.secagg.cipher_ring import LARGE_RING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from securefl.secagg.cipher_ring import CipherRing
    from securefl.secagg.packing import FieldLayout
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.total_check import RoundSecret
    from securefl.types import WordArray


class RoundKeys(Protocol):
    """Key pair of one round, in the coordinator's memory. It opens one sum, then it is gone."""

    @property
    def public(self) -> PublicKey:
        """Public half, to be announced in the signed round message."""
        ...

    @property
    def erased(self) -> bool:
        """True once the secret half is gone."""
        ...

    def open_once(self, ciphertext: WordArray, layout: FieldLayout) -> tuple[WordArray, float]:
        """Decrypt a sum to exact integers, and erase the secret half.

        uint64[chunks, 2, degree] to messages uint64[chunks, degree]. Also returns the largest noise as
        a share of D/2 (1.0 would change an integer), coarsely. Guarantee: the messages do not
        depend on the noise, so that publishing them tells nothing about the key (Li and Micciancio
        2021).

        Raises:
            RoundError: the key was used before, or the noise leaves the margin: nothing is
                released.
        """
        ...

    def open_blocks(
        self, blocks: Iterable[WordArray], layout: FieldLayout
    ) -> Generator[tuple[WordArray, float], None, None]:
        """:meth:`open_once` for a sum that comes in blocks uint64[n, 2, degree].

        Each block's messages uint64[n, degree] and noise. The secret half is erased after the last
        block, or at the first that fails. What came before a failure is not to be released.
        """
        ...

    def secret(self) -> RoundSecret:
        """Copy the secret half, before it opens the sum.

        It is shown to the participants once the sum was opened without a fault; in all other cases
        the caller erases it.
        """
        ...

    def erase(self) -> None:
        """Forget the secret half; calling it again is harmless."""
        ...


class SumCipher(Protocol):
    """Cipher whose ciphertexts can be added without a key."""

    def generate(self, ring: CipherRing = LARGE_RING) -> RoundKeys:
        """Generate a fresh key pair for one round, whose ciphertexts are in ``ring``."""
        ...

    def encrypt(
        self,
        public: PublicKey,
        messages: WordArray,
        layout: FieldLayout,
    ) -> WordArray:
        """Encrypt uint64[chunks, degree] messages to uint64[chunks, 2, degree] residues.

        The residues are in coefficient form.
        """
        ...
