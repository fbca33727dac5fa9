"""A round whose numbers travel under keys that add up, on whole arrays: for tests that look at one
object.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from secagg_round import NAMES, Round
from secagg_survivors import World

from securefl.secagg import contribution, frame, opening
from securefl.secagg.additive import shared_elements
from securefl.secagg.masks import pairwise_seeds
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.survivor_terms import SurvivorTerms


class KeyedRound(Round):
    """:class:`secagg_round.Round` with a number layout.

    A body is a list of arrays, one a section.
    """

    def __init__(self, names=NAMES, *, bits=16, length=10, primes=1):
        super().__init__(names, 16, length)
        self.facts = replace(self.facts, layout=NumberLayout(bits, len(names), primes), bound=10)

    @property
    def layout(self) -> NumberLayout:
        return self.facts.layout

    def body(self, me, values, facts=None, draw=None, mask=None):
        """What a hospital sends, with its key drawn from ``draw`` and under ``mask`` where they are
        given.
        """
        facts = facts or self.facts
        mask = pairwise_seeds(me, self.secrets(me), facts) if mask is None else mask
        more = {} if draw is None else {"draw": draw}
        blocks = contribution.encrypted_body(
            values,
            facts,
            facts.digest(),
            public=self.keys.public,
            mask=mask,
            cipher=CkksIntegers(),
            **more,
        )
        return by_section(facts, blocks)

    def sent(self, me, values):
        """The same through a frame, signed, read and checked."""
        blocks = frame.contribution_blocks(
            io.BytesIO(self.frame(me, values)), self.facts, me, self.parties[me].verify
        )
        return by_section(self.facts, blocks)

    def add(self, bodies):
        """The sum of bodies, section by section."""
        total = [part.copy() for part in bodies[0]]
        for body in bodies[1:]:
            total = [s.add(a, b) for s, a, b in zip(self.facts.sections, total, body, strict=True)]
        return total

    def open(self, total, contributors=None, facts=None):
        """Open a sum as the coordinator does: int64[d]."""
        into = np.empty(self.length, dtype=np.int64)
        opening.open_sum(self.keys, total, facts or self.facts, into, contributors)
        return into

    def shared(self, facts=None):
        """The public elements of the round."""
        facts = facts or self.facts
        count = sum(section.count for section in facts.sections[1:])
        return shared_elements(self.layout.ring, facts.digest(), 0, count)


class KeyedWorld(World):
    """:class:`secagg_survivors.World` with a number layout and real encryption."""

    def __init__(self, names, t, c, *, length, primes):
        super().__init__(names, t, c, length=length, cipher=CkksIntegers())
        self.primes = primes
        self.made = {
            name: np.random.default_rng(i).integers(-30_000, 30_000, length)
            for i, name in enumerate(self.names)
        }

    def values(self, name):
        return self.made[name]

    def terms(self, attempt=1):
        if attempt not in self._terms:
            plain = super().terms(attempt)
            layout = NumberLayout(self.bits, len(self.names), self.primes)
            facts = replace(plain.facts, layout=layout)
            self._terms[attempt] = SurvivorTerms(facts, self.t, self.c)
        return self._terms[attempt]


def by_section(facts, blocks):
    """Blocks of any size, joined to one array a section."""
    parts = [[] for _ in facts.sections]
    shapes = [(section.count, *section.item_shape) for section in facts.sections]
    at = 0
    for block in blocks:
        while sum(len(b) for b in parts[at]) == shapes[at][0]:
            at += 1
        parts[at].append(block)
    joined = [np.concatenate(part) for part in parts]
    assert [part.shape for part in joined] == shapes
    return joined
