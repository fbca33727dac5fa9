"""Consistency of redundant figures: an epsilon must follow from its noise.

The accountant is passed in, so that this room needs no framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from securefl.errors import StudyError
from securefl.study.cadence import most_rounds
from securefl.study.claims import epsilon_fault
from securefl.study.counts import evaluation_of
from securefl.study.faults import at, place
from securefl.study.groups import group_faults
from securefl.study.lines import line_index
from securefl.study.noise_shares import DISTRIBUTED
from securefl.study.parse import parse_any
from securefl.study.stages import checks_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from fractions import Fraction

    from securefl.study import schema
    from securefl.study.stages import Finding


class Accountant(Protocol):
    """The figures this check needs.

    They are decimals, as the claims are: a float of one lies above or below it by chance.
    """

    def training_epsilon(
        self,
        noise_multiplier: Decimal,
        sample_rate: Fraction,
        steps: int,
        delta: Decimal,
    ) -> Decimal:
        """PLD epsilon of ``steps`` Poisson-subsampled Gaussian releases."""

    def evaluation_epsilon(
        self,
        noise_multiplier: Decimal,
        delta: Decimal,
        cells: int = 1,
    ) -> Decimal:
        """PLD epsilon of one Gaussian release of counts, in ``cells`` of which a patient counts."""

    def composed_epsilon(self, mechanisms: Sequence[Any], delta: Decimal) -> Decimal:
        """PLD epsilon of several releases about the same patients.

        Args:
            mechanisms: :class:`securefl.privacy.mechanisms.Mechanism` of each.
            delta: the study's.
        """


def check_consistency(
    study: schema.Template,
    accountant: Accountant,
    text: str = "",
) -> None:
    """Refuse a protocol or study whose figures contradict each other.

    Args:
        study: as parsed.
        accountant: gives the epsilons that the noise really costs.
        text: the file it was parsed from; with it each contradiction names its line.

    Raises:
        StudyError: listing every contradiction with the figure that would fit.
    """
    named = contradictions(study, accountant, text)
    if named:
        raise StudyError(
            "The study's figures contradict each other:\n"
            + "\n".join(f"  {f}" for f in named)
            + "\n",
            next_step="Mend the figures and run `securefl study check` again.",
        )


def parse_consistent(text: bytes, accountant: Accountant) -> schema.Template:
    """Read a protocol or study whose figures agree.

    The one door for a file that a person hands to a command. A table is registered and a budget's
    order is chosen by the same rules by which a study is made.

    Raises:
        StudyError: as :func:`~securefl.study.parse.parse_any` and :func:`check_consistency`.
    """
    found = parse_any(text)
    check_consistency(found, accountant, text.decode())
    return found


def contradictions(
    study: schema.Template,
    accountant: Accountant,
    text: str = "",
) -> list[str]:
    """List what :func:`check_consistency` refuses, a sentence each with its place.

    Empty where the figures agree.
    """
    in_stages = _stages(study, accountant)
    faults = [
        *_unit(study),
        *in_stages,
        *_contributors(study),
        *_shared_noise(study),
        *_dropouts(study),
        *group_faults(study),
        *_each_hospital(study),
    ]
    # A stage with a fault, such as a column that the data lack, may not tell what it releases.
    if not in_stages:
        faults += [*_whole(study, accountant), *_windows(study)]
    if not text:
        return [f"{place(path)}: {fault}" for path, fault in faults]
    # The index is worked out only where there is something to point to.
    if not faults:
        return []
    lines = line_index(text)
    return [f"{at(path, lines)}: {fault}" for path, fault in faults]


def _stages(study: schema.Template, accountant: Accountant) -> list[Finding]:
    return [
        (("stages", number, *path), fault)
        for number, stage in enumerate(checks_of(study))
        for path, fault in stage.faults(accountant)
    ]


def _whole(study: schema.Template, accountant: Accountant) -> list[Finding]:
    """The epsilon of the whole study, where it is stated, against all releases together.

    Patients who train and patients kept aside are others, so the larger figure is one patient's
    (McSherry 2009, parallel composition).
    """
    privacy = study.privacy
    if privacy.epsilon is None:
        return []
    releases = [release for stage in checks_of(study) for release in stage.releases()]
    trained = [r.charge.mechanism for r in releases if not r.aside]
    kept_aside = [r.charge.mechanism for r in releases if r.aside]
    groups = [group for group in (trained, kept_aside) if group]

    def compute() -> Decimal:
        return max(accountant.composed_epsilon(group, privacy.delta) for group in groups)

    fault = epsilon_fault(privacy.epsilon, compute, privacy.delta)
    if fault is None:
        return []
    return [(("privacy", "epsilon"), fault)]


def _unit(study: schema.Template) -> list[Finding]:
    if study.privacy.unit == "patient" or study.data.max_rows_per_patient == 1:
        return []
    # a limit would let one row's absence admit another row of the same patient: two records would
    # change at once
    fault = (
        'must be 1 with privacy.unit = "record", where every row counts alone; for several rows of'
        ' a patient together use unit = "patient"'
    )
    return [(("data", "max_rows_per_patient"), fault)]


def _contributors(study: schema.Template) -> list[Finding]:
    s = study.secagg
    where = ("secagg", "min_contributors")
    faults: list[Finding] = []
    if s.min_contributors < s.colluders + 2:
        faults.append((where, f"must be at least colluders + 2 = {s.colluders + 2}"))
    participants = getattr(study, "participants", None)
    if participants is None:
        return faults
    k = len(participants)
    if s.min_contributors > k:
        faults.append(
            (
                where,
                f"says {s.min_contributors}, but the study has {k} participants; write at most {k}",
            )
        )
    # Groups are disjoint and fixed before anything is sent: no two sets of one round overlap.
    if s.groups is None and 2 * s.min_contributors <= k + s.colluders:
        need = (k + s.colluders) // 2 + 1
        fault = (
            f"must be at least {need}: with fewer, two different sets of hospitals could be opened"
            " in one round (2 x min_contributors > participants + colluders)"
        )
        faults.append((where, fault))
    return faults


def _shared_noise(study: schema.Template) -> list[Finding]:
    """Shared noise of which somebody knows a part: each hospital knows its own share."""
    if study.privacy.noise != DISTRIBUTED or study.secagg.colluders > 0:
        return []
    fault = (
        'must be 1 or more with noise = "distributed": each hospital knows its own share of the'
        " noise, so the others' must be all of it"
    )
    return [(("secagg", "colluders"), fault)]


#: Everybody deals to everybody, so work grows with the square of the hospitals: at 60 the dealings
#: are 0.2 MB a hospital and round.
LARGEST_THAT_GOES_ON = 100


def _each_hospital(study: schema.Template) -> list[Finding]:
    """A lowest figure of each hospital, where the evaluation does not show them."""
    if study.quality is None or study.quality.minimum_each is None:
        return []
    if evaluation_of(study).each_participant:
        return []
    fault = (
        "asks for each hospital's figures, and the last evaluation does not show them: write"
        " each_participant = true there, or delete this"
    )
    return [(("quality", "minimum_each"), fault)]


def _windows(study: schema.Template) -> list[Finding]:
    """Rounds that the study's windows do not take before it closes."""
    rounds = sum(release.rounds for stage in checks_of(study) for release in stage.releases())
    most = most_rounds(study.schedule, rounds)
    if most is None or most >= rounds:
        return []
    fault = (
        f"leaves room for {most} rounds from opens to closes, and the study has {rounds}; let it"
        " close later, or allow more rounds in a window"
    )
    return [(("schedule", "cadence"), fault)]


def _dropouts(study: schema.Template) -> list[Finding]:
    k = len(getattr(study, "participants", ()))
    if study.schedule.on_dropout == "fail" or k == 0:
        return []
    where = ("schedule", "on_dropout")
    if k > LARGEST_THAT_GOES_ON:
        return [
            (
                where,
                (
                    f'"continue" works with up to {LARGEST_THAT_GOES_ON} hospitals, and the study'
                    f' has {k}; write "fail"'
                ),
            )
        ]
    if study.secagg.min_contributors >= k:
        return [
            (
                where,
                (
                    f'"continue" can lose nobody while secagg.min_contributors is {k}, all'
                    ' participants; lower it, or write "fail"'
                ),
            )
        ]
    return []
