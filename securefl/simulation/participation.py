"""A part of the hospitals in each round that trains, by a public lot: for designing alone.

A real study has every hospital in every round. Here the lot is public, as it would have to be: who
sends, who is waited for and whose keys are in a sum is seen by all parties. So it amplifies nothing.

**A secret lot would not either.** One hospital h is drawn with probability p, and its patients then
each with probability q. Let x be one of them, a what the others of h add, and g what x adds. Under
all other draws the sum of a round is, but for its noise N,

    without x   P  = (1-p) N(0) + p N(a)
    with x      P' = (1-p) N(0) + p [(1-q) N(a) + q N(a+g)].

Write D for the hockey-stick divergence at any epsilon, and d for that of one step in which h surely
takes part, N(0) against (1-q) N(0) + q N(g). D is jointly convex, so D(P', P) <= p d, whatever the
noise hides of the lot. And as a grows the two parts of P come apart, the sum itself shows who took
part, and D(P', P) -> p d. So over all tables the secret lot is worth exactly what the public one is:
epsilon stays, and delta is met only as often as h is drawn. The rate p q, which would hold if each
patient were drawn without the others, has no proof here; a test convicts it. Bun and others 2020
(arXiv:2007.12674) find the same of surveys that sample clusters. Check-ins that only a client knows,
where the server cannot see who sends: Balle and others 2020 (arXiv:2007.06605).

So a patient is charged for the rounds of the own hospital, all of them, and of no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.errors import SecureFLError, UsageError
from securefl.learning.strategies import strategy_of
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.noise import poisson_sample
from securefl.privacy.randomness import ChaChaStream
from securefl.simulation.draws import key_of
from securefl.study.training import training_if_any
from securefl.study.wire import bound_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from securefl.study.schema import Study
    from securefl.study.training import TrainSection

#: Lots of a round that have too few hospitals and are drawn again, before somebody is told.
_MOST_LOTS = 10_000


@dataclass(frozen=True)
class Participation:
    """How many hospitals take part in a round that trains: exactly one of the two.

    Attributes:
        share: each by a lot of its own, with this probability.
        count: so many of them, each set as likely.
    """

    share: Fraction | None = None
    count: int | None = None

    @property
    def words(self) -> str:
        """The rule, for people."""
        if self.share is not None:
            return f"each by a lot of its own, with probability {self.share}"
        return f"{self.count:,}, by lot"

    def part(self, sites: int) -> Fraction:
        """Share of the hospitals to expect in a round."""
        if self.share is not None:
            return self.share
        return Fraction(self.count or 0, sites)

    def check(self, study: Study) -> None:
        """Refuse what no round could be run with.

        Raises:
            UsageError: too few hospitals, nothing to train, or a study that reads all of them.
        """
        section = training_if_any(study)
        sites = len(study.participants)
        least = study.secagg.min_contributors
        if section is None:
            raise UsageError(
                "The study trains no model: all hospitals are in each of its rounds.",
                next_step="Leave out --participation and --clients-per-round.",
            )
        if study.secagg.groups is not None or strategy_of(section).remembers:
            raise UsageError(
                "A part of the hospitals is not simulated with groups, nor with a strategy that"
                " reads a hospital's last round.",
                next_step='Write strategy = "fedavg" and no groups, or let all take part.',
            )
        if not 0 < self.part(sites) <= 1:
            raise UsageError(
                f"A round of {sites:,} hospitals cannot be drawn so: {self.words}.",
                next_step="Give a share above 0 and at most 1, or as many hospitals as there are.",
            )
        if self.part(sites) * sites < least:
            raise UsageError(
                f"The study opens no sum of fewer than {least} hospitals, and a round would have"
                f" {float(self.part(sites) * sites):.3g}.",
                next_step="Take more of them, or simulate more with --sites.",
            )


class Lots:
    """Public lots of one repeat: who takes part in each round that trains.

    Args:
        rule: how many.
        sites: all hospitals, by name.
        least: with fewer a round would not be opened, so its lot is drawn again.
        seed: of the simulation.
        repeat: which of its repeats.
    """

    def __init__(
        self,
        rule: Participation,
        sites: Iterable[str],
        least: int,
        *,
        seed: int,
        repeat: int,
    ) -> None:
        self._rule = rule
        # By name: the lot is the same in whatever order hospitals answer.
        self._sites = tuple(sorted(sites))
        self._least = least
        self._stream = ChaChaStream(key_of("clients", seed, repeat))
        self._rounds = dict.fromkeys(self._sites, 0)

    @property
    def rounds(self) -> Mapping[str, int]:
        """Rounds that each hospital was drawn for so far."""
        return dict(self._rounds)

    def draw(self) -> frozenset[str]:
        """The hospitals of the next round.

        Raises:
            UsageError: a lot with enough of them does not come.
        """
        for _ in range(_MOST_LOTS):
            drawn = self._one()
            if len(drawn) >= self._least:
                for site in drawn:
                    self._rounds[site] += 1
                return frozenset(drawn)
        raise UsageError(
            f"Hardly any round would have the {self._least} hospitals that it needs.",
            next_step="Take more of them.",
        )

    def _one(self) -> list[str]:
        count = len(self._sites)
        if self._rule.share is not None:
            there = poisson_sample(count, self._rule.share, self._stream)
            return [site for site, is_there in zip(self._sites, there, strict=True) if is_there]
        # The places of the smallest of independent tickets are a set that is as likely as any.
        tickets = np.frombuffer(self._stream(8 * count), dtype="<u8")
        first = np.argsort(tickets, kind="stable")[: self._rule.count]
        return [self._sites[place] for place in sorted(first)]


def server_of(study: Study, part: Fraction) -> Study:
    """The study as the server of a sample steps by it: a sum of fewer hospitals is divided by as
    many fewer patients, and numbers travel as they did.
    """
    section = training_if_any(study)
    if section is None or part == 1:
        return study
    fewer = section.normaliser * Decimal(part.numerator) / Decimal(part.denominator)
    scaled = section.model_copy(update={"normaliser": fewer, "bound": bound_of(study)})
    stages = tuple(scaled if one is section else one for one in study.stages)
    return study.model_copy(update={"stages": stages})


@dataclass(frozen=True)
class Participated:
    """Rounds of the hospitals of a sample, and what a patient is charged for them.

    Attributes:
        rule: how hospitals were drawn, in words.
        sites: hospitals in all.
        rounds: rounds that train.
        fewest: of them at the hospital that was drawn least often, in any repeat.
        mean: on average.
        most: at the hospital that was drawn most often.
        charged: training epsilon of a patient there: the rounds of that hospital, one by one.
        reserved: training epsilon of all rounds: what a hospital sets aside before the lot.
        multiplied: the figure of an accountant that multiplies both rates. Nobody is promised it.
    """

    rule: str
    sites: int
    rounds: int
    fewest: int
    mean: float
    most: int
    charged: str
    reserved: str
    multiplied: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "rule": self.rule,
            "sites": self.sites,
            "rounds": self.rounds,
            "took_part": {"fewest": self.fewest, "mean": self.mean, "most": self.most},
            "epsilon_charged": self.charged,
            "epsilon_reserved": self.reserved,
            "epsilon_of_multiplied_rates": self.multiplied,
            "amplification_claimed": False,
            "real_studies_sample": False,
        }


def participated(
    study: Study,
    rule: Participation,
    rounds: Sequence[Mapping[str, int]],
) -> Participated | None:
    """Count and price what the lots of all repeats drew.

    Args:
        study: its noise and rates are charged.
        rule: by which hospitals were drawn.
        rounds: of each repeat, hospital to rounds.
    """
    section = training_if_any(study)
    counts = [count for one in rounds for count in one.values()]
    if section is None or not counts:
        return None
    delta = study.privacy.delta
    part = rule.part(len(study.participants))
    return Participated(
        rule=rule.words,
        sites=len(study.participants),
        rounds=section.rounds,
        fewest=min(counts),
        mean=sum(counts) / len(counts),
        most=max(counts),
        charged=_epsilon(section, section.sample_rate, max(counts), delta),
        reserved=_epsilon(section, section.sample_rate, section.rounds, delta),
        multiplied=_epsilon(section, section.sample_rate * part, section.rounds, delta),
    )


def _epsilon(
    section: TrainSection,
    rate: Fraction,
    rounds: int,
    delta: Decimal,
) -> str:
    """Epsilon of so many rounds of the section's steps."""
    steps = rounds * section.local_steps
    if not steps:
        return "0"
    try:
        found = PldAccountant().training_epsilon(section.noise_multiplier, rate, steps, delta)
    except SecureFLError:
        return "not known"
    return f"{found:.4g}"
