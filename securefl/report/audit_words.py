"""Words and groups of the ledger's report, the same on both of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from securefl.privacy.explain import percent
from securefl.report.words import decimal_words
from securefl.study.stages import STAGES
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from securefl.privacy.audit import AuditReport

Json: TypeAlias = "dict[str, Any]"
#: Reason codes of refusals.
REASONS: dict[str, str] = {"budget": "too little budget", "owner": "the owner said no"}

#: Groups of one kind from which on kinds are told to take turns.
_TURNS: Final = 3

#: Heading over the owner's own use of the tables.
AGREEMENTS = "Agreements of a consortium that this hospital's machine holds studies to"
NO_NETWORK_WALL = "Read by a worker whose network was NOT blocked, as the policy allowed"
BY_RULE = "Approved by a rule of this hospital's policy"
ENDORSED = "People of this hospital who agreed before it approved"
EXCLUDED = "Patients taken out: no study reads their rows since"
PERSONAL = "Personal models made here: nothing left, nothing was charged"


def nouns(kind: str) -> tuple[str, str]:
    """One release of that kind, and many: as its stage says, or the word itself where no stage
    here knows it.

    >>> nouns("word-count")
    ('release of word-count', 'releases of word-count')
    """
    for name in STAGES.names():
        if kind in (known := STAGES[name].nouns):
            one, many = known[kind]
            return one, many
    return f"release of {kind}", f"releases of {kind}"


def study_name(study_id: str, digest: str) -> str:
    """A study as people tell it from others: its name and the beginning of its digest."""
    return StudyId(study_id, digest).name


def reason_words(code: str) -> str:
    """The reason for which a study was refused, in words."""
    return REASONS.get(code, code)


def figure(value: float) -> str:
    """A number to four significant digits.

    >>> figure(1.99984), figure(1e-05), figure(3.0)
    ('2', '0.00001', '3')
    """
    return decimal_words(Decimal(f"{value:.4g}"))


def part_words(share: float) -> str:
    """Write a share of 0 to 1 in per cent, rounded up, with more places the smaller it is.

    One release of thousands is not "0.1 %".

    >>> part_words(0.3211), part_words(0.0321), part_words(0.00321), part_words(0.000321), part_words(0.00000321), part_words(0)
    ('33 %', '3.3 %', '0.33 %', '0.033 %', '0.001 %', '0 %')
    """
    value = Decimal(repr(share))
    if value >= Decimal("0.1") or not value:
        return percent(value)
    step = next((s for s in ("0.1", "0.01") if value * 100 >= 10 * Decimal(s)), "0.001")
    return f"{(value * 100).quantize(Decimal(step), rounding=ROUND_CEILING):f} %"


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, with runs drawn together.

    >>> ranges([1, 2, 3, 5, 7, 8])
    '1 to 3, 5, 7, 8'
    """
    found: list[list[int]] = []
    for n in numbers:
        if found and found[-1][-1] + 1 == n:
            found[-1].append(n)
        else:
            found.append([n])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in found
    )


def revoked_words(used: str) -> str:
    """Say that a budget was taken back, with the share of it that had been used."""
    return (
        f"{used} of the budget used; the owner took back the rest, so nothing more can be approved"
        " until another grant."
    )


def share_words(population: Json, last: str | None) -> str:
    """Say how far a population's budget has gone: the share used and the room left, never a difference
    of epsilons.

    Args:
        population: of the report.
        last: the last approved study's name, or None before the first one.
    """
    used = percent(Decimal(str(population["share_used"])))
    room = population["studies_like_last"]
    if population["revoked"]:
        return revoked_words(used)
    like = f"like the typical one ({population['grants'][-1]['typical']})"
    if last:
        like = f"like the last one ({last})"
    if room < 1:
        return f"{used} of the budget used; no room for another study {like}."
    return (
        f"{used} of the budget used; room for {room:,} more {'study' if room == 1 else 'studies'}"
        f" {like}."
    )


def runs(releases: Iterable[Json]) -> list[list[Json]]:
    """Releases of one study, grouped: same kind and mechanism, rounds without a gap.

    Kinds that take turns, as updates and looks do, are a group each: a line a turn would fill pages.
    In the order of first rounds.
    """
    listed = list(releases)
    rounds = {int(release["round"]) for release in listed}
    kinds: dict[tuple[Any, ...], list[list[Json]]] = {}
    for run in _unbroken(listed):
        kinds.setdefault((*_slot(run[0]), run[0]["steps"]), []).append(run)
    found: list[list[Json]] = []
    for same in kinds.values():
        found += _turns_joined(same, rounds)
    return sorted(found, key=lambda run: run[0]["round"])


