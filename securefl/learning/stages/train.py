"""Stage ``train``: rounds of noised steps that make the model.

In a round that trains every hospital starts from the global model, takes its noised local steps
(:mod:`securefl.learning.steps`) and sends their sum; the coordinator moves the model by the opened
sum of all, as the study's strategy says (:mod:`securefl.learning.strategies`).

A study may ask for looks on the way (:mod:`securefl.learning.looks`): rounds that release the
evaluation's list and move nothing. The round after a look broadcasts what the look did, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from securefl.errors import MessageError
from securefl.learning.looks import (
    LookAnswers,
    looks_together,
    read_look,
    recalled_looks,
    require_no_loss,
)
from securefl.learning.models import family_of, first_weights, weights_sha256
from securefl.learning.stages.looks import (
    LOOK,
    LookedAt,
    LookedAtAnswers,
    look_faults,
    look_release,
)
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result, Rows, Stage
from securefl.learning.strategies import strategy_of
from securefl.learning.tasks import task_of
from securefl.learning.training import training_steps
from securefl.privacy.mechanisms import SubsampledGaussian, decimal_text
from securefl.study.claims import claim_faults
from securefl.study.noise_shares import least_share
from securefl.study.plausible import clip_faults, learning_faults
from securefl.study.training import TrainSection
from securefl.study.wire import sum_unit, wire_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal
    from fractions import Fraction

    from securefl.learning.families.family import Family
    from securefl.learning.looks import Look
    from securefl.learning.steps import Draws, PrivateSteps
    from securefl.learning.strategies.strategy import ServerState, Strategy
    from securefl.study.consistency import Accountant
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray


#: Kind of the release that moves the model.
UPDATE: Final = "update"


@dataclass(frozen=True)
class TrainState:
    """The training after some rounds.

    Attributes:
        server: the model, as the strategy holds it.
        done: training rounds that made it.
        looks: figures of the looks so far.
    """

    server: ServerState
    done: int = 0
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True)
class TrainResult(LookedAt):
    """The trained model, float64[p], and how good it was on the way."""

    model: FloatArray


class Train(Stage):
    """The training of the study's model."""

    Section = TrainSection
    short = "training"
    nouns: ClassVar[Mapping[str, tuple[str, str]]] = {
        UPDATE: ("model update", "model updates"),
        LOOK: ("look at the model", "looks at the model"),
    }
    section: TrainSection

    def releases(self) -> Sequence[Release]:
        """See :class:`Stage`: the updates, and the looks where the study asks for them."""
        t = self.section
        if t.looks is None or not t.looks.count(t.rounds):
            return (self._updates(),)
        return (self._updates(), look_release(self.study, t.looks, t.rounds, self.shares))

    def schedule(self) -> Sequence[int]:
        """See :class:`Stage`: a look after every so many updates, none after the last."""
        looks = self.section.looks
        rounds = self.section.rounds
        places: list[int] = []
        for done in range(1, rounds + 1):
            places.append(0)
            if looks is not None and looks.follows(done, rounds):
                places.append(1)
        return places

    def _updates(self) -> Release:
        t = self.section
        wire = wire_of(self.study)
        return Release(
            kind=UPDATE,
            rounds=t.rounds,
            mechanism=self._mechanism,
            length=self._strategy.sent_size(self.parameters),
            bound=-(-wire.bound // wire.step),
            bits=t.bits,
            aside=False,
            words=Words("training", self._leaves(), "to train the model"),
        )

    @property
    def _mechanism(self) -> SubsampledGaussian:
        t = self.section
        return SubsampledGaussian(
            t.noise_multiplier, t.sample_rate, t.local_steps, self.shares.count
        )

    @property
    def epsilon(self) -> Decimal:
        """See :class:`Stage`."""
        return self.section.epsilon

    def claims(self) -> Sequence[tuple[str, Decimal]]:
        """See :class:`Stage`."""
        found = [(self.short, self.epsilon)]
        if self.section.looks is not None:
            found.append(("looks", self.section.looks.epsilon))
        return found

    def claimed(self, release: Release) -> Decimal:
        """See :class:`Stage`."""
        looks = self.section.looks
        if looks is not None and release.kind == LOOK:
            return looks.epsilon
        return self.epsilon

    def figures(self) -> str:
        """See :class:`Stage`."""
        p = self.section
        return (
            f"training of {p.steps} steps, each on {drawn_words(p.sample_rate, 'patients')}, with"
            f" noise multiplier {decimal_text(p.noise_multiplier)} and clip norm"
            f" {decimal_text(p.clip_norm)}{self._look_figures()}"
        )

    def _look_figures(self) -> str:
        """Figures of the looks, behind those of the training."""
        looks = self.section.looks
        if looks is None:
            return ""
        count = looks.count(self.section.rounds)
        noise = decimal_text(looks.noise_multiplier)
        return f"; {count} looks on the way, each with noise {noise}"

    def faults(self, accountant: Accountant) -> Iterator[Finding]:
        """See :class:`Stage`."""
        s, delta = self.section, self.study.privacy.delta
        steps = s.rounds * s.local_steps
        if s.steps != steps:
            made = f"{s.rounds} rounds of {s.local_steps} make {steps}"
            yield ("steps",), f"says {s.steps}, but {made}; write {steps}"
        yield from claim_faults(
            s.epsilon,
            lambda: accountant.training_epsilon(s.noise_multiplier, s.sample_rate, s.steps, delta),
            delta,
        )
        yield from learning_faults(self.study)
        yield from self._start_faults()
        data = self.study.data
        of_row = self._family.longest_gradient(task_of(data).steepest)
        yield from clip_faults(self.study, of_row * data.max_rows_per_patient)
        yield from self._shared_faults()
        yield from self._group_faults()
        if s.looks is not None:
            faults = look_faults(self.study, s.looks, s.rounds, self.shares, accountant)
            for path, fault in faults:
                yield ("looks", *path), fault

    def _start_faults(self) -> Iterator[Finding]:
        """Weights of an earlier study that are none of this model."""
        try:
            first_weights(self.section, self.study.data)
        except MessageError:
            yield (
                ("start_weights",),
                (
                    f"are not the {self.parameters} finite numbers of this model; the earlier study"
                    " had another family or other columns. Make the study again with `securefl"
                    " study new`"
                ),
            )

    def _shared_faults(self) -> Iterator[Finding]:
        """What does not go with noise that hospitals share."""
        if self.shares.count == 1:
            return
        s = self.section
        if s.local_steps != 1:
            yield (
                ("local_steps",),
                (
                    f'says {s.local_steps}, and with noise = "distributed" it must be 1: a second'
                    " step would read what the first left of one hospital's patients under its own"
                    " share of the noise"
                ),
            )
        if not self._strategy.sends_its_sum:
            yield (
                ("strategy",),
                (
                    f'"{s.strategy}" sends what it makes of each hospital\'s noised sum, and shares'
                    ' of noise add up in the sums alone; write "fedavg", or noise = "local"'
                ),
            )
        wire = wire_of(self.study)
        least = least_share(self.parameters * s.rounds)
        if wire.sigma < least * wire.step:
            yield (
                ("bits",),
                (
                    f"of {s.bits} make steps of {wire.step / wire.sigma:.2g} of a hospital's share"
                    f" of the noise; at most {1 / least:.2g} keeps the promise. Write more bits"
                ),
            )

    def _group_faults(self) -> Iterator[Finding]:
        """What does not go with sums by groups: a strategy that reads more than a mean."""
        if self.study.secagg.groups is None:
            return
        strategy = self._strategy
        if strategy.sends_its_sum and not strategy.remembers:
            return
        yield (
            ("strategy",),
            (
                f'"{self.section.strategy}" reckons with the sum of all hospitals, and a robust mean'
                ' of groups is none; write "fedavg", or delete secagg.groups'
            ),
        )

    def sealed(self) -> Mapping[str, Any]:
        """The hash of the initial weights."""
        theta = first_weights(self.section, self.study.data)
        return {"model": {"initial_sha256": weights_sha256(theta)}}

    @property
    def parameters(self) -> int:
        """Size of the global model."""
        return self._family.parameters

    @property
    def public_length(self) -> int:
        """The model, and what else the strategy broadcasts."""
        return self._strategy.broadcast_size(self.parameters)

    @property
    def starts_from(self) -> str | None:
        """What the strategy makes of the initial weights, which the sealed study names."""
        if self.public_length == self.parameters:
            return self.section.model.initial_sha256
        return weights_sha256(self.broadcast(TrainState(self._strategy.start(self._initial()))))

    def start(self, earlier: Sequence[Result]) -> TrainState:  # noqa: ARG002
        """See :class:`Stage`.

        Raises:
            MessageError: this version makes other initial weights than the study names.
        """
        return TrainState(self._strategy.start(self._initial()))

    def broadcast(self, state: TrainState) -> FloatArray:
        """The weights from which hospitals start the round."""
        return self._strategy.broadcast(state.server)

    def local(
        self,
        study: Study,
        site: str,
        rows: Rows,
        draws: Draws,
    ) -> PrivateSteps | LookedAtAnswers:
        """See :class:`Stage`."""
        weight = study.participant(site).weight
        steps = training_steps(study, weight, rows.train, draws, self.section.steps_at(site))
        looks = self.section.looks
        if looks is None:
            return steps
        return LookedAtAnswers(steps, LookAnswers(study, looks, rows.held_out, draws))

    def absorb(self, state: TrainState, total: IntArray, contributors: int) -> TrainState:
        """See :class:`Stage`; a look leaves the model as it is, or ends the study by its rule."""
        if self._look_is_due(state):
            look = read_look(self.study, (state.done, total, contributors))
            looks = (*state.looks, look)
            if self.section.looks is not None and self.section.looks.ends:
                require_no_loss(looks_together(self.study, looks))
            return replace(state, looks=looks)
        server = self._strategy.absorb(state.server, total, sum_unit(self.study))
        return replace(state, server=server, done=state.done + 1)

    def _look_is_due(self, state: TrainState) -> bool:
        """Tell whether the next sum is a look's: one follows the last update, and was not taken."""
        looks = self.section.looks
        if looks is None or not state.done or not looks.follows(state.done, self.section.rounds):
            return False
        return not state.looks or state.looks[-1].after != state.done

    def result(self, state: TrainState) -> TrainResult:
        """See :class:`Stage`."""
        looks = None
        if self.section.looks is not None:
            looks = looks_together(self.study, state.looks)
        return TrainResult(state.server.theta, looks=looks)

    def recalled(self, record: Mapping[str, Any]) -> LookedAt | None:
        """See :class:`Stage`: the looks, where there are any."""
        if self.section.looks is None:
            return None
        return LookedAt(looks=recalled_looks(self.study, record))

    def _initial(self) -> FloatArray:
        theta = first_weights(self.section, self.study.data)
        if weights_sha256(theta) != self.section.model.initial_sha256:
            raise MessageError(
                "The initial weights are not those of the study.",
                whose="the researcher",
                next_step="Make the study again with this version of securefl.",
            )
        return theta

    @property
    def _family(self) -> Family:
        return family_of(self.section.model, self.study.data)

    @property
    def _strategy(self) -> Strategy:
        return strategy_of(self.section)

    def _leaves(self) -> str:
        patients = self.study.privacy.unit == "patient"
        if self.section.sample_rate == 1:
            group = f"all of its {'patients who train' if patients else 'rows that train'}"
        else:
            group = f"a random group of {'patients' if patients else 'rows'}"
        return f"{self._family.moved}, summed over {group}"


def drawn_words(rate: Fraction, noun: str) -> str:
    """How many of ``noun`` one step takes: a share drawn by lot, or every one of them.

    >>> from fractions import Fraction
    >>> drawn_words(Fraction(1, 5), "patients")
    '1 in 5 patients drawn at random'
    """
    if rate == 1:
        return f"all {noun}, every time: none is drawn by lot"
    between = "of"
    if rate.numerator == 1:
        between = "in"
    return f"{rate.numerator} {between} {rate.denominator} {noun} drawn at random"
