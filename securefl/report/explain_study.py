"""Sentences on what a study means, without any markup. Pages show them literally, Markdown escapes
them.

Every figure is read off the study or computed from it; nothing here is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.identity import IdentityCard
from securefl.learning.models import family_of
from securefl.learning.stages.programme import Programme
from securefl.learning.tasks import task_of
from securefl.privacy.accounting import gated_epsilon
from securefl.privacy.explain import explain_epsilon, guess_percent, one_in
from securefl.privacy.planning import epsilon_if_masks_fail
from securefl.report.group_sums import group_sentences
from securefl.report.words import bytes_words, decimal_words, plural
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.study.counts import shows_each_participant
from securefl.study.groups import least_hospitals
from securefl.study.noise_shares import noise_shares
from securefl.study.stages import makes_model
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from securefl.identity import Role
    from securefl.learning.stages.release import Release
    from securefl.learning.stages.stage import Stage
    from securefl.study.schema import Party, Template

#: GA4GH Data Use Ontology, the codes that data owners meet most (obolibrary.org/obo/duo.owl).
DUO = {
    "DUO:0000004": "no restriction",
    "DUO:0000006": "health, medical or biomedical research",
    "DUO:0000007": "research on a named disease",
    "DUO:0000011": "research on population origins or ancestry",
    "DUO:0000018": "not for profit, non-commercial use only",
    "DUO:0000019": "results must be published",
    "DUO:0000020": "collaboration with the data's owners required",
    "DUO:0000021": "ethics approval required",
    "DUO:0000022": "limited to a region",
    "DUO:0000025": "limited in time",
    "DUO:0000026": "limited to named users",
    "DUO:0000027": "limited to a named project",
    "DUO:0000028": "limited to named institutions",
    "DUO:0000042": "general research use",
    "DUO:0000043": "use in clinical care",
    "DUO:0000045": "not-for-profit organisations only",
    "DUO:0000046": "non-commercial use only",
}


@dataclass(frozen=True)
class Leaving:
    """One kind of message that leaves each hospital: how often, how many numbers, how large (bytes
    of ciphertext), what they are.
    """

    times: int
    values: int
    size: int
    what: str
    often: str = ""

    @property
    def sentence(self) -> str:
        """As a person says it."""
        return (
            f"{self.often or f'{self.times:,} times'}: one encrypted list of {self.values:,}"
            f" numbers blurred with noise, {bytes_words(self.size)}: {self.what}."
        )


def card(party: Party, role: Role) -> IdentityCard:
    """The identity card that a party's keys in the study make; its fingerprint is compared by
    telephone.
    """
    return IdentityCard(
        party.name, role, party.legal_name, party.email, party.signing_public, party.sealing_public
    )


def hospitals(study: Template) -> int:
    """Number of hospitals that take part; for a template, the least that it needs."""
    return len(getattr(study, "participants", ())) or least_hospitals(study)


def leaving(study: Template) -> tuple[Leaving, ...]:
    """Releases of each hospital, in the order of the stages."""
    return tuple(
        Leaving(
            release.rounds,
            release.length,
            body_bytes(layout_for(release.bits, hospitals(study), release.length), release.length),
            release.words.leaves,
            release.words.when,
        )
        for _, release in Programme(study).releases
    )


def units(study: Template) -> str:
    """Noun that the figures count: patients, or rows of the table."""
    if study.privacy.unit == "patient":
        return "patients"
    return "rows"


def quality_sentence(study: Template) -> str:
    """The quality rule, and what comes of it."""
    task = task_of(study.data)
    metric = task.metric
    if study.quality is None:
        return "It makes no model, so none is judged."
    if not task.asks(study.quality):
        return f"No lowest {metric} is asked for."
    asked = decimal_words(study.quality.minimum)
    if study.quality.minimum_each is not None:
        asked = f"{asked}, and {decimal_words(study.quality.minimum_each)} at each hospital"
    withheld = ""
    if study.quality.stop_rule == "withhold":
        withheld = " A model of which that is not shown is given to nobody."
    return (
        f"The lowest acceptable {metric} is {asked}, judged on the lower end of the noised interval;"
        f" every hospital is told whether it was met.{withheld}"
    )


def ratio(value: Fraction) -> str:
    """A share as people say it: "1 in 5" or "3 of 10"."""
    return f"{value.numerator} {'in' if value.numerator == 1 else 'of'} {value.denominator}"


def model_words(study: Template) -> str:
    """The kind of model and its size."""
    family = family_of(training_of(study).model, study.data)
    kind = family.words(task_of(study.data))
    return f"{kind} with {plural(family.parameters, 'weight')}"


def looks_sentence(study: Template) -> str:
    """Looks at the training on its way, behind the sentences on it; empty where there are none."""
    training = training_of(study)
    if training.looks is None:
        return ""
    count = training.looks.count(training.rounds)
    every = training.looks.every
    often = f"After every {every} rounds"
    if every == 1:
        often = "After every round but the last"
    ends = ""
    if training.looks.ends:
        ends = (
            " Where a look is worse than one before, as their intervals say, the study ends there"
            " without a model; nothing of what was charged is given back."
        )
    return (
        f" {often} a round of its own looks at the model on the patients kept aside, {count} times"
        f" in all: it changes nothing in the model, and is charged whatever comes of it.{ends}"
    )


def use_words(study: Template) -> str:
    """Use of a hospital's rows."""
    split = (
        f"{ratio(study.data.holdout)} patients, drawn by a secret lot of each hospital, are kept"
        " aside"
    )
    used = f"{split} to check the model; the others train it."
    if not makes_model(study):
        used = f"{split}{_aside_words(study)}"
    if not study.data.holdout:
        used = "All patients are used; none is kept aside."
    return (
        f"{used} A row outside the ranges and choices"
        f" above is set aside and not used, unless the column says otherwise.{_rows_words(study)}"
    )


