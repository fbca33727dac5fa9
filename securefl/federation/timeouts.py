"""Errors of a round that goes on after a loss and is not complete: who is silent, and why.

Whom they name as the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import RoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from securefl.federation.survivor_round import SurvivorRound


def timeout_error(
    arrivals: SurvivorRound,
    seconds: float,
    complaints: Mapping[str, str] | None = None,
) -> RoundError:
    """A round that was not complete by its deadline after its survivors were proposed.

    Args:
        arrivals: the round as far as it came.
        seconds: how long it was waited for.
        complaints: silent hospital → the hospital whose dealing it says it could not use.
    """
    if complaints:
        return _dealt_badly(arrivals, seconds, complaints)
    who = ", ".join(arrivals.state.waiting_for) or "the aggregator"
    what = "no signature under the survivor set"
    if arrivals.state.unmasked:
        what = "no sum"
    elif arrivals.state.agreed:
        what = "no unmasking answer"
    return RoundError(
        f"{_not_complete(arrivals, seconds)}: {what} came from {who}.",
        whose=who,
        next_step=(
            "Ask whether their process runs (`securefl site status`); the study ends here, every"
            " budget stays charged."
        ),
    )


def _dealt_badly(
    arrivals: SurvivorRound,
    seconds: float,
    complaints: Mapping[str, str],
) -> RoundError:
    """Make the error of a dealing that cannot be used.

    It is its dealer's fault, unless those who say so lie: nobody else can see which.
    """
    dealers = sorted(set(complaints.values()))
    said = []
    for dealer in dealers:
        those = [site for site in sorted(complaints) if complaints[site] == dealer]
        said.append(f"{_and(those)} could not use what {dealer} dealt to them")
    rest = [site for site in arrivals.state.waiting_for if site not in complaints]
    beside = f"; no word came from {_and(rest)}" if rest else ""
    return RoundError(
        f"{_not_complete(arrivals, seconds)}: in their own words, {'; '.join(said)}{beside}.",
        whose=", ".join([*dealers, *(site for site in rest if site not in dealers)]),
        next_step=(
            f"Ask {_and(dealers)} first, then those who say so: only they can see it. The study"
            " ends here, what was charged stays charged."
        ),
    )


def _not_complete(arrivals: SurvivorRound, seconds: float) -> str:
    return (
        f"Round {arrivals.terms.facts.round} was not complete {seconds:.0f} seconds after its"
        " survivors were proposed"
    )


def _and(names: Iterable[str]) -> str:
    *first, last = names
    if first:
        return f"{', '.join(first)} and {last}"
    return last
