"""Key pair of a round whose secret half its coordinator stored, to go on after it was killed.

It opens the round's sum by the arithmetic with which participants open it again
(:class:`securefl.secagg.total_check.ShownKeys`); SEAL's own key objects cannot be made of a stored
key. What a stored key is worth: the sum, which is released. Contributions stay closed to it, they
are masked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.secagg.total_check import RoundSecret, ShownKeys

if TYPE_CHECKING:
    from securefl.secagg.publickey import PublicKey


class StoredKeys(ShownKeys):
    """Key pair of a round that is not over.

    Args:
        public: the announced public key.
        secret: the stored key.

    Raises:
        MessageError: the two are no pair.
    """

    def __init__(
        self,
        public: PublicKey,
        secret: RoundSecret,
    ) -> None:
        super().__init__(public, secret)
        self._secret = secret

    def secret(self) -> RoundSecret:
        """Copy the secret half: it is shown to the participants once the sum was opened."""
        return RoundSecret(self._secret.values.copy())

    def erase(self) -> None:
        """Overwrite the secret half; calling it again is harmless."""
        super().erase()
        self._secret.erase()