def _aside_words(study: Template) -> str:
    """Use of those kept aside, where there is no model to check."""
    if any(release.aside for _, release in Programme(study).releases):
        return " for figures of their own."
    return "; the figures are of the others."


def _rows_words(study: Template) -> str:
    """Rows of one patient that count; nothing to say where it is one."""
    if study.privacy.unit == "record":
        return " Every row is used, also where a patient has several."
    most = study.data.max_rows_per_patient
    if most == 1:
        return ""
    return (
        f" Of one patient at most {most} rows are used, drawn by the same secret lot; what they"
        " teach together is limited as if they were one."
    )


def worst_epsilon(study: Template) -> Decimal:
    """Epsilon for one patient: of those who train, or of those kept aside, the larger. Where
    several stages are about the same patients, what they cost together counts. A study that states
    the figure is held to it (:mod:`securefl.study.consistency`).
    """
    if study.privacy.epsilon is not None:
        return study.privacy.epsilon
    releases = Programme(study).releases
    trained = [item for item in releases if not item[1].aside]
    kept_aside = [item for item in releases if item[1].aside]
    groups = [group for group in (trained, kept_aside) if group]
    return max(_group_epsilon(group, study.privacy.delta) for group in groups)


def _group_epsilon(group: Sequence[tuple[Stage, Release]], delta: Decimal) -> Decimal:
    claims = {(stage.place, stage.claimed(release)) for stage, release in group}
    claimed = [epsilon for _, epsilon in sorted(claims)]
    if len(claimed) == 1:
        return claimed[0]
    try:
        return max(*claimed, gated_epsilon([r.charge.mechanism for _, r in group], delta))
    except UsageError:  # a study of such figures is refused; its page still says what it claims
        return sum(claimed, Decimal(0))


