"""Sum of a round under the real cipher, in one process: each answer encrypted, ciphertexts added,
the sum decrypted once.

Packing, ring, encryption and opening are a real round's, by the same functions
(:func:`securefl.secagg.layouts.layout_for` chooses). Masks, signatures and frames are left out, since
one process has nobody to hide from. The cipher is exact, so it changes no figure, only the time.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.secagg.contribution import encrypted_body
from securefl.secagg.layouts import body_bytes, cipher_layout_of, layout_for
from securefl.secagg.masks import Seeds
from securefl.secagg.opening import open_sum
from securefl.secagg.round_context import ATTEMPT, RoundContext
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.sections import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.learning.stages.release import Release
    from securefl.secagg.layouts import Layout
    from securefl.secagg.publickey import PublicKey
    from securefl.types import IntArray, WordArray

#: No pair and no own seed: nothing lies on the ciphertexts.
_NO_MASK: Final = Seeds((), ())
#: In the place of a study's digest, a model's and a nonce.
_NOTHING: Final = "0" * 64


class EncryptedSum:
    """Adds answers under a key pair that is fresh for each round.

    Args:
        cohort: hospitals of a whole round, where its groups are summed one by one: they take the
            ring of the whole. The answers of each call, unless said.

    Attributes:
        bytes: that one hospital sent so far, without the heads of its frames.
        degrees: degree of a ring to the sums that were made in it.
    """

    def __init__(self, cohort: int | None = None) -> None:
        self.bytes = 0
        self.degrees: Counter[int] = Counter()
        self._cohort = cohort
        self._cipher = CkksIntegers()

    def __call__(self, release: Release, answers: Sequence[IntArray], /) -> IntArray:
        """The sum, int64[release.length].

        Raises:
            RoundError: the canaries do not say that all are in it.
            StudyError: so many hospitals leave the cipher no room.
        """
        layout = self._layout(release, len(answers))
        ring = cipher_layout_of(layout).ring
        keys = self._cipher.generate(ring)
        facts = self._facts(release, layout, keys.public)
        found = np.empty(release.length, dtype=np.int64)
        open_sum(
            keys,
            self._added(answers, facts, keys.public),
            facts,
            found,
        )
        self.bytes += body_bytes(layout, release.length)
        self.degrees[ring.degree] += 1
        return found

    def _layout(self, release: Release, contributors: int) -> Layout:
        """Packing of these answers, as a round of as many hospitals would choose it."""
        whole = layout_for(release.bits, self._cohort or contributors, release.length)
        if self._cohort in (None, contributors):
            return whole
        rings = (cipher_layout_of(whole).ring,)
        return layout_for(release.bits, contributors, release.length, rings)

    def _facts(
        self,
        release: Release,
        layout: Layout,
        public: PublicKey,
    ) -> RoundContext:
        # The digest is another in each round all the same: it covers the fresh key.
        names = tuple(f"{place:04d}" for place in range(layout.contributors))
        return RoundContext(
            study=_NOTHING,
            round=1,
            attempt=ATTEMPT,
            kind=release.kind,
            cohort=names,
            instances=(_NOTHING,) * len(names),
            public_key_sha256=public.sha256,
            layout=layout,
            length=release.length,
            bound=release.bound,
            model_sha256=_NOTHING,
        )

    def _added(
        self,
        answers: Sequence[IntArray],
        facts: RoundContext,
        public: PublicKey,
    ) -> Iterator[WordArray]:
        """Blocks of the sum: each answer is encrypted block by block, beside all others."""
        bodies = [
            encrypted_body(
                values,
                facts,
                facts.digest(),
                public=public,
                mask=_NO_MASK,
                cipher=self._cipher,
            )
            for values in answers
        ]
        for section, _, _ in blocks_of(facts.sections):
            total = next(bodies[0])
            for body in bodies[1:]:
                total = section.add(total, next(body))
            yield total