def _turns_joined(runs: Sequence[list[Json]], rounds: AbstractSet[int]) -> list[list[Json]]:
    """Runs of one kind, those joined between which every round was another kind's turn.

    Args:
        runs: of one kind, in order.
        rounds: in which the study sent anything.
    """
    if len(runs) < _TURNS:
        return list(runs)
    joined = [runs[0]]
    for run in runs[1:]:
        between = range(joined[-1][-1]["round"] + 1, run[0]["round"])
        if all(number in rounds for number in between):
            joined[-1] = [*joined[-1], *run]
        else:
            joined.append(run)
    return joined


def _unbroken(releases: Iterable[Json]) -> list[list[Json]]:
    """Releases by kind, those of rounds that follow one another together."""
    found: list[list[Json]] = []
    for release in sorted(releases, key=lambda r: (r["kind"], r["round"])):
        last = None
        if found:
            last = found[-1][-1]
        if (
            last is not None
            and last["round"] + 1 == release["round"]
            and _slot(last) == _slot(release)
            and last["steps"] == release["steps"]
        ):
            found[-1].append(release)
        else:
            found.append([release])
    return found


def _slot(entry: Json) -> tuple[str, ...]:
    return (entry["kind"], entry["mechanism"], entry["noise_multiplier"], entry["sample_rate"])


@dataclass(frozen=True)
class Slot:
    """One kind of release of a study: what was reserved for all attempts, what was sent.

    ``one`` is a single release's cost.
    """

    charge: Json
    reserved: int
    sent: int
    one: float

    @property
    def unsent(self) -> int:
        """Reserved and not sent, in single releases."""
        return self.reserved - self.sent


def slots(study: Json) -> dict[tuple[str, ...], Slot]:
    """A study's charges against what it sent in all. Amounts are in the filter's unit."""
    found: dict[tuple[str, ...], Slot] = {}
    for charge in study["charges"]:
        key = _slot(charge)
        reserved = charge["steps"] * study["attempts"]
        one = charge["cost"] / reserved
        if (
            key in found
        ):  # two charges of one mechanism: what is sent cannot be told apart, and costs the same
            reserved += found[key].reserved
        found[key] = Slot(charge, reserved, charge["sent"], one)
    return found


def cost_of(release: Json, found: Mapping[tuple[str, ...], Slot]) -> float:
    """A release's part of what its study was charged."""
    return found[_slot(release)].one * float(release["steps"])


def mechanism_words(entry: Json) -> str:
    """Noise and sampling of a charge or release.

    >>> mechanism_words({"noise_multiplier": "4.98", "sample_rate": "1/5"})
    'noise 4.98 × the most one patient can add; 1/5 of the patients at random'
    """
    rate = entry["sample_rate"]
    drawn = f"{rate} of the patients at random"
    if rate in {"1", "1/1"}:
        drawn = "all patients"
    return f"noise {noise_words(entry)} × the most one patient can add; {drawn}"


def noise_words(entry: Json) -> str:
    """Noise multiplier of a charge or release, and of how many hospitals together it is.

    >>> noise_words({"noise_multiplier": "6"}), noise_words({"noise_multiplier": "6", "noise_parts": 3})
    ('6', '6 in the sum, of 3 shares')
    """
    parts = entry.get("noise_parts", 1)
    if parts == 1:
        return str(entry["noise_multiplier"])
    return f"{entry['noise_multiplier']} in the sum, of {parts} shares"


@dataclass(frozen=True)
class Numbered:
    """Study as one population's page shows it: its number there, data set, releases and slots."""

    number: int
    study: Json
    dataset: str
    releases: tuple[Json, ...]
    slots: Mapping[tuple[str, ...], Slot]

    @property
    def name(self) -> str:
        """As people tell it."""
        return study_name(self.study["id"], self.study["digest"])


def numbered(report: AuditReport, population: str) -> list[Numbered]:
    """A population's studies in the order of approval, from all its data sets."""
    pairs = [(s, d) for d in report.datasets if d["population"] == population for s in d["studies"]]
    found = []
    for number, (study, dataset) in enumerate(sorted(pairs, key=lambda p: p[0]["approved_at"]), 1):
        sent = tuple(r for r in dataset["releases"] if r["study"] == study["digest"])
        found.append(Numbered(number, study, dataset["name"], sent, slots(study)))
    return found


def endorsed_lines(approvals: Sequence[Json]) -> list[str]:
    """Each approval that people agreed to before, with their names."""
    return [
        f"{study_name(a['id'], a['study'])}: {', '.join(a['agreed_by'])}"
        for a in approvals
        if a["agreed_by"]
    ]


def ruled_lines(approvals: Sequence[Json]) -> list[str]:
    """Each approval that a rule gave, with the rule and the digest of the policy it stands in."""
    return [
        f"{study_name(a['id'], a['study'])}: {a['rule']['name']} ({a['rule']['policy'][:16]}…)"
        for a in approvals
        if a["rule"] is not None
    ]


def unwalled_lines(studies: Iterable[Json]) -> list[str]:
    """Each study that started with a worker whose network was not blocked."""
    return [
        study_name(study["id"], study["digest"])
        for study in studies
        if study["walls"] is not None and "network" not in study["walls"]
    ]