def privacy_sentences(study: Template) -> list[str]:
    """Cost of taking part for one patient, in plain words, and its assumptions."""
    p = study.privacy
    worst = worst_epsilon(study)
    twice = 2 * p.delta
    return [
        explain_epsilon(worst, p.delta),
        *_unit_sentences(study),
        "This holds even against somebody who knows everything about all other patients.",
        *_share_sentences(study),
        *_model_sentences(study),
        *_use_sentences(study),
        (
            "A patient known to two of the hospitals loses more: the guess can then rise to"
            f" {guess_percent(2 * worst)}, but for a chance of {one_in(twice)}."
        ),
    ]


def share_alone(study: Template) -> Decimal | None:
    """Epsilon of one hospital's share of the noise; None where each hospital adds all of it."""
    charges = [release.charge for _, release in Programme(study).releases]
    p = study.privacy
    return epsilon_if_masks_fail(charges, p.max_attempts, p.delta, disjoint=True)


def _share_sentences(study: Template) -> list[str]:
    """What the figures rest on where hospitals share the noise."""
    alone = share_alone(study)
    if alone is None:
        return []
    return [
        shared_rest_sentence(plural(study.secagg.colluders, "other hospital")),
        masks_fail_sentence(alone),
    ]


def shared_rest_sentence(colluders: str) -> str:
    """Against whom the figures of shared noise hold.

    Args:
        colluders: how many may, like "1 other hospital".
    """
    return (
        "The hospitals share the noise, and only their total holds all of it. So the figures also"
        f" rest on the masks: they hold against the researcher, the aggregator and {colluders}"
        " together, and no more. A hospital that leaves out its share counts as one of these."
    )


def masks_fail_sentence(alone: Decimal) -> str:
    """The figure with one share of the noise."""
    return (
        "If the masks failed, your own share alone would hide your patients: the guess could then"
        f" rise to {guess_percent(alone)} (epsilon {decimal_words(alone)})."
    )


def _model_sentences(study: Template) -> list[str]:
    """Limit of the promise, where there is a model."""
    if not makes_model(study):
        return []
    return [
        (
            "What a model teaches about people in general is not covered: it would be nearly the"
            " same without that one patient."
        )
    ]


def _use_sentences(study: Template) -> list[str]:
    """Uses of one patient, where patients kept aside have another than the rest."""
    releases = [release for _, release in Programme(study).releases]
    trained = _used(release for release in releases if not release.aside)
    aside = _used(release for release in releases if release.aside)
    if not trained or not aside:
        return []
    charged = "all"
    if len(releases) == len((trained, aside)):
        charged = "both"
    use = f"In one hospital a patient is used either {trained} or {aside}, never for both."
    return [f"{use} The budget is charged for {charged}."]


def _used(releases: Iterable[Release]) -> str:
    """Uses of a patient in these releases, each said once."""
    uses = dict.fromkeys(release.words.used for release in releases)
    return " and ".join(uses)


def _unit_sentences(study: Template) -> list[str]:
    """Unit of the figure, where it is not a whole patient."""
    if study.privacy.unit == "patient":
        return []
    return [
        (
            "The figure is for ONE ROW of the table, not for a patient: a patient with several rows"
            " loses more, with n rows up to n times the epsilon."
        )
    ]


def figure_words(study: Template) -> str:
    """The figures themselves, for those who know them."""
    p = study.privacy
    stages = Programme(study).stages
    claims = [claim for stage in stages for claim in stage.claims()]
    each = ", ".join(f"{short} epsilon {decimal_words(epsilon)}" for short, epsilon in claims)
    return (
        f"{each}, together for one patient {decimal_words(worst_epsilon(study))}, at delta"
        f" {decimal_words(p.delta)};{_shared_words(study)} unit {p.unit}, add or remove one;"
        f" {'; '.join(stage.figures() for stage in stages)}."
    )


def _shared_words(study: Template) -> str:
    """Behind the figures, where hospitals share the noise."""
    alone = share_alone(study)
    if alone is None:
        return ""
    count = noise_shares(study).count
    return f" noise of {count} shares, with one alone epsilon {decimal_words(alone)};"


