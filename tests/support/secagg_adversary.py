"""Who controls coordinator, aggregator, store and some hospitals, and what it can open of the
honest ones.

It gathers shares: those dealt to its own hospitals, and those that honest holders gave in answers.
What it can open is linear algebra: a combination of honest contributions opens if every self-mask
seed in it is known, and if it has equal parts of any two hospitals whose pair seed is not. So the
sets it can open are the connected pieces of the graph of unknown pair seeds in which every
self-mask seed is known; each is one opened sum.
"""

from __future__ import annotations

from collections import defaultdict

from securefl.secagg.unmasking import read_answer


class Adversary:
    def __init__(self, world, own):
        self.world, self.own = world, frozenset(own)
        self.honest = tuple(name for name in world.names if name not in self.own)
        self.shares = defaultdict(dict)  # (attempt, dealer, seed index) -> holder -> share
        self.contributed = defaultdict(set)

    def sees_contribution(self, name, attempt):
        self.contributed[attempt].add(name)
        dealing = self.world.usual(name, attempt)[2].dealing
        for holder in self.own.intersection(self.world.terms(attempt).neighbours.holders(name)):
            packet = dealing.open_packet(holder, self.world.identities[holder].unseal)
            for index, row in enumerate(packet):
                self.shares[attempt, name, index][holder] = row

    def sees_answer(self, data, survivors, holder):
        attempt = survivors.terms.facts.attempt
        dealings = {name: self.world.usual(name, attempt)[2].dealing for name in survivors.names}
        answer = read_answer(data, survivors, holder, dealings, self.world.verify_by(holder))
        for dealer, rows in answer.shares.items():
            dealing = dealings[dealer]
            indices = [0, *(dealing.seed_index(lost) for lost in survivors.lost_neighbours(dealer))]
            for index, row in zip(indices, rows, strict=True):
                self.shares[attempt, dealer, index][holder] = row

    def knows(self, attempt, dealer, seed):
        """Whether it can restore a seed of ``dealer``: its own for None, else the pair seed with
        another.
        """
        if dealer not in self.contributed[attempt]:
            return False
        index = self.world.usual(dealer, attempt)[2].dealing.seed_index(seed)
        return (
            len(self.shares[attempt, dealer, index])
            >= self.world.terms(attempt).neighbours.share_threshold
        )

    def opened(self):
        """``[(attempt, honest hospitals)]`` of every sum it can open."""
        found = []
        for attempt, sent in self.contributed.items():
            left = {name for name in sent if name not in self.own}
            near = self.world.terms(attempt).neighbours.of
            pieces = []
            while left:
                piece, front = set(), [left.pop()]
                while front:
                    one = front.pop()
                    piece.add(one)
                    for other in near(one):
                        tied = other in self.honest and not (
                            self.knows(attempt, one, other) or self.knows(attempt, other, one)
                        )
                        if tied and other not in piece:
                            front.append(other)
                left -= piece
                pieces.append(piece)
            # a hospital that sent nothing contributes nothing: its mask with a survivor stays on
            found += [
                (attempt, frozenset(piece)) for piece in pieces
                if piece <= sent and all(self.knows(attempt, one, None) for one in piece)
            ]  # fmt: skip
        return found