def sum_sentences(study: Template) -> list[str]:
    """Views of each party, in plain words."""
    return [
        added_noise_sentence(noise_shares(study).count),
        (
            "Then it encrypts and masks the numbers. The aggregator adds what comes from"
            f" {_adds(study)} and holds no key."
        ),
        *_opened_sentences(study),
        alone_sentence(shared=noise_shares(study).count > 1),
        *_own_figures_sentences(study),
    ]


def _opened_sentences(study: Template) -> list[str]:
    """Which totals open, and what parties see that work together."""
    if study.secagg.groups is not None:
        return group_sentences(study)
    c = study.secagg.colluders
    together = "nobody else"
    if c != 0:
        together = plural(c, "other hospital")
    return [
        *_loss_sentences(study),
        (
            f"Should researcher, aggregator and {together} work together, they see no more than the"
            " noised total of the rest."
        ),
    ]


def _own_figures_sentences(study: Template) -> list[str]:
    if not shows_each_participant(study):
        return []
    return [own_figures_sentence()]


def own_figures_sentence() -> str:
    """Figures of one hospital that others read where the study shows each hospital's figures."""
    return (
        "The check of the model is an exception: this hospital's own figures are shown to the"
        " researcher, to all other hospitals and to whoever gets the model. They carry this"
        " hospital's full noise, so they hide each patient as the figures below say; but all of"
        " these learn about how many of your patients were kept aside, and how well the model does"
        " on them."
    )


def added_noise_sentence(shares: int) -> str:
    """What a hospital adds before anything leaves."""
    if shares == 1:
        return "Each hospital adds the full noise for its own patients before anything leaves."
    return (
        "Each hospital adds a share of the noise before anything leaves; the shares of any"
        f" {shares} hospitals together are all of it."
    )


def alone_sentence(*, shared: bool) -> str:
    """What all others together see of one hospital."""
    if shared:
        return (
            "Should all others work together against one hospital, they see its noised numbers, with"
            " its own share of the noise alone: the privacy figures do not hold then."
        )
    return (
        "Should all others work together against one hospital, they see its noised numbers; its"
        " own noise is in them, so the privacy figures still hold."
    )


def _adds(study: Template) -> str:
    if study.schedule.on_dropout == "fail":
        return f"all {hospitals(study)} hospitals"
    return "the hospitals that are left"


def _loss_sentences(study: Template) -> list[str]:
    """Consequence of a missing hospital."""
    k = hospitals(study)
    least = study.secagg.min_contributors
    named = hasattr(study, "participants")
    if study.schedule.on_dropout == "fail":
        return [
            (
                f"The researcher can open only the total of all {k}. If one is missing, the round fails"
                " and nothing is opened."
            )
        ]
    # a protocol names no hospitals yet: how many can be lost depends on how many there will be
    lost = (
        f"At most {plural(k - least, 'hospital')} can be lost"
        if named
        else f"Each hospital beyond {least} may be lost"
    )
    return [
        (
            "The researcher can open only one total a round, of at least"
            f" {least}{f' of the {k}' if named else ''} hospitals; all in it sign who they are"
            " before it can be opened."
        ),
        (
            f"{lost}: the others go on without, and who is back in time takes part again. With"
            f" {'one more missing' if named else f'fewer than {least}'} the study ends, and nothing"
            " more is opened."
        ),
    ]


def undone_sentences() -> list[str]:
    """Consequences that no later decision takes back."""
    return [
        (
            "What has left cannot be called back: a sum that was opened, and a model that was"
            " released, stay known."
        ),
        "Budget that was spent never comes back, even if the study fails or is stopped halfway.",
        (
            "An approval is for exactly this study and is used once. It can be withdrawn at any"
            " time: then nothing more is sent, and the study ends for all."
        ),
    ]


def duo_words(code: str) -> str:
    """A data-use code with its meaning where it is a common one."""
    if code in DUO:
        return f"{code} ({DUO[code]})"
    return code
